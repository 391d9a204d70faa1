"""The generated part of the README. Check it, or write it with ``--write``."""

from __future__ import annotations

import sys
from pathlib import Path

from whybounce.model.taxonomy import markdown_table

README = Path(__file__).parent.parent / "README.md"
BEGIN = "<!-- generated:reasons -->"
END = "<!-- /generated -->"


def render(text: str) -> str:
    """Return the README with the generated part as the code has it.

    Raises
    ------
    ValueError
        When a marker is missing, repeated or in the wrong place.
    """
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(END) < text.index(BEGIN):
        raise ValueError(f"the README needs one line {BEGIN} and after it one line {END}")
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    return f"{before}{BEGIN}\n{markdown_table()}\n{END}{after}"


def main(arguments: list[str]) -> int:
    """Return 1 when the README is out of date and nothing was written."""
    text = README.read_text("utf-8")
    try:
        fresh = render(text)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    if fresh == text:
        print("the README is up to date")
        return 0
    if "--write" not in arguments:
        print("the README is out of date; run: make docs", file=sys.stderr)
        return 1
    README.write_text(fresh, "utf-8")
    print("the README was written")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
