"""Corrections in the store: added once, kept for good, read back for training."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, delete, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from whybounce.training.feedback.database import Database
from whybounce.training.feedback.masked import MAX_EVENT_ID, masked_event, masked_name, masked_note
from whybounce.training.feedback.queue import ReviewQueue
from whybounce.training.feedback.records import Added, ConflictError, Feedback, NewFeedback, Status, StoreError
from whybounce.training.feedback.schema import columns_of, feedback, review, subject_of

MAX_SOURCE = 100
"""Characters of the name of a source."""

MAX_COMMENT = 2000
"""Characters of a comment."""

_PAGE = 2000
"""Rows that are read at a time."""


class FeedbackStore:
    """Corrections and the review queue in one database.

    Every method opens what it needs and raises StoreError when the database cannot be
    used; the next call tries again. Safe to share between threads and processes.

    Parameters
    ----------
    url : str
        SQLAlchemy URL, ``sqlite:///FILE`` or ``postgresql://…``.
    """

    def __init__(self, url: str) -> None:
        self.database = Database(url)
        self.queue = ReviewQueue(self.database)

    def close(self) -> None:
        """Close all connections."""
        self.database.close()

    def check(self) -> None:
        """Begin to write, and write nothing; raises StoreError when the store cannot be used."""
        with self.database.writing() as connection:
            if self.database.takes_no_writes(connection):
                raise StoreError(f"the feedback store {self.database.name} takes no writes; name the primary server")

    def add(self, new: NewFeedback) -> Added:
        """Store one correction. When this returns, it survives a crash.

        Raises
        ------
        ConflictError
            When the event id came with something else before.
        StoreError
        """
        [added] = self.add_many([new])
        if isinstance(added, ConflictError):
            raise added
        return added

    def add_many(self, many: Iterable[NewFeedback]) -> list[Added | ConflictError]:
        """Store corrections in one transaction; one whose event id is taken yields its error in its place."""
        cleaned = [self._cleaned(new) for new in many]
        now = datetime.now(UTC)
        with self.database.writing() as connection:
            return [self._add(connection, new, event_id, now) for new, event_id in cleaned]

    def get(self, number: int) -> Feedback | None:
        """Return one correction by its id."""
        with self.database.reading() as connection:
            row = connection.execute(select(feedback).where(feedback.c.id == number)).one_or_none()
        return _feedback(row) if row is not None else None

    def page(self, *, limit: int, offset: int = 0, status: Status | None = None) -> tuple[int, list[Feedback]]:
        """Return how many corrections there are and some of them, newest first."""
        wanted = feedback.c.status == str(status) if status else and_(True)
        with self.database.reading() as connection:
            total = connection.execute(select(func.count()).select_from(feedback).where(wanted)).scalar_one()
            rows = connection.execute(
                select(feedback).where(wanted).order_by(feedback.c.id.desc()).limit(limit).offset(offset)
            ).all()
        return total, [_feedback(row) for row in rows]

    def everything(self) -> Iterator[Feedback]:
        """Yield all corrections, oldest first."""
        last = 0
        while True:
            with self.database.reading() as connection:
                rows = connection.execute(
                    select(feedback).where(feedback.c.id > last).order_by(feedback.c.id).limit(_PAGE)
                ).all()
            yield from map(_feedback, rows)
            if len(rows) < _PAGE:
                return
            last = rows[-1].id

    def set_statuses(self, found: Mapping[int, tuple[Status, str | None]]) -> None:
        """Note what training made of corrections, by their ids."""
        by_outcome: dict[tuple[Status, str | None], list[int]] = {}
        for number, outcome in sorted(found.items()):
            by_outcome.setdefault(outcome, []).append(number)
        with self.database.writing() as connection:
            for (status, because), numbers in by_outcome.items():
                for start in range(0, len(numbers), 500):  # older SQLite takes 999 parameters
                    some = feedback.c.id.in_(numbers[start : start + 500])
                    connection.execute(update(feedback).where(some).values(status=str(status), because=because))

    def withdraw(self, number: int) -> bool:
        """Take a correction back and put its template on the review queue again, if it was there."""
        with self.database.writing() as connection:
            found = connection.execute(
                select(feedback.c.subject_key, feedback.c.template_key).where(feedback.c.id == number)
            ).one_or_none()
            if found is None:
                return False
            connection.execute(delete(feedback).where(feedback.c.id == number))
            connection.execute(
                update(review)
                .where(or_(review.c.subject_key == found.subject_key, review.c.template_key == found.template_key))
                .values(done_at=None)
            )
        return True

    def _cleaned(self, new: NewFeedback) -> tuple[NewFeedback, str]:
        pseudonym = self.database.pseudonym
        event_id = new.event_id or uuid.uuid4().hex
        cleaned = replace(
            new,
            source=masked_name(new.source, MAX_SOURCE, pseudonym) or "user",
            comment=(masked_note(new.comment, MAX_COMMENT) or None) if new.comment else None,
            event_id=masked_event(event_id, pseudonym)[:MAX_EVENT_ID],
        )
        return cleaned, event_id

    def _add(self, connection: Connection, new: NewFeedback, event_id: str, now: datetime) -> Added | ConflictError:
        values = {
            "event_id": new.event_id,
            **columns_of(new.subject),
            "reason": new.reason,
            "source": new.source,
            "comment": new.comment,
            "created_at": now,
            "model_version": new.model_version,
            "predicted_reason": new.predicted_reason,
            "predicted_confidence": new.predicted_confidence,
            "status": str(Status.PENDING),
        }
        dialect = sqlite if self.database.is_sqlite else postgresql
        inserted = connection.execute(
            dialect.insert(feedback).values(values).on_conflict_do_nothing(index_elements=["event_id"])
            .returning(feedback.c.id)
        ).scalar_one_or_none()  # fmt: skip
        if inserted is not None:
            self.queue.done(connection, new.subject, now)
            return Added(inserted, event_id, duplicate=False)
        known = _feedback(connection.execute(select(feedback).where(feedback.c.event_id == new.event_id)).one())
        if (known.subject, known.reason, known.source, known.comment) != (
            new.subject, new.reason, new.source, new.comment,
        ):  # fmt: skip
            return ConflictError(
                f"the event id {new.event_id!r} came with other content before (feedback {known.id}); "
                "send corrections under an event id of their own"
            )
        return Added(known.id, event_id, duplicate=True)


def _feedback(row: Row[Any]) -> Feedback:
    return Feedback(
        id=row.id,
        event_id=row.event_id,
        subject=subject_of(row),
        reason=row.reason,
        source=row.source,
        comment=row.comment,
        created_at=row.created_at,
        model_version=row.model_version,
        predicted_reason=row.predicted_reason,
        predicted_confidence=row.predicted_confidence,
        status=Status(row.status),
        because=row.because,
    )
