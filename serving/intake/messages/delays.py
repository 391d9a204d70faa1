"""Delay notices: one that states a cause is a deferral, one that states none says nothing of the address."""

from __future__ import annotations

from dataclasses import replace

import re2

from whybounce.serving.intake.messages.failure import Failure
from whybounce.serving.intake.record import Outcome

NO_CAUSE = "Delay notice: not delivered yet, no cause is given"

# Statuses that say no more than that time has passed (RFC 3463: other, and delivery time expired).
_TIME_PASSED = ("4.0.0", "4.4.0", "4.4.7")
# Sentences that say that it takes longer, and not why.
_SAYS_ONLY_SO = re2.compile(
    r"(?i)this is an automatically generated delivery status notification|this is a warning(?: message)? only"
    r"|you do not need to re-?send your message"
    r"|deliver(?:y|y of this message) (?:to (?:the following|these) recipients?(?: or groups)?|is|has been|was)"
    r"(?: (?:is|has been|was))? delayed(?: to these recipients or groups)?"
    r"|(?:this|your|the) message (?:has not|hasn't) been delivered yet"
    r"|delivery will continue to be attempted|delivery attempts will continue[^.]{0,60}"
    r"|the server will keep trying[^.]{0,120}|you'll be notified if[^.]{0,120}"
    r"|warning: message still undelivered after \d{1,4} \w{1,10}|will keep trying until message is \d{1,4} \w{1,10} old"
    r"|no action is required[^.]{0,60}|(?:message|delivery|mail) (?:is |was |has been )?(?:delayed|deferred)"
)
_WORD = re2.compile(r"[^\W\d_]{2}")


def without_cause(one: Failure) -> bool:
    """Whether what a delay notice says of a recipient names no cause."""
    if one.outcome is not Outcome.DEFERRED:
        return False
    if not one.diagnostic:
        return one.status is None or one.status in _TIME_PASSED
    return not _WORD.search(_SAYS_ONLY_SO.sub(" ", one.diagnostic[:2000]))


def told_apart(failures: list[Failure]) -> list[Failure]:
    """Mark the delays without a cause as no bounces."""
    return [
        replace(one, outcome=Outcome.NOT_A_BOUNCE, diagnostic=one.diagnostic or NO_CAUSE, kind="delay")
        if without_cause(one)
        else one
        for one in failures
    ]
