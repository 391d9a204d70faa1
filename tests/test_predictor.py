"""What the predictor answers: the reasons, what must never happen, and every field."""

from __future__ import annotations

import dataclasses
import json
import math
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whybounce.model import DecidedBy, Prediction
from whybounce.model.artifact import Thresholds
from whybounce.model.classifier import TextClassifier
from whybounce.model.decision import HARD, VETO_CONFIDENCE, Bar, Ranking, pool, resolve
from whybounce.model.masking import MAX_TEXT
from whybounce.model.predictor import BounceClassifier
from whybounce.model.rules import RuleMatch
from whybounce.model.taxonomy import TAXONOMY, Action

# Minimum functionality: texts about which no reader hesitates. Made for this test.
CLEAR: dict[str, list[str]] = {
    "invalid_recipient": [
        "550 5.1.1 <a@example.com>: Recipient address rejected: User unknown in virtual mailbox table",
        "550 No such user here",
        "Sorry, no mailbox here by that name. (#5.1.1)",
        "552 no such user",
        "550 5.1.1 rejected",
    ],
    "bad_domain": [
        "Host or domain name not found. Name service error for name=exmaple.test type=MX: Host not found",
        "550 5.1.2 The domain of the recipient does not exist",
        "556 5.1.10 Recipient address has null MX",
    ],
    "address_error": [
        "501 5.1.3 Bad recipient address syntax",
        "553 5.1.3 The recipient address <a..b@example.com> is not a valid RFC 5321 address",
        "550 invalid characters in recipient address",
    ],
    "closed_account": [
        "550 5.2.1 This account has been closed",
        "The recipient no longer works for this company",
        "550 mailbox has been deleted by its owner",
    ],
    "general_hard_bounce": ["554 5.0.0 Permanent failure", "554 Transaction failed permanently", "550 5.0.0"],
    "mailbox_full": [
        "452 4.2.2 The email account that you tried to reach is over quota",
        "552 5.2.2 Mailbox full",
        "554 5.4.7 [internal] (last transfail: 452 4.2.2 inbox is out of storage space)",
    ],
    "account_inactive": [
        "550 5.2.1 The email account that you tried to reach is disabled",
        "554 5.7.1 recipient account is suspended",
        "550 mailbox is inactive",
    ],
    "server_busy": [
        "421 4.3.2 Server too busy, please try again later",
        "452 4.3.1 Insufficient system storage",
        "421 too many connections, server busy",
    ],
    "general_error": [
        "450 4.0.0 Temporary failure",
        "451 Temporarily rejected",
        "450 4.2.0 mailbox temporarily unavailable",
    ],
    "data_format_error": [
        "554 5.6.0 Message contains malformed MIME",
        "500 5.5.2 Syntax error, command unrecognized",
        "550 5.6.7 SMTPUTF8 is not supported by this server",
    ],
    "network_error": [
        "connect to mx.example.net[192.0.2.1]:25: Connection timed out",
        "connect to mx.example.net[192.0.2.1]:25: Connection refused",
        "lost connection with mx.example.net[192.0.2.1] while sending message body",
    ],
    "other_receiver_error": [
        "451 4.3.0 Local error in processing",
        "451 4.3.5 Server configuration problem",
        "550 5.3.0 internal server error while delivering",
    ],
    "spam_content": [
        "554 5.7.1 Message rejected: it looks like spam",
        "550 5.7.1 This message was identified as spam by our content filter",
    ],
    "sender_reputation": [
        "554 5.7.1 Service unavailable; Client host [192.0.2.5] blocked using zen.spamhaus.org",
        "550 5.7.1 Your IP address has a poor reputation",
        "550 5.7.25 The IP address sending this message does not have a PTR record",
    ],
    "sender_rejected": [
        "450 4.1.8 <s@example.org>: Sender address rejected: Domain not found",
        "553 5.7.1 <s@example.org>: Sender address rejected: not owned by user joe",
        "550 sender verify failed",
    ],
    "authentication_failure": [
        "550 5.7.26 This mail is unauthenticated and fails the DMARC policy of the domain",
        "550 5.7.23 SPF validation failed",
        "554 5.7.20 DKIM signature did not verify",
    ],
    "policy_rejection": [
        "550 5.7.1 Message rejected due to administrative policy",
        "550 5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup; sender not permitted to post to this group",
        "554 5.7.1 <a@example.com>: Recipient address rejected: Access denied by policy",
    ],
    "rate_limited": [
        "421 4.7.0 You have sent too many messages from this IP, slow down",
        "450 4.7.1 Error: too much mail from 192.0.2.5",
        "421 too many connections from your IP",
    ],
    "greylisted": [
        "450 4.2.0 <a@example.com>: Recipient address rejected: Greylisted",
        "451 4.7.1 Greylisting in action, please come back later",
    ],
    "message_too_large": ["552 5.3.4 Message size exceeds fixed limit", "552 Message too large"],
    "relay_denied": [
        "554 5.7.1 <a@example.com>: Relay access denied",
        "550 5.7.1 Unable to relay",
        "530 5.7.0 Authentication required",
    ],
    "virus_detected": [
        "554 5.7.1 Virus found in message: Eicar-Test-Signature",
        "552 5.7.0 This message was blocked because its attachment type is not allowed",
    ],
    "tls_required": [
        "530 5.7.0 Must issue a STARTTLS command first",
        "550 5.7.10 Encryption required for requested recipient",
    ],
    "mail_loop": ["554 5.4.6 Too many hops", "554 5.4.14 Hop count exceeded - possible mail loop"],
    "delivery_expired": ["retry timeout exceeded", "554 5.4.7 message expired in the queue"],
    "not_a_bounce": [
        "I am out of the office until Monday and will answer when I return",
        "Your message was successfully delivered to the recipient",
    ],
    "no_information": ["", "   ", "---"],
}


