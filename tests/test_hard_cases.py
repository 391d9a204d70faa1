"""Hard cases: code against text, nested causes, close neighbours. Written for the test, not for training."""

from __future__ import annotations

import pytest

from whybounce.model import BounceClassifier

CASES = {
    "words beat codes": [
        ("550 5.7.1 <a@example.com>: user unknown", "invalid_recipient"),
        ("552 no such user here", "invalid_recipient"),
        ("450 4.1.1 recipient over quota", "mailbox_full"),
        ("550 5.1.1 you have reached your hourly sending limit", "rate_limited"),
        ("450 4.2.2 greylisted, please come back later", "greylisted"),
        ("550 5.1.1 client host [192.0.2.1] blocked using zen.spamhaus.org", "sender_reputation"),
    ],
    "codes decide when words are silent": [
        ("550 5.1.1 rejected", "invalid_recipient"),
        ("552 5.2.2", "mailbox_full"),
        ("552 5.3.4", "message_too_large"),
    ],
    "the inner cause": [
        ("554 5.4.7 [internal] (last transfail: 452 4.2.2 inbox is out of storage space)", "mailbox_full"),
        (
            "SMTP error from remote mail server after RCPT TO:<a@example.com>: host mx.example.com [192.0.2.1]: "
            "550 5.1.1 unknown user: retry timeout exceeded",
            "invalid_recipient",
        ),
        ("delivery attempts: 12; last error: 421 connection timed out", "network_error"),
    ],
    "rate limit, reputation, complaint": [
        (
            "421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to unexpected volume or user complaints",
            "rate_limited",
        ),
        (
            "550 5.7.1 Unfortunately, messages from [192.0.2.1] weren't sent. Please contact your Internet service provider "
            "since part of their network is on our block list (S3150).",
            "sender_reputation",
        ),
        (
            "451 4.7.650 The mail server [192.0.2.1] has been temporarily rate limited due to IP reputation.",
            "sender_reputation",
        ),
        (
            "421 4.7.28 Our system has detected an unusual rate of mail from your IP address; it was rate limited",
            "rate_limited",
        ),
        ("450 4.2.1 The user you are trying to contact is receiving mail too quickly", "rate_limited"),
        ("too many connections from your IP", "rate_limited"),
        ("421 too many connections, server busy", "server_busy"),
    ],
    "access denied": [
        (
            "550 5.4.1 Recipient address rejected: Access denied. AS(201806281) [XX.prod.protection.outlook.com]",
            "invalid_recipient",
        ),
        ("554 5.7.1 <client.example.org>: Client host rejected: Access denied", "policy_rejection"),
    ],
    "whose domain": [
        ("450 4.1.8 <a@example.org>: Sender address rejected: Domain not found", "sender_rejected"),
        ("550 5.1.2 <a@example.com>: Recipient address rejected: Domain not found", "bad_domain"),
        (
            "Host or domain name not found. Name service error for name=example.com type=MX: Host not found, try again",
            "network_error",
        ),
        ("Domain example.com does not accept mail (nullMX)", "bad_domain"),
    ],
    "what is full": [
        ("552 5.2.2 mailbox quota exceeded", "mailbox_full"),
        ("552 5.3.4 message size exceeds the fixed limit", "message_too_large"),
        ("452 4.3.1 insufficient disk space on the server", "server_busy"),
    ],
    "disabled, closed, unknown": [
        ("550 5.2.1 this mailbox has been disabled", "account_inactive"),
        ("550 account closed at the user's request", "closed_account"),
        ("550 she has left the company, this address is no longer valid", "closed_account"),
        ("550 no mailbox by that name", "invalid_recipient"),
        ("450 mailbox unavailable", "general_error"),
        ("550 mailbox unavailable", "invalid_recipient"),
    ],
    "other rulings": [
        ("530 5.7.0 Authentication required", "relay_denied"),
        (
            "550 5.7.26 Unauthenticated email from example.org is not accepted due to domain's DMARC policy",
            "authentication_failure",
        ),
        (
            "550 5.7.515 Access denied, sending domain example.org does not meet the required authentication level.",
            "authentication_failure",
        ),
        ("550 unrouteable address", "invalid_recipient"),
        ("554 5.4.6 too many hops", "mail_loop"),
        ("530 5.7.0 Must issue a STARTTLS command first", "tls_required"),
        ("retry timeout exceeded", "delivery_expired"),
        ("", "no_information"),
    ],
    "other languages": [
        ("550 Benutzer unbekannt", "invalid_recipient"),
        ("552 Boîte aux lettres pleine", "mailbox_full"),
        ("550 El usuario no existe / User does not exist", "invalid_recipient"),
        ("Автоответ: я в отпуске до понедельника", "not_a_bounce"),
        ("550 用户不存在", "invalid_recipient"),
        ("メールボックスの容量が一杯です", "mailbox_full"),
    ],
}
FLAT = [(kind, text, reason) for kind, cases in CASES.items() for text, reason in cases]
EITHER_OR = {
    "550 unknown user or mailbox full": {"mailbox_full", "invalid_recipient"},
    "550 usuario desconocido o buzón lleno": {"mailbox_full", "invalid_recipient"},
}


@pytest.mark.parametrize(("kind", "text", "reason"), FLAT)
def test_hard_cases(classifier: BounceClassifier, kind: str, text: str, reason: str) -> None:
    assert classifier.predict_one(text).reason == reason, kind


@pytest.mark.parametrize(("text", "both"), EITHER_OR.items())
def test_either_or_takes_the_less_destructive(classifier: BounceClassifier, text: str, both: set[str]) -> None:
    prediction = classifier.predict_one(text)
    named = {prediction.reason, *(other.reason for other in prediction.alternatives)}
    assert both <= named
    assert prediction.category == "soft"
