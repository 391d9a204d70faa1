"""How long a server asks to wait: the one field that is read from the text itself.

Masking takes the numbers out of a template, so this is not part of a cached verdict.
"""

from __future__ import annotations

import re2

# Over bytes RE2 need not count characters, which takes three times as long as the search.
_RETRY = re2.compile(
    rb"(?:retry|try|again|wait|gr[ea]ylist\w*|later|come back|resend|defer\w*|throttl\w*|banned|blocked"
    rb"|temporarily)"
    rb"[^0-9]{0,60}?\b(\d{1,6})\s*(seconds?|secs?|s|minutes?|mins?|m|hours?|hrs?|h|days?|sekunden?|minuten?|secondes?|segundos?|minutos?)\b"
)
_RETRY_CLOCK = re2.compile(
    rb"(?:retry|try again|wait|greylist\w*|graylist\w*|come back)[^0-9]{0,60}?\b(?:in|for|after) "
    rb"(\d{1,2}):(\d\d):(\d\d)\b"
)
_RETRY_BARE = re2.compile(rb"retry[-_ ]?(?:after|in)[=: ]+(\d{1,6})\b()")
_NAMES_A_TIME = re2.Set.SearchSet()
for _pattern in (_RETRY_CLOCK, _RETRY, _RETRY_BARE):
    _NAMES_A_TIME.Add(_pattern.pattern)
_NAMES_A_TIME.Compile()
HINT = re2.compile(r"retry|try|again|wait|gr[ea]ylist|later|come back|resend|defer|throttl|banned|blocked|temporarily")
"""What every request to wait begins with: nothing that stands before it matters."""
_SECONDS = {b"s": 1, b"m": 60, b"h": 3600, b"d": 86400}


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
    lowered = normalised.lower().encode("utf-8", "replace")
    found = _NAMES_A_TIME.Match(lowered)
    if not found:
        return None
    if 0 in found:
        clock = _RETRY_CLOCK.search(lowered)
        seconds = int(clock.group(1)) * 3600 + int(clock.group(2)) * 60 + int(clock.group(3))
        return seconds or None
    match = (_RETRY if 1 in found else _RETRY_BARE).search(lowered)
    seconds = int(match.group(1)) * _SECONDS.get(match.group(2)[:1], 1)
    return seconds if 0 < seconds <= 7 * 86400 else None
