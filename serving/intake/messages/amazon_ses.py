"""Amazon SES and WorkMail: a text, and at times a report that stands in the text."""

from __future__ import annotations

import re2

from whybounce.serving.intake.messages import dsn
from whybounce.serving.intake.messages.blocks import failure
from whybounce.serving.intake.messages.failure import Failure, first_address, lines_until
from whybounce.serving.intake.messages.mime import Mail

_LIST = re2.compile(r"(?i)an error occurred while trying to deliver the mail to the following recipients?:")
_REPORT = re2.compile(r"(?i)technical report:\s*\n")


def amazon_ses(mail: Mail) -> list[Failure]:
    """Read the technical report in the text, else the addresses that the text lists."""
    match = _LIST.search(mail.text)
    if not match:
        return []
    rest = mail.text[match.end() :]
    report = _REPORT.search(rest)
    told = dsn.read_report(rest[report.end() :]) if report else []
    if told:
        return told
    found = []
    for line in lines_until(rest.splitlines(), "technical report", "--", "reporting-mta"):
        address = first_address(line)
        if address:
            found.append(failure(address, line.replace(address, "", 1).strip(" <>()-:;")))
    return found
