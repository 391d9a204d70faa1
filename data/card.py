"""The generated parts of the dataset card: ``python -m whybounce.data.card --write``.

Everything between ``<!-- generated:NAME -->`` and ``<!-- /generated:NAME -->`` in
README.md comes from the template files, the taxonomy and the slot table. Within the
YAML front matter the markers stand in comments.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeAlias

from whybounce.data import FOLDER, template_files
from whybounce.data.lint import FIELDS
from whybounce.data.slots import SLOTS
from whybounce.model.taxonomy import TAXONOMY

CARD = FOLDER / "README.md"

LANGUAGES = {
    "ar": "Arabic", "bg": "Bulgarian", "cs": "Czech", "da": "Danish", "de": "German", "el": "Greek", "en": "English",
    "es": "Spanish", "fi": "Finnish", "fr": "French", "he": "Hebrew", "hu": "Hungarian", "id": "Indonesian",
    "it": "Italian", "ja": "Japanese", "ko": "Korean", "nl": "Dutch", "no": "Norwegian", "pl": "Polish",
    "pt": "Portuguese", "ro": "Romanian", "ru": "Russian", "sk": "Slovak", "sv": "Swedish", "th": "Thai",
    "tr": "Turkish", "uk": "Ukrainian", "vi": "Vietnamese", "zh": "Chinese",
}  # fmt: skip
"""English names of the language codes; a code that is missing here is shown as it is."""

Rows: TypeAlias = list[dict[str, str]]

_BLOCK = re.compile(
    r"(?P<open>(?:# )?<!-- generated:(?P<name>\w+) -->\n).*?(?P<close>(?:# )?<!-- /generated:(?P=name) -->)", re.DOTALL
)


def rows(paths: Iterable[Path] | None = None) -> Rows:
    """Read the rows of the template files, in their order."""
    lines = (line for path in paths or template_files() for line in path.read_text(encoding="utf-8").split("\n"))
    return [json.loads(line) for line in lines if line]


def _table(header: tuple[str, ...], lines: Iterable[tuple[object, ...]]) -> str:
    body = [header, tuple("---" for _ in header), *lines]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in body)


def _features(_: Rows) -> str:
    names = [f"          '{number}': {reason}" for number, reason in enumerate(TAXONOMY.reasons)]
    label = "\n".join(["    dtype:", "      class_label:", "        names:", *names])
    kinds = {"reason": label, "also": label}
    lines = [f"  - name: {name}\n{kinds.get(name, '    dtype: string')}" for name in FIELDS]
    return "\n".join(["dataset_info:", "  features:", *lines])


def _numbers(data: Rows) -> str:
    count = {name: len({row[name] for row in data}) for name in ("reason", "family", "source", "lang")}
    also = sum(row["also"] is not None for row in data)
    return (
        f"{len(data):,} templates for {count['reason']} reasons in {count['family']} families, "
        f"{count['source']} named servers and providers, {count['lang']} languages; "
        f"{also:,} of them have a second acceptable reason."
    )


def _reasons(data: Rows) -> str:
    counts = Counter(row["reason"] for row in data)
    second = Counter(row["also"] for row in data)
    lines = [(f"`{name}`", counts[name], second[name], TAXONOMY[name].description) for name in TAXONOMY.reasons]
    return _table(("reason", "templates", "as second reason", "meaning"), lines)


def _languages(data: Rows) -> str:
    counts = Counter(row["lang"] for row in data)
    lines = [(LANGUAGES.get(code, code), code, number) for code, number in sorted(counts.items(), key=_largest_first)]
    return _table(("language", "code", "templates"), lines)


def _families(data: Rows) -> str:
    counts = Counter(row["family"] for row in data)
    sources = {name: len({row["source"] for row in data if row["family"] == name}) for name in counts}
    lines = [(f"`{name}`", counts[name], sources[name]) for name in sorted(counts)]
    return _table(("family", "templates", "servers and providers"), lines)


def _slots(_: Rows) -> str:
    return _table(("slot", "stands for"), ((f"`{{{name}}}`", slot.description) for name, slot in SLOTS.items()))


def _largest_first(item: tuple[str, int]) -> tuple[int, str]:
    return -item[1], item[0]


BLOCKS: dict[str, Callable[[Rows], str]] = {
    "features": _features,
    "numbers": _numbers,
    "reasons": _reasons,
    "languages": _languages,
    "families": _families,
    "slots": _slots,
}
"""Name of a generated part -> what renders it."""


def render(card: str, data: Rows) -> str:
    """Return the card with every generated part renewed.

    Raises
    ------
    KeyError
        When a marker names no known part.
    """
    return _BLOCK.sub(lambda match: f"{match['open']}{BLOCKS[match['name']](data)}\n{match['close']}", card)


def main(arguments: list[str] | None = None) -> int:
    """Check the card, or renew it with ``--write``; exit status 1 when it was out of date."""
    write = "--write" in (sys.argv[1:] if arguments is None else arguments)
    old = CARD.read_text(encoding="utf-8")
    new = render(old, rows())
    if new == old:
        return 0
    if not write:
        sys.stdout.write(f"{CARD} is out of date; run python -m whybounce.data.card --write\n")
        return 1
    draft = CARD.with_suffix(".md.new")
    draft.write_text(new, encoding="utf-8")
    draft.replace(CARD)
    return 0


if __name__ == "__main__":
    sys.exit(main())