def test_every_reason_has_clear_texts() -> None:
    assert list(CLEAR) == list(TAXONOMY.reasons)
    assert all(len(texts) >= 2 for texts in CLEAR.values())


@pytest.mark.parametrize(("reason", "text"), [(reason, text) for reason, texts in CLEAR.items() for text in texts])
def test_clear_texts(classifier: BounceClassifier, reason: str, text: str) -> None:
    assert classifier.predict_one(text).reason == reason


def test_most_clear_texts_without_a_model(rules_only: BounceClassifier) -> None:
    cases = [(reason, text) for reason, texts in CLEAR.items() for text in texts]
    right = sum(rules_only.predict_one(text).reason == reason for reason, text in cases)
    assert right / len(cases) >= 0.8


# Public complaints about bounce classifiers: (text, reasons that are right). Numbers as in the field notes.
COMPLAINTS: list[tuple[str, str, set[str]]] = [
    (
        "1 a reputation block is no unknown user",
        "550 5.7.1 Unfortunately, messages from [192.0.2.5] weren't sent. Please contact your Internet service provider "
        "since part of their network is on our block list (S3150). You can also refer your provider to "
        "http://mail.live.com/mail/troubleshooting.aspx#errors.",
        {"sender_reputation"},
    ),
    ("2 the sender's own IP is at fault", "554 5.7.1 [192.0.2.5] is listed at bl.spamcop.net", {"sender_reputation"}),
    ("3 the enhanced code lies", "550 5.1.1 hourly sending limit reached for this account", {"rate_limited"}),
    (
        "4 Outlook's access denied is no such recipient",
        "550 5.4.1 Recipient address rejected: Access denied. [DB5EUR.eop-EUR.prod.protection.outlook.com]",
        {"invalid_recipient"},
    ),
    ("5 code against text: greylisting", "450 4.2.2 <a@example.com>: Recipient address rejected: Greylisted", {"greylisted"}),
    (
        "5 code against text: permanently deferred",
        "553 5.7.2 [TS03] All messages from 192.0.2.5 will be permanently deferred; retrying will NOT succeed",
        {"sender_reputation", "rate_limited"},
    ),
    ("6 an invalid domain is not transient", "Your email was not delivered: the domain does not exist", {"bad_domain"}),
    (
        "7 volume or complaints",
        "421 4.7.0 [TSS04] Messages from 192.0.2.5 temporarily deferred due to unexpected volume or user complaints - "
        "4.16.55.1; see https://postmaster.yahooinc.com/error-codes",
        {"rate_limited"},
    ),
    ("8 a full mailbox is not final", "552 5.2.2 <a@example.com>: mailbox is full", {"mailbox_full"}),
    ("9 server trouble is no bad address", "451 4.3.0 <a@example.com>: Temporary lookup failure", {"other_receiver_error", "general_error", "server_busy"}),
    ("11 expired", "550 4.4.7 QUEUE.Expired; message expired", {"delivery_expired"}),
    ("13 German", "550 5.1.1 Benutzer unbekannt", {"invalid_recipient"}),
    ("13 Spanish, either or", "El usuario no existe o el buzón está lleno", {"mailbox_full"}),
    ("13 French, Orange", "550 5.1.1 Adresse d au moins un destinataire invalide. Invalid recipient. OFR_416 [416]", {"invalid_recipient"}),
    ("16 an auto-reply", "Thank you for your message. I am on vacation until 5 May with no access to mail.", {"not_a_bounce"}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "reasons"), [row[1:] for row in COMPLAINTS], ids=[row[0] for row in COMPLAINTS])
