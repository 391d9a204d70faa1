"""Parsing: from whatever an operator pastes to the parts that matter.

Everything here except ``retry_after_seconds`` is computed from the masked template
(and the fields that the caller passes), never from the raw text. Two texts with the
same template therefore get the same verdict, which is what makes a cache exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import re2

from whybounce.model.masking import MAX_TEXT, normalise, template_of
from whybounce.model.retry import names_a_time, retry_after_seconds
from whybounce.model.tokens import is_enhanced_status
from whybounce.model.vocabulary import BLOCKLIST_WORDS, PROVIDER_HOSTS, PROVIDER_WORDS, REPLY_CODES
from whybounce.model.wrappers import innermost, statement_words


class Phase(StrEnum):
    """The part of the SMTP session in which the reply was given (RFC 5321 section 4)."""

    CONNECT = "connect"
    EHLO = "ehlo"
    STARTTLS = "starttls"
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """A parsed diagnostic.

    Attributes
    ----------
    text : str
        The text as given, cut to 16 KiB characters.
    truncated : bool
        Whether anything was cut.
    normalised : str
        ``text`` on one line without control characters.
    template : str
        The masked template of the whole text.
    words : str
        The innermost statement of the template without wrappers and codes.
    reply_code : int or None
        The SMTP reply code (RFC 5321) of the innermost statement.
    enhanced_status : str or None
        Its enhanced status code (RFC 3463), as ``"5.1.1"``.
    command : Phase or None
        The SMTP command that was answered, when the text or the caller names it.
    retry_after_seconds : int or None
        How long the server asks to wait, in seconds.
    blocklist, provider : str or None
        The blocklist that is named; whose server it is.
    """

    text: str
    truncated: bool
    normalised: str
    template: str
    words: str
    reply_code: int | None
    enhanced_status: str | None
    command: Phase | None
    retry_after_seconds: int | None
    blocklist: str | None
    provider: str | None

    @property
    def code_class(self) -> int | None:
        """2, 4 or 5: of the reply code, else of the enhanced status code."""
        if self.reply_code is not None:
            return self.reply_code // 100
        return int(self.enhanced_status[0]) if self.enhanced_status else None


_ANSWERED = r"(in reply to|after|in response to|while sending|response to) (the )?(pipelined )?"
_PHASE_PATTERNS = (
    # What the wrapper states outright comes before what words only suggest. The
    # "Connected to … but …" forms are qmail-remote's.
    (Phase.DATA, _ANSWERED + r"(end of data|end of message|data|message body|bdat|sending message|dot)\b"),
    (Phase.DATA, r"message data|failed on data command|failed after i sent the message"),
    (Phase.RCPT, _ANSWERED + r"rcpt\b|rcpt to ADDR|does not like recipient|like our rcpt to"),
    (
        Phase.MAIL,
        _ANSWERED + r"mail from\b|(in reply to|after|in response to|response to) (the )?(pipelined )?mail( command)?"
        r"( [245]\d\d\b|$)"
        r"|mail from ADDR( size NUM)? [45]\d\d|but sender was rejected",
    ),
    (Phase.STARTTLS, _ANSWERED + r"starttls\b"),
    (Phase.AUTH, _ANSWERED + r"auth\b"),
    (Phase.EHLO, _ANSWERED + r"(ehlo|helo|lhlo)\b|performing the (ehlo|helo) handshake|refused to talk to me"),
    (Phase.EHLO, r"but my name was rejected"),
    (Phase.RCPT, r"(noqueue|milter) reject( warning)? rcpt from"),
    (Phase.DATA, r"(noqueue|milter) reject( warning)? (data|bdat|end of message) from"),
    (Phase.MAIL, r"(noqueue|milter) reject( warning)? mail from (HOST|unknown)"),
    (Phase.CONNECT, r"initial connection|initial server greeting|server greeting|connect to HOST|connection banner"),
    (Phase.CONNECT, r"but greeting failed"),
)
_PHASES = re2.Set.SearchSet()
for _, _pattern in _PHASE_PATTERNS:
    _PHASES.Add(_pattern)
_PHASES.Compile()

_COMMANDS = {
    "connect": Phase.CONNECT, "greeting": Phase.CONNECT, "banner": Phase.CONNECT, "ehlo": Phase.EHLO,
    "helo": Phase.EHLO, "lhlo": Phase.EHLO, "starttls": Phase.STARTTLS, "auth": Phase.AUTH, "mail": Phase.MAIL,
    "rcpt": Phase.RCPT, "data": Phase.DATA, "bdat": Phase.DATA, "eod": Phase.DATA, "end": Phase.DATA,
}  # fmt: skip


def parse(
    text: str,
    *,
    reply_code: int | None = None,
    enhanced_status: str | None = None,
    command: str | None = None,
    remote_host: str | None = None,
) -> Diagnostic:
    """Parse a diagnostic. Never raises on any ``str``.

    Parameters
    ----------
    text : str
        The diagnostic, with whatever wrapper the MTA or the log put around it.
    reply_code, enhanced_status, command, remote_host : optional
        Fields that the caller knows from elsewhere (a DSN, an event); they win over
        what the text says. Values that make no sense are ignored.

    Returns
    -------
    Diagnostic
    """
    normalised = normalise(text)
    return parse_template(
        template_of(text),
        text=text[:MAX_TEXT],
        normalised=normalised,
        truncated=len(text) > MAX_TEXT,
        reply_code=reply_code,
        enhanced_status=enhanced_status,
        command=command,
        remote_host=remote_host,
    )


def parse_template(
    template: str,
    *,
    text: str,
    normalised: str,
    truncated: bool,
    reply_code: int | None = None,
    enhanced_status: str | None = None,
    command: str | None = None,
    remote_host: str | None = None,
) -> Diagnostic:
    """Parse a text whose template is known already; see :func:`parse`."""
    tokens = template.split()
    inner = innermost(template)
    found_code, found_status = _codes(inner)
    if found_code is None and found_status is None and inner != template:
        found_code, found_status = _codes(template)
    return Diagnostic(
        text=text,
        truncated=truncated,
        normalised=normalised,
        template=template,
        words=statement_words(inner),
        reply_code=_clean_code(reply_code) or found_code,
        enhanced_status=_clean_status(enhanced_status) or found_status,
        command=as_phase(command) or _phase(template),
        retry_after_seconds=retry_after_seconds(normalised) if names_a_time(template) else None,
        blocklist=_blocklist(tokens),
        provider=provider_of_host(remote_host) or _provider(tokens),
    )


def as_phase(command: str | None) -> Phase | None:
    """Read ``"RCPT TO"``, ``"rcpt"``, ``"end of DATA"`` and the like."""
    if not command:
        return None
    words = command.lower().replace("_", " ").split()
    return _COMMANDS.get(words[0].rstrip(":")) if words else None


def _clean_status(status: str | None) -> str | None:
    status = (status or "").strip().lstrip("#")
    return status if is_enhanced_status(status) else None


def _clean_code(code: int | None) -> int | None:
    return code if code is not None and 200 <= code <= 599 else None


def _phase(template: str) -> Phase | None:
    # What each of the patterns needs, one after the other: a third of the time that a loop takes.
    if not (
        "reply" in template or "response" in template or "after" in template or "sending" in template
        or "rcpt" in template or "mail" in template or "initial" in template or "greeting" in template
        or "connect" in template or "handshake" in template or "refused" in template or "banner" in template
        or "data" in template or "milter" in template
    ):  # fmt: skip
        return None
    hits = _PHASES.Match(template)
    return _PHASE_PATTERNS[min(hits)][0] if hits else None


_CODE_CUES = frozenset(
    [
        "smtp",
        "said",
        "error",
        "code",
        "reply",
        "status",
        "reason",
        "response",
        "server",
        "failed",
        "xpostfix",
        "lmtp",
        "diagnostic",
        "by",
        "ADDR",
        "HOST",
        "IP",
        "with",
        "message",
        "returned",
        "was",
        "result",
        "dsn",
        "transfail",
        "returns",
        "got",
        "codes",
        "remote",
    ]
)


def _codes(statement: str) -> tuple[int | None, str | None]:
    """Reply code and enhanced status code of a statement, each possibly absent."""
    tokens = statement.split()
    status: str | None = None
    best: tuple[int, int, str] | None = None
    for index, token in enumerate(tokens):
        if token not in REPLY_CODES:
            if status is None and token[1:2] == "." and is_enhanced_status(token):
                status = token
            continue
        before = tokens[index - 1] if index else ""
        after = tokens[index + 1] if index + 1 < len(tokens) else ""
        if index == 0 or is_enhanced_status(after):
            rank = 0
        elif before in _CODE_CUES or is_enhanced_status(before):
            rank = 1
        else:
            rank = 2
        if best is None or rank < best[0]:
            best = (rank, index, token)
    if best is None:
        return None, status
    # The status that stands behind the code is of the same reply; an earlier one may be a summary.
    behind = tokens[best[1] + 1] if best[1] + 1 < len(tokens) else ""
    return int(best[2]), behind if is_enhanced_status(behind) else status


def _blocklist(tokens: list[str]) -> str | None:
    for index, word in enumerate(tokens):
        if word == "DNSBL" and index + 1 < len(tokens):
            return tokens[index + 1]
        if word in BLOCKLIST_WORDS:
            return BLOCKLIST_WORDS[word]
    return None


def _provider(tokens: list[str]) -> str | None:
    for token in tokens:
        if token[0] == "@":
            return token[1:]
    for token in tokens:
        if token in PROVIDER_WORDS:
            return PROVIDER_WORDS[token]
    return None


def provider_of_host(host: str | None) -> str | None:
    """Return the provider that a host name belongs to, if it is a known one."""
    labels = (host or "").lower().strip().rstrip(".").split(".")
    for start in range(max(0, len(labels) - 4), len(labels) - 1):
        provider = PROVIDER_HOSTS.get(".".join(labels[start:]))
        if provider:
            return provider
    return None
