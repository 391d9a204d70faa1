"""What the codes alone say, when no words decide.

Sources: RFC 3463 and the IANA registry of enhanced status codes, RFC 5321 section 4.2.3
for the reply codes. Codes about the sender or about security never give a hard reason.
"""

from __future__ import annotations

from whybounce.model.diagnostic import Diagnostic, Phase
from whybounce.model.taxonomy import Reason as R

STATUS: dict[str, R] = {
    "4.1.1": R.GENERAL_ERROR, "5.1.1": R.INVALID_RECIPIENT,
    "5.1.2": R.BAD_DOMAIN, "4.1.2": R.NETWORK_ERROR,
    "5.1.3": R.ADDRESS_ERROR, "4.1.3": R.ADDRESS_ERROR,
    "5.1.4": R.INVALID_RECIPIENT, "5.1.6": R.CLOSED_ACCOUNT, "5.1.10": R.INVALID_RECIPIENT,
    "x.1.7": R.SENDER_REJECTED, "x.1.8": R.SENDER_REJECTED, "5.1.9": R.GENERAL_HARD_BOUNCE,
    "x.2.1": R.ACCOUNT_INACTIVE, "x.2.2": R.MAILBOX_FULL, "x.2.3": R.MESSAGE_TOO_LARGE,
    "x.2.4": R.OTHER_RECEIVER_ERROR,
    "x.3.1": R.SERVER_BUSY, "4.3.2": R.SERVER_BUSY, "5.3.2": R.OTHER_RECEIVER_ERROR,
    "x.3.3": R.DATA_FORMAT_ERROR, "x.3.4": R.MESSAGE_TOO_LARGE, "x.3.5": R.OTHER_RECEIVER_ERROR,
    "x.3.0": R.OTHER_RECEIVER_ERROR, "5.3.6": R.DATA_FORMAT_ERROR,
    "x.4.1": R.NETWORK_ERROR, "x.4.2": R.NETWORK_ERROR, "x.4.3": R.NETWORK_ERROR, "4.4.4": R.NETWORK_ERROR,
    "5.4.4": R.BAD_DOMAIN, "x.4.5": R.SERVER_BUSY, "x.4.6": R.MAIL_LOOP, "x.4.7": R.DELIVERY_EXPIRED,
    "x.4.0": R.NETWORK_ERROR, "x.4.14": R.MAIL_LOOP, "5.4.310": R.BAD_DOMAIN,
    "x.5.0": R.DATA_FORMAT_ERROR, "x.5.1": R.DATA_FORMAT_ERROR, "x.5.2": R.DATA_FORMAT_ERROR,
    "x.5.3": R.RATE_LIMITED, "x.5.4": R.DATA_FORMAT_ERROR, "x.5.5": R.DATA_FORMAT_ERROR,
    "x.5.6": R.DATA_FORMAT_ERROR,
    "x.6.0": R.DATA_FORMAT_ERROR, "x.6.1": R.DATA_FORMAT_ERROR, "x.6.2": R.DATA_FORMAT_ERROR,
    "x.6.3": R.DATA_FORMAT_ERROR, "x.6.4": R.DATA_FORMAT_ERROR, "x.6.5": R.DATA_FORMAT_ERROR,
    "x.6.6": R.DATA_FORMAT_ERROR, "x.6.7": R.DATA_FORMAT_ERROR, "x.6.8": R.DATA_FORMAT_ERROR,
    "x.6.9": R.DATA_FORMAT_ERROR, "x.6.10": R.DATA_FORMAT_ERROR,
    "4.7.0": R.RATE_LIMITED, "4.7.1": R.RATE_LIMITED,
    "x.7.0": R.POLICY_REJECTION, "x.7.1": R.POLICY_REJECTION, "x.7.2": R.POLICY_REJECTION,
    "x.7.3": R.POLICY_REJECTION, "x.7.4": R.TLS_REQUIRED, "x.7.5": R.TLS_REQUIRED, "x.7.6": R.TLS_REQUIRED,
    "x.7.7": R.AUTHENTICATION_FAILURE, "x.7.8": R.RELAY_DENIED, "x.7.9": R.RELAY_DENIED,
    "x.7.10": R.TLS_REQUIRED, "x.7.11": R.TLS_REQUIRED, "x.7.13": R.ACCOUNT_INACTIVE,
    "x.7.14": R.RELAY_DENIED, "x.7.15": R.RATE_LIMITED, "x.7.17": R.CLOSED_ACCOUNT, "x.7.18": R.CLOSED_ACCOUNT,
    "x.7.20": R.AUTHENTICATION_FAILURE, "x.7.21": R.AUTHENTICATION_FAILURE, "x.7.22": R.AUTHENTICATION_FAILURE,
    "x.7.23": R.AUTHENTICATION_FAILURE, "x.7.24": R.AUTHENTICATION_FAILURE, "x.7.25": R.SENDER_REPUTATION,
    "x.7.26": R.AUTHENTICATION_FAILURE, "x.7.27": R.SENDER_REJECTED, "x.7.28": R.RATE_LIMITED,
    "x.7.29": R.AUTHENTICATION_FAILURE, "x.7.30": R.TLS_REQUIRED, "x.7.32": R.AUTHENTICATION_FAILURE,
    "x.7.57": R.RELAY_DENIED, "x.7.64": R.RELAY_DENIED, "x.7.515": R.AUTHENTICATION_FAILURE,
    "x.7.606": R.SENDER_REPUTATION, "x.7.511": R.SENDER_REPUTATION, "x.7.650": R.SENDER_REPUTATION,
    "x.7.509": R.AUTHENTICATION_FAILURE, "x.7.708": R.SENDER_REPUTATION, "x.7.705": R.RATE_LIMITED,
}  # fmt: skip
"""Enhanced status code -> reason; ``x`` stands for 4 and 5."""