def test_what_users_complain_about(classifier: BounceClassifier, text: str, reasons: set[str]) -> None:
    assert classifier.predict_one(text).reason in reasons


def test_complaints_about_advice(classifier: BounceClassifier) -> None:
    full = classifier.predict_one("552 5.2.2 mailbox is full")  # 8: retried, not suppressed
    assert (full.category, full.retryable, full.action) == ("soft", True, "retry_later")
    expired = classifier.predict_one("554 5.4.7 message expired in the queue")  # 11
    assert expired.action in {"retry_later", "review"}
    unknown = classifier.predict_one("550 5.1.1 user unknown")  # 14: explained
    assert unknown.evidence
    wait = classifier.predict_one("450 4.7.1 Greylisted, try again in 5 minutes")  # 15
    assert wait.retry_after_seconds == 300
    away = classifier.predict_one("I am out of the office until Monday and will answer when I return")  # 16
    assert (away.category, away.retryable, away.action) == ("other", None, "ignore")


@pytest.mark.parametrize(
    ("text", "reply_code", "action"),
    [
        ("550 5.1.1 user unknown", None, "suppress"),
        ("450 4.1.1 user unknown", None, "suppress_if_repeated"),
        ("user unknown", 450, "suppress_if_repeated"),
        ("4.1.1 user unknown", None, "suppress_if_repeated"),
        ("450 5.1.1 user unknown", 550, "suppress"),
        ("452 4.2.2 mailbox full", None, "retry_later"),
    ],
)
def test_what_the_server_calls_temporary_is_not_suppressed_at_once(
    classifier: BounceClassifier, rules_only: BounceClassifier, text: str, reply_code: int | None, action: str
) -> None:
    for predictor in (classifier, rules_only):
        assert predictor.predict_one(text, reply_code=reply_code).action == action


# An address must not be suppressed because of the sender.
ABOUT_THE_SENDER = [
    "550 5.1.1 Your IP 192.0.2.5 is blocked using zen.spamhaus.org",
    "550 5.1.1 DMARC policy of the sender domain rejects this message",
    "550 5.1.1 SPF check failed for s@example.org",
    "550 5.1.1 hourly sending limit exceeded",
    "550 5.1.1 too many messages from your server, slow down",
    "550 5.1.1 sender address rejected: domain not found",
    "550 5.1.1 reverse DNS of your host is missing",
    "550 5.1.1 Greylisted, come back later",
    "550 5.1.1 relay access denied, authentication required",
    "550 5.1.1 must issue a STARTTLS command first",
    "550 Client host rejected: cannot find your reverse hostname",
    "550 Sender verify failed: no such user",
    "554 5.7.1 the sending domain does not exist",
    "550 5.7.1 sending IP has a poor reputation, user unknown to us",
    "553 sorry, your envelope sender is in my badmailfrom list",
    "501 5.1.7 Bad sender address syntax",
    "550 5.1.8 Sender domain has no MX record",
    "550 5.7.1 Das Konto des Absenders wurde gesperrt",
    "550 La cuenta del remitente ha sido suspendida",
    "550 Le compte de l'expéditeur est désactivé",
    "554 Konto nadawcy zostało zablokowane",
    "550 A conta do remetente está suspensa",
    "550 The sending account has been disabled",
]


