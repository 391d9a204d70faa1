"""What mail systems say in many languages, for the readers that go by words: one list for each thing said.

Entries are patterns; a group that only chooses between letters is written ``(?:…)``.
"""

from __future__ import annotations

from typing import Any

import re2


def any_of(*phrases: str, before: str = "", after: str = "") -> Any:
    """Compile patterns into one that finds any of them, whatever its case."""
    return re2.compile(f"(?im){before}(?:{'|'.join(phrases)}){after}")


SUBJECTS = any_of(
    r"undeliver",
    r"delivery (?:has )?(?:fail|status|problem|error|notif|delay)",
    r"deliver(?:y|ed)? (?:un)?success",
    r"returned mail",
    r"fail(?:ed|ure)[ -](?:notice|mail|deliver|to deliver)",
    r"mail (?:delivery|system|could not)",
    r"could not (?:be )?deliver",
    r"not delivered",
    r"non[- ]?deliver",
    r"message (?:could not|not|blocked|delayed)",
    r"returned to sender",
    r"unzustell",
    r"nicht zu(?:ge)?stell",
    r"non remis",
    r"non distribu",
    r"échec de (?:la )?(?:remise|distribution)",
    r"no (?:se (?:pudo|ha podido) entregar|entregado)",
    r"n[ãa]o (?:foi )?entreg",
    r"devol",
    r"mancat[ao] (?:recapito|consegna)",
    r"niet (?:be|af)gelever",
    r"onbestelbaar",
    r"не доставлен",
    r"недостав",
    r"配信(?:不能|できません)",
    r"送信できません",
    r"退信",
    r"无法(?:投递|送达)",
    r"投递失败",
    r"반송",
)
"""Subjects of bounces."""

DELAYED_SUBJECTS = any_of(
    r"delay",
    r"will (?:be retried|retry|keep trying|continue)",
    r"still trying",
    r"not yet been",
    r"verzöger",
    r"retard",
)
"""Subjects of notices that a message takes longer."""

ABOUT_MAIL = any_of(
    r"\b[45]\.\d{1,3}\.\d{1,3}\b",
    r"mailbox",
    r"e-?mail[ -](?:address|account)",
    r"recipient",
    r"user unknown",
    r"quota",
    r"postfach",
    r"boîte",
    r"buzón",
    r"casella",
)
"""Words of a text that is about an address or a mailbox."""

NOT_REACHED = any_of(
    r"did not reach the following recipient",
    r"following recipient\(s\) (?:could not|cannot|can't) be reached",
    r"folgende[nr]?(?:\(r\))? empf(?:ä|ae)nger k(?:o|ö|oe)nn(?:t|en)",
    r"les? ou les destinataires suivants n'ont pu",
    r"destinataires? suivants? n'",
    r"destinatarios siguientes",
    r"seguent[ei] destinatari",
)
"""What stands above a list of the recipients that were not reached."""

SAID = any_of(
    r"the error that the other server returned was",
    r"the response from the remote server was",
    r"the response was",
    r"technical details of (?:permanent|temporary) failure",
    r"learn more here",
    r"la respuesta (?:del servidor remoto )?fue",
    r"die antwort (?:des remoteservers )?(?:war|lautete)",
    r"la r(?:é|e)ponse (?:du serveur distant )?(?:(?:é|e)tait|est)",
    after=r"[^\n:]{0,20}:[ \t]*",
)
"""What stands before the reply of another server."""

PASSED_ON = any_of(
    r"-{2,}.{3,60}-{2,}",
    r"_{10,}",
    r"begin forwarded message:",
    r"anfang der weitergeleiteten nachricht:",
    r"début du message (?:réexpédié|transféré) ?:",
    r"inicio del mensaje reenviado:",
    before=r"^[ \t]*",
    after=(
        r"[ \t]*\n(?:\s*\n)?(?:.*\n){0,4}?"
        r"[ \t]*\*?(?:from|von|de|da|van|från|fra|od|от|差出人|发件人)\*? ?[:：]"
    ),
)
"""What mail programs write above a message that is passed on, and the field of its sender."""
