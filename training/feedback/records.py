"""What the store holds, as plain data."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from whybounce.model.diagnostic import Diagnostic, parse_template, provider_of_host
from whybounce.model.errors import WhybounceError
from whybounce.model.features import document
from whybounce.model.masking import template_of
from whybounce.model.prediction import Prediction
from whybounce.training.feedback.masked import PROVIDERS, remask


class StoreError(WhybounceError):
    """A feedback store that cannot be opened, read or written."""


class ConflictError(WhybounceError):
    """An event id that was used for something else before."""


class Status(StrEnum):
    """What training made of a piece of feedback the last time it looked."""

    PENDING = "pending"
    """Training has not looked at it yet."""
    ACCEPTED = "accepted"
    QUARANTINED = "quarantined"
    """Contradicted by other sources, by the corpus, or by what the text says."""
    CAPPED = "capped"
    """Beyond what one source may contribute."""
    SUPERSEDED = "superseded"
    """The same source said something else about the same template later."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A masked template and what was known besides it: all that a verdict rests on.

    Attributes
    ----------
    template : str
    reply_code : int or None
    enhanced_status, command, provider : str or None
        As a prediction shows them: from the caller, else from the text.
    """

    template: str
    reply_code: int | None = None
    enhanced_status: str | None = None
    command: str | None = None
    provider: str | None = None

    @classmethod
    def of_text(cls, text: str, **fields: Any) -> Subject:
        """Mask a diagnostic. Takes the fields of ``predict_one``."""
        return cls._of(template_of(text), fields)

    @classmethod
    def of_template(cls, template: str, **fields: Any) -> Subject:
        """Take a template that is masked already; what is left to mask in it is masked."""
        return cls._of(remask(template), fields)

    @classmethod
    def of_prediction(cls, prediction: Prediction) -> Subject:
        """Return what a prediction was about."""
        return cls(
            prediction.template,
            prediction.reply_code,
            prediction.enhanced_status,
            prediction.command,
            prediction.provider,
        )

    @classmethod
    def _of(cls, template: str, fields: dict[str, Any]) -> Subject:
        provider = fields.get("provider")
        known = cls(
            template,
            fields.get("reply_code"),
            fields.get("enhanced_status"),
            fields.get("command"),
            provider_of_host(fields.get("remote_host")) or (provider if provider in PROVIDERS else None),
        )
        parsed = known.diagnostic()
        command = parsed.command and str(parsed.command)
        return cls(template, parsed.reply_code, parsed.enhanced_status, command, parsed.provider)

    @property
    def key(self) -> str:
        """Digest that stands for the subject in an index (64 hex digits)."""
        parts = (self.template, self.reply_code, self.enhanced_status, self.command, self.provider)
        return hashlib.sha256("\x1f".join("" if part is None else str(part) for part in parts).encode()).hexdigest()

    @property
    def template_key(self) -> str:
        """Digest of the template alone."""
        return hashlib.sha256(self.template.encode()).hexdigest()

    def diagnostic(self) -> Diagnostic:
        """Parse the subject again."""
        parsed = parse_template(
            self.template,
            text="",
            normalised="",
            truncated=False,
            reply_code=self.reply_code,
            enhanced_status=self.enhanced_status,
            command=self.command,
        )
        return replace(parsed, provider=self.provider) if self.provider else parsed

    def document(self) -> str:
        """Return the document that the classifier reads."""
        return document(self.diagnostic())

    def fields(self) -> dict[str, Any]:
        """Return what was known besides the template, as keyword arguments of ``predict_template``."""
        return {
            "reply_code": self.reply_code,
            "enhanced_status": self.enhanced_status,
            "command": self.command,
        }


@dataclass(frozen=True, slots=True)
class NewFeedback:
    """A correction on its way into the store.

    Attributes
    ----------
    subject : Subject
    reason : str
        The right reason, as ``source`` says.
    source : str
        Who or what says so.
    event_id : str or None
        The client's name for it: sent twice, it is stored once.
    comment : str or None
    model_version, predicted_reason, predicted_confidence : optional
        What the model said at the time.
    """

    subject: Subject
    reason: str
    source: str = "user"
    event_id: str | None = None
    comment: str | None = None
    model_version: str | None = None
    predicted_reason: str | None = None
    predicted_confidence: float | None = None

    def seen(self, prediction: Prediction) -> NewFeedback:
        """Add what the model says now."""
        return replace(
            self,
            model_version=prediction.model_version,
            predicted_reason=prediction.reason,
            predicted_confidence=prediction.confidence,
        )


@dataclass(frozen=True, slots=True)
class Feedback:
    """A stored correction; see :class:`NewFeedback`."""

    id: int
    event_id: str
    subject: Subject
    reason: str
    source: str
    comment: str | None
    created_at: datetime
    model_version: str | None
    predicted_reason: str | None
    predicted_confidence: float | None
    status: Status
    because: str | None

    def to_dict(self) -> dict[str, Any]:
        """Plain types only, ready for ``json.dumps``."""
        subject = self.subject
        return {
            "id": self.id,
            "event_id": self.event_id,
            "template": subject.template,
            "reply_code": subject.reply_code,
            "enhanced_status": subject.enhanced_status,
            "command": subject.command,
            "provider": subject.provider,
            "reason": self.reason,
            "source": self.source,
            "comment": self.comment,
            "created_at": self.created_at.isoformat(),
            "model_version": self.model_version,
            "predicted_reason": self.predicted_reason,
            "predicted_confidence": self.predicted_confidence,
            "status": str(self.status),
            "because": self.because,
        }


@dataclass(frozen=True, slots=True)
class Added:
    """A piece of feedback that is stored durably; ``duplicate`` when it was there already."""

    id: int
    event_id: str
    duplicate: bool


@dataclass(frozen=True, slots=True)
class Flag:
    """Why a template should be looked at by a person.

    Attributes
    ----------
    reason, confidence :
        What whybounce answers.
    alternatives : tuple of (reason, confidence)
    rules_reason : str or None
        What the rules alone say.
    why : str
        ``unsure``, ``disagree`` or ``both``.
    stake : float
        What one look is worth per message; see :func:`whybounce.training.feedback.review.stake_of`.
    """

    reason: str
    confidence: float
    alternatives: tuple[tuple[str, float], ...]
    rules_reason: str | None
    why: str
    stake: float


@dataclass(frozen=True, slots=True)
class Flagged:
    """A flagged template with how often it was met since the last time."""

    subject: Subject
    flag: Flag
    count: int
    seen: datetime
    model_version: str | None = None


@dataclass(frozen=True, slots=True)
class ReviewItem:
    """A template in the review queue."""

    subject: Subject
    flag: Flag
    count: int
    first_seen: datetime
    last_seen: datetime
    model_version: str | None

    def to_dict(self) -> dict[str, Any]:
        """Plain types only, ready for ``json.dumps``."""
        subject, flag = self.subject, self.flag
        return {
            "template": subject.template,
            "reply_code": subject.reply_code,
            "enhanced_status": subject.enhanced_status,
            "command": subject.command,
            "provider": subject.provider,
            "count": self.count,
            "reason": flag.reason,
            "confidence": flag.confidence,
            "alternatives": [{"reason": reason, "confidence": share} for reason, share in flag.alternatives],
            "rules_reason": flag.rules_reason,
            "why": flag.why,
            "first_seen": self.first_seen.isoformat(),
            "last_seen": self.last_seen.isoformat(),
            "model_version": self.model_version,
        }
