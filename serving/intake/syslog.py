"""Times and parts of syslog lines: RFC 3164, RFC 5424 and the files that daemons make of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from whybounce.serving.intake.format import Source

_MONTHS = {
    name: number
    for number, name in enumerate(
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), start=1
    )
}


class Line(NamedTuple):
    """The parts of a syslog line; ``program`` is the tag without its process number."""

    host: str
    program: str
    message: str


def split(line: str) -> Line | None:
    """Split a line of a syslog file; None when it is none.

    Knows ``Nov  4 09:11:31 host tag[pid]: …`` and the same with an ISO 8601 time, both
    with or without ``<priority>``, and RFC 5424.
    """
    start, versioned = _after_priority(line)
    if versioned:
        fields = line[start:].split(" ", 6)
        if len(fields) < 7:
            return None
        return Line(fields[1], fields[2], _after_data(fields[5] + " " + fields[6]))
    end = _stamp_end(line, start)
    if end < 0:
        return None
    host, _, rest = line[end + 1 :].partition(" ")
    tag, colon, message = rest.partition(": ")
    if not colon or " " in tag:
        return None
    return Line(host, tag.partition("[")[0], message)


def _after_priority(line: str) -> tuple[int, bool]:
    if line[:1] != "<":
        return 0, False
    end = line.find(">", 0, 5)
    if end < 2 or not line[1:end].isdigit():
        return 0, False
    if line[end + 1 : end + 3] == "1 ":
        return end + 3, True
    return end + 1, False


def _stamp_end(line: str, start: int) -> int:
    """Where the time ends; -1 when the line does not begin with one."""
    if line[start : start + 1].isdigit():
        end = line.find(" ", start, start + 40)
        return end if end - start >= 19 and line[start + 10] == "T" else -1
    is_time = line[start : start + 3] in _MONTHS and line[start + 9 : start + 10] == ":"
    return start + 15 if is_time and line[start + 15 : start + 16] == " " else -1


def _after_data(text: str) -> str:
    """What follows the structured data of RFC 5424: ``-`` or ``[id name="value"]…``."""
    if text[:1] == "[":
        position, quoted = 0, False
        while position < len(text):
            char = text[position]
            if char == "\\" and quoted:
                position += 1
            elif char == '"':
                quoted = not quoted
            elif char == "]" and not quoted and text[position + 1 : position + 2] != "[":
                break
            position += 1
        text = text[position + 1 :]
    else:
        text = text.partition(" ")[2]
    return text.removeprefix(" ").removeprefix("\ufeff")


class Clock:
    """Reads the time at the beginning of syslog lines.

    RFC 3164 has no year: it is the latest one in which the line is not later than the
    file was written, so that a log over new year is read right. Such times are local
    to the host and stay without a zone.

    Parameters
    ----------
    source : Source
        ``source.modified`` says when it was written; now when that is not known.
    """

    def __init__(self, source: Source) -> None:
        written = source.modified or datetime.now(UTC)
        # Zones of up to a day ahead, and clocks that are a little wrong.
        self._latest = written.replace(tzinfo=None) + timedelta(days=1)
        self._days: dict[str, tuple[int, int, int] | None] = {}
        self._stamp = ""
        self._time: datetime | None = None

    def __call__(self, line: str) -> datetime | None:
        """Return the time of a line; None when it has none that makes sense."""
        start, versioned = _after_priority(line) if line[:1] == "<" else (0, False)
        if versioned or line[start : start + 1].isdigit():
            stamp = line[start : line.find(" ", start, start + 40)]
        else:
            stamp = line[start : start + 15]
        if stamp != self._stamp:
            self._stamp = stamp
            self._time = self._local(stamp) if stamp[:1].isalpha() else iso(stamp)
        return self._time

    def _local(self, stamp: str) -> datetime | None:
        day = stamp[:6]
        if day not in self._days:
            if len(self._days) > 400:
                self._days.clear()
            self._days[day] = self._dated(day)
        date = self._days[day]
        if date is None:
            return None
        try:
            return datetime(*date, int(stamp[7:9]), int(stamp[10:12]), min(int(stamp[13:15]), 59))
        except ValueError:
            return None

    def _dated(self, day: str) -> tuple[int, int, int] | None:
        month = _MONTHS.get(day[:3])
        if month is None or not day[4:6].strip().isdecimal():
            return None
        for year in range(self._latest.year, self._latest.year - 9, -1):  # 29 February may be eight years ago
            try:
                found = datetime(year, month, int(day[4:6]))
            except ValueError:
                continue
            if found <= self._latest:
                return found.year, found.month, found.day
        return None


def iso(stamp: str | None) -> datetime | None:
    """Read ISO 8601 with anything that logs make of it; None when it is no time."""
    text = (stamp or "").strip()
    if len(text) < 10 or not text.isascii():
        return None
    if text.endswith(" UTC"):
        text = text[:-4] + "+00:00"
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def epoch(seconds: float | str | None) -> datetime | None:
    """Read seconds since 1970; None when that is no time."""
    try:
        return datetime.fromtimestamp(float(seconds), UTC) if seconds is not None else None
    except (ValueError, OverflowError, OSError, TypeError):
        return None
