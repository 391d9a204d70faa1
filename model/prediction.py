"""What a prediction is made of."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class DecidedBy(StrEnum):
    """Who had the last word."""

    MODEL = "model"
    RULES = "rules"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Alternative:
    """Another reason and its probability (0 to 1)."""

    reason: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why a reason was chosen.

    Attributes
    ----------
    kind : str
        ``"rule"``, ``"ngram"`` or ``"code"``.
    id : str or None
        The rule's id, when a rule matched.
    text : str
        The words that decided, as they stand in the masked template.
    weight : float or None
        What an n-gram added to the score of the reason (log-odds), for the model.
    """

    kind: str
    text: str
    id: str | None = None
    weight: float | None = None


@dataclass(frozen=True, slots=True)
class Prediction:
    """The answer to "why did this message bounce, and what should I do about it?".

    Attributes
    ----------
    reason, title, group, category, retryable, action :
        See :mod:`whybounce.model.taxonomy`. ``action`` is ``review`` when the
        prediction is too unsure to act on, and ``suppress_if_repeated`` instead of
        ``suppress`` when the server called the failure temporary (class 4).
    confidence : float
        Calibrated probability (0 to 1) that the reason is right.
    alternatives : tuple of Alternative
        Up to three other reasons, most probable first.
    decided_by : DecidedBy
        ``model``, ``rules`` or ``default`` (nothing matched).
    evidence : tuple of Evidence
        What the decision rests on.
    reply_code, enhanced_status, retry_after_seconds, blocklist, provider, command :
        See :class:`whybounce.model.diagnostic.Diagnostic`.
    template : str
        The masked template: the same for every text that differs in addresses,
        IPs, hosts, ids and numbers only.
    model_version : str or None
        Version of the artifact; ``None`` when no artifact was loaded.
    truncated : bool
        Whether the text was longer than 16 KiB and was cut.
    degraded : bool
        Whether the model was not available, so that rules answered alone.
    """

    reason: str
    title: str
    group: str
    category: str
    retryable: bool | None
    action: str
    confidence: float
    alternatives: tuple[Alternative, ...]
    decided_by: DecidedBy
    evidence: tuple[Evidence, ...]
    reply_code: int | None
    enhanced_status: str | None
    retry_after_seconds: int | None
    blocklist: str | None
    provider: str | None
    command: str | None
    template: str
    model_version: str | None
    truncated: bool
    degraded: bool

    def to_dict(self) -> dict[str, Any]:
        """Plain types only, ready for ``json.dumps``."""
        return asdict(self)
