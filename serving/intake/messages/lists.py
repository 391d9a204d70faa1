"""Mailing list managers: refusals by Mailman, LISTSERV, ezmlm, Sympa, Majordomo and Google Groups."""

from __future__ import annotations

import re2

from whybounce.serving.intake.messages.blocks import cut_at, failure
from whybounce.serving.intake.messages.failure import (
    Failure,
    all_addresses,
    first_address,
    one_line,
    recipients_of,
)
from whybounce.serving.intake.messages.header import Fields, fields_of
from whybounce.serving.intake.messages.mime import Mail
from whybounce.serving.intake.record import Outcome

_REFUSED = re2.compile(
    r"(?is)(?:mailing[- ]list|\blist\b|\bgroup\b).{0,400}?\b(?:rejected|refused|not allowed|not authori[sz]ed"
    r"|not permitted|denied"
    r"|subscribers only|members only|only (?:subscribers|members)|permission to post|not (?:a )?(?:member|subscribe))"
    r"|(?:rejected|refused|not (?:allowed|authori[sz]ed)|denied).{0,200}?(?:mailing[- ]list|\blist\b)"
    r"|\b(?:liste|lista)\b.{0,400}?\b(?:rejeté|refusé|abgelehnt|zurückgewiesen|rechazado|rifiutat|rejeitad"
    r"|odrzucon)"
)
_HELD = re2.compile(r"(?is)(?:held|awaits?|awaiting|waiting|pending).{0,120}?(?:moderator|approval|moderation)")
_TO_APPROVE = re2.compile(r"(?i)^BOUNCE \S+@\S+?:? {1,10}\S")  # Majordomo hands a posting to the list's owner
_RESULTS = re2.compile(r"(?i)no valid commands found|results of your (?:e-?mail )?commands?|majordomo results")
_WARNED = re2.compile(
    r"(?is)messages to you from the .{1,200}? seem\s+to\s+have\s+been\s+bouncing"
    r"|your membership in the mailing list .{1,200}? has been disabled due to excessive bounces"
)
_SUBSCRIPTION = re2.compile(
    r"(?i)^(?:welcome to|confirm\b|your confirmation is required|you have been (?:un)?subscribed|(?:un)?subscribe\b)"
    r"|memberships? reminder|subscription (?:request|confirm|notif)|confirm (?:your )?(?:un)?subscription"
)
_SOFTWARE = ("mailman@", "listserv@", "sympa@", "majordomo", "ezmlm")
_ROLES = ("-bounces@", "-owner@", "-admin@", "-request@", "-help@", "owner-", "listmaster@")
_SIGNS = (
    "X-BeenThere", "X-Mailman-Version", "List-Id", "X-LISTSERV", "X-Loop", "Mailing-List", "Precedence",
    "Auto-Submitted",
)  # fmt: skip
_REASON = re2.compile(
    r"(?is)(?:following\s+reasons?(?: for rejecting your request)?|reason(?:s)?|gave the following reason[^:]*"
    r"|rejected because)"
    r"(?:\s*:|\s*\n)\s*(.{10,1000}?)(?:\n\s*\n|$)"
)
_QUOTED = re2.compile(r'(?s)[:：]\s*\n\s*"([^"]{5,1000})"\s*(?:\n|$)')


def lists(mail: Mail) -> list[Failure]:
    """Read what a list manager answers to a posting; what people write on lists is none of it."""
    groups = _by_google_groups(mail)
    if not groups and not _by_a_manager(mail.fields) and not _TO_APPROVE.match(mail.fields.get("Subject")[:1000]):
        return []
    notice = _notice(mail)
    if notice:
        return [notice]
    head = f"{mail.fields.get('Subject')}\n{mail.text[:4000]}"
    if not groups and not _REFUSED.search(head):
        return []
    if groups:
        cut_at(mail, mail.text, "----- original message")
    who = _list_address(mail)
    match = _QUOTED.search(mail.text[:6000]) or _REASON.search(mail.text[:6000])
    if match and not groups:
        said = one_line(match.group(1)).strip('" ')
        return [failure(who, f"Message to the mailing list rejected: {said}")]
    match = _REFUSED.search(mail.text[:4000])
    return [failure(who, _around(mail.text[:4000], match.start() if match else 0))]


