"""Every target, the riskiest first."""

from __future__ import annotations

from . import events, logs, messages
from .target import Target

_ORDER = (
    "message", "mailbox", "postfix", "ses", "sendgrid", "mailgun", "exim", "sendmail", "packed", "csv", "generic",
    "kumomta", "powermta", "exchange", "qmail", "opensmtpd", "jsonl", "sparkpost", "postmark", "mailjet", "brevo",
    "kumomta-hook", "tsv", "csv-semicolon", "text",
)  # fmt: skip

_BY_NAME = {target.name: target for target in (*messages.TARGETS, *logs.TARGETS, *events.TARGETS)}
TARGETS: dict[str, Target] = {name: _BY_NAME[name] for name in _ORDER}
