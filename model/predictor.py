"""The predictor: the model decides when it is sure, the rules when it is not."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from threading import Thread
from typing import Any

from whybounce.model import artifact, explain
from whybounce.model.category import category_of
from whybounce.model.classifier import TextClassifier
from whybounce.model.decision import Verdict, decide_by_model, decide_by_rules, decide_many
from whybounce.model.diagnostic import Diagnostic, as_phase, parse_template, provider_of_host
from whybounce.model.errors import ArtifactError
from whybounce.model.masking import MAX_TEXT, normalise, template_of
from whybounce.model.memory import Memory
from whybounce.model.prediction import Prediction
from whybounce.model.retry import names_a_time, retry_after_seconds
from whybounce.model.rules import RuleSet, default_rules
from whybounce.model.taxonomy import TAXONOMY, Action, ReasonInfo, Taxonomy

log = logging.getLogger(__name__)

CACHE_SIZE = 65536
"""Templates whose predictions are remembered."""

VARIANTS = 32
"""Waiting times that are remembered with a template: servers ask for few."""

SUPPRESS_AT_LEAST = 0.5
"""Confidence below which the advice is ``review`` instead of ``suppress``."""
AT_ONCE = 32
"""Texts that are predicted together: fewer cost more each, more keep a service's other requests waiting."""

Fields = tuple[str, int | None, str | None, str | None, str | None]
"""A template with reply code, enhanced status code, phase and provider, where they are known from elsewhere."""
Key = str | Fields
"""What a verdict is remembered by: the template alone when nothing else is known."""