def _by_google_groups(mail: Mail) -> bool:
    words = " ".join(mail.text[:3000].lower().split())
    return "google" in mail.fields.get("From").lower() and "group you tried to contact" in words


def _by_a_manager(fields: Fields) -> bool:
    if "List-Post" in fields and fields.get("Precedence").strip().lower() == "list":
        return False  # a posting, which the list passed on
    if fields.get("X-List-Administrivia").strip().lower() == "yes":
        return True
    sender = fields.get("From").lower()
    if any(word in sender for word in _SOFTWARE):
        return True
    # Persons write from such addresses too.
    return any(word in sender for word in _ROLES) and any(name in fields for name in _SIGNS)


def _notice(mail: Mail) -> Failure | None:
    """Recognise what is no refusal: a posting is held, or a subscriber or an owner is told something."""
    subject = mail.fields.get("Subject")
    if _TO_APPROVE.match(subject[:1000]):
        if not mail.original:
            _, _, below = mail.text.partition("\n") if mail.text.startswith("From ") else ("", "", mail.text)
            mail.original = fields_of(below)
        text = f"Automatic reply: the message is held for a moderator; {one_line(subject)[:1000]}"
        return Failure(first_address(subject), text, Outcome.NOT_A_BOUNCE, kind="delay")
    warned = _WARNED.search(mail.text[:4000])
    if warned:
        text = f"Automatic reply: warning of a list manager; {_around(mail.text[:4000], warned.start())}"
        return Failure(first_address(mail.fields.get("To")), text, Outcome.NOT_A_BOUNCE, kind="list_notice")
    head = f"{subject}\n{mail.text[:4000]}"
    if _SUBSCRIPTION.search(subject[:1000]):
        text = f"Automatic reply: a list manager writes about a subscription; {one_line(subject)[:1000]}"
        return Failure(_list_address(mail), text, Outcome.NOT_A_BOUNCE, kind="list_notice")
    if _RESULTS.search(head):
        text = f"Automatic reply: a list manager took the message for commands; {one_line(subject)[:1000]}"
        return Failure(first_address(mail.fields.get("From")), text, Outcome.NOT_A_BOUNCE, kind="list_notice")
    if _HELD.search(head):
        text = f"Automatic reply: the message is held for a moderator; {one_line(head)[:1000]}"
        return Failure(_list_address(mail), text, Outcome.NOT_A_BOUNCE, kind="delay")
    return None


def _around(text: str, place: int) -> str:
    start = text.rfind("\n\n", 0, place) + 1
    end = text.find("\n\n", place)
    return one_line(text[max(start, 0) : end if end >= 0 else place + 1500])[:1500]


def _list_address(mail: Mail) -> str | None:
    fields = mail.fields
    sender = first_address(fields.get("From")) or ""
    for name in ("X-BeenThere", "List-Post", "X-Loop"):
        found = first_address(fields.get(name).replace("mailto:", ""))
        if found and found != sender:
            return found
    known = next(iter(recipients_of(mail)), None) or first_address(fields.get("Subject"))
    if known:
        return known
    local, _, domain = sender.partition("@")
    for ending in ("-bounces", "-owner", "-admin", "-request", "-help"):
        local = local.removesuffix(ending)
    local = local.removeprefix("owner-")
    own = {address.lower() for address in all_addresses(fields.get("To"))}
    named = [address for address in all_addresses(mail.text[:1500]) if address.lower() not in own]
    derived = f"{local}@{domain}"
    return derived if domain and derived != sender else next(iter(named), None) or sender or None
