"""A generator of Postfix logs that knows the truth about what it wrote."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

START = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
DOMAINS = (*tuple(f"d{number}.example" for number in range(40)), "example.com", "example.net", "example.org")

# what the server said -> the reason it stands for, dsn, whether it is given up at once
REPLIES = (
    ("550 5.1.1 <{to}>: Recipient address rejected: User unknown", "invalid_recipient", "5.1.1", 30),
    ("552 5.2.2 <{to}>: Mailbox full, quota exceeded", "mailbox_full", "5.2.2", 20),
    (
        "554 5.7.1 Service unavailable; client [192.0.2.1] blocked using zen.spamhaus.org",
        "sender_reputation",
        "5.7.1",
        8,
    ),
    ("550 5.7.1 Message rejected as spam by content filtering", "spam_content", "5.7.1", 6),
    ("550 5.2.1 <{to}>: the account is disabled", "account_inactive", "5.2.1", 4),
    ("552 5.3.4 Message size exceeds fixed limit", "message_too_large", "5.3.4", 2),
)
DEFERRALS = (
    ("450 4.7.1 <{to}>: Recipient address rejected: Greylisted, try again later", "4.7.1"),
    ("452 4.2.2 <{to}>: Mailbox full", "4.2.2"),
)


@dataclass(slots=True)
class Truth:
    """What a generated log says, counted while it was written."""

    lines: int = 0
    delivered: int = 0
    deferred: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    by_domain: Counter[str] = field(default_factory=Counter)
    by_day: Counter[str] = field(default_factory=Counter)
    unknown_users: set[str] = field(default_factory=set)

    @property
    def bounced(self) -> int:
        return self.reasons.total()


def generate(truth: Truth, *, lines: int, seed: int = 1, per_hour: int = 20_000) -> Iterator[str]:
    """Yield about ``lines`` lines of a mail log, in the order of time; ``truth`` is filled on the way."""
    rng = random.Random(seed)
    replies = [reply[:3] for reply in REPLIES]
    weights = [reply[3] for reply in REPLIES]
    step = timedelta(seconds=3600 / per_hour)
    now = START
    number = 0
    while truth.lines < lines:
        number += 1
        now += step * 6
        stamp = now.strftime("%b %e %H:%M:%S")
        queue_id = f"{0x4A000000 + number:X}"
        head = f"{stamp} mx postfix"
        written = [
            f"{head}/smtpd[{rng.randint(100, 999)}]: {queue_id}: client=app.example.org[192.0.2.9]",
            f"{head}/cleanup[77]: {queue_id}: message-id=<{number}.news@example.org>",
            f"{head}/qmgr[88]: {queue_id}: from=<news@example.org>, size=4096, nrcpt=3 (queue active)",
        ]
        for place in range(3):
            domain = rng.choice(DOMAINS)
            to = f"u{number}.{place}@{domain}"
            start = (
                f"{head}/smtp[{rng.randint(1000, 9999)}]: {queue_id}: to=<{to}>, relay=mx.{domain}[198.51.100.7]:25, "
            )
            said = f"host mx.{domain}[198.51.100.7] said: "
            chance = rng.random()
            if chance < 0.05:
                text, dsn = rng.choice(DEFERRALS)
                written.append(
                    f"{start}delay=2, delays=0/0/1/1, dsn={dsn}, status=deferred ({said}{text.format(to=to)} "
                    "(in reply to RCPT TO command))"
                )
                truth.deferred += 1
            if chance < 0.12:
                [(text, reason, dsn)] = rng.choices(replies, weights)
                written.append(
                    f"{start}delay=9, delays=0/0/1/8, dsn={dsn}, status=bounced ({said}{text.format(to=to)} "
                    "(in reply to RCPT TO command))"
                )
                truth.reasons[reason] += 1
                truth.by_domain[domain] += 1
                truth.by_day[now.date().isoformat()] += 1
                if reason == "invalid_recipient":
                    truth.unknown_users.add(to)
            else:
                written.append(f"{start}delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 2.0.0 OK id={number:x})")
                truth.delivered += 1
        written.append(f"{head}/qmgr[88]: {queue_id}: removed")
        truth.lines += len(written)
        yield from written