@pytest.mark.parametrize("text", ABOUT_THE_SENDER)
def test_text_about_the_sender_is_never_hard(
    classifier: BounceClassifier, rules_only: BounceClassifier, text: str
) -> None:
    for predictor in (classifier, rules_only):
        prediction = predictor.predict_one(text)
        assert prediction.category != "hard", (prediction.reason, prediction.evidence)
        assert not prediction.action.startswith("suppress")


@pytest.mark.parametrize(
    "text",
    [
        "host mx.example.net[192.0.2.1] refused to talk to me: 554 no",
        "SMTP error from remote mail server after initial connection: host mx.example.net [192.0.2.1]: 554",
        "host mx.example.net[192.0.2.1] said: 550 5.0.0 (in reply to MAIL FROM command)",
        "SMTP error from remote mail server after EHLO mx.example.org: 550",
    ],
)
def test_unspecific_refusal_before_rcpt_is_never_hard(rules_only: BounceClassifier, text: str) -> None:
    assert rules_only.predict_one(text).category != "hard"


# Fields of the answer


def test_fields(classifier: BounceClassifier) -> None:
    found = classifier.predict_one(
        "host gmail-smtp-in.l.google.com[192.0.2.1] said: 452 4.2.2 over quota, try again in 2 hours (in reply to RCPT TO command)"
    )
    assert (found.reason, found.title, found.group) == ("mailbox_full", "Mailbox full", "Mailbox is full")
    assert (found.category, found.retryable, found.action) == ("soft", True, "retry_later")
    assert (found.reply_code, found.enhanced_status, found.command) == (452, "4.2.2", "rcpt")
    assert (found.retry_after_seconds, found.blocklist, found.provider) == (7200, None, "google")
    assert found.template.startswith("host HOST @google IP said 452 4.2.2 over quota")
    assert classifier.manifest is not None
    assert found.model_version == classifier.manifest.model_version
    assert (found.truncated, found.degraded) == (False, False)
    assert json.loads(json.dumps(found.to_dict()))["decided_by"] == "model"
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.reason = "other"  # type: ignore[misc]


def check(prediction: Prediction) -> None:
    """What holds for every prediction whatsoever."""
    info = TAXONOMY[prediction.reason]
    assert (prediction.title, prediction.group) == (info.title, info.group)
    assert prediction.category in info.categories
    put_off = {Action.SUPPRESS: Action.SUPPRESS_IF_REPEATED}.get(info.action, info.action)
    assert prediction.action in (info.action, put_off, Action.REVIEW)
    assert 0 <= prediction.confidence <= 1
    assert len(prediction.alternatives) <= 3
    assert all(other.reason in TAXONOMY and other.reason != prediction.reason for other in prediction.alternatives)
    shares = [other.confidence for other in prediction.alternatives]
    assert shares == sorted(shares, reverse=True)
    assert bool(prediction.evidence) or prediction.decided_by is not DecidedBy.RULES
    json.dumps(prediction.to_dict(), ensure_ascii=False).encode("utf-8")


@pytest.mark.parametrize("text", [text for texts in CLEAR.values() for text in texts])
def test_fields_hang_together(classifier: BounceClassifier, rules_only: BounceClassifier, text: str) -> None:
    check(classifier.predict_one(text))
    check(rules_only.predict_one(text))


@pytest.mark.parametrize("text", [None, b"550 user unknown", 550, float("nan")])
def test_what_is_no_text(classifier: BounceClassifier, text: Any) -> None:
    """Said as such, with what to do, wherever it stands among texts."""
    for ask in (lambda: classifier.predict_one(text), lambda: classifier.predict(["550 no such user", text])):
        with pytest.raises(TypeError, match=f"not {type(text).__name__}; decode bytes"):
            ask()
    with pytest.raises(TypeError, match="give one to predict_one"):
        classifier.predict("550 user unknown")


def test_many_keep_their_order(classifier: BounceClassifier) -> None:
    texts = [text for texts in CLEAR.values() for text in texts]
    assert classifier.predict(texts) == [classifier.predict_one(text) for text in texts]
    assert classifier.predict(iter(texts[:3])) == classifier.predict(texts)[:3]
    assert classifier.predict([]) == []


