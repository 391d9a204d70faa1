"""The options of commands that read labelled bounces, and what they print about them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from whybounce.serving.cli.output import many, percent, printable, stderr

if TYPE_CHECKING:
    from whybounce.model.taxonomy import Taxonomy
    from whybounce.training.sources.reader import Options
    from whybounce.training.sources.summary import Summary

_COLUMNS = "Columns"
_READING = "Reading"


def _column(what: str) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(help=what, show_default=False, rich_help_panel=_COLUMNS)
    return option


TextColumn = Annotated[str | None, _column("The diagnostic; delivery.message leads into nested JSON.")]
LabelColumn = Annotated[str | None, _column("The reason; bounceType/bounceSubType joins two columns.")]
TimeColumn = Annotated[str | None, _column("When it bounced: ISO 8601, mail headers, or seconds since 1970.")]
ProviderColumn = Annotated[str | None, _column("Whose server it was, to slice the figures by.")]
LangColumn = Annotated[str | None, _column("The language, to slice the figures by.")]
AlsoColumn = Annotated[str | None, _column("Other reasons that are right as well.")]
LabelsOption = Annotated[
    str | None,
    typer.Option(
        "--labels",
        help="Vocabulary of the labels: sisimai, ses, sparkpost, … or a mapping file (.toml).",
        show_default=False,
        rich_help_panel=_READING,
    ),
]
ReasonsOption = Annotated[
    Path | None,
    typer.Option("--reasons", help="Reasons of your own (.toml).", show_default=False, rich_help_panel=_READING),
]
EncodingOption = Annotated[
    str | None,
    typer.Option(
        help="Encoding of text files; else UTF-8, and Windows-1252 for lines that are not.",
        show_default=False,
        rich_help_panel=_READING,
    ),
]
SplitOption = Annotated[str, typer.Option(help="Split of a Hugging Face data set.", rich_help_panel=_READING)]
MaxBadOption = Annotated[
    float, typer.Option(min=0, max=1, help="Share of bad rows to go on without.", rich_help_panel=_READING)
]
KeepGoingOption = Annotated[
    bool, typer.Option("--keep-going", help="Go on however many rows are bad.", rich_help_panel=_READING)
]
RejectsOption = Annotated[
    Path | None,
    typer.Option(help="JSON Lines file that bad rows are listed in.", show_default=False, rich_help_panel=_READING),
]


def options_of(
    *,
    text_column: str | None,
    label_column: str | None,
    time_column: str | None,
    provider_column: str | None,
    lang_column: str | None,
    also_column: str | None,
    labels: str | None,
    taxonomy: Taxonomy,
    encoding: str | None,
    split: str,
    latest: float = 0.0,
) -> Options:
    """Turn the options of a command into those of reading."""
    from whybounce.training.sources.columns import Columns
    from whybounce.training.sources.reader import Options

    columns = Columns(
        text=text_column, label=label_column, time=time_column, provider=provider_column, lang=lang_column,
        also=also_column,
    )  # fmt: skip
    return Options(
        columns=columns, labels=labels, taxonomy=taxonomy, encoding=encoding, split=split,
        latest=latest if time_column else 0.0,
    )  # fmt: skip


def tell(summary: Summary, templates: int | None = None) -> None:
    """Say on stderr what was read, and what was not."""
    of = "" if templates is None else f", of {many(templates, 'template')}"
    lines = [f"read {many(summary.read, 'row')}: {summary.used:,} used{of}"]
    if summary.bad:
        share = percent(summary.bad_share)
        lines.append(f"[yellow]{many(summary.bad, 'bad row')} ({share}) not used[/]")
        lines += [f"  {escape(printable(str(reject)))}" for reject in summary.rejects[:3]]
    if summary.left_out:
        rows = "row has a label" if summary.left_out == 1 else "rows have labels"
        lines.append(f"[yellow]{summary.left_out:,} {rows} that no reason of ours covers[/]")
    if summary.rejects_file is not None:
        lines.append(f"all of these are listed in {escape(str(summary.rejects_file))}")
    if summary.recoded:
        lines.append(f"no UTF-8, read as Windows-1252: {many(summary.recoded, 'line')}")
    if summary.lossy:
        lines.append("labels that lose something:")
        lines += [
            f"  {escape(printable(item.label))} → {item.reason}, {item.rows:,} rows: {escape(item.note)}"
            for item in summary.lossy[:10]
        ]
        if len(summary.lossy) > 10:
            lines.append(f"  and {len(summary.lossy) - 10} more labels")
    if summary.ignored:
        lines.append(f"not read, of no known type: {escape(', '.join(summary.ignored[:5]))}")
    for line in lines:
        stderr.print(line, highlight=False, soft_wrap=True)
