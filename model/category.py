"""The category of a bounce: looked up, and decided for the three reasons that stand in two."""

from __future__ import annotations

from whybounce.model.diagnostic import Diagnostic, Phase
from whybounce.model.taxonomy import TAXONOMY, Category, Taxonomy

_BEFORE_ENVELOPE = frozenset({Phase.CONNECT, Phase.EHLO, Phase.STARTTLS})
_ENVELOPE = frozenset({Phase.MAIL, Phase.RCPT, Phase.DATA})


def category_of(reason: str, diagnostic: Diagnostic, taxonomy: Taxonomy = TAXONOMY) -> Category:
    """Return the category of a reason, given the diagnostic it was read from.

    Most reasons have one category. ``server_busy``, ``network_error`` and
    ``other_receiver_error`` have two: *technical* when the host or the transport
    failed (no reply at all, a 421, a reply before MAIL FROM, a status of class x.3.z
    or x.4.z), *soft* when the server was reached and answered about this recipient or
    this message (MAIL, RCPT or DATA phase, x.2.z), *technical* with neither evidence.
    """
    categories = taxonomy[reason].categories
    if len(categories) == 1:
        return categories[0]
    if diagnostic.reply_code is None and diagnostic.enhanced_status is None:
        return Category.TECHNICAL
    if diagnostic.reply_code == 421 or diagnostic.command in _BEFORE_ENVELOPE:
        return Category.TECHNICAL
    subject = diagnostic.enhanced_status.split(".")[1] if diagnostic.enhanced_status else ""
    if subject in ("3", "4"):
        return Category.TECHNICAL
    if diagnostic.command in _ENVELOPE or subject == "2":
        return Category.SOFT
    return Category.TECHNICAL