@pytest.mark.parametrize(
    ("text", "passed", "reason"),
    [
        ("", {"enhanced_status": "5.1.1"}, "invalid_recipient"),
        ("", {"reply_code": 552, "enhanced_status": "5.2.2"}, "mailbox_full"),
        ("", {"reply_code": 450}, "general_error"),
        ("", {"reply_code": 550, "command": "MAIL FROM"}, "policy_rejection"),
        ("", {"reply_code": 550}, "general_hard_bounce"),
        ("", {"reply_code": 999}, "no_information"),
        ("", {"remote_host": "mx.example.net"}, "no_information"),
    ],
)
def test_fields_that_the_caller_passes(
    classifier: BounceClassifier, rules_only: BounceClassifier, text: str, passed: dict[str, int | str], reason: str
) -> None:
    for predictor in (classifier, rules_only):
        assert predictor.predict_one(text, **passed).reason == reason  # type: ignore[arg-type]


@pytest.mark.parametrize(("host", "provider"), [("aspmx.l.google.com", "google"), ("mx.example.net", None), ("", None)])
def test_provider_comes_from_the_host(classifier: BounceClassifier, host: str, provider: str | None) -> None:
    assert classifier.predict_one("550 5.1.1 user unknown", remote_host=host).provider == provider


def test_who_decides(classifier: BounceClassifier, rules_only: BounceClassifier) -> None:
    sure = classifier.predict_one("550 5.1.1 user unknown")
    assert sure.decided_by is DecidedBy.MODEL
    assert {piece.kind for piece in sure.evidence} <= {"ngram", "code"}
    assert all(piece.weight is not None and piece.weight > 0 for piece in sure.evidence)
    codes = classifier.predict_one("550 5.1.1")
    assert codes.decided_by is DecidedBy.RULES
    assert [(piece.kind, piece.id, piece.text) for piece in codes.evidence] == [("rule", "codes.status.5.1.1", "5.1.1")]
    nothing = classifier.predict_one("")
    assert (nothing.decided_by, nothing.evidence, nothing.action) == (DecidedBy.DEFAULT, (), "review")
    by_rule = rules_only.predict_one("450 4.2.0 Greylisted")
    assert by_rule.decided_by is DecidedBy.RULES
    assert by_rule.evidence[0].id
    assert "grey" in by_rule.evidence[0].text
    assert rules_only.degraded
    assert by_rule.degraded
    assert by_rule.model_version is None


def test_throttled_for_a_reason_may_be_retried(rules_only: BounceClassifier) -> None:
    block = "listed at zen.spamhaus.org"
    assert rules_only.predict_one(f"550 5.7.1 blocked: {block}").retryable is False
    assert rules_only.predict_one(f"421 4.7.0 temporarily deferred: {block}").retryable is True


# Joining model and rules: (own ranking, rule, veto, reason, decided by the rule)
LIMITS = Thresholds(
    threshold=0.4,
    hard_threshold=0.6,
    rule_weight={"words": 1.0, "codes": 0.0},
    review_below=0.3,
    confidence={f"{kind}_{how}": 0.55 for kind in ("words", "codes") for how in ("agree", "alone")},
)
FULL = RuleMatch("mailbox_full", "some.rule", "full")
UNKNOWN = RuleMatch("invalid_recipient", "some.rule", "unknown")
CODED = RuleMatch("mailbox_full", "codes.status.5.2.2", "5.2.2")


@pytest.mark.parametrize(
    ("own", "rule", "veto", "reason", "ruled"),
    [
        # a sure model is not turned by a rule, an unsure one is
        ([("mailbox_full", 0.9), ("invalid_recipient", 0.1)], UNKNOWN, None, "mailbox_full", False),
        ([("mailbox_full", 0.5), ("spam_content", 0.4), ("greylisted", 0.1)], None, None, "mailbox_full", False),
        (
            [("mailbox_full", 0.3), ("spam_content", 0.25), ("greylisted", 0.25), ("no_information", 0.2)],
            UNKNOWN, None, "invalid_recipient", True,
        ),
        ([("mailbox_full", 0.3), ("spam_content", 0.2)], None, None, "mailbox_full", False),
        # a rule that speaks may tip the balance
        ([("spam_content", 0.5), ("mailbox_full", 0.4)], FULL, None, "mailbox_full", True),
        ([("spam_content", 0.5), ("mailbox_full", 0.4)], CODED, None, "spam_content", False),
        # a hard reason needs enough hard probability
        ([("invalid_recipient", 0.5), ("mailbox_full", 0.45)], None, None, "mailbox_full", False),
        ([("invalid_recipient", 0.5), ("mailbox_full", 0.3), ("closed_account", 0.2)], None, None, "invalid_recipient", False),
        # and no rule about the sender
        ([("invalid_recipient", 0.9), ("greylisted", 0.1)], UNKNOWN, "greylisted", "greylisted", False),
        ([("invalid_recipient", 0.5), ("greylisted", 0.45)], None, "greylisted", "greylisted", False),
    ],
)  # fmt: skip
def test_resolve(own: Ranking, rule: RuleMatch | None, veto: str | None, reason: str, ruled: bool) -> None:
    against = Bar(veto)
    found, confidence, by_rule = resolve(own, pool(own, rule, LIMITS.rule_weight), rule, against, LIMITS)
    assert (found, by_rule is not None) == (reason, ruled)
    assert 0 <= confidence <= 1


