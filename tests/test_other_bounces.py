"""Bounces of systems without a reader of their own, and mail that only looks like one."""

from __future__ import annotations

import pytest

from whybounce.model.predictor import BounceClassifier
from whybounce.serving.intake.judge import judge
from whybounce.serving.intake.messages import read_message

KAY = "kay@example.net"
HEAD = "From: {sender}\nTo: news@example.com\nSubject: {subject}\nDate: Mon, 2 Nov 2026 10:00:00 +0000\n"
ORIGINAL = (
    "Message-ID: <1@example.com>\nFrom: news@example.com\nDate: Mon, 2 Nov 2026 09:00:00 +0000\nSubject: Hi\n\nx\n"
)

# sender, subject, text → diagnostic, reason; "{original}" is where the copy of the original begins
UNDERSTOOD = {
    "imail": (
        "Postmaster <postmaster@example.jp>", "Undeliverable Mail",
        "Unknown host: kay@example.net\n\n\nOriginal message follows.\n\n{original}",
        "Unknown host: kay@example.net", "bad_domain",
    ),
    "zoho": (
        "mailer-daemon@mail.zoho.com", "Undelivered Mail Returned to Sender",
        "This message was created automatically by mail delivery software.\nOne recipient could not be reached.\n\n"
        "kay@example.net Invalid Address, ERROR_CODE :550, ERROR_CODE :5.1.1 <kay@example.net>... User Unknown\n\n"
        "{original}",
        "kay@example.net Invalid Address, ERROR_CODE :550, ERROR_CODE :5.1.1 <kay@example.net>... User Unknown",
        "invalid_recipient",
    ),
    "james": (
        "postmaster@james.example.org", "[BOUNCE]",
        "Hi. This is the James mail server at james.example.org.\nOne mail failed.\n\nFailed recipient(s):\n"
        "kay@example.net\n\nError message:\n552 5.2.2 Mailbox full\n\n{original}",
        "552 5.2.2 Mailbox full", "mailbox_full",
    ),
    "groupwise": (
        "<MAILER-DAEMON@gw.example.org>", "Message status - undeliverable",
        "The message that you sent was undeliverable to the following:\n\tkay@example.net (mailbox is full)\n\n{original}",
        "The message that you sent was undeliverable to the following: kay@example.net (mailbox is full)",
        "mailbox_full",
    ),
    "rules around": (
        "Mail Delivery System <postmaster@t.example.net>", "Unzustellbare Nachricht",
        "|---------------------- Failed addresses follow: ---------------------|\n <kay@example.net> ... unknown user\n"
        "|------------------------- Message text follows: ---------------------|\n{original}",
        "<kay@example.net> ... unknown user", "invalid_recipient",
    ),
    "a robot": (
        "no-reply@gateway.example.org", "Delivery failed",
        "Your mail to kay@example.net came back.\n\nThe recipient's mailbox does not exist (550 5.1.1).\n",
        "The recipient's mailbox does not exist (550 5.1.1).", "invalid_recipient",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", UNDERSTOOD.values(), ids=UNDERSTOOD.keys())
def test_bounces_without_a_reader(case: tuple[str, str, str, str, str], classifier: BounceClassifier) -> None:
    sender, subject, text, diagnostic, reason = case
    message = HEAD.format(sender=sender, subject=subject) + "\n" + text.replace("{original}", ORIGINAL)
    reading = read_message(message.encode())
    assert reading.kind == "other"
    (one,) = reading.records
    assert (one.recipient, one.diagnostic, judge(classifier, one).reason) == (KAY, diagnostic, reason)
    if "{original}" in text:
        assert (one.message_id, one.sent_at is not None) == ("1@example.com", True)


# sender, subject, further fields, text
ORDINARY = {
    "a bank": (
        "Bank <no-reply@bank.example>", "Direct debit failure notice", "Auto-Submitted: auto-generated\n",
        "Direct debit of 550 EUR failed. Write to help@bank.example or fraud@police.example.",
    ),
    "a parcel": (
        "no-reply@parcels.example", "Your parcel could not be delivered", "",
        "Write to service@parcels.example or to the sender, shop@example.org.",
    ),
    "monitoring": (
        "Monitoring <monitoring@example.com>", "[ALERT] mail delivery failures above 5%", "",
        "421 4.7.0 seen 312 times, 550 5.1.1 seen 12 times in the last hour.",
    ),
    "a club with such a name": (
        "Mail Delivery Club <hello@shop.example>", "Your delivery status", "List-Unsubscribe: <mailto:u@shop.example>\n",
        "It is on its way.",
    ),
    "an administrator": (
        "Ada <web-admin@example.org>", "our list", "",
        "I read that posting to the mailing list is not allowed for you. Shall I change that?",
    ),
    "a reply to a postmaster": (
        "postmaster@example.org", "Re: Undeliverable: your question", "",
        "You asked about kay@example.net: 550 5.1.1 says that there is no such mailbox.",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", ORDINARY.values(), ids=ORDINARY.keys())
def test_mail_that_only_looks_like_a_bounce(case: tuple[str, str, str, str]) -> None:
    sender, subject, fields, text = case
    reading = read_message((HEAD.format(sender=sender, subject=subject) + fields + "\n" + text).encode())
    assert (reading.kind, reading.records) == (None, ())


@pytest.mark.parametrize(
    "subject", ['Welcome to the "info" mailing list', "confirm 6a1f00", "subscription notification"]
)
def test_letters_of_a_list_manager_to_its_subscribers(subject: str) -> None:
    head = HEAD.format(sender="info-request@lists.example.net", subject=subject) + "List-Id: <info.lists.example.net>\n"
    reading = read_message(f"{head}\nOnly members may post to this list, others are not allowed.\n".encode())
    assert [(reading.kind, str(one.outcome), one.kind) for one in reading.records] == [
        ("mailing-list", "not_a_bounce", "list_notice")
    ]
