"""Bounces of Sendmail as text: a list of addresses, and the transcript of the sessions."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import islice

import re2

from whybounce.serving.intake.messages.blocks import cut_at, failure, reporting_host
from whybounce.serving.intake.messages.failure import ADDRESS, Failure, first_address, one_line, recipients_of
from whybounce.serving.intake.messages.mime import Mail
from whybounce.serving.intake.record import Outcome

_LISTS = re2.compile(
    r"(?i)-----\s*the following address(?:es)?\s+(?:had|have)\s+(?:(permanent fatal|transient non-fatal"
    r"|delivery|successful)[^-\n]*)(?:-[^-\n]+)?-----"
)
_TRANSCRIPT = re2.compile(r"(?i)-----\s*transcript of session follows\s*-----")
_TALKING = re2.compile(r"(?i)while talking to \[?([a-z0-9.-]{1,253}[a-z0-9])")
_DEFERRED_BY = re2.compile(r"(?i)deferred: .{3,100}? (?:by|with) ([a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63})+)\.?\s*$")
_LINE = re2.compile(rf"^\s*{ADDRESS}\s*(?:\(([^()]{{0,200}})\))?\s*$")
_REASON = re2.compile(r"(?s)\(reason: (.*?)\)(?:\s*\(expanded from: [^()]*\))?\s*$")
_REPLY = re2.compile(r"^\s*[245]\d\d[ -]")
MAX_RECIPIENTS = 10_000
MAX_MENTIONS = 20
"""Lines of a transcript that are looked at for one address."""


@dataclass(slots=True)
class _Session:
    host: str | None
    lines: list[str] = field(default_factory=list)
    recipients: set[str] = field(default_factory=set)  # of its RCPT commands, in lower case


def sendmail(mail: Mail) -> list[Failure]:
    """Read Sendmail's list of addresses and its transcript of the session."""
    text = cut_at(
        mail, mail.text, "----- original message follows", "----- message header follows", "----- unsent message"
    )
    start, listed = _TRANSCRIPT.search(text), _LISTS.search(text)
    if not start and not listed:
        return []
    transcript = text[start.end() :].split("-----")[0] if start else ""
    sessions = _sessions(transcript)
    reporting = reporting_host(mail, "")  # "from" in the text names who brought the message
    kind = (listed.group(1) or "").lower() if listed else ""
    delayed = kind.startswith("transient") or "will keep trying until" in transcript.lower()
    listing = _addresses(text[listed.end() :].split("-----")[0] if listed else "")
    if not listing and transcript.strip():
        who = first_address(transcript) or next(iter(recipients_of(mail)), None)
        listing = [(who or "", "")]
    if kind == "successful":
        return [_success(address, note, reporting) for address, note in listing]
    known = _Said(sessions)
    found = []
    for address, reason in listing:
        said, host = known.of(address, reason)
        one = failure(address or None, said, reporting=reporting, delayed=delayed)
        found.append(replace(one, remote_mta=host))
    return found


def _success(address: str, note: str, reporting: str | None) -> Failure:
    text = f"Success notice: {note or 'delivered'}"
    return Failure(address, text, Outcome.NOT_A_BOUNCE, reporting_mta=reporting, kind="success")


def _addresses(text: str) -> list[tuple[str, str]]:
    """Return each listed address with its reason, or with the note that stands behind it."""
    found: list[tuple[str, str, list[str]]] = []
    for line in text.splitlines():
        match = _LINE.match(line[:1000])
        if match and len(found) < MAX_RECIPIENTS:
            found.append((match.group(1), match.group(2) or "", []))
        elif found and line.strip():
            found[-1][2].append(line)
    pairs = []
    for address, note, lines in found:
        reason = _REASON.search(one_line("\n".join(lines)))
        pairs.append((address, reason.group(1) if reason else note))
    return pairs


def _sessions(transcript: str) -> list[_Session]:
    found = [_Session(None)]
    for line in transcript.splitlines():
        talking = _TALKING.search(line[:400]) if line.startswith("...") else None
        if talking:
            found.append(_Session(talking.group(1)))
        elif line.strip():
            found[-1].lines.append(line)
    return found


class _Said:
    """What the transcript says of an address; lines are looked up by the addresses that stand in them."""

    def __init__(self, sessions: list[_Session]) -> None:
        self._sessions = sessions
        self._places: dict[str, list[tuple[_Session, int]]] = {}
        self._replies: dict[str, _Session] = {}
        self._known: dict[tuple[str, str], tuple[str, str | None]] = {}
        for session in sessions:
            for number, line in enumerate(session.lines):
                address = first_address(line[:2000])
                if address:
                    places = self._places.setdefault(address.lower(), [])
                    if len(places) < MAX_MENTIONS:
                        places.append((session, number))
                    if line[:9].lower().startswith(">>> rcpt"):
                        session.recipients.add(address.lower())
                if line.startswith("<<<"):
                    self._replies.setdefault(one_line(line[3:]), session)
        self._of_all = self._said_of_all()

    def of(self, address: str, reason: str) -> tuple[str, str | None]:
        """Return what was said and by which host."""
        key = (address.lower(), reason)
        if key not in self._known:
            self._known[key] = self._found(address, reason)
        return self._known[key]

    def _found(self, address: str, reason: str) -> tuple[str, str | None]:
        if reason and (_REPLY.match(reason) or not self._mentions(address)):
            session = self._replies.get(one_line(reason))
            return reason, session.host if session else None
        for session, number in self._mentions(address):
            if session.lines[number].startswith(">>>"):
                said = _answers(session.lines, number + 1)
                if said:
                    return said, session.host
        for session, number in self._mentions(address):
            if session.lines[number].startswith("<<<"):
                return _answers(session.lines, number), session.host
            if not session.lines[number].startswith(">>>"):
                return self._noted(session, number, address)
        said, host = self._of_all
        return (reason, None) if reason and host is None else (said, host)

    def _said_of_all(self) -> tuple[str, str | None]:
        """What was said when no recipient was named, to MAIL or DATA; else all that there is."""
        for session in self._sessions:
            said = _answers(session.lines, 0)
            if said and not session.recipients:
                return said, session.host
        lines = [line for session in self._sessions for line in session.lines if not line.startswith(">>>")]
        return one_line("\n".join(lines)), None

    def _mentions(self, address: str) -> list[tuple[_Session, int]]:
        return self._places.get(address.lower(), [])

    def _noted(self, session: _Session, number: int, address: str) -> tuple[str, str | None]:
        """Sendmail's own line about an address, below what the local mailer printed."""
        first = number
        while first and not session.lines[first - 1].startswith((">>>", "<<<")):
            above = session.lines[first - 1]
            if _REPLY.match(above[:10]) or first_address(above[:2000]):
                break
            first -= 1
        said = one_line("\n".join(session.lines[first : number + 1]))
        by = _DEFERRED_BY.search(said[:1000])
        others = bool(session.recipients - {address.lower()})
        return said, by.group(1) if by else None if others else session.host


def _answers(lines: list[str], start: int) -> str:
    """Return the first run of ``<<<`` lines."""
    said: list[str] = []
    for line in islice(lines, start, None):
        if line.startswith("<<<"):
            said.append(line[3:].strip())
        elif said:
            break
    return " ".join(said)
