"""``whybounce evaluate``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from whybounce.model.errors import DataError
from whybounce.serving.cli.loading import ArtifactOption, load
from whybounce.serving.cli.output import percent, print_json, progress_bars, stderr, stdout

_FIGURES = {
    "accuracy": "accuracy",
    "accuracy_with_also": "accuracy, second label accepted",
    "macro_f1": "macro-F1",
    "good_called_hard": "good addresses called hard",
    "hard_recall": "hard bounces called hard",
    "calibration_error": "calibration error",
    "sure_share": "share with confidence ≥ 0.95",
    "sure_right": "of these right",
}
_TITLES = {"both": "model + rules", "model": "model alone", "rules": "rules alone"}


def evaluate(
    data: Annotated[Path, typer.Argument(help="Labelled bounces: .jsonl, .csv, .tsv or .parquet.")],
    text_column: Annotated[str | None, typer.Option(help="Column of the diagnostic.", show_default=False)] = None,
    label_column: Annotated[str | None, typer.Option(help="Column of the true reason.", show_default=False)] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="JSON file for the figures; runs/evaluate-NAME.json by default.", show_default=False),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
    artifact: ArtifactOption = None,
) -> None:
    """Measure the model, the rules and both on labelled bounces.

    Rows may carry "also" (other acceptable labels) and "ambiguous" (left out of the
    figures), and "lang" and "provider" to slice by.
    """
    from whybounce.model.artifact import replace_file
    from whybounce.training.evaluate import evaluate as measure
    from whybounce.training.labelled import read_labelled

    rows = read_labelled(data, text_column=text_column, label_column=label_column)
    with progress_bars() as report:
        result = measure(
            load(artifact),
            rows,
            source=data.name,
            progress=lambda done, total: report("predicting", done, total),
        )
    target = out or Path("runs") / f"evaluate-{data.stem}.json"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        replace_file(target, (json.dumps(result, indent=2, ensure_ascii=False) + "\n").encode())
    except OSError as error:
        raise DataError(f"cannot write {target} ({error.strerror}); name another file with --out") from error
    if as_json:
        print_json(result)
        return
    _print(result)
    stderr.print(f"\nall figures and every mistake: {target}", highlight=False)


def _print(result: dict[str, Any]) -> None:
    systems = result["systems"]
    left_out = result["ambiguous_left_out"]
    stdout.print(
        f"{escape(result['source'])}: {result['rows'] - left_out} rows measured, {left_out} ambiguous left out",
        highlight=False,
    )
    stdout.print()
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("")
    for name in systems:
        table.add_column(_TITLES[name], justify="right")
    for key, title in _FIGURES.items():
        shown = [
            f"{system[key]:.3f}" if key == "calibration_error" else percent(system[key]) for system in systems.values()
        ]
        table.add_row(title, *shown)
    stdout.print(table)
    stdout.print()
    reasons = Table(
        box=None, pad_edge=False, header_style="bold", title="model + rules, by true reason", title_justify="left"
    )
    reasons.add_column("reason", no_wrap=True)
    for name in ("precision", "recall", "f1", "rows"):
        reasons.add_column(name, justify="right")
    for label, row in sorted(systems["both"]["reasons"].items(), key=lambda item: -item[1]["support"]):
        reasons.add_row(label, *(f"{row[key]:.2f}" for key in ("precision", "recall", "f1")), str(row["support"]))
    stdout.print(reasons)
    if result["degraded"]:
        stdout.print("[yellow]no model could be loaded: these are the figures of the rules alone[/]")
