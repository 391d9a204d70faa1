"""Header fields, of a message or of a text that begins with some."""

from __future__ import annotations

from email.message import Message

from whybounce.serving.intake.messages.bounds import MAX_FIELD, MAX_TEXT
from whybounce.serving.intake.messages.text import as_text, decoded_words


class Fields:
    """Header fields by name, whatever their case; the first of a name counts."""

    def __init__(self, items: list[tuple[str, str]]) -> None:
        self.items = items
        self._first: dict[str, str] = {}
        for name, value in items:
            self._first.setdefault(name.lower(), value)

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._first

    def __bool__(self) -> bool:
        return bool(self.items)

    def get(self, name: str) -> str:
        """Return the value, unfolded and decoded; empty when there is none."""
        return self._first.get(name.lower(), "")

    def all(self, name: str) -> list[str]:
        """Return the values of all fields of a name."""
        return [value for known, value in self.items if known.lower() == name.lower()]


def fields_of(text: str) -> Fields:
    """Read header fields from the beginning of a text, as far as they go."""
    items: list[tuple[str, list[str]]] = []
    for line in text.lstrip("\r\n")[:MAX_TEXT].splitlines():
        if line[:1] in (" ", "\t") and items:
            items[-1][1].append(line.strip())
            continue
        name, colon, value = line.partition(":")
        if not colon or not name.strip() or " " in name.strip():
            break
        items.append((name.strip(), [value.strip()]))
    return Fields([(name, decoded_words(" ".join(lines)[:MAX_FIELD])) for name, lines in items])


def fields_in(message: Message) -> Fields:
    """Return the header fields of a message."""
    items = []
    for name, value in message.raw_items():
        text = as_text(str(value).encode("utf-8", "surrogateescape"), None)
        items.append((name, decoded_words(" ".join(text.split()))))
    return Fields(items)
