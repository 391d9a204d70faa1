"""One training run: templates in, calibrated and measured artifact out."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from whybounce.model import artifact
from whybounce.model.diagnostic import parse
from whybounce.model.features import document
from whybounce.model.rules import RuleSet, default_rules
from whybounce.training.corpus import Template
from whybounce.training.expand import Example, expand
from whybounce.training.fit import apply_temperature, family_folds, fit, logits, temperature
from whybounce.training.labelled import Labelled
from whybounce.training.thresholds import HeldOut, cases_of, choose, held_out_figures

FOLDS = 5
SEED = 7
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Trained:
    """A finished run: the serialised pipeline and its manifest."""

    payload: bytes
    manifest: artifact.Manifest


def train(
    templates: list[Template],
    *,
    own: Sequence[Example] = (),
    seed: int = SEED,
    folds: int = FOLDS,
    rules: RuleSet | None = None,
    progress: Progress | None = None,
) -> Trained:
    """Fit, calibrate and measure a classifier.

    Families are held out in ``folds`` folds: the scores of unseen families calibrate
    the probabilities, choose the thresholds and give the figures in the manifest. The
    shipped model is then fitted on everything.

    Parameters
    ----------
    templates : list of Template
    own : sequence of Example, optional
        Examples of the user's own, from :func:`own_examples`.
    seed : int
        Same templates, seed and library versions: identical predictions.
    folds : int
    rules : RuleSet, optional
        The rules that the thresholds are chosen for; the shipped ones by default.
    progress : callable, optional
        Called with (name of the step, done, in all).
    """

    def report(step: str, done: int, total: int) -> None:
        if progress:
            progress(step, done, total)

    examples = expand(templates, seed=seed, progress=lambda done, total: report("expanding templates", done, total))
    examples = merge([*examples, *own])
    held_out = hold_out(
        merge([*expand(templates, seed=seed, disguises=1), *own]), folds=folds, seed=seed, report=report
    )
    report("fitting on everything", 0, 1)
    pipeline = fit(
        [example.doc for example in examples],
        [example.reason for example in examples],
        [example.weight for example in examples],
    )
    labels = tuple(str(label) for label in pipeline.named_steps["classify"].classes_)
    report("fitting on everything", 1, 1)
    report("choosing thresholds", 0, 1)
    cases = cases_of(held_out, rules or default_rules())
    thresholds = choose(cases)
    metrics = {"held_out_families": held_out_figures(cases, thresholds), "temperature": held_out.temperature}
    payload = artifact.dump(apply_temperature(pipeline, held_out.temperature))
    report("choosing thresholds", 1, 1)
    manifest = artifact.make_manifest(
        payload,
        labels=labels,
        thresholds=thresholds,
        data={
            "fingerprint": fingerprint(templates, own, seed),
            "templates": len(templates),
            "own_rows": len(own),
            "documents": len(examples),
            "seed": seed,
        },
        metrics=metrics,
    )
    return Trained(payload, manifest)


def own_examples(rows: Iterable[Labelled], *, name: str, weight: float) -> list[Example]:
    """Turn labelled bounces into examples; ``name`` becomes their family."""
    return merge(
        Example(
            doc=document(diagnostic), reason=row.label, also=row.also[0] if row.also else None, family=f"own-{name}",
            source=name, lang=dict(row.slices).get("lang", ""), weight=weight, text=row.text,
            template=diagnostic.template, plain=True,
        )
        for row in rows
        for diagnostic in (parse(row.text),)
    )  # fmt: skip


def merge(examples: Iterable[Example]) -> list[Example]:
    """Join examples of equal document and reason, adding their weights."""
    found: dict[tuple[str, str], Example] = {}
    for example in examples:
        known = found.setdefault((example.doc, example.reason), example)
        if known is not example:
            known.weight += example.weight
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
    splits = list(family_folds([group(example) for example in examples], folds, seed))
    for number, (train_rows, test_rows) in enumerate(splits):
        report("holding families out", number, folds)
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
