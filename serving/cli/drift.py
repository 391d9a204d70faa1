"""``whybounce drift``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from whybounce.model.errors import DataError
from whybounce.serving.cli.loading import ArtifactOption, load
from whybounce.serving.cli.output import percent, print_json, progress_bars, stderr, stdout
from whybounce.serving.cli.records import read

if TYPE_CHECKING:
    from whybounce.model.prediction import Prediction
    from whybounce.model.predictor import BounceClassifier

ROWS = 12
COLOURS = {"steady": "green", "moved": "yellow", "shifted": "red", "too few": "dim"}


def drift(
    reference: Annotated[str, typer.Option(help="Diagnostics of a time when all was well (.txt, .csv, .tsv, .jsonl).")],
    current: Annotated[str, typer.Option(help="Diagnostics of now.")],
    column: Annotated[str | None, typer.Option(help="Column that holds the diagnostic.", show_default=False)] = None,
    out: Annotated[Path | None, typer.Option(help="Write everything as JSON.", show_default=False)] = None,
    fail_above: Annotated[
        float | None,
        typer.Option(min=0, help="End with 1 when the index is above this, such as 0.25.", show_default=False),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    artifact: ArtifactOption = None,
) -> None:
    """Say whether today's bounces still look like the earlier ones: unknown, unsure, reasons, new templates."""
    from whybounce.training.drift import Traffic
    from whybounce.training.drift import drift as compare

    classifier = load(artifact)
    with progress_bars() as report:
        sides = [Traffic.of(_predictions(classifier, name, column, report)) for name in (reference, current)]
    for name, side in zip((reference, current), sides, strict=True):
        if not side.every.count:
            raise DataError(f"{name}: holds no diagnostics; nothing can be compared")
    document = {"schema": "whybounce-drift", "model_version": classifier.model_version, **compare(*sides)}
    if out is not None:
        import json

        from whybounce.model.artifact import replace_file

        try:
            replace_file(out, (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode("utf-8", "replace"))
        except OSError as error:
            raise DataError(f"{out}: cannot be written ({error.strerror}); check the folder") from error
    if as_json:
        print_json(document)
    else:
        _show(document)
    if fail_above is not None and document["psi"] > fail_above:
        stderr.print(f"the index {document['psi']:.3f} is above {fail_above}", highlight=False)
        raise typer.Exit(1)


def _predictions(classifier: BounceClassifier, name: str, column: str | None, report: Any) -> Iterator[Prediction]:
    for done, record in enumerate(read(name, column=column), start=1):
        yield classifier.predict_one(record.text, **record.fields)
        if done % 5000 == 0:
            report(f"predicting {Path(name).name}", done, done)


def _show(document: dict[str, Any]) -> None:
    before, now, new = document["reference"], document["current"], document["new_templates"]
    colour = COLOURS[document["level"]]
    stdout.print(
        f"[bold {colour}]{document['level']}[/]: population stability index of the reasons {document['psi']:.3f} "
        "(0.1 moved, 0.25 shifted)",
        highlight=False,
        soft_wrap=True,
    )
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("", "reference", "current"):
        table.add_column(column, justify="left" if not column else "right", no_wrap=True)
    table.add_row("messages", f"{before['count']:,}", f"{now['count']:,}")
    table.add_row("templates", f"{before['templates']:,}", f"{now['templates']:,}")
    table.add_row("unknown", percent(before["unknown"]), percent(now["unknown"]))
    table.add_row("unsure", percent(before["unsure"]), percent(now["unsure"]))
    table.add_row("new templates", "", f"{new['templates']:,} ({percent(new['share'])} of messages)")
    for row in document["reasons"][:ROWS]:
        table.add_row(row["reason"], percent(row["reference"]), percent(row["current"]))
    stdout.print(table)
    providers = Table(box=None, pad_edge=False, header_style="bold", title="by provider", title_justify="left")
    for column in ("provider", "reference", "current", "index", "", "unsure before", "unsure now", "new templates"):
        providers.add_column(column, justify="left" if column in ("provider", "") else "right")
    for row in document["providers"][:ROWS]:
        index = "–" if row["psi"] is None else f"{row['psi']:.3f}"
        providers.add_row(
            escape(row["provider"]), f"{row['reference']['count']:,}", f"{row['current']['count']:,}", index,
            f"[{COLOURS[row['level']]}]{row['level']}[/]", percent(row["reference"]["unsure"]),
            percent(row["current"]["unsure"]), percent(row["new_templates"]),
        )  # fmt: skip
    stdout.print(providers)
    for item in new["most_frequent"][:5]:
        stdout.print(
            f"  new, {item['count']:,}×: {escape(item['template'])} → {item['reason']} ({item['confidence']:.2f})",
            highlight=False,
            soft_wrap=True,
        )
