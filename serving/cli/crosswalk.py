"""``whybounce crosswalk``: other systems' words for bounces, and ours, in both directions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from whybounce.model.errors import DataError
from whybounce.serving.cli.output import print_json, stdout

if TYPE_CHECKING:
    from whybounce.data.crosswalk import Crosswalk


def crosswalk(
    name: Annotated[
        str | None, typer.Argument(help="A vocabulary, such as ses or sisimai; without it they are listed.")
    ] = None,
    word: Annotated[str | None, typer.Argument(help="A label of theirs or a reason of ours to translate.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Translate the bounce classes of other systems into our reasons, and our reasons into theirs.

    Where something gets lost on the way, a note says what.
    """
    from whybounce.data.crosswalk import crosswalk as named
    from whybounce.data.crosswalk import crosswalk_names

    if name is None:
        known = [(each, named(each).title) for each in crosswalk_names()]
        if as_json:
            print_json([{"name": each, "title": title} for each, title in known])
            return
        for each, title in known:
            stdout.print(f"[bold]{each}[/]  {escape(title)}", highlight=False)
        return
    vocabulary = named(name)
    to_ours, to_theirs = _to_ours(vocabulary), _to_theirs(vocabulary)
    if word is not None:
        mapping = vocabulary.to_ours(word)
        to_ours = [row for row in to_ours if mapping is not None and row["label"] == mapping.label]
        to_theirs = [row for row in to_theirs if row["reason"] == word]
        if not to_ours and not to_theirs:
            raise DataError(
                f"{word!r} is neither a label of {name} nor a reason; whybounce crosswalk {name} lists both"
            )
    if as_json:
        print_json({"name": name, "title": vocabulary.title, "to_ours": to_ours, "to_theirs": to_theirs})
        return
    if to_ours:
        stdout.print(_table("label", "reason", to_ours))
    if to_ours and to_theirs:
        stdout.print()
    if to_theirs:
        stdout.print(_table("reason", "label", to_theirs))


def _to_ours(vocabulary: Crosswalk) -> list[dict[str, Any]]:
    found = [vocabulary.to_ours(label) for label in vocabulary.labels]
    return [
        {"label": one.label, "reason": one.reason, "lossy": one.lossy, "note": one.note}
        for one in found
        if one is not None
    ]


def _to_theirs(vocabulary: Crosswalk) -> list[dict[str, Any]]:
    from whybounce.model.taxonomy import TAXONOMY

    found = [vocabulary.back(str(info.reason)) for info in TAXONOMY]
    return [
        {"reason": one.reason, "label": one.label, "lossy": one.lossy, "note": one.note}
        for one in found
        if one is not None
    ]


def _table(first: str, second: str, rows: list[dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column({"label": "theirs", "reason": "ours"}[first], no_wrap=True)
    table.add_column({"label": "theirs", "reason": "ours"}[second], no_wrap=True)
    table.add_column("what gets lost", overflow="fold", style="dim")
    for row in rows:
        table.add_row(escape(row[first]), escape(row[second] or "(none)"), escape(row["note"]))
    return table
