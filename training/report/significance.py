"""How far a figure may be off, and whether two systems differ by more than chance.

Rows of one template get one answer, so they are no independent observations: the
bootstrap draws whole templates, shares are widened by how unevenly the rows fall on
templates, and McNemar's test is made over rows and over templates.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from scipy.stats import binomtest, chi2, norm

from whybounce.training.metrics import BoolArray, FloatArray, IntArray, Outcome

METRICS = ("accuracy", "macro_f1", "good_called_hard", "hard_recall")
LEVEL = 0.95
RESAMPLES = 2000
SEED = 7

EXACT_BELOW = 25
"""Discordant pairs under which McNemar's test is the exact binomial one."""

_CHUNK = 4_000_000

Interval = dict[str, float]
Samples = dict[str, dict[str, FloatArray]]


def resample(
    outcomes: Mapping[str, Outcome], cluster: IntArray, *, resamples: int = RESAMPLES, seed: int = SEED
) -> Samples:
    """Bootstrap the figures of several systems on the same draws of templates.

    A draw is a multinomial over the distinct contents of templates, which is the same
    as drawing templates with replacement but needs no array of rows per draw
    (``scipy.stats.bootstrap`` draws rows, and knows no groups).

    Parameters
    ----------
    outcomes : mapping of str to Outcome
        Systems that answered the same rows.
    cluster : array of int
        Number of each row's template.
    resamples, seed : int

    Returns
    -------
    dict
        System, then figure of :data:`METRICS`, then an array of ``resamples`` values;
        nan where a draw holds nothing to compute it from.
    """
    cells, contents, frequency = _contents(outcomes, cluster)
    scores = {name: _indicators(found, cells) for name, found in outcomes.items()}
    rng = np.random.default_rng(seed)
    templates = int(frequency.sum())
    step = max(1, _CHUNK // max(1, *contents.shape))
    parts: dict[str, dict[str, list[FloatArray]]] = {name: {metric: [] for metric in METRICS} for name in outcomes}
    for start in range(0, resamples, step):
        size = min(step, resamples - start)
        draws = rng.multinomial(templates, frequency / templates, size=size)
        counts = np.asarray(draws @ contents, dtype=np.float64)
        for name, indicator in scores.items():
            for metric, values in indicator.figures(counts).items():
                parts[name][metric].append(values)
    return {
        name: {metric: np.concatenate(values) for metric, values in metrics.items()} for name, metrics in parts.items()
    }


def interval(values: FloatArray, estimate: float | None) -> Interval | None:
    """Percentile interval of bootstrap values; it always holds the estimate."""
    kept = values[np.isfinite(values)]
    if estimate is None or not len(kept):
        return None
    low, high = np.quantile(kept, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return {"low": min(float(low), estimate), "high": max(float(high), estimate)}


def clear_of_zero(values: FloatArray) -> bool:
    """Whether a difference is no chance, although :data:`METRICS` are looked at together.

    Bonferroni's correction: each interval is made so wide that all of them together
    miss as seldom as one of :data:`LEVEL`.
    """
    kept = values[np.isfinite(values)]
    if not len(kept):
        return False
    tail = (1 - LEVEL) / 2 / len(METRICS)
    low, high = np.quantile(kept, [tail, 1 - tail])
    return bool(low > 0 or high < 0)


def share_interval(hits: BoolArray, weight: FloatArray, cluster: IntArray) -> Interval | None:
    """Wilson's interval of a share, with as many observations as the templates amount to.

    The effective number is Kish's: all weight squared over the sum of squares by
    template; it is the number of rows when every row has a template of its own.
    """
    total = float(weight.sum())
    if total <= 0:
        return None
    by_template = np.bincount(cluster, weights=weight)
    effective = total**2 / float((by_template**2).sum())
    estimate = min(1.0, float(weight[hits].sum()) / total)
    z = float(norm.ppf((1 + LEVEL) / 2))
    centre = (estimate + z**2 / (2 * effective)) / (1 + z**2 / effective)
    half = z / (1 + z**2 / effective) * sqrt(estimate * (1 - estimate) / effective + z**2 / (4 * effective**2))
    return {"low": min(max(0.0, centre - half), estimate), "high": max(min(1.0, centre + half), estimate)}


def mcnemar(first_only: int, second_only: int) -> dict[str, float | int | str]:
    """McNemar's test of two systems on the same cases.

    Parameters
    ----------
    first_only, second_only : int
        Cases that only the first, or only the second, got right.

    Returns
    -------
    dict
        Exact binomial p-value under :data:`EXACT_BELOW` such cases, chi-squared with
        continuity correction from there on.
    """
    both = first_only + second_only
    if both < EXACT_BELOW:
        p = float(binomtest(first_only, both).pvalue) if both else 1.0
        method = "exact binomial"
    else:
        p = float(chi2.sf(max(0, abs(first_only - second_only) - 1) ** 2 / both, df=1))
        method = "chi-squared with continuity correction"
    return {"first_only": first_only, "second_only": second_only, "p_value": min(1.0, p), "method": method}


def mcnemar_of(first: Outcome, second: Outcome, cluster: IntArray) -> dict[str, dict[str, float | int | str]]:
    """McNemar's test over rows, and over templates (better on a template: right on more of its rows)."""
    lead = np.bincount(cluster, weights=(first.right.astype(np.float64) - second.right) * first.weight)
    ours, theirs = first.right & ~second.right, second.right & ~first.right
    return {
        "rows": mcnemar(round(first.weight[ours].sum()), round(first.weight[theirs].sum())),
        "templates": mcnemar(int((lead > 0).sum()), int((lead < 0).sum())),
    }


@dataclass(frozen=True, slots=True)
class _Indicators:
    """What each distinct cell adds to the counts of one system."""

    weight: FloatArray
    right: FloatArray
    true_hard: FloatArray
    called_hard: FloatArray
    true_label: FloatArray
    said_label: FloatArray

    def figures(self, counts: FloatArray) -> dict[str, FloatArray]:
        """Figures of each row of ``counts``, shape (draws, cells)."""
        mass = counts * self.weight
        support, said = mass @ self.true_label, mass @ self.said_label
        hits = mass @ (self.true_label * self.right[:, None])
        present = support > 0
        f1 = np.where(present, 2 * hits / np.where(present, support + said, 1.0), 0.0)
        hard, good = mass @ self.true_hard, mass @ (1 - self.true_hard)
        return {
            "accuracy": _ratio(mass @ self.right, mass.sum(axis=1)),
            "macro_f1": _ratio(f1.sum(axis=1), present.sum(axis=1).astype(np.float64)),
            "good_called_hard": _ratio(mass @ (self.called_hard * (1 - self.true_hard)), good),
            "hard_recall": _ratio(mass @ (self.called_hard * self.true_hard), hard),
        }


def _ratio(part: FloatArray, whole: FloatArray) -> FloatArray:
    return np.where(whole > 0, part / np.where(whole > 0, whole, 1.0), np.nan)


def _contents(outcomes: Mapping[str, Outcome], cluster: IntArray) -> tuple[IntArray, csr_array, IntArray]:
    """Reduce rows to cells (equal truth, answers and weight) and templates to distinct contents.

    Returns the first row of each cell, the counts of cells in each distinct content,
    shape (contents, cells), and how many templates have each content.
    """
    founds = list(outcomes.values())
    weight = np.unique(founds[0].weight, return_inverse=True)[1]
    columns = np.column_stack([weight, founds[0].truth, *(found.said for found in founds)])
    _, cells, cell = np.unique(columns, axis=0, return_index=True, return_inverse=True)
    size = (int(cluster.max()) + 1, len(cells))
    table = csr_array((np.ones(len(cluster), dtype=np.int64), (cluster, cell.reshape(-1))), shape=size)
    table.sum_duplicates()
    seen: dict[bytes, int] = {}
    first: list[int] = []
    frequency: list[int] = []
    for number, (start, stop) in enumerate(zip(table.indptr[:-1], table.indptr[1:], strict=True)):
        if start == stop:
            continue
        key = table.indices[start:stop].tobytes() + b"/" + table.data[start:stop].tobytes()
        if key not in seen:
            seen[key] = len(first)
            first.append(number)
            frequency.append(0)
        frequency[seen[key]] += 1
    return np.asarray(cells), table[first], np.asarray(frequency, dtype=np.int64)


def _indicators(found: Outcome, cells: npt.NDArray[np.int64]) -> _Indicators:
    truth, said = found.truth[cells], found.said[cells]
    eye = np.eye(len(found.labels))
    return _Indicators(
        weight=found.weight[cells],
        right=(truth == said).astype(np.float64),
        true_hard=found.hard[truth].astype(np.float64),
        called_hard=found.hard[said].astype(np.float64),
        true_label=eye[truth],
        said_label=eye[said],
    )
