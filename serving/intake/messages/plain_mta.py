"""Bounces in plain text that have blocks of ``<address>:``: qmail, Postfix."""

from __future__ import annotations

from whybounce.serving.intake.messages.blocks import STILL, angle_blocks, cut_at, failure, reporting_host
from whybounce.serving.intake.messages.failure import Failure
from whybounce.serving.intake.messages.mime import Mail

_COPY = (
    "--- below this line is",
    "--- the header of the original",
    "--- header of the original",
    "--- original message",
)


def qmail(mail: Mail) -> list[Failure]:
    """Read qmail's QSBMF and those that look like it (netqmail, s/qmail, notqmail, Indimail)."""
    text = mail.text
    low = text[:3000].lower()
    if (
        "qmail" not in low
        and "i've given up" not in low
        and "--- below this line is a copy of the m" not in text.lower()
    ):
        return []
    if "yahoo" in mail.fields.get("From").lower() or "message from yahoo" in " ".join(low.split()):
        return []
    return _angles(mail, cut_at(mail, text, *_COPY))


def postfix(mail: Mail) -> list[Failure]:
    """Read the text part of Postfix, with or without the reports that belong to it."""
    text = mail.text[:3000].lower()
    told = "this is the mail system at host" in text or "this is the postfix program at host" in text
    if not told and not _by_postfix(mail):
        return []
    return _angles(mail, cut_at(mail, mail.text, "--- original message", "--- below this line"))


def _by_postfix(mail: Mail) -> bool:
    """Whether Postfix wrote it, in whatever words: it began there, without coming from anywhere."""
    hop = (mail.fields.all("Received") or [""])[-1]
    return hop.startswith("by ") and "(Postfix)" in hop and "mailer-daemon" in mail.fields.get("From").lower()


def _angles(mail: Mail, text: str) -> list[Failure]:
    delayed = any(words in " ".join(text.lower()[:3000].split()) for words in ("not delivered yet", *STILL))
    reporting = reporting_host(mail, text)
    return [failure(address, inner, reporting=reporting, delayed=delayed) for address, inner in angle_blocks(text)]
