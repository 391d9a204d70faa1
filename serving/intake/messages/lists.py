"""Mailing list managers: refusals by Mailman, LISTSERV, ezmlm, Sympa, Majordomo and Google Groups."""

from __future__ import annotations

import re2

from whybounce.serving.intake.messages.blocks import failure
from whybounce.serving.intake.messages.failure import Failure, first_address, one_line, recipients_of
from whybounce.serving.intake.messages.mime import Mail
from whybounce.serving.intake.record import Outcome

_REFUSED = re2.compile(
    r"(?is)(?:mailing[- ]list|\blist\b|\bgroup\b).{0,400}?\b(?:rejected|refused|not allowed|not authori[sz]ed"
    r"|not permitted|denied"
    r"|subscribers only|members only|only (?:subscribers|members)|permission to post|not (?:a )?(?:member|subscribe))"
    r"|(?:rejected|refused|not allowed|denied).{0,200}?(?:mailing[- ]list|\blist\b)"
)
_HELD = re2.compile(r"(?is)(?:held|awaits?|awaiting|waiting|pending).{0,120}?(?:moderator|approval|moderation)")
_SENDERS = (
    "-bounces@",
    "-owner@",
    "-admin@",
    "-request@",
    "owner-",
    "mailman",
    "listserv@",
    "sympa",
    "majordomo",
    "listmaster",
    "ezmlm",
    "-help@",
)
_REASON = re2.compile(
    r"(?is)(?:following reasons?(?: for rejecting your request)?|reason(?:s)?|gave the following reason[^:]*"
    r"|rejected because)"
    r"(?:\s*:|\s*\n)\s*(.{10,1000}?)(?:\n\s*\n|$)"
)


def lists(mail: Mail) -> list[Failure]:
    """Read what a list manager answers to a posting."""
    fields = mail.fields
    sender = fields.get("From").lower()
    marked = any(name in fields for name in ("X-Mailman-Version", "X-BeenThere", "List-Id", "X-LISTSERV", "X-Loop"))
    groups = "google" in sender and "group you tried to contact" in " ".join(mail.text[:3000].lower().split())
    if not groups and not marked and not any(word in sender for word in _SENDERS):
        return []
    subject = fields.get("Subject")
    head = f"{subject}\n{mail.text[:4000]}"
    who = _list_address(mail)
    if _HELD.search(head):
        text = f"Automatic reply: the message is held for a moderator; {one_line(head)[:1000]}"
        return [Failure(who, text, Outcome.NOT_A_BOUNCE, kind="delay")]
    if not groups and not _REFUSED.search(head):
        return []
    match = _REASON.search(mail.text[:6000])
    if match:
        said = one_line(match.group(1)).strip('" ')
        return [failure(who, f"Message to the mailing list rejected: {said}")]
    match = _REFUSED.search(mail.text[:4000])
    return [failure(who, _around(mail.text[:4000], match.start() if match else 0))]


def _around(text: str, place: int) -> str:
    start = text.rfind("\n\n", 0, place) + 1
    end = text.find("\n\n", place)
    return one_line(text[max(start, 0) : end if end >= 0 else place + 1500])[:1500]


def _list_address(mail: Mail) -> str | None:
    for name in ("X-BeenThere", "List-Post"):
        found = first_address(mail.fields.get(name).replace("mailto:", ""))
        if found:
            return found
    found = next(iter(recipients_of(mail)), None)
    if found:
        return found
    sender = first_address(mail.fields.get("From")) or ""
    local, _, domain = sender.partition("@")
    for ending in ("-bounces", "-owner", "-admin", "-request", "-help"):
        local = local.removesuffix(ending)
    local = local.removeprefix("owner-")
    body = first_address(mail.text[:1500])
    return f"{local}@{domain}" if domain and f"{local}@{domain}" != sender else body or sender or None
