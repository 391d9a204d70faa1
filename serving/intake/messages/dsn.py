"""Delivery status notifications: RFC 3464, RFC 6522, and RFC 6533 for internationalised addresses."""

from __future__ import annotations

import re2

from whybounce.serving.intake.messages.failure import Failure, clean_address, one_line, status_in
from whybounce.serving.intake.messages.header import Fields, fields_of
from whybounce.serving.intake.messages.mime import Mail
from whybounce.serving.intake.record import Outcome

MAX_RECIPIENTS = 10_000

_OUTCOMES = {"failed": Outcome.BOUNCED, "delayed": Outcome.DEFERRED, "failure": Outcome.BOUNCED}
_SUCCESSES = ("delivered", "relayed", "expanded", "deliverable")  # the last of Postfix, when asked whether it would
_TYPE = re2.compile(r"^\s*[a-zA-Z][\w.-]*\s*;\s*")
# X-Unix; 67: the exit code of a local mailer, no words. Domino and some gateways leave only codes.
_WORDLESS = re2.compile(r"^[\d.\s;:#()-]*$")
_BEGINS = re2.compile(r"(?im)^reporting-mta[ \t]*:.*\n(?:.*\n){0,20}?final-recipient[ \t]*:")
_XTEXT = re2.compile(r"\\x\{([0-9a-fA-F]{1,6})\}")


def read(mail: Mail) -> list[Failure]:
    """Read the delivery status parts; empty when there are none."""
    found: list[Failure] = []
    for report in mail.reports:
        _keep_original(mail, fields_of(report))
        found.extend(read_report(report)[: MAX_RECIPIENTS - len(found)])
    return found


def read_in_text(mail: Mail) -> list[Failure]:
    """Read a delivery status that stands in the text, because the message lost its boundaries on the way."""
    begin = _BEGINS.search(mail.text)
    return read_report(mail.text[begin.start() :]) if begin else []


def read_report(report: str) -> list[Failure]:
    """Read the text of a delivery status part, wherever it stands."""
    found: list[Failure] = []
    groups = [group for block in _blocks(report) if (group := fields_of(block))]
    reporting = _host(groups[0].get("Reporting-MTA")) if groups else None
    for group in groups:
        if _names_a_recipient(group):
            found.append(_failure(group, reporting))
        if len(found) >= MAX_RECIPIENTS:
            break
    return found


def _keep_original(mail: Mail, message: Fields) -> None:
    """Take from the report what it says of the original, when that did not come back: when it arrived, its id."""
    if not mail.original:
        told = [("Message-ID", message.get("X-Original-Message-ID")), ("Date", message.get("Arrival-Date"))]
        mail.original = Fields([(name, value) for name, value in told if value])


def _blocks(report: str) -> list[str]:
    """Cut into groups of fields; a group that lacks its blank line begins at Final-Recipient."""
    blocks: list[list[str]] = [[]]
    seen = False
    for line in report.splitlines():
        if not line.strip():
            blocks.append([])
            seen = False
            continue
        name = line.partition(":")[0].lower()
        if name == "final-recipient":
            if seen:
                blocks.append([])
            seen = True
        blocks[-1].append(line)
    return ["\n".join(block) for block in blocks if block]


def _names_a_recipient(group: Fields) -> bool:
    return any(name in group for name in ("Final-Recipient", "Original-Recipient", "Action")) and (
        "Final-Recipient" in group or "Original-Recipient" in group or "Status" in group
    )


def _failure(group: Fields, reporting: str | None) -> Failure:
    action = group.get("Action").partition("(")[0].strip().lower()
    status = status_in(group.get("Status"))
    diagnostic = _text(group.get("Diagnostic-Code"))
    kind = None
    if action in _SUCCESSES:
        outcome, kind = Outcome.NOT_A_BOUNCE, "success"
        diagnostic = f"Success notice: {action}; {diagnostic}" if diagnostic else f"Success notice: {action}"
    else:
        outcome = _OUTCOMES.get(action) or (Outcome.DEFERRED if (status or "5")[0] == "4" else Outcome.BOUNCED)
        kind = "delay" if outcome is Outcome.DEFERRED else None
    return Failure(
        _unescaped(clean_address(group.get("Final-Recipient")) or clean_address(group.get("Original-Recipient"))),
        diagnostic,
        outcome,
        status,
        _host(group.get("Remote-MTA")),
        reporting,
        kind,
    )


def _text(value: str) -> str:
    """Take off the type of a diagnostic; text without words says nothing."""
    text = one_line(value)
    match = _TYPE.match(text)
    inner = text[match.end() :] if match else text
    if len(inner) >= 2 and inner[0] == inner[-1] == '"':
        inner = inner[1:-1]
    kind = match.group(0).strip().lower() if match else ""
    return "" if not inner or (kind.startswith("x-") and _WORDLESS.match(inner)) else inner


def _host(value: str) -> str | None:
    text = one_line(value)
    text = text.partition(";")[2] if ";" in text else text
    text = text.partition("(")[0].split()[0] if text.partition("(")[0].split() else text.strip(" ()")
    return text.strip("[]<>.")[:255] or None


def _unescaped(address: str | None) -> str | None:
    """Undo the utf-8-addr-xtext of RFC 6533: ``\\x{20AC}``."""
    if address is None or "\\x{" not in address:
        return address
    last, pieces = 0, []
    for match in _XTEXT.finditer(address):
        point = int(match.group(1), 16)
        pieces.append(address[last : match.start()])
        pieces.append(chr(point) if point < 0x110000 and not 0xD800 <= point < 0xE000 else match.group(0))
        last = match.end()
    return "".join([*pieces, address[last:]])