class Remembered:
    """The verdict on a template, as it is kept in memory.

    Attributes
    ----------
    prediction : Prediction
        Right for every text of the template, but for ``retry_after_seconds`` and
        ``truncated``, which :meth:`of` fills in.
    names_a_time : bool
        Whether texts of this template may ask to wait for some time.
    encoded : bytes or None
        Room for the encoded prediction, for a server that answers with it again.
    """

    __slots__ = ("_variants", "encoded", "names_a_time", "prediction")

    def __init__(self, prediction: Prediction, *, timed: bool | None = None) -> None:
        self.prediction = prediction
        self.names_a_time = names_a_time(prediction.template) if timed is None else timed
        self.encoded: bytes | None = None
        self._variants: dict[tuple[int | None, bool], Remembered] | None = None

    def of(self, text: str) -> Prediction:
        """Return the prediction for one text of the template."""
        return self.exact(text).prediction

    def exact(self, text: str) -> Remembered:
        """Return what is right for one text of the template: this, or a variant of it."""
        wait, truncated = own = self.own(text)
        if wait is None and not truncated:
            return self
        known = self._variants = self._variants or {}
        found = known.get(own)
        if found is None:
            prediction = replace(self.prediction, retry_after_seconds=wait, truncated=truncated)
            found = Remembered(prediction, timed=self.names_a_time)
            if len(known) < VARIANTS:
                known[own] = found
        return found

    def own(self, text: str) -> tuple[int | None, bool]:
        """Return ``retry_after_seconds`` and ``truncated`` of one text of the template."""
        return retry_after_seconds(normalise(text)) if self.names_a_time else None, len(text) > MAX_TEXT


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
    cache_size : int
        Templates whose verdicts are remembered; 0 remembers none.
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
        cache_size: int = CACHE_SIZE,
    ) -> None:
        self.classifier = classifier
        self.manifest = manifest
        self.rules = rules if rules is not None else default_rules()
        self.degraded_because = degraded_because
        self.taxonomy = taxonomy
        self._hard = taxonomy.hard
        self.model_only = model_only
        self._memory: Memory[Remembered] = Memory(cache_size)
        self._asked = 0
        self._missed = 0

    @classmethod
    def load(
        cls, folder: str | Path | None = None, *, strict: bool = False, cache_size: int = CACHE_SIZE
    ) -> BounceClassifier:
        """Load an artifact; without one that works, answer from the rules.

        Parameters
        ----------
        folder : path, optional
            An artifact folder; the shipped artifact by default.
        strict : bool
            Raise instead of degrading.
        cache_size : int
            Templates whose verdicts are remembered; 0 remembers none.

        Raises
        ------
        ArtifactError
            With ``strict`` only.
        """
        path = Path(folder) if folder is not None else artifact.SHIPPED
        # The rules are compiled meanwhile: decompressing an artifact leaves the interpreter alone.
        compiling = Thread(target=default_rules)
        compiling.start()
        try:
            classifier, manifest = artifact.load(path)
        except ArtifactError as error:
            if strict:
                raise
            log.warning("answering from rules alone: %s", error)
            return cls(classifier=None, manifest=None, degraded_because=str(error), cache_size=cache_size)
        finally:
            compiling.join()
        return cls(classifier=classifier, manifest=manifest, taxonomy=manifest.taxonomy, cache_size=cache_size)

    @property
    def degraded(self) -> bool:
        """Whether the rules answer alone because no model could be loaded."""
        return self.classifier is None

    @property
    def model_version(self) -> str | None:
        """Version of the loaded artifact."""
        return self.manifest.model_version if self.manifest else None

    def predict(self, texts: Iterable[str]) -> list[Prediction]:
        """Predict many diagnostics, in their order. Never raises on any text in them.

        Raises
        ------
        TypeError
            For a single ``str``, which is for :meth:`predict_one`, and for what is no text.
        """
        if isinstance(texts, str):
            raise TypeError("predict() takes many texts; give one to predict_one(), or put it in a list")
        return [
            remembered.prediction if not remembered.names_a_time and len(text) <= MAX_TEXT else remembered.of(text)
            for part in _parts(texts)
            for text, remembered in zip(part, self._recall_all(_templates(part)), strict=True)
        ]

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

        Raises
        ------
        TypeError
            For what is no text.
        """
        if not isinstance(text, str):
            raise _no_text(text)
        return self.recall(text, reply_code, enhanced_status, command, remote_host).of(text)

    def recall(
        self,
        text: str,
        reply_code: int | None = None,
        enhanced_status: str | None = None,
        command: str | None = None,
        remote_host: str | None = None,
    ) -> Remembered:
        """Return the remembered verdict on the template of a text; see :meth:`predict_one`."""
        key = key_of(text, reply_code, enhanced_status, command, remote_host)
        return self.remembered(key) or self.recall_templates([key])[0]

    def remembered(self, key: Key) -> Remembered | None:
        """Return the verdict on a key (see :func:`key_of`) when it is remembered."""
        found = self._memory.get(key)
        if found is not None:
            self._asked += 1
        return found

    def recall_many(self, texts: Sequence[str]) -> list[Remembered]:
        """Return the remembered verdicts on the templates of texts, in their order."""
        return [one for part in _parts(texts) for one in self._recall_all(_templates(part))]

    def recall_templates(self, known: Iterable[Key]) -> list[Remembered]:
        """Return the remembered verdicts on masked templates, in their order.

        Parameters
        ----------
        known : iterable of str or tuple
            Templates; with reply code, enhanced status code, phase and provider where they are
            known from elsewhere. Phase and provider are what
            :func:`~whybounce.model.diagnostic.as_phase` and
            :func:`~whybounce.model.diagnostic.provider_of_host` make of a command and a host.
        """
        return [one for part in _parts(known) for one in self._recall_all([_key(key) for key in part])]

    def predict_template(self, template: str, **fields: int | str | None) -> Prediction:
        """Predict a text whose masked template is all that is known, with the fields of :meth:`predict_one`."""
        code, status = fields.get("reply_code"), fields.get("enhanced_status")
        command, host = fields.get("command"), fields.get("remote_host")
        key = (template, code, status, as_phase(command), provider_of_host(host))  # type: ignore[arg-type]
        return self.recall_templates([key])[0].prediction  # type: ignore[list-item]

    @property
    def cache_stats(self) -> tuple[int, int]:
        """Hits and misses of the remembered verdicts."""
        return self._asked - self._missed, self._missed

    def explain(self, text: str, **fields: int | str | None) -> explain.Explanation:
        """Show the parsed diagnostic and the words that decided.

        Takes the keyword arguments of :meth:`predict_one`.
        """
        prediction = self.predict_one(text, **fields)  # type: ignore[arg-type]
        return explain.explain(self, text, prediction, fields)

    def _recall_all(self, keys: Sequence[Key]) -> list[Remembered]:
        self._asked += len(keys)
        found = list(map(self._memory.get, keys))
        if None not in found:
            return found  # type: ignore[return-value]
        unknown = list(dict.fromkeys(key for key, one in zip(keys, found, strict=True) if one is None))
        judged = dict(zip(unknown, self._judge(unknown), strict=True))
        return [judged[key] if one is None else one for key, one in zip(keys, found, strict=True)]

    def _judge(self, keys: Sequence[Key]) -> list[Remembered]:
        self._missed += len(keys)
        diagnostics = [_diagnostic(key) for key in keys]
        judged = [
            Remembered(self._prediction(diagnostic, verdict))
            for diagnostic, verdict in zip(diagnostics, self._decide(diagnostics), strict=True)
        ]
        for key, one in zip(keys, judged, strict=True):
            self._memory.put(key, one)
        return judged

    def _decide(self, diagnostics: Sequence[Diagnostic]) -> list[Verdict]:
        if self.classifier is None or self.manifest is None:
            return [decide_by_rules(diagnostic, self.rules) for diagnostic in diagnostics]
        if self.model_only:
            return decide_by_model(diagnostics, self.classifier)
        return decide_many(diagnostics, self.classifier, self.manifest, self.rules, self._hard)

    def _prediction(self, diagnostic: Diagnostic, verdict: Verdict) -> Prediction:
        info = self.taxonomy[verdict.reason]
        return Prediction(
            reason=str(info.reason),
            title=info.title,
            group=str(info.group),
            category=str(category_of(info.reason, diagnostic, self.taxonomy)),
            retryable=True if verdict.throttled else info.retryable,
            action=str(_action(verdict, info, diagnostic)),
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


def _templates(texts: Sequence[str]) -> list[str]:
    try:
        return list(map(template_of, texts))
    except TypeError:
        for text in texts:
            if not isinstance(text, str):
                raise _no_text(text) from None
        raise


def _no_text(given: object) -> TypeError:
    return TypeError(f"a diagnostic is a str, not {type(given).__name__}; decode bytes, give '' where there is none")


def _action(verdict: Verdict, info: ReasonInfo, diagnostic: Diagnostic) -> Action:
    if verdict.unsure or (
        # A guess, or a reply that reports success, takes nobody off a list.
        info.action is Action.SUPPRESS and (verdict.confidence < SUPPRESS_AT_LEAST or diagnostic.code_class == 2)
    ):
        return Action.REVIEW
    if info.action is Action.SUPPRESS and diagnostic.code_class == 4:
        # RFC 3463: class 4 may succeed later. Who answers so while users are moved has good addresses.
        return Action.SUPPRESS_IF_REPEATED
    return info.action


def key_of(
    text: str,
    reply_code: int | None = None,
    enhanced_status: str | None = None,
    command: str | None = None,
    remote_host: str | None = None,
) -> Key:
    """Return all that a verdict depends on; see :meth:`BounceClassifier.predict_one`."""
    if reply_code is None and enhanced_status is None and command is None and remote_host is None:
        return template_of(text)
    return _key((template_of(text), reply_code, enhanced_status, as_phase(command), provider_of_host(remote_host)))


def _parts(things: Iterable[Any]) -> Iterator[list[Any]]:
    source = iter(things)
    while part := list(islice(source, AT_ONCE)):
        yield part


def _key(key: Key) -> Key:
    return key[0] if not isinstance(key, str) and key[1:] == (None, None, None, None) else key


def _diagnostic(key: Key) -> Diagnostic:
    template, code, status, phase, provider = (key, None, None, None, None) if isinstance(key, str) else key
    diagnostic = parse_template(
        template,
        text="",
        normalised="",
        truncated=False,
        reply_code=code,
        enhanced_status=status,
        command=phase,
    )
    return replace(diagnostic, provider=provider) if provider else diagnostic
