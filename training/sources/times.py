"""Reading points in time as people and logs write them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime

_MILLISECONDS_FROM = 1e11
"""Numbers from here on are milliseconds: as seconds they would lie after the year 5000."""


def epoch_seconds(value: object) -> float | None:
    """Return seconds since 1970, or None for what is no point in time.

    Parameters
    ----------
    value : object
        Seconds or milliseconds since 1970, ISO 8601, the form of mail headers
        (RFC 5322), or a ``datetime``. Without a time zone it is UTC.
    """
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return _number(float(value))
    if isinstance(value, date):
        moment = value if isinstance(value, datetime) else datetime(value.year, value.month, value.day)
        return _seconds(moment)
    text = str(value).strip()
    try:
        return _number(float(text))
    except ValueError:
        pass
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            return _seconds(read(text))
        except (ValueError, TypeError, IndexError):
            continue
    return None


def _number(value: float) -> float | None:
    seconds = value / 1000 if abs(value) >= _MILLISECONDS_FROM else value
    return seconds if abs(seconds) < _MILLISECONDS_FROM else None


def _seconds(moment: datetime) -> float:
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