@pytest.mark.parametrize("own", [
    [("invalid_recipient", 1.0), ("greylisted", 0.0)],
    [("invalid_recipient", 0.999), ("greylisted", 0.001)],
    [("invalid_recipient", 1.0)],  # a model of one's own that has never seen the reason of the veto
])  # fmt: skip
@pytest.mark.parametrize(("measured", "confidence"), [({}, VETO_CONFIDENCE), ({"veto": 0.42}, 0.42)])
def test_a_veto_is_worth_what_was_measured(own: Ranking, measured: dict[str, float], confidence: float) -> None:
    limits = dataclasses.replace(LIMITS, confidence={**LIMITS.confidence, **measured})
    for rule in (None, UNKNOWN):
        joint = pool(own, rule, LIMITS.rule_weight)
        assert resolve(own, joint, rule, Bar("greylisted"), limits) == ("greylisted", confidence, None)


def test_a_veto_that_the_model_believes_in_is_worth_more() -> None:
    own = [("invalid_recipient", 0.45), ("greylisted", 0.44), ("mailbox_full", 0.11)]
    assert resolve(own, own, None, Bar("greylisted"), LIMITS)[:2] == ("greylisted", 0.44)


@pytest.mark.parametrize(
    "text",
    [
        "host mx.example.net[192.0.2.3] said: 550 No such user (in reply to MAIL FROM command)",
        "host mx.example.net[192.0.2.3] said: 550 5.1.1 User unknown (in reply to MAIL FROM command)",
        "SMTP error from remote mail server after MAIL FROM:<s@example.org>: 550 No Such User Here",
        "SMTP error from remote mail server after EHLO mx.example.org: 550 domain does not exist",
    ],
)
def test_before_rcpt_nothing_is_hard(classifier: BounceClassifier, rules_only: BounceClassifier, text: str) -> None:
    """No recipient has been named there."""
    for predictor in (classifier, rules_only):
        prediction = predictor.predict_one(text)
        assert prediction.category != "hard"
        assert not prediction.action.startswith("suppress")


def test_pooling_keeps_the_odds_of_the_others() -> None:
    own = [("spam_content", 0.5), ("mailbox_full", 0.25), ("greylisted", 0.25)]
    joint = dict(pool(own, FULL, {"words": math.log(4), "codes": 0.0}))
    assert joint == pytest.approx({"mailbox_full": 4 / 7, "spam_content": 2 / 7, "greylisted": 1 / 7})
    assert pool(own, None, LIMITS.rule_weight) == own
    assert pool(own, CODED, LIMITS.rule_weight) == own


def test_unsure_means_review(classifier: BounceClassifier) -> None:
    assert classifier.manifest is not None
    always = dataclasses.replace(classifier.manifest, review_below=1.01)
    never = dataclasses.replace(classifier.manifest, review_below=0.0)
    text = "552 5.2.2 Mailbox full"
    advice = [
        BounceClassifier(classifier=classifier.classifier, manifest=manifest).predict_one(text).action
        for manifest in (always, never)
    ]
    assert advice == ["review", "retry_later"]


# Any text at all

