"""Taking off what MTAs and logs put around a server's answer."""

from __future__ import annotations

import re2

from whybounce.model.tokens import is_enhanced_status
from whybounce.model.vocabulary import REPLY_CODES

_HOST = r"HOST(?: @\w+)?(?: IP)*(?: NUM)?"
_WRAPPERS = re2.compile(
    r"^((diagnostic code|status|error|reason|final recipient|rfc822|smtp|lmtp|remote protocol error|x \w+( info)?) "
    r"([245]\.\d{1,3}\.\d{1,3} )?)+"
    # What stands before the parts of a message, for programs that know no MIME.
    r"|^this (is a multi ?part message in mime format|message is in mime format)"
    r"( since your mail reader does not understand this format some or all of (the|this) message may not be legible)?"
    rf"|^(ADDR |to |from |recipient )*host {_HOST} (said|refused to talk to me) "
    r"|(in reply to|in response to) (the )?(pipelined )?(end of data|end of message|mail from|rcpt to|auth \w+|\w+)"
    r"( command)?( \w*command)?$"
    r"|\bon NUM mx HOST( @\w+)?( IP)?"
    # What Postfix writes into its log behind a refusal of its own.
    r"|(\bfrom( ADDR| HOST)? )?(\bto( ADDR| HOST)? )?\bproto (e?smtps?|lmtp)( helo( \S+)?)?$"
)

_FIRST_WORDS = frozenset(
    [
        "diagnostic", "status", "error", "reason", "final", "rfc822", "smtp", "lmtp", "remote", "x", "ADDR", "to",
        "from", "recipient", "host", "this",
    ]
)  # fmt: skip
"""What a leading wrapper begins with; without it, and without a phrase that ends a wrapper, nothing is taken off."""

_QUOTES = (
    r"last (?:transfail|error|reply|response|smtp error)",
    r"remote (?:server returned|host said)",
    r"(?:response|reply|error|reason) was",
    r"reason given was",
    r"the response from the remote server was",
    r"the error that the other server returned was",
    r"server responded with",
    rf"{_HOST} said",
    r"refused to talk to me",
    # What programs that send mail say before they show the answer.
    r"expected response code(?: or| \d{3})+ but got code \d{3} with message",
    rf"(?:when|while) sending to {_HOST}",
    # Postfix's own refusals, as its log has them.
    rf"(?:noqueue|milter) (?:reject|discard|hold|warn|filter)(?: warning)? \w+(?: \w+){{0,2}} from (?:{_HOST}|unknown)"
    r"(?: IP)?",
    # Cisco's bounce profile: the status in words, then the quoted reply.
    r"\d\.\d\.\d (?:other mail system problem|unknown address error|other address status|other network problem)",
    r"smtp error from remote (?:mail )?(?:server|mailer)"
    r"(?: after (?:end of data|initial connection|(?:pipelined )?\w+(?: from ADDR| from| to ADDR| to)?)(?: size NUM)?)?"
    rf"(?: host {_HOST})?",
)
"""What MTAs write before they quote another server's answer."""

_INNER = re2.compile("(?:" + "|".join(_QUOTES) + ")")
_SAYS_SOMETHING = re2.compile(r"(?:\b[^A-Z\d\s]{3,}|[^\x00-\x{2e7f}])")


_ERROR_BOX = re2.compile(
    r" (?:port\w*|puerto|poort|порт|端口|連接埠|ポート|포트) (?:NUM|\d+) (?:\S+ ){1,4}ssl \S+ .*\bID$"
)
"""The end of what Outlook Express and Windows Mail show, in any language: port 25, secure (SSL): no, error number."""
_ANSWER_IN_THE_BOX = re2.compile(r"\bsmtp (?:\S+ ){1,4}?([245]\d\d .*)$")
"""Protocol: SMTP, server response: the answer."""


def innermost(template: str) -> str:
    """The part after the last quoting marker, when that part says anything."""
    if " ssl " in template and (box := _ERROR_BOX.search(template)):
        template = template[: box.start()]
        if answer := _ANSWER_IN_THE_BOX.search(template):
            template = answer[1]
    # One after the other: a third of the time that a loop or a pattern takes.
    if not (
        "said" in template or "last " in template or "was" in template or "returned" in template
        or "remote mail" in template or "responded" in template or "talk to me" in template
        or "other " in template or "unknown address" in template or "noqueue" in template or "milter" in template
        or "but got code" in template or "sending to" in template
    ):  # fmt: skip
        return template
    # From the end: the last quotation that says anything is the innermost, and a hostile
    # text of nothing but markers is done with after the first of them.
    for end in reversed([match.end() for match in _INNER.finditer(template)]):
        if _SAYS_SOMETHING.search(_WRAPPERS.sub("", template[end:])):
            return template[end:].strip()
    return template


def statement_words(inner: str) -> str:
    """Return the words of a statement: no wrappers, codes or provider marks."""
    stripped = inner
    for _ in range(3):
        if stripped.partition(" ")[0] not in _FIRST_WORDS and not (
            "in reply to" in stripped
            or "in response to" in stripped
            or "NUM mx HOST" in stripped
            or " proto " in stripped
        ):
            break
        shorter = _WRAPPERS.sub("", stripped).strip()
        if shorter == stripped:
            break
        stripped = shorter
    kept = [
        token
        for token in stripped.split()
        if token not in REPLY_CODES and token[0] != "@" and not (token[1:2] == "." and is_enhanced_status(token))
    ]
    return " ".join(kept)
