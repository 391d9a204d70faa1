"""What every format is read into."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class Outcome(StrEnum):
    """What a record says became of a message for one recipient."""

    BOUNCED = "bounced"
    """Given up, or refused: a permanent failure."""
    DEFERRED = "deferred"
    """Not delivered yet; the sender goes on trying."""
    DELIVERED = "delivered"
    NOT_A_BOUNCE = "not_a_bounce"
    """Auto-reply, challenge, delay notice, notice of a list manager, receipt, feedback report, success notice."""


@dataclass(frozen=True, slots=True)
class BounceRecord:
    """One recipient of one message, as a format tells of it.

    Attributes
    ----------
    outcome : Outcome
    diagnostic : str
        The text that is classified; empty when the source gives none.
    recipient : str or None
        Address as given (final recipient).
    reply_code, enhanced_status, command, remote_host : optional
        Fields known besides the text; keyword arguments of ``predict_one``.
    reporting_mta, message_id, campaign, event_id : str or None
        ``message_id`` is the original message's, without angle brackets.
    sent_at, occurred_at : datetime or None
        Time zone aware when the source says so.
    theirs : str or None
        The source system's own classification, in its own vocabulary.
    vocabulary : str or None
        Name of the crosswalk of ``theirs`` (see ``whybounce.data.crosswalk``).
    kind : str or None
        For NOT_A_BOUNCE: ``vacation``, ``challenge``, ``delay`` (also of a posting that waits for a moderator),
        ``list_notice`` (a list manager writes to a subscriber or an owner), ``feedback_report``, ``receipt``,
        ``success``; None where a table only says that it is no bounce. For DEFERRED: ``delay`` when a notice
        says so.
    source : str
        ``name:line`` or ``name`` of the file or part it was read from.
    """

    outcome: Outcome
    diagnostic: str = ""
    recipient: str | None = None
    reply_code: int | None = None
    enhanced_status: str | None = None
    command: str | None = None
    remote_host: str | None = None
    reporting_mta: str | None = None
    message_id: str | None = None
    campaign: str | None = None
    event_id: str | None = None
    sent_at: datetime | None = None
    occurred_at: datetime | None = None
    theirs: str | None = None
    vocabulary: str | None = None
    kind: str | None = None
    source: str = ""

    def fields(self) -> dict[str, Any]:
        """The keyword arguments of ``predict_one`` besides the text."""
        return {
            "reply_code": self.reply_code,
            "enhanced_status": self.enhanced_status,
            "command": self.command,
            "remote_host": self.remote_host,
        }
