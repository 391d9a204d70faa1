"""``whybounce compare``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from whybounce.serving.cli.evidence import (
    MODELS,
    ReportOption,
    check_reports,
    named_model,
    read_rows,
    show,
    write_reports,
)
from whybounce.serving.cli.output import print_json, progress_bars
from whybounce.serving.cli.sources import Labelled, MaxBadOption, labelled_options


@labelled_options
def compare(
    source: Labelled,
    first: Annotated[str, typer.Argument(metavar="A", help=f"The model in use: {MODELS}.")],
    second: Annotated[str, typer.Argument(metavar="B", help="The model that may replace it, named alike.")],
    data: Annotated[str, typer.Option(help="Labelled bounces that neither was trained on: a file or a folder.")],
    max_bad: MaxBadOption = 0.0,
    report: ReportOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Say whether B is better than A, and whether that may be chance.

    Both answer the same rows. Differences are those of B less those of A.
    """
    check_reports(report or [])
    from whybounce.training.evaluate import evaluate as measure
    from whybounce.training.metrics import merged_taxonomy
    from whybounce.training.report.measure import About

    (old, old_name), (new, new_name) = named_model(first), named_model(second)
    if old_name == new_name:
        old_name, new_name = f"{old_name} (A)", f"{new_name} (B)"
    taxonomy = merged_taxonomy(new.taxonomy, old.taxonomy)
    rows = read_rows(data, source.options(taxonomy), max_bad=max_bad)
    with progress_bars() as bars:
        document = measure(
            new,
            rows,
            current=old,
            about=About(source=Path(data).name, name=new_name, current_name=old_name),
            progress=lambda done, total: bars("predicting", done, total),
        )
    write_reports(document, report or [])
    if as_json:
        print_json(document)
        return
    show(document)