REPLY: dict[int, R] = {
    420: R.NETWORK_ERROR, 421: R.SERVER_BUSY, 431: R.SERVER_BUSY, 432: R.OTHER_RECEIVER_ERROR,
    441: R.NETWORK_ERROR, 442: R.NETWORK_ERROR, 446: R.MAIL_LOOP, 447: R.DELIVERY_EXPIRED,
    450: R.GENERAL_ERROR, 451: R.OTHER_RECEIVER_ERROR, 452: R.SERVER_BUSY, 454: R.TLS_REQUIRED,
    455: R.DATA_FORMAT_ERROR,
    500: R.DATA_FORMAT_ERROR, 501: R.DATA_FORMAT_ERROR, 502: R.DATA_FORMAT_ERROR, 503: R.DATA_FORMAT_ERROR,
    504: R.DATA_FORMAT_ERROR, 510: R.INVALID_RECIPIENT, 511: R.INVALID_RECIPIENT, 512: R.BAD_DOMAIN,
    513: R.ADDRESS_ERROR, 521: R.BAD_DOMAIN, 523: R.MESSAGE_TOO_LARGE, 530: R.RELAY_DENIED, 535: R.RELAY_DENIED,
    534: R.RELAY_DENIED, 538: R.TLS_REQUIRED, 541: R.POLICY_REJECTION, 551: R.INVALID_RECIPIENT,
    552: R.MAILBOX_FULL, 553: R.SENDER_REJECTED, 554: R.GENERAL_HARD_BOUNCE, 555: R.DATA_FORMAT_ERROR,
    556: R.BAD_DOMAIN,
}  # fmt: skip
"""Reply code -> reason."""

_EARLY = frozenset({Phase.CONNECT, Phase.EHLO, Phase.STARTTLS, Phase.MAIL})


def names_cause(status: str | None) -> bool:
    """Whether an enhanced status code stands for one reason by itself (x.y.0 mostly does not)."""
    return status is not None and not status.endswith(".0") and (status in STATUS or "x" + status[1:] in STATUS)


def reason_of_codes(diagnostic: Diagnostic) -> tuple[str, str, str] | None:
    """Return ``(reason, id, code)`` from the codes alone, or None without codes.

    The enhanced status code is asked first, then the reply code, then their class. An
    unspecific refusal before RCPT TO is never hard.
    """
    status, code = diagnostic.enhanced_status, diagnostic.reply_code
    early = diagnostic.command in _EARLY
    if status is not None:
        reason = STATUS.get(status) or STATUS.get("x" + status[1:])
        if reason is not None and not (early and reason is R.GENERAL_HARD_BOUNCE):
            return reason, f"codes.status.{status}", status
    if code is not None and (status is None or status.endswith((".0.0", ".1.0", ".2.0"))):
        reason = REPLY.get(code)
        if code == 554 and not diagnostic.words.isupper() and diagnostic.words:
            # RFC 5321: 554 refuses the transaction, not the recipient. Words that no rule understood may be
            # about the sender, so a person looks at them before an address is given up.
            reason = R.POLICY_REJECTION
        if reason is not None and not (early and code // 100 == 5 and reason is R.GENERAL_HARD_BOUNCE):
            return reason, f"codes.reply.{code}", str(code)
    match diagnostic.code_class:
        case 5:
            fallback = R.POLICY_REJECTION if early else R.GENERAL_HARD_BOUNCE
        case 4:
            fallback = R.GENERAL_ERROR
        case 2:
            fallback = R.NOT_A_BOUNCE
        case _:
            return None
    return fallback, "codes.class", status or str(code)
