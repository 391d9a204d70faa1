"""How long a server asks to wait: the one field that is read from the text itself.

Masking takes the numbers out of a template, so this is not part of a cached verdict.
"""

from __future__ import annotations

import re2

_RETRY = re2.compile(
    r"(?:retry|try|again|wait|gr[ea]ylist\w*|later|come back|resend|defer\w*|throttl\w*|banned|blocked"
    r"|temporarily)"
    r"[^0-9]{0,60}?\b(\d{1,6})\s*(seconds?|secs?|s|minutes?|mins?|m|hours?|hrs?|h|days?|sekunden?|minuten?|secondes?|segundos?|minutos?)\b"
)
_RETRY_CLOCK = re2.compile(
    r"(?:retry|try again|wait|greylist\w*|graylist\w*|come back)[^0-9]{0,60}?\b(?:in|for|after) "
    r"(\d{1,2}):(\d\d):(\d\d)\b"
)
_RETRY_BARE = re2.compile(r"retry[-_ ]?(?:after|in)[=: ]+(\d{1,6})\b()")
HINT = re2.compile(r"retry|try|again|wait|gr[ea]ylist|later|come back|resend|defer|throttl|banned|blocked|temporarily")
"""What every request to wait begins with: nothing that stands before it matters."""
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def names_a_time(template: str) -> bool:
    """Whether a text of this template may ask to wait for some time: only then is the text itself read."""
    return "NUM" in template and HINT.search(template) is not None


def retry_after_seconds(normalised: str) -> int | None:
    """Return the seconds to wait that a text asks for.

    Parameters
    ----------
    normalised : str
        See :func:`whybounce.model.masking.normalise`.

    Returns
    -------
    int or None
        At most a week; None when the text names no time.
    """
    lowered = normalised.lower()
    clock = _RETRY_CLOCK.search(lowered) if ":" in lowered else None
    if clock is not None:
        seconds = int(clock.group(1)) * 3600 + int(clock.group(2)) * 60 + int(clock.group(3))
        return seconds or None
    match = _RETRY.search(lowered) or _RETRY_BARE.search(lowered)
    if match is None:
        return None
    seconds = int(match.group(1)) * _SECONDS.get(match.group(2)[:1], 1)
    return seconds if 0 < seconds <= 7 * 86400 else None
