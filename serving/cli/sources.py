"""The options of commands that read labelled bounces, and what they print about them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """Where the columns of labelled bounces are and how they are read, as options of a command."""

    text_column: TextColumn = None
    label_column: LabelColumn = None
    provider_column: ProviderColumn = None
    lang_column: LangColumn = None
    also_column: AlsoColumn = None
    labels: LabelsOption = None
    encoding: EncodingOption = None
    split: SplitOption = "train"

    def options(self, taxonomy: Taxonomy) -> Options:
        """Return what the options say for reading labels of a taxonomy."""
        from whybounce.training.sources.columns import Columns
        from whybounce.training.sources.reader import Options

        columns = Columns(
            text=self.text_column, label=self.label_column, provider=self.provider_column, lang=self.lang_column,
            also=self.also_column,
        )  # fmt: skip
        return Options(columns=columns, labels=self.labels, taxonomy=taxonomy, encoding=self.encoding, split=self.split)


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnLabelled(Labelled):
    """Labelled bounces of one's own: they may have times, and reasons of their own."""

    time_column: TimeColumn = None
    reasons: ReasonsOption = None
    rejects: RejectsOption = None

    def own_options(self, taxonomy: Taxonomy, latest: float = 0.0) -> Options:
        """Return what the options say; ``latest`` is the share of rows to set apart by time, where they have one."""
        options = self.options(taxonomy)
        return replace(
            options,
            columns=replace(options.columns, time=self.time_column),
            latest=latest if self.time_column else 0.0,
        )


def labelled_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command one option for each field of its first parameter, and the parameter what they say.

    typer makes options of parameters only; so the commands that read labelled bounces need not
    spell them all out.
    """
    name, kind = next(iter(get_type_hints(command).items()))
    hints = get_type_hints(kind, include_extras=True)
    options = [
        Parameter(one.name, Parameter.KEYWORD_ONLY, default=one.default, annotation=hints[one.name])
        for one in fields(kind)
    ]
    others = get_type_hints(command, include_extras=True)
    own = [
        one.replace(kind=Parameter.KEYWORD_ONLY, annotation=others[one.name])
        for one in list(signature(command).parameters.values())[1:]
    ]

    @wraps(command)
    def called(**given: Any) -> None:
        command(**{name: kind(**{one.name: given.pop(one.name) for one in options})}, **given)

    called.__signature__ = Signature([*options, *own])  # type: ignore[attr-defined]
    called.__annotations__ = {one.name: one.annotation for one in (*options, *own)} | {"return": None}
    return called


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
