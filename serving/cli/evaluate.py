"""``whybounce evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from whybounce.model.predictor import BounceClassifier
from whybounce.serving.cli.evidence import (
    MODELS,
    ReportOption,
    check_reports,
    named_model,
    read_rows,
    show,
    write_reports,
)
from whybounce.serving.cli.loading import ArtifactOption
from whybounce.serving.cli.output import print_json, progress_bars, stderr
from whybounce.serving.cli.sources import Labelled, MaxBadOption, labelled_options


@labelled_options
def evaluate(
    source: Labelled,
    data: Annotated[
        str,
        typer.Argument(
            help="Labelled bounces: a .jsonl, .csv, .tsv or .parquet file, a folder, or a Hugging Face data set."
        ),
    ],
    max_bad: MaxBadOption = 0.0,
    out: Annotated[
        Path | None,
        typer.Option(help="JSON file for the figures; runs/evaluate-NAME.json by default.", show_default=False),
    ] = None,
    report: ReportOption = None,
    against: Annotated[
        str | None, typer.Option(help=f"Compare with the model in use: {MODELS}.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
    artifact: ArtifactOption = None,
) -> None:
    """Measure the model, the rules and both on labelled bounces.

    Rows may carry "also" (other acceptable labels) and "ambiguous" (left out of the
    figures), and "lang" and "provider" to slice by. Texts are masked in all output.
    """
    check_reports(report or [])
    from whybounce.training.evaluate import evaluate as measure
    from whybounce.training.metrics import merged_taxonomy
    from whybounce.training.report.measure import About
    from whybounce.training.report.render import to_json, write_text

    current, current_name = named_model(against) if against else (None, "")
    # Figures of the rules alone are no figures of the artifact that was named: there an error is better.
    classifier = BounceClassifier.load(artifact, strict=True)
    taxonomy = merged_taxonomy(classifier.taxonomy, *([current.taxonomy] if current else []))
    rows = read_rows(data, source.options(taxonomy), max_bad=max_bad)
    with progress_bars() as bars:
        document = measure(
            classifier,
            rows,
            current=current,
            about=About(source=Path(data).name, current_name=current_name),
            progress=lambda done, total: bars("predicting", done, total),
        )
    target = out or Path("runs") / f"evaluate-{Path(data).stem}.json"
    write_text(target, to_json(document))
    write_reports(document, report or [])
    if as_json:
        print_json(document)
        return
    show(document)
    stderr.print(f"\nall figures and every mistake: {escape(str(target))}", highlight=False, soft_wrap=True)
