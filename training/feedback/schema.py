"""The tables of the feedback store, the same for SQLite and PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    DateTime,
    Dialect,
    Float,
    Index,
    Integer,
    MetaData,
    Row,
    String,
    Table,
    Text,
    TypeDecorator,
)

from whybounce.training.feedback.records import Subject

VERSION = 1
"""Version of the schema; a store of a later one is not touched."""


class UtcDateTime(TypeDecorator[datetime]):
    """Points in time, aware and in UTC; SQLite, which has no time zones, stores them without one."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To the database."""
        return value and value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """From the database."""
        if not isinstance(value, datetime):
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


# SQLite numbers rows by itself only where the type is INTEGER.
_NUMBER = BigInteger().with_variant(Integer(), "sqlite")

metadata = MetaData()

meta = Table(
    "whybounce_meta",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)


def _subject() -> list[Column[Any]]:
    # Long templates do not fit into an index of PostgreSQL; their digests do.
    return [
        Column("subject_key", String(64), nullable=False),
        Column("template_key", String(64), nullable=False),
        Column("template", Text, nullable=False),
        Column("reply_code", Integer),
        Column("enhanced_status", String(16)),
        Column("command", String(16)),
        Column("provider", String(64)),
    ]


feedback = Table(
    "whybounce_feedback",
    metadata,
    Column("id", _NUMBER, primary_key=True, autoincrement=True),
    Column("event_id", Text, nullable=False, unique=True),
    *_subject(),
    Column("reason", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("comment", Text),
    Column("created_at", UtcDateTime, nullable=False),
    Column("model_version", Text),
    Column("predicted_reason", Text),
    Column("predicted_confidence", Float),
    Column("status", String(16), nullable=False),
    Column("because", Text),
    Index("whybounce_feedback_subject", "subject_key"),
    Index("whybounce_feedback_status", "status"),
    sqlite_autoincrement=True,
)

review = Table(
    "whybounce_review",
    metadata,
    *_subject(),
    Column("met", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("confidence", Float, nullable=False),
    Column("alternatives", JSON, nullable=False),
    Column("rules_reason", Text),
    Column("why", String(16), nullable=False),
    Column("stake", Float, nullable=False),
    Column("value", Float, nullable=False),
    Column("first_seen", UtcDateTime, nullable=False),
    Column("last_seen", UtcDateTime, nullable=False),
    Column("model_version", Text),
    Column("done_at", UtcDateTime),
    Index("whybounce_review_subject", "subject_key", unique=True),
    Index("whybounce_review_template", "template_key"),
    Index("whybounce_review_value", "value"),
)


def columns_of(subject: Subject) -> dict[str, Any]:
    """Return the values of a subject's columns."""
    return {
        "subject_key": subject.key,
        "template_key": subject.template_key,
        "template": subject.template,
        "reply_code": subject.reply_code,
        "enhanced_status": subject.enhanced_status,
        "command": subject.command,
        "provider": subject.provider,
    }


def subject_of(row: Row[Any]) -> Subject:
    """Read the subject of a row of either table."""
    return Subject(row.template, row.reply_code, row.enhanced_status, row.command, row.provider)
