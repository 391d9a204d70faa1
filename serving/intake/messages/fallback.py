"""A bounce of a kind that no other reader knows: by its sender and subject, with the words that look like an answer."""

from __future__ import annotations

import re2

from whybounce.serving.intake.messages.blocks import angle_blocks, cut_at, failure
from whybounce.serving.intake.messages.failure import Failure, all_addresses, one_line, paragraphs, recipients_of
from whybounce.serving.intake.messages.mime import Mail

_SUBJECTS = re2.compile(
    r"(?i)undeliver|delivery (?:has )?(?:fail|status|problem|error|notif|delay)|deliver(?:y"
    r"|ed)? (?:un)?success|returned mail"
    r"|fail(?:ed|ure)[ -](?:notice|mail|deliver|to deliver)|mail (?:delivery|system|could not)"
    r"|could not (?:be )?deliver|not delivered"
    r"|non[- ]?deliver|message (?:could not|not|blocked|delayed)|returned to sender|unzustell"
    r"|nicht zu(?:ge)?stell|unzustellbar"
    r"|non remis|non distribu|échec de (?:la )?(?:remise|distribution)|no (?:se (?:pudo|ha podido) entregar|entregado)"
    r"|n[ãa]o (?:foi )?entreg|devol|mancat[ao] (?:recapito|consegna)|niet (?:be|af)gelever|onbestelbaar"
    r"|не доставлен|недостав"
    r"|配信(?:不能|できません)|送信できません|退信|无法(?:投递|送达)|投递失败|반송"
)
_SENDERS = re2.compile(
    r"(?i)mailer[-_]?daemon|postmaster|mail[ -]?delivery|bounce|no-?reply|mail administrator|system administrator"
)
_ANSWER = re2.compile(r"(?:^|[\s:<(#'\"-])(?:[45]\d\d[ -][#\w(<]|[45]\d\d \d|#?[45]\.\d{1,3}\.\d{1,3}\b)")
_COPY = (
    "--- below this line", "--- original message", "-----original message", "------ this is a copy",
    "--- the original message",
    "original message headers", "--- header of the original", "--- message header", "--- returned message",
)  # fmt: skip
_STILL = re2.compile(
    r"(?i)delay|will (?:be retried|retry|keep trying|continue)|still trying|not yet been|verzöger|retard"
)


def is_bounce(mail: Mail) -> bool:
    """Whether a message looks like one about delivery: from a daemon, or with such a subject."""
    fields = mail.fields
    if "X-Failed-Recipients" in fields:
        return True
    subject = bool(_SUBJECTS.search(fields.get("Subject")[:1000]))
    sender = bool(_SENDERS.search(fields.get("From")[:1000]))
    empty = fields.get("Return-Path").replace(" ", "") == "<>"
    if subject and (sender or empty or "Auto-Submitted" in fields):
        return True
    return (sender or empty) and bool(_ANSWER.search(mail.text[:8000]))


def fallback(mail: Mail) -> list[Failure]:
    """Read recipients and answer from anything that looks like a bounce."""
    if not is_bounce(mail):
        return []
    text = cut_at(mail, mail.text, *_COPY)
    delayed = bool(_STILL.search(mail.fields.get("Subject")))
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
    kept = [one_line(block) for block in paragraphs(text)]
    kept = [block for block in kept if len(block.split()) > 2]
    return " ".join(kept)[:1500]