ALPHABETS = [
    "".join(map(chr, range(0x20, 0x7F))),
    "".join(map(chr, range(0x20))) + "\x7f\x85\u2028\ufeff\u200b",
    "<>@.:-/[]#=+0123456789 ",
    "\ud800\udfff\U0001f600\u0301用戶不存在ضصثقفغ",
]
PIECES = [
    "550 ", "5.1.1 ", "said: ", "(in reply to RCPT TO command) ", "last transfail: ", "user unknown ", "spamhaus ",
    "a@b.example ", "192.0.2.1 ", "::1 ", "https://", "\x00", "\ud800", "\\r\\n", "try again in ", "9" * 400, "smtp;",
    "用户", "%s{}{0}", "<script>", "'; --", "\u202e", "é\u0301", "=" * 30,
]  # fmt: skip


def hostile_texts(count: int, seed: int) -> list[str]:
    rng = random.Random(seed)
    texts = []
    for number in range(count):
        if number % 2:
            texts.append("".join(rng.choices(rng.choice(ALPHABETS), k=rng.randint(0, 120))))
        else:
            texts.append("".join(rng.choices(PIECES, k=rng.randint(1, 8))))
    return texts


def test_ten_thousand_hostile_texts(classifier: BounceClassifier, rules_only: BounceClassifier) -> None:
    texts = hostile_texts(10_000, seed=1)
    for number, text in enumerate(texts):
        prediction = classifier.predict_one(text)
        assert prediction.reason in TAXONOMY
        if number % 10 == 0:
            check(prediction)
            check(rules_only.predict_one(text))


@settings(max_examples=200, deadline=None)
@given(
    text=st.text(st.characters(), max_size=300),
    reply_code=st.none() | st.integers(),
    enhanced_status=st.none() | st.text(max_size=20),
    command=st.none() | st.text(max_size=20),
    remote_host=st.none() | st.text(max_size=40),
)
def test_any_text_and_any_fields(
    classifier: BounceClassifier, text: str, reply_code: int | None, enhanced_status: str | None,
    command: str | None, remote_host: str | None,
) -> None:  # fmt: skip
    fields = {
        "reply_code": reply_code,
        "enhanced_status": enhanced_status,
        "command": command,
        "remote_host": remote_host,
    }
    check(classifier.predict_one(text, **fields))  # type: ignore[arg-type]
    explanation = classifier.explain(text, **fields)
    assert all(explanation.diagnostic.normalised[span.start : span.end] == span.text for span in explanation.highlights)


@pytest.mark.parametrize(
    "text",
    [
        "\x00", "\ud800", "\udfff\ud800", "\x00" * 1000, "\ufeff", "\u200b", "\U0010ffff", "{}", "%s", "\\", "=" * 100,
        "a" * 1_000_000, "@" * 1_000_000, "550 5.1.1 " * 100_000, "said: " * 170_000, "用" * 1_000_000,
        "<a@example.com> " * 62_500, "1." * 500_000, "\u0301" * 1_000_000, "x y " * 250_000, "\ud800" * 1_000_000,
    ],
    ids=lambda text: f"{text[:8]!a}*{len(text)}",
)  # fmt: skip
def test_hostile_texts_of_any_size_within_a_second(classifier: BounceClassifier, text: str) -> None:
    start = time.perf_counter()
    prediction = classifier.predict_one(text)
    assert time.perf_counter() - start < 1.0
    check(prediction)
    assert prediction.truncated == (len(text) > MAX_TEXT)


# The cache

SAME_TEMPLATE = [
    "550 5.1.1 <{}@example.com>: User unknown",
    "450 4.7.1 Greylisted, try again in {} seconds",
    "421 4.7.0 [192.0.2.{}] temporarily deferred, listed at zen.spamhaus.org",
    "host mx{}.example.net[192.0.2.1] said: 451 4.3.0 try later (in reply to RCPT TO command)",
]


def test_the_cache_is_exact(classifier: BounceClassifier) -> None:
    texts = [shape.format(number) for shape in SAME_TEMPLATE for number in (17, 1700, 99, 7)]
    texts += (
        [text for texts in CLEAR.values() for text in texts]
        + hostile_texts(200, seed=2)
        + ["x" * 20_000, "x " * 20_000]
    )
    used = classifier.predict(texts * 2)[len(texts) :]
    for text, cached in zip(texts, used, strict=True):
        fresh = BounceClassifier(classifier=classifier.classifier, manifest=classifier.manifest).predict_one(text)
        assert cached == fresh, text


