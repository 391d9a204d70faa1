"""One training run: templates in, calibrated and measured artifact out."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import softmax
from sklearn.pipeline import Pipeline

from whybounce.model import artifact
from whybounce.model.classifier import TextClassifier
from whybounce.model.errors import DataError
from whybounce.model.predictor import BounceClassifier
from whybounce.model.rules import RuleSet, default_rules
from whybounce.model.taxonomy import TAXONOMY, Taxonomy
from whybounce.training.corpus import Template
from whybounce.training.expand import Example, expand
from whybounce.training.fit import (
    STEADY,
    apply_temperature,
    family_folds,
    fit,
    logits,
    remember,
    temperature,
)
from whybounce.training.metrics import answer, figures, systems
from whybounce.training.own import FEWEST, HOLDOUT, WEIGHT, agreed, as_rows, own_examples, seen_or_new, split
from whybounce.training.sources.row import Labelled
from whybounce.training.thresholds import Case, HeldOut, cases_of, choose, held_out_figures

FOLDS = 5
SEED = 7
FEWEST_DOCUMENTS = 20
FEWEST_REASONS = 3
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Trained:
    """A finished run.

    Attributes
    ----------
    payload : bytes
        The serialised pipeline.
    manifest : Manifest
    cases : tuple of Case
        Held-out templates with what models that did not see their family say.
    holdout : tuple of Labelled
        Rows of the user's own that ``measured`` did not see.
    measured : BounceClassifier or None
        The same model fitted without ``holdout``; the published one is fitted on all.
    """

    payload: bytes
    manifest: artifact.Manifest
    cases: tuple[Case, ...] = ()
    holdout: tuple[Labelled, ...] = ()
    measured: BounceClassifier | None = None


def train(
    templates: list[Template],
    *,
    own: Sequence[Example] = (),
    later: Sequence[Labelled] = (),
    later_weight: float = WEIGHT,
    holdout: float = HOLDOUT,
    seed: int = SEED,
    folds: int = FOLDS,
    rules: RuleSet | None = None,
    taxonomy: Taxonomy = TAXONOMY,
    progress: Progress | None = None,
) -> Trained:
    """Fit, calibrate and measure a classifier.

    Families are held out in ``folds`` folds: the scores of unseen families calibrate
    the probabilities, choose the thresholds and give the figures in the manifest. The
    published model is then fitted on everything. With rows of the user's own, a second
    model is fitted without a part of them, to be measured on that part.

    Parameters
    ----------
    templates : list of Template
        The corpus; empty to train on own rows alone.
    own : sequence of Example, optional
        Examples of the user's own, from :func:`whybounce.training.own.own_examples`.
    later : sequence of Labelled, optional
        The latest of the user's rows, to measure on instead of a share of ``own``.
    later_weight : float
        Their weight in the published model.
    holdout : float
        Share of the documents of ``own`` to measure on; 0 measures on held-out
        families only.
    seed : int
        Same rows, seed and library versions: identical predictions.
    folds : int
    rules : RuleSet, optional
        The rules that the thresholds are chosen for; the shipped ones by default.
    taxonomy : Taxonomy
        The reasons, the user's own among them; the artifact carries those.
    progress : callable, optional
        Called with (name of the step, done, in all).

    Raises
    ------
    DataError
        When there is too little to learn from.
    """

    def report(step: str, done: int, total: int) -> None:
        if progress:
            progress(step, done, total)

    every = [*own, *own_examples(later, name="later", weight=later_weight)] if later else list(own)
    rest, kept = _measured_part(own, later, holdout, seed)
    expanded = expand(templates, seed=seed, progress=lambda done, total: report("expanding templates", done, total))
    examples = merge([*expanded, *every])
    _check(templates, examples)
    held_out = hold_out(
        merge([*expand(templates, seed=seed, disguises=1), *every]), folds=folds, seed=seed, report=report
    )
    report("fitting on everything", 0, 1)
    pipeline = fit_examples(examples, every)
    labels = tuple(str(label) for label in pipeline.named_steps["classify"].classes_)
    report("fitting on everything", 1, 1)
    report("choosing thresholds", 0, 1)
    cases = cases_of(held_out, rules or default_rules())
    thresholds = choose(cases, taxonomy.hard)
    metrics: dict[str, Any] = {"temperature": held_out.temperature}
    if cases:
        metrics["held_out_families"] = held_out_figures(cases, thresholds, taxonomy)
    payload = artifact.dump(apply_temperature(pipeline, held_out.temperature))
    report("choosing thresholds", 1, 1)
    data = {
        "fingerprint": fingerprint(templates, every, seed),
        "templates": len(templates),
        "own_rows": round(sum(example.rows for example in every)),
        "documents": len(examples),
        "seed": seed,
    }
    if every:
        data["own_documents"] = len({example.doc for example in every})
        data["holdout"] = _about(kept, bool(later), holdout)
    about: dict[str, Any] = {"labels": labels, "thresholds": thresholds, "taxonomy": taxonomy}
    manifest = artifact.make_manifest(payload, data=data, metrics=metrics, **about)
    if not kept:
        return Trained(payload, manifest, tuple(cases))
    report("fitting without the held-out rows", 0, 1)
    measured = apply_temperature(fit_examples(merge([*expanded, *rest]), rest), held_out.temperature)
    report("fitting without the held-out rows", 1, 1)
    classifier = BounceClassifier(
        classifier=TextClassifier(measured),
        manifest=replace(manifest, model_version=f"{manifest.model_version}-without-holdout", sha256=""),
        rules=rules,
        taxonomy=taxonomy,
    )
    metrics["holdout"] = _figures(classifier, kept, taxonomy)
    manifest = artifact.make_manifest(payload, data=data, metrics=metrics, **about)
    return Trained(payload, manifest, tuple(cases), kept, classifier)


def fit_examples(examples: Sequence[Example], own: Sequence[Example] = ()) -> Pipeline:
    """Fit the pipeline on examples, to the end: a few more of them then move little else."""
    pipeline = fit(
        [example.doc for example in examples],
        [example.reason for example in examples],
        [example.weight for example in examples],
        effort=STEADY,
    )
    return remember(pipeline, agreed(own))


def _measured_part(
    own: Sequence[Example], later: Sequence[Labelled], share: float, seed: int
) -> tuple[Sequence[Example], tuple[Labelled, ...]]:
    """Return the examples that the measured model is fitted on, and the rows that it is measured on."""
    if later:
        return own, seen_or_new(later, own)
    if share <= 0 or sum(example.rows for example in own) < FEWEST:
        return own, ()
    rest, kept = split(own, share, seed)
    return rest, as_rows(kept)


def _about(kept: Sequence[Labelled], by_time: bool, share: float) -> dict[str, Any]:
    return {
        "rows": round(sum(row.weight for row in kept)),
        "documents": len(kept),
        "by": "time" if by_time else "template",
        "share": share,
        "published_model": "fitted on all rows; the figures are those of a model that did not see the held-out rows",
    }


def _figures(classifier: BounceClassifier, rows: Sequence[Labelled], taxonomy: Taxonomy) -> dict[str, Any]:
    clear = [row for row in rows if not row.ambiguous] or list(rows)
    texts = [row.text for row in clear]
    return {
        name: figures(clear, [answer(prediction) for prediction in system.predict(texts)], taxonomy=taxonomy)
        for name, system in systems(classifier).items()
    }


def _check(templates: Sequence[Template], examples: Sequence[Example]) -> None:
    reasons = {example.reason for example in examples}
    if not templates and (len(examples) < FEWEST_DOCUMENTS or len(reasons) < FEWEST_REASONS):
        raise DataError(
            f"{len(examples)} distinct texts with {len(reasons)} reasons are too few to train on alone (at least "
            f"{FEWEST_DOCUMENTS} and {FEWEST_REASONS}); label more, or train with --corpus include"
        )


def merge(examples: Iterable[Example]) -> list[Example]:
    """Join examples of equal document and reason, adding their weights; the given ones stay as they are."""
    found: dict[tuple[str, str], Example] = {}
    for example in examples:
        key = (example.doc, example.reason)
        known = found.get(key)
        if known is None:
            found[key] = example
        else:
            found[key] = replace(known, weight=known.weight + example.weight, rows=known.rows + example.rows)
    return list(found.values())


def fingerprint(templates: Sequence[Template], own: Sequence[Example], seed: int) -> str:
    """sha256 over the rows and the seed: the same data gives the same fingerprint."""
    digest = hashlib.sha256(str(seed).encode())
    for row in templates:
        digest.update(f"\x1e{row.text}\x1f{row.reason}\x1f{row.also}\x1f{row.family}".encode())
    for example in own:
        digest.update(f"\x1e{example.doc}\x1f{example.reason}\x1f{example.weight}".encode("utf-8", "replace"))
    return digest.hexdigest()


def hold_out(examples: list[Example], *, folds: int, seed: int, report: Callable[[str, int, int], None]) -> HeldOut:
    """Score every example with a model that saw nothing of its family."""
    docs = [example.doc for example in examples]
    reasons = [example.reason for example in examples]
    weights = np.array([example.weight for example in examples])
    labels = sorted(set(reasons))
    truth = np.array([labels.index(reason) for reason in reasons])
    scores: npt.NDArray[np.float64] = np.full((len(examples), len(labels)), -20.0)
    groups = [group(example) for example in examples]
    folds = min(folds, len(set(groups)))
    splits = list(family_folds(groups, folds, seed)) if folds > 1 else []
    for number, (train_rows, test_rows) in enumerate(splits):
        report("holding families out", number, folds)
        if len({reasons[i] for i in train_rows}) < 2:
            continue  # of few own rows; there is nothing to tell apart
        pipeline = fit([docs[i] for i in train_rows], [reasons[i] for i in train_rows], weights[train_rows].tolist())
        columns = np.array([labels.index(str(label)) for label in pipeline.named_steps["classify"].classes_])
        scores[np.ix_(test_rows, columns)] = logits(pipeline, [docs[i] for i in test_rows])
    report("holding families out", folds, folds)
    value = temperature(scores, truth, weights)
    return HeldOut(examples, tuple(labels), softmax(scores / value, axis=1), value)


def group(example: Example) -> str:
    """Name the family that an example is held out with.

    The ``generic-…`` and ``lang-…`` files are no server families: holding out all of a
    reason or of a language would measure something else. Their templates are dealt out
    to twenty groups, variants of a template together; so are the user's own rows.
    """
    if example.family.startswith(("generic-", "lang-", "own-")):
        return f"dealt-{zlib.crc32(example.template.encode()) % 20}"
    return example.family
