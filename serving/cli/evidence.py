"""What ``evaluate`` and ``compare`` share: naming models, printing a document, writing reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from whybounce.model.errors import ArtifactError
from whybounce.model.predictor import BounceClassifier
from whybounce.serving.cli.output import stderr, stdout
from whybounce.serving.cli.sources import tell

if TYPE_CHECKING:
    from whybounce.training.labelled import Labelled, Options
    from whybounce.training.report import view

ReportOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--report", help="Write a report: .html, .md or .json by its name; may be repeated.", show_default=False
    ),
]

MODELS = "an artifact folder, a run directory, a model registry, “shipped” or “rules”"


def named_model(name: str) -> tuple[BounceClassifier, str]:
    """Load what a name stands for, and say it in a sentence.

    Parameters
    ----------
    name : str
        :data:`MODELS`.

    Raises
    ------
    ArtifactError
        When there is no such model; a comparison with another one would mislead.
    """
    if name == "rules":
        return BounceClassifier(classifier=None, manifest=None), "the rules"
    if name == "shipped":
        return BounceClassifier.load(strict=True), "the shipped model"
    folder = Path(name)
    if not folder.is_dir():
        raise ArtifactError(f"no folder {name}; name {MODELS}")
    if (folder / "promoted.json").is_file() or (folder / "versions").is_dir():
        return _promoted(folder)
    return BounceClassifier.load(folder, strict=True), f"“{name}”"


def _promoted(folder: Path) -> tuple[BounceClassifier, str]:
    from whybounce.model.registry import Registry

    registry = Registry(folder)
    version = registry.promotions().current
    if version is None:
        return BounceClassifier.load(strict=True), "the shipped model"
    return BounceClassifier.load(registry.path(version), strict=True), f"the promoted model {version}"


def read_rows(data: str, options: Options, *, max_bad: float) -> list[Labelled]:
    """Read the labelled bounces to measure on, and say on stderr which rows could not be used."""
    from whybounce.training.labelled import read_counted

    rows, summary = read_counted(data, options, max_bad=max_bad)
    if summary.bad or summary.left_out or summary.recoded:
        tell(summary)
    return rows


def write_reports(document: Mapping[str, Any], paths: Sequence[Path]) -> None:
    """Write reports, and say where they are."""
    from whybounce.training.report.render import write_report

    for path in paths:
        write_report(document, path)
        stderr.print(f"report: {escape(str(path))}", highlight=False, soft_wrap=True)


def check_reports(paths: Sequence[Path]) -> None:
    """Refuse names of reports that cannot be written, before any work is done."""
    if not paths:
        return
    from whybounce.training.report.render import check_report

    for path in paths:
        check_report(path)


def show(document: Mapping[str, Any]) -> None:
    """Print the verdict and the main tables: the same as in a report."""
    from whybounce.training.report.sections import view
    from whybounce.training.report.view import count, plain

    shown = view(document)
    measured, left_out = document["data"]["measured"], document["ambiguous_left_out"]
    stdout.print(
        f"{escape(document['source'])}: {count(measured)} rows measured, {count(left_out)} ambiguous left out",
        highlight=False,
    )
    stdout.print(f"\n[bold]{escape(plain(shown.verdict))}[/]", highlight=False)
    for sentence in shown.sentences:
        stdout.print(escape(plain(sentence)), highlight=False)
    for caution in shown.cautions:
        stdout.print(f"[yellow]{escape(caution)}[/]", highlight=False)
    if document["current"] is not None:
        stdout.print(f"[bold]{escape(shown.advice)}[/]", highlight=False)
    wanted = {
        "current": ("Figures", "McNemar's test", "F1 by reason, losses first"),
        "systems": ("Figures", "95 % intervals"),
        "reasons": ("model + rules, by true reason",),
    }
    for section in shown.sections:
        for table in section.tables:
            if table.caption in wanted.get(section.id, ()) and not _repeats(document, section.id):
                stdout.print()
                stdout.print(drawn(table, title=section.title if table.caption == "Figures" else table.caption))


def _repeats(document: Mapping[str, Any], section: str) -> bool:
    # Compared with another model, the reasons stand in the table of losses already.
    return section == "reasons" and document["current"] is not None


def drawn(table: view.Table, *, title: str) -> Table:
    """Draw a table of a report for the terminal."""
    found = Table(box=None, pad_edge=False, header_style="bold", title=title, title_justify="left")
    for number, column in enumerate(table.columns):
        figures = bool(table.rows) and table.rows[0][number].kind == "number"
        found.add_column(column, justify="right" if figures else "left", no_wrap=number == 0)
    for row in table.rows:
        found.add_row(*(escape(cell.text) for cell in row))
    return found
