"""A bounce of a kind that no other reader knows: by its sender and subject, with the words that look like an answer."""

from __future__ import annotations

import re2

from whybounce.serving.intake.messages.blocks import angle_blocks, cut_at, cut_header, failure
from whybounce.serving.intake.messages.failure import Failure, all_addresses, one_line, paragraphs, recipients_of
from whybounce.serving.intake.messages.mime import Mail
from whybounce.serving.intake.messages.phrases import ABOUT_MAIL, DELAYED_SUBJECTS, PASSED_ON, SUBJECTS

_DAEMONS = re2.compile(r"(?i)mailer[-_]?daemon|mail[ -]?delivery|mail administrator|system administrator")
_MASTERS = re2.compile(r"(?i)postmaster")
_ROBOTS = re2.compile(r"(?i)bounce|no-?reply")
_ANSWER = re2.compile(r"(?:^|[\s:<(#'\"-])(?:[45]\d\d[ -](?:[#a-zA-Z(<]|[245]\.\d)|#?[45]\.\d{1,3}\.\d{1,3}\b)")
_RULE = re2.compile(r"^[\s|]*[-=_*]{5,}.{0,80}[-=_*|]?\s*$")
_REPLIED = re2.compile(r"(?i)^\s*(?:\[[^\]]{1,40}\]\s*)?(?:re|fwd?|aw|wg|tr|rv|sv|vs|antw|odp|rif|res|enc)\s*:\s")
_COPY = (
    "--- below this line", "--- original message", "-----original message", "------ this is a copy",
    "--- the original message",
    "original message headers", "--- header of the original", "--- message header", "--- returned message",
)  # fmt: skip


def is_bounce(mail: Mail) -> bool:
    """Whether a message looks like one about delivery: from a daemon, or with such a subject."""
    fields = mail.fields
    if "X-Failed-Recipients" in fields:
        return True
    if "List-Unsubscribe" in fields or by_a_person(mail):
        return False
    sender = fields.get("From")[:1000]
    subject = bool(SUBJECTS.search(fields.get("Subject")[:1000]))
    coded = answered(mail.text)
    master = bool(_MASTERS.search(sender))
    if _DAEMONS.search(sender) or _empty_return_path(mail):
        return subject or coded
    if subject and master:
        return True
    # Shops and parcel services have their deliveries too, and postmasters write letters.
    automatic = bool(_ROBOTS.search(sender)) or "Auto-Submitted" in fields
    if (subject and automatic) or (master and coded):
        about_mail = bool(ABOUT_MAIL.search(mail.text[:8000]))
        return about_mail and (bool(mail.original) or bool(_strangers(mail)))
    return False


def by_a_person(mail: Mail) -> bool:
    """Whether somebody replied or passed something on: a bounce in it is quoted, and came before."""
    fields = mail.fields
    sender, subject = fields.get("From")[:1000], fields.get("Subject")[:1000]
    if _empty_return_path(mail) or _DAEMONS.search(sender) or "Auto-Submitted" in fields:
        return False
    if _REPLIED.match(subject):
        return True
    automatic = _MASTERS.search(sender) or _ROBOTS.search(sender) or SUBJECTS.search(subject)
    return not automatic and bool(PASSED_ON.search(mail.text[:8000]))


def answered(text: str) -> bool:
    """Whether a text has a reply code or a status code in it."""
    return bool(_ANSWER.search(text[:8000]))


def _empty_return_path(mail: Mail) -> bool:
    return mail.fields.get("Return-Path").replace(" ", "") == "<>"


def _strangers(mail: Mail) -> list[str]:
    """Return addresses in the text that are neither the reader's nor of the sender's domain."""
    own = {address.lower() for address in all_addresses(f"{mail.fields.get('To')} {mail.fields.get('From')}")}
    domain = next(iter(all_addresses(mail.fields.get("From"))), "@").rpartition("@")[2].lower()
    found = [address.lower() for address in all_addresses(mail.text[:8000])]
    return [address for address in found if address not in own and not address.endswith(f"@{domain}")]


def fallback(mail: Mail) -> list[Failure]:
    """Read recipients and answer from anything that looks like a bounce."""
    if not is_bounce(mail):
        return []
    text = cut_header(mail, cut_at(mail, mail.text, *_COPY))
    delayed = bool(DELAYED_SUBJECTS.search(mail.fields.get("Subject")))
    blocks = angle_blocks(text)
    if blocks and all(inner.strip() for _, inner in blocks):
        return [failure(address, inner, delayed=delayed) for address, inner in blocks]
    diagnostic = _answer(text) or _words(text)
    own = set(all_addresses(" ".join([mail.fields.get("To"), mail.fields.get("From")])))
    who = recipients_of(mail) or [address for address in all_addresses(text) if address not in own][:1] or [""]
    return [failure(address or None, diagnostic, delayed=delayed) for address in who]


def _answer(text: str) -> str:
    """Return the lines of the first paragraph with a reply code, from the line that holds it."""
    for block in paragraphs(text):
        lines = block.splitlines()
        for number, line in enumerate(lines):
            if _ANSWER.search(line[:2000]):
                return one_line("\n".join(lines[number:]))[:2000]
    return ""


def _words(text: str) -> str:
    """Return the beginning, without lines that only hold an address or a salutation."""
    text = "\n".join(line for line in text.splitlines() if not _RULE.match(line[:200]))
    kept = [one_line(block) for block in paragraphs(text)]
    kept = [block for block in kept if len(block.split()) > 2]
    return " ".join(kept)[:1500]