def test_what_the_cache_must_not_mix_up(classifier: BounceClassifier) -> None:
    first = classifier.predict_one("450 Greylisted, try again in 5 minutes")
    second = classifier.predict_one("450 Greylisted, try again in 7 minutes")
    assert (first.retry_after_seconds, second.retry_after_seconds) == (300, 420)
    fields = [{"reply_code": 450}, {"reply_code": 550}, {"command": "rcpt"}, {"remote_host": "mx.google.com"}, {}]
    answers = [classifier.predict_one("later", **passed) for passed in fields for _ in range(2)]  # type: ignore[arg-type]
    assert [answer.reply_code for answer in answers[::2]] == [450, 550, None, None, None]
    assert [answer.command for answer in answers[::2]] == [None, None, "rcpt", None, None]
    assert [answer.provider for answer in answers[::2]] == [None, None, None, "google", None]
    assert answers[::2] == answers[1::2]


@pytest.mark.parametrize(
    ("plain", "disguised"),
    [
        ("550 5.1.1 User unknown", "smtp; 550 5.1.1 User unknown"),
        ("550 5.1.1 User unknown", "550 5.1.1 USER UNKNOWN"),
        ("550 5.1.1 User unknown", "550-5.1.1 User\r\n550 5.1.1 unknown"),
        ("550 5.1.1 User unknown", "host mx.example.net[192.0.2.1] said: 550 5.1.1 User unknown"),
        ("552 5.2.2 <a@example.com>: Mailbox full", "552 5.2.2 <other.name+x@mail.example.org>: Mailbox full"),
        ("554 5.7.1 [192.0.2.5] listed by spamhaus", "554 5.7.1 [2001:db8::5] listed by spamhaus"),
    ],
)
def test_disguises_change_nothing(classifier: BounceClassifier, plain: str, disguised: str) -> None:
    first, second = classifier.predict_one(plain), classifier.predict_one(disguised)
    assert (first.reason, first.reply_code, first.enhanced_status) == (
        second.reason,
        second.reply_code,
        second.enhanced_status,
    )


# Explaining


def test_explanation_marks_the_words_that_decided(classifier: BounceClassifier) -> None:
    explanation = classifier.explain("550 5.1.1 <Joe@example.com>: Recipient rejected: User Unknown, bye")
    marked = " ".join(span.text for span in explanation.highlights)
    assert "User" in marked or "Unknown" in marked or "5.1.1" in marked
    assert explanation.prediction.reason == "invalid_recipient"
    assert explanation.advice == Action.SUPPRESS.advice
    for span in explanation.highlights:
        assert explanation.diagnostic.normalised[span.start : span.end] == span.text


def test_explanation_lists_the_rules(rules_only: BounceClassifier) -> None:
    explanation = rules_only.explain("450 4.2.0 Greylisted, come back later")
    assert explanation.rules
    assert explanation.prediction.evidence[0].id == explanation.rules[0]
    assert rules_only.explain("zzz").rules == ()


# What importing costs

IMPORT = """
import sys
for name in ("fastapi", "starlette", "pydantic", "datasets", "pandas", "pyarrow", "uvicorn"):
    sys.modules[name] = None  # importing it fails
import whybounce.model
from whybounce.model import BounceClassifier
assert BounceClassifier.load(strict=True).predict_one("550 5.1.1 User unknown").reason == "invalid_recipient"
foreign = [name for name in sys.modules if name.startswith(("whybounce.training", "whybounce.serving", "whybounce.data"))]
assert not foreign, foreign
print("fine")
"""


def test_the_model_needs_neither_fastapi_nor_datasets(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", IMPORT], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.stdout == "fine\n", done.stderr


def test_hard_reasons() -> None:
    assert {"invalid_recipient", "bad_domain", "address_error", "closed_account", "general_hard_bounce"} == HARD


def test_model_only_never_asks_the_rules(classifier: BounceClassifier) -> None:
    assert isinstance(classifier.classifier, TextClassifier)
    alone = BounceClassifier(classifier=classifier.classifier, manifest=classifier.manifest, model_only=True)
    for text in ("550 5.1.1", "", "xyzzy"):
        assert alone.predict_one(text).decided_by is DecidedBy.MODEL
