"""``whybounce report`` and ``whybounce formats``."""

from __future__ import annotations

import json
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from whybounce.model.errors import DataError
from whybounce.serving.cli.loading import ArtifactOption, load
from whybounce.serving.cli.output import COLOURS, print_json, progress_bars, stderr, stdout

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from whybounce.model.predictor import BounceClassifier
    from whybounce.serving.intake.format import Format, Read, Skipped
    from whybounce.serving.report.counts import Counts
    from whybounce.serving.report.document import Report

SHOWN_SKIPPED = 5
SHOWN_ROWS = 6
_EVERY = 20_000


def formats(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List the formats that are read, and what each is recognised by."""
    from whybounce.serving.intake.formats import formats as known

    if as_json:
        print_json(
            [
                {"name": one.name, "title": one.title, "group": str(one.group), "recognised_by": one.recognised_by}
                for one in known()
            ]
        )
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("format", "what it is", "kind", "recognised by"):
        table.add_column(name, no_wrap=name != "recognised by", overflow="fold")
    for one in known():
        table.add_row(f"[bold]{one.name}[/]", escape(one.title), str(one.group), escape(one.recognised_by))
    stdout.print(table)


def report(
    files: Annotated[
        list[str] | None,
        typer.Argument(help="Logs, events, tables, folders, packed or not; - for standard input.", show_default=False),
    ] = None,
    format: Annotated[
        str | None,
        typer.Option("--format", help="Format of the files, when it is not recognised; see whybounce formats."),
    ] = None,
    path: Annotated[
        list[str] | None,
        typer.Option(
            "--path",
            metavar="NAME=PATH",
            help="With --format generic: where a field stands in the JSON, as in diagnostic=answer.smtp.0 "
            "or events=data.items[]; may be repeated.",
        ),
    ] = None,
    output: Annotated[
        list[Path] | None,
        typer.Option("--output", "-o", help="Write the report: .html, .md, .csv or .json; may be repeated."),
    ] = None,
    suppress_list: Annotated[
        Path | None, typer.Option(help="CSV of the addresses to suppress, with evidence.", show_default=False)
    ] = None,
    addresses: Annotated[
        Path | None, typer.Option(help="CSV of every address and what to do with it.", show_default=False)
    ] = None,
    policy: Annotated[
        Path | None, typer.Option(help="TOML file that says when an address is suppressed.", show_default=False)
    ] = None,
    merge: Annotated[
        list[Path] | None, typer.Option(help="JSON report of other files or machines to add; may be repeated.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
    artifact: ArtifactOption = None,
) -> None:
    """Make the bounce report of the logs and files you have: what bounced, why, and what to do about it.

    An address is put on the suppression list on its own evidence only; sudden spikes of
    one text at one provider are reported as incidents, and hard bounces in them are held
    back.
    """
    from whybounce.serving.report.addresses import Decision
    from whybounce.serving.report.counts import Counts
    from whybounce.serving.report.document import build
    from whybounce.serving.report.policy import Policy, read_policy
    from whybounce.serving.report.render import address_list, check_output, render, write

    if not files and not merge:
        raise typer.BadParameter("name a file, a folder or -", param_hint="FILES")
    chosen_format = _format(format, path or [])
    for name in output or []:
        check_output(name)
    _apart([*(output or []), *filter(None, (suppress_list, addresses))], files or [])
    classifier = load(artifact)
    chosen = read_policy(policy, classifier.taxonomy) if policy else Policy()
    counts = Counts()
    for name in merge or []:
        counts.merge(_state(name))
    if files:
        _count(files, chosen_format, classifier, counts)
    made = build(counts, chosen, classifier.taxonomy)
    for name in output or []:
        write(name, render(made, counts, name.suffix))
        stderr.print(f"report: {escape(str(name))}", highlight=False, soft_wrap=True)
    if suppress_list is not None:
        write(suppress_list, address_list(made.advice, Decision.SUPPRESS))
        stderr.print(
            f"{made.document['actions']['suppress']:,} addresses to suppress: {escape(str(suppress_list))}",
            highlight=False,
            soft_wrap=True,
        )
    if addresses is not None:
        write(addresses, address_list(made.advice))
    if as_json:
        print_json(made.document)
    else:
        _show(made)


def _apart(written: list[Path], files: list[str]) -> None:
    """Refuse to write over what is read, and two results into one file."""
    read = {Path(name).resolve() for name in files if name != "-"}
    found: set[Path] = set()
    for name in written:
        place = name.resolve()
        if place in read or (place.exists() and any(one.is_file() and place.samefile(one) for one in read)):
            raise DataError(f"{name}: is read as well; write to another file")
        if place in found:
            raise DataError(f"{name}: two results are to be written to it; name a file for each")
        found.add(place)


def _format(name: str | None, paths: list[str]) -> Format | None:
    """Find the format before any file is read: a wrong name or path is told at once."""
    from whybounce.serving.intake.events.generic import generic_format, paths_of
    from whybounce.serving.intake.formats import format_named

    if not paths:
        return format_named(name) if name is not None else None
    if name not in (None, "generic"):
        raise typer.BadParameter("goes with --format generic", param_hint="--path")
    pairs = [item.partition("=") for item in paths]
    if wrong := next((item for item, (_, equals, _) in zip(paths, pairs, strict=True) if not equals), None):
        raise typer.BadParameter(f"{wrong!r} is no NAME=PATH, such as diagnostic=answer.smtp.0", param_hint="--path")
    return generic_format(paths_of((field, where) for field, _, where in pairs))


def _count(files: list[str], format: Format | None, classifier: BounceClassifier, counts: Counts) -> None:
    from whybounce.serving.intake.formats import FormatError
    from whybounce.serving.intake.open import misread, read, sources
    from whybounce.serving.report.counter import Counter

    counter = Counter(classifier, counts)
    skipped = _Pieces()
    left_out: list[DataError | FormatError] = []
    read_any = False
    with progress_bars() if stderr.is_terminal else nullcontext(_silent) as bars:
        for source in sources(files):
            try:
                found, records = read(source, format)
            except (FormatError, DataError) as error:  # one file of many must not cost the report of the others
                left_out.append(error)
                counter.leave_out(source.name, error)
                continue
            told = counter.read(source.name, found, _watched(records, skipped, bars))
            if format is not None and not told and (why := misread(source, format)):
                left_out.append(FormatError(why))
            else:
                read_any = True
    if left_out and not read_any:
        raise left_out[0]
    for reason in left_out[:SHOWN_SKIPPED]:
        stderr.print(f"[yellow]left out:[/] {escape(str(reason))}", highlight=False, soft_wrap=True)
    if len(left_out) > SHOWN_SKIPPED:
        stderr.print(f"… and {len(left_out) - SHOWN_SKIPPED:,} more files", highlight=False)
    for piece in skipped.shown:
        stderr.print(
            f"[yellow]not read:[/] {escape(piece.source)}: {escape(piece.why)}", highlight=False, soft_wrap=True
        )
    if skipped.count > len(skipped.shown):
        stderr.print(f"… and {skipped.count - len(skipped.shown):,} more pieces", highlight=False)


@dataclass(slots=True)
class _Pieces:
    """What could not be read: how many pieces, and the first of them with the ends that come too early."""

    count: int = 0
    shown: list[Skipped] = field(default_factory=list)


def _silent(step: str, done: int, total: int) -> None:
    """Progress for nobody to see."""


def _watched(records: Read, skipped: _Pieces, report: Callable[[str, int, int], None]) -> Iterator[Any]:
    from whybounce.serving.intake.format import Skipped

    for done, record in enumerate(records):
        if done % _EVERY == 0:
            report("reading", done, done)
        if isinstance(record, Skipped):
            skipped.count += 1
            if skipped.count <= SHOWN_SKIPPED or record.ends_early:
                skipped.shown.append(record)
        yield record


def _state(path: Path) -> Counts:
    from whybounce.serving.report.state import from_state

    try:
        return from_state(json.loads(path.read_text("utf-8")), str(path))
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    except (ValueError, RecursionError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path}: is no JSON report; write it with whybounce report … --output NAME.json") from error


def _show(made: Report) -> None:
    from whybounce.serving.report.words import sentences, to_do

    document = made.document
    for sentence in sentences(made):
        stdout.print(escape(sentence), highlight=False, soft_wrap=True)
    for incident in document["incidents"]:
        stdout.print(
            f"[bold red]incident[/] {escape(incident['provider'])}, {incident['start']} to {incident['end']}: "
            f"{escape(incident['warning'])}\n  [dim]{escape(incident['template'])}[/]",
            highlight=False,
        )
    stdout.print(_lines(document))
    for title, names in (
        ("by provider", document["by_provider"]), ("by domain", document["by_domain"]),
        ("by campaign", document["by_campaign"]), ("by day", document["by_day"][-SHOWN_ROWS:]),
    ):  # fmt: skip
        if names:
            most = ", ".join(
                f"{row['name']} {row['bounced']:,}" + ("" if row["rate"] is None else f" ({100 * row['rate']:.1f} %)")
                for row in names[:SHOWN_ROWS]
            )
            stdout.print(f"{title}: {escape(most)}", highlight=False, soft_wrap=True)
    if document["deferrals"]:
        reasons = ", ".join(f"{item['reason']} {item['count']:,}" for item in document["deferrals"][:SHOWN_ROWS])
        stdout.print(f"put off: {reasons}", highlight=False, soft_wrap=True)
    steps = to_do(made)
    if steps:
        stdout.print("[bold]what to do[/]")
    for step in steps:
        stdout.print(f"- {escape(step)}", highlight=False, soft_wrap=True)


def _lines(document: dict[str, Any]) -> Table:
    """The four categories, and the lines of each below it."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("category", no_wrap=True)
    table.add_column("line", no_wrap=True)
    table.add_column("bounces", justify="right")
    table.add_column("share", justify="right")
    table.add_column("reasons", overflow="fold")
    for category in document["categories"]:
        name = category["category"]
        reasons = document["other"] if name == "other" else []
        table.add_row(
            f"[{COLOURS[name]}]{name}[/]", "(no reason given)" if name == "other" else "", f"{category['count']:,}",
            f"{100 * category['share']:.1f} %", _reasons(reasons), style="bold",
        )  # fmt: skip
        for line in document["lines"]:
            if line["category"] == name:
                table.add_row(
                    "", line["line"], f"{line['count']:,}", f"{100 * line['share']:.1f} %", _reasons(line["reasons"]),
                    style="" if line["count"] else "dim",
                )  # fmt: skip
    return table


def _reasons(rows: list[dict[str, Any]]) -> str:
    return escape(", ".join(f"{row['reason']} {row['count']:,}" for row in rows))
