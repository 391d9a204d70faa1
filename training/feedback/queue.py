"""The review queue: templates that a person should look at, with how often they were met."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from whybounce.training.feedback.database import Database
from whybounce.training.feedback.records import Flag, Flagged, ReviewItem, Subject
from whybounce.training.feedback.schema import columns_of, review, subject_of

MAX_ITEMS = 50_000
"""Templates that are kept; beyond it the least valuable ones go."""

_RENEWED = ("reason", "confidence", "alternatives", "rules_reason", "why", "stake", "model_version")
_CHUNK = 50
"""Rows of one statement (SQLite takes a limited number of parameters)."""


class ReviewQueue:
    """The table of flagged templates. Most valuable means: how often times what is at stake."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def flag(self, items: Iterable[Flagged]) -> None:
        """Add flagged templates; the counts of those that are there already go up."""
        # Always in one order, so that two instances do not wait for each other in a circle.
        ordered = sorted(_joined(items), key=lambda item: item.subject.key)
        if not ordered:
            return
        dialect = sqlite if self.database.is_sqlite else postgresql
        with self.database.writing() as connection:
            for start in range(0, len(ordered), _CHUNK):
                new = dialect.insert(review).values([_values(item) for item in ordered[start : start + _CHUNK]])
                met = review.c.met + new.excluded.met
                renewed = {
                    name: new.excluded[name]
                    for name in (
                        "reason",
                        "confidence",
                        "alternatives",
                        "rules_reason",
                        "why",
                        "stake",
                        "model_version",
                    )
                }
                connection.execute(
                    new.on_conflict_do_update(
                        index_elements=["subject_key"],
                        set_={
                            **renewed,
                            "met": met,
                            "value": met * new.excluded.stake,
                            "last_seen": new.excluded.last_seen,
                        },
                    )
                )

    def page(self, *, limit: int, offset: int = 0) -> tuple[int, list[ReviewItem]]:
        """Return how many templates wait, and some of them, most valuable first."""
        waiting = review.c.done_at.is_(None)
        with self.database.reading() as connection:
            total = connection.execute(select(func.count()).select_from(review).where(waiting)).scalar_one()
            rows = connection.execute(
                select(review).where(waiting).order_by(review.c.value.desc(), review.c.subject_key)
                .limit(limit).offset(offset)
            ).all()  # fmt: skip
        return total, [_item(row) for row in rows]

    def done(self, connection: Connection, subject: Subject, now: datetime) -> None:
        """Take a template off the queue, in the transaction of its label.

        A label of the bare template covers the template with any codes, as nobody who
        looks at the queue sees a difference in the text.
        """
        same = review.c.subject_key == subject.key
        if Subject.of_template(subject.template) == subject:
            same = or_(same, review.c.template_key == subject.template_key)
        connection.execute(update(review).where(same, review.c.done_at.is_(None)).values(done_at=now))

    def reopen(self, subjects: Sequence[Subject]) -> None:
        """Put templates on the queue again, where they were on it."""
        keys = sorted({subject.key for subject in subjects})
        if not keys:
            return
        with self.database.writing() as connection:
            for start in range(0, len(keys), 500):
                some = review.c.subject_key.in_(keys[start : start + 500])
                connection.execute(update(review).where(some).values(done_at=None))

    def prune(self, keep: int = MAX_ITEMS) -> int:
        """Remove the least valuable templates beyond ``keep``; returns how many went."""
        waiting = review.c.done_at.is_(None)
        with self.database.writing() as connection:
            total = connection.execute(select(func.count()).select_from(review).where(waiting)).scalar_one()
            if total <= keep:
                return 0
            least = select(review.c.subject_key).where(waiting).order_by(review.c.value).limit(total - keep)
            return connection.execute(delete(review).where(review.c.subject_key.in_(least))).rowcount


def _joined(items: Iterable[Flagged]) -> list[Flagged]:
    """Join what was said of one template: one statement must not touch a row twice."""
    found: dict[str, Flagged] = {}
    for item in items:
        known = found.get(item.subject.key)
        count = item.count + (known.count if known else 0)
        found[item.subject.key] = Flagged(item.subject, item.flag, count, item.seen, item.model_version)
    return list(found.values())


def _values(item: Flagged) -> dict[str, Any]:
    flag = item.flag
    return {
        **columns_of(item.subject),
        "met": item.count,
        "reason": flag.reason,
        "confidence": flag.confidence,
        "alternatives": [list(pair) for pair in flag.alternatives],
        "rules_reason": flag.rules_reason,
        "why": flag.why,
        "stake": flag.stake,
        "value": item.count * flag.stake,
        "first_seen": item.seen,
        "last_seen": item.seen,
        "model_version": item.model_version,
    }


def _item(row: Row[Any]) -> ReviewItem:
    alternatives = tuple((str(reason), float(share)) for reason, share in row.alternatives)
    return ReviewItem(
        subject=subject_of(row),
        flag=Flag(row.reason, row.confidence, alternatives, row.rules_reason, row.why, row.stake),
        count=row.met,
        first_seen=row.first_seen,
        last_seen=row.last_seen,
        model_version=row.model_version,
    )
