"""The predictor: the model decides when it is sure, the rules when it is not."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from whybounce.model import artifact, explain
from whybounce.model.category import category_of
from whybounce.model.classifier import TextClassifier
from whybounce.model.decision import Verdict, decide, decide_by_model, decide_by_rules
from whybounce.model.diagnostic import Diagnostic, as_phase, parse_template, provider_of_host
from whybounce.model.errors import ArtifactError
from whybounce.model.masking import MAX_TEXT, normalise, template_tokens
from whybounce.model.prediction import Prediction
from whybounce.model.retry import retry_after_seconds
from whybounce.model.rules import RuleSet, default_rules
from whybounce.model.taxonomy import TAXONOMY, Action, Taxonomy

log = logging.getLogger(__name__)

CACHE_SIZE = 65536
"""Templates whose predictions are remembered."""


@dataclass(frozen=True, slots=True)
class _Key:
    template: str
    reply_code: int | None
    enhanced_status: str | None
    command: str | None
    provider: str | None


class BounceClassifier:
    """Answers why a message bounced.

    Use :meth:`load`; the constructor only joins parts that exist already.

    Parameters
    ----------
    classifier : TextClassifier or None
        ``None`` makes a degraded predictor that answers from the rules alone.
    manifest : Manifest or None
    rules : RuleSet, optional
    degraded_because : str, optional
        Why there is no classifier, when one was wanted.
    taxonomy : Taxonomy, optional
    model_only : bool
        Never ask the rules; for measuring the model alone.
    """

    def __init__(
        self,
        *,
        classifier: TextClassifier | None,
        manifest: artifact.Manifest | None,
        rules: RuleSet | None = None,
        degraded_because: str | None = None,
        taxonomy: Taxonomy = TAXONOMY,
        model_only: bool = False,
    ) -> None:
        self.classifier = classifier
        self.manifest = manifest
        self.rules = rules if rules is not None else default_rules()
        self.degraded_because = degraded_because
        self.taxonomy = taxonomy
        self.model_only = model_only
        self._cached = lru_cache(maxsize=CACHE_SIZE)(self._predict_key)

    @classmethod
    def load(cls, folder: str | Path | None = None, *, strict: bool = False) -> BounceClassifier:
        """Load an artifact; without one that works, answer from the rules.

        Parameters
        ----------
        folder : path, optional
            An artifact folder; the shipped artifact by default.
        strict : bool
            Raise instead of degrading.

        Raises
        ------
        ArtifactError
            With ``strict`` only.
        """
        path = Path(folder) if folder is not None else artifact.SHIPPED
        try:
            classifier, manifest = artifact.load(path)
        except ArtifactError as error:
            if strict:
                raise
            log.warning("answering from rules alone: %s", error)
            return cls(classifier=None, manifest=None, degraded_because=str(error))
        return cls(classifier=classifier, manifest=manifest)

    @property
    def degraded(self) -> bool:
        """Whether the rules answer alone because no model could be loaded."""
        return self.classifier is None

    @property
    def model_version(self) -> str | None:
        """Version of the loaded artifact."""
        return self.manifest.model_version if self.manifest else None

    def predict(self, texts: Iterable[str]) -> list[Prediction]:
        """Predict many diagnostics, in their order. Never raises on any ``str``."""
        return [self.predict_one(text) for text in texts]

    def predict_one(
        self,
        text: str,
        *,
        reply_code: int | None = None,
        enhanced_status: str | None = None,
        command: str | None = None,
        remote_host: str | None = None,
    ) -> Prediction:
        """Predict one diagnostic.

        Parameters
        ----------
        text : str
            The diagnostic; of more than 16 Ki characters the rest is not read.
        reply_code, enhanced_status, command, remote_host : optional
            What is known besides the text; see :func:`whybounce.model.diagnostic.parse`.
        """
        normalised = normalise(text)
        template = " ".join(template_tokens(normalised))
        phase = as_phase(command)
        prediction = self._cached(_Key(template, reply_code, enhanced_status, phase, provider_of_host(remote_host)))
        retry_after = retry_after_seconds(normalised) if "NUM" in template else None
        if retry_after is None and len(text) <= MAX_TEXT:
            return prediction
        return replace(prediction, retry_after_seconds=retry_after, truncated=len(text) > MAX_TEXT)

    def explain(self, text: str, **fields: int | str | None) -> explain.Explanation:
        """Show the parsed diagnostic and the words that decided.

        Takes the keyword arguments of :meth:`predict_one`.
        """
        prediction = self.predict_one(text, **fields)  # type: ignore[arg-type]
        return explain.explain(self, text, prediction, fields)

    def _predict_key(self, key: _Key) -> Prediction:
        diagnostic = parse_template(
            key.template,
            text="",
            normalised="",
            truncated=False,
            reply_code=key.reply_code,
            enhanced_status=key.enhanced_status,
            command=key.command,
        )
        if key.provider:
            diagnostic = replace(diagnostic, provider=key.provider)
        return self._prediction(diagnostic, self._decide(diagnostic))

    def _decide(self, diagnostic: Diagnostic) -> Verdict:
        if self.classifier is None or self.manifest is None:
            return decide_by_rules(diagnostic, self.rules)
        if self.model_only:
            return decide_by_model(diagnostic, self.classifier)
        return decide(diagnostic, self.classifier, self.manifest, self.rules)

    def _prediction(self, diagnostic: Diagnostic, verdict: Verdict) -> Prediction:
        info = self.taxonomy[verdict.reason]
        return Prediction(
            reason=str(info.reason),
            title=info.title,
            group=str(info.group),
            category=str(category_of(info.reason, diagnostic, self.taxonomy)),
            retryable=True if verdict.throttled else info.retryable,
            action=str(Action.REVIEW if verdict.unsure else info.action),
            confidence=verdict.confidence,
            alternatives=verdict.alternatives,
            decided_by=verdict.decided_by,
            evidence=verdict.evidence,
            reply_code=diagnostic.reply_code,
            enhanced_status=diagnostic.enhanced_status,
            retry_after_seconds=None,
            blocklist=diagnostic.blocklist,
            provider=diagnostic.provider,
            command=diagnostic.command and str(diagnostic.command),
            template=diagnostic.template,
            model_version=self.model_version,
            truncated=False,
            degraded=self.degraded,
        )
