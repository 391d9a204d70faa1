"""What each chart draws, on figures of its own: no state of ``pyplot`` is touched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from whybounce.training.report.style import FIRST, FOURTH, INK, SECOND, THIRD

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 7.4
_MARKS = {"both": ("o", FIRST), "model": ("s", THIRD), "rules": ("^", SECOND), "current": ("D", FOURTH)}
_TITLES = {"both": "model + rules", "model": "model alone", "rules": "rules alone"}


def _figure(height: float, width: float = WIDTH) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _in_percent(axis: Any) -> None:
    axis.set_major_formatter(lambda value, _: f"{round(100 * value, 2):g} %")


def _legend(axes: Axes, columns: int, above: float = 1.0) -> None:
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, above), ncols=columns, borderaxespad=0.1, handletextpad=0.4)


def systems(document: Mapping[str, Any]) -> Figure:
    """Four figures of each system as marks with intervals."""
    found = dict(document["systems"])
    titles = dict(_TITLES)
    if document["current"] is not None:
        found["current"] = document["current"]
        titles["current"] = document["current"]["name"]
    panels = (
        (
            {"accuracy": "right reason", "macro_f1": "macro-F1", "hard_recall": "hard bounces\ncalled hard"},
            "more is better",
        ),
        ({"good_called_hard": "good addresses\ncalled hard"}, "less is better"),
    )  # fmt: skip
    figure = _figure(4.3)
    drawn = figure.subplots(2, 1, height_ratios=(3, 1))
    for axes, (metrics, title) in zip(drawn, panels, strict=True):
        for number, metric in enumerate(metrics):
            for place, (name, system) in enumerate(found.items()):
                _mark(axes, system, metric, number + (place - (len(found) - 1) / 2) * 0.2, name, titles, number == 0)
        axes.set_yticks(range(len(metrics)), list(metrics.values()))
        axes.set_ylim(len(metrics) - 0.5, -0.5)
        axes.grid(visible=False, axis="y")
        axes.set_title(title)
        _in_percent(axes.xaxis)
        axes.set_xlim(left=0 if title.startswith("less") else None)
    figure.legend(*drawn[0].get_legend_handles_labels(), loc="outside upper right", ncols=len(found))
    return figure


def _mark(
    axes: Axes, system: Mapping[str, Any], metric: str, y: float, name: str, titles: Mapping[str, str], named: bool
) -> None:
    value, interval = system[metric], system["intervals"][metric]
    mark, colour = _MARKS[name]
    label = titles[name] if named else "_"
    if value is None:
        return
    if interval:
        axes.plot([interval["low"], interval["high"]], [y, y], color=colour, linewidth=1.6)
    axes.plot([value], [y], mark, color=colour, markersize=6, label=label, linestyle="none")


def costs(document: Mapping[str, Any]) -> Figure:
    """Both kinds of cost against the threshold."""
    points = document["costs"]["thresholds"]
    figure = _figure(2.9)
    panels = zip(
        figure.subplots(1, 2),
        (("good_suppressed", "good addresses suppressed", SECOND), ("bad_kept", "bad addresses kept", FIRST)),
        strict=True,
    )
    for axes, (key, title, colour) in panels:
        axes.plot([point["threshold"] for point in points], [point[key] for point in points], color=colour)
        axes.axhline(document["costs"]["default"][key], color=INK, linewidth=1, linestyle=(0, (4, 3)), alpha=0.7)
        axes.set_title(title)
        axes.set_xlabel("confidence asked for (dashed: default policy)")
        axes.set_ylim(0, max(1.0, axes.get_ylim()[1]))  # of none at all no axis of hundredths
        axes.set_xlim(0, 1)
    figure.axes[0].set_ylabel("per 10,000 bounces")
    return figure


def reasons(document: Mapping[str, Any]) -> Figure:
    """Precision and recall of each reason."""
    found = document["systems"]["both"]["reasons"]
    names = sorted(found, key=lambda reason: (-found[reason]["support"], reason))
    figure = _figure(1.0 + 0.27 * len(names))
    axes = figure.subplots()
    for y, name in enumerate(names):
        axes.plot([found[name]["precision"], found[name]["recall"]], [y, y], color=INK, alpha=0.4, linewidth=1.4)
    for key, mark, colour in (("precision", "o", FIRST), ("recall", "^", SECOND)):
        axes.plot([found[name][key] for name in names], range(len(names)), mark, color=colour, label=key)
    axes.set_yticks(range(len(names)), [f"{name} ({found[name]['support']:,})" for name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlim(-0.02, 1.02)
    axes.set_xlabel("share (in brackets: rows of the reason)")
    _in_percent(axes.xaxis)
    _legend(axes, 2)
    return figure


def reasons_against(document: Mapping[str, Any]) -> Figure:
    """Difference of F1 by reason."""
    rows = document["contrasts"]["current"]["reasons"]
    figure = _figure(1.0 + 0.25 * len(rows))
    axes = figure.subplots()
    values = [row["difference"] for row in rows]
    axes.barh(range(len(rows)), values, color=[FIRST if value >= 0 else SECOND for value in values], height=0.65)
    axes.axvline(0, color=INK, linewidth=0.8)
    axes.set_yticks(range(len(rows)), [f"{row['reason']} ({row['support']:,})" for row in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    reach = max(0.02, *(abs(value) for value in values)) * 1.08
    axes.set_xlim(-reach, reach)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel(f"F1 less that of {document['current']['name']}")
    return figure


def confusion(document: Mapping[str, Any]) -> Figure:
    """The matrix, coloured by the share of each true reason."""
    from matplotlib.patches import Rectangle

    labels, counts = document["confusion"]["labels"], document["confusion"]["counts"]
    size = len(labels)
    side = 0.34 * max(size, 4)
    figure = _figure(side + 2.0, side + 2.2)
    axes = figure.subplots()
    axes.grid(visible=False)
    for row, cells in enumerate(counts):
        total = sum(cells)
        for column, value in enumerate(cells):
            if not value:
                continue
            part = value / total
            colour = FIRST if row == column else SECOND
            axes.add_patch(
                Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor=colour, alpha=0.12 + 0.88 * part, linewidth=0)
            )
            strong = part > 0.5
            axes.text(
                column, row, _short(value), ha="center", va="center", fontsize=7.5, color="white" if strong else INK
            )
    axes.set_xticks(range(size), labels, rotation=90)
    axes.set_yticks(range(size), labels)
    axes.set_xlim(-0.5, size - 0.5)
    axes.set_ylim(size - 0.5, -0.5)
    axes.set_aspect("equal")
    axes.set_xlabel("answer")
    axes.set_ylabel("true reason")
    axes.set_xticks([number - 0.5 for number in range(size + 1)], minor=True)
    axes.set_yticks([number - 0.5 for number in range(size + 1)], minor=True)
    axes.grid(visible=True, which="minor", alpha=0.1)
    axes.tick_params(which="both", length=0)
    return figure


def _short(value: float) -> str:
    if value >= 10_000:
        return f"{value / 1000:.0f}k"
    return f"{value / 1000:.1f}k" if value >= 1000 else f"{value:.0f}"


def calibration(document: Mapping[str, Any]) -> Figure:
    """Reliability diagram with the rows of each bin under it."""
    bins = document["calibration"]["bins"]
    figure = _figure(4.4, 5.2)
    curve, rows = figure.subplots(2, 1, height_ratios=(3, 1), sharex=True)
    curve.plot([0, 1], [0, 1], color=INK, linewidth=1, linestyle=(0, (4, 3)), alpha=0.7, label="honest")
    curve.plot(
        [row["confidence"] for row in bins], [row["accuracy"] for row in bins], "-", color=FIRST, label="this model"
    )
    most = max(row["rows"] for row in bins)
    for row in bins:
        size = 4 + 9 * (row["rows"] / most) ** 0.5
        curve.plot([row["confidence"]], [row["accuracy"]], "o", color=FIRST, markersize=size, clip_on=False)
    curve.set_ylabel("right")
    curve.set_ylim(0, 1.03)
    curve.set_xlim(0, 1.01)
    _in_percent(curve.yaxis)
    _legend(curve, 2)
    middles = [(row["low"] + row["high"]) / 2 for row in bins]
    rows.bar(middles, [row["rows"] for row in bins], width=0.085, color=FIRST, alpha=0.6)
    rows.set_ylabel("rows")
    rows.set_xlabel("confidence")
    _in_percent(rows.xaxis)
    return figure


def coverage(document: Mapping[str, Any]) -> Figure:
    """Accuracy of the answers that are kept."""
    points = [point for point in document["coverage"] if point["accuracy"] is not None]
    figure = _figure(4.4, 5.2)
    axes = figure.subplots()
    axes.plot([point["coverage"] for point in points], [point["accuracy"] for point in points], "o-", color=FIRST, ms=4)
    for point in _spread(points):
        axes.annotate(
            f"≥ {point['threshold']:.2f}", (point["coverage"], point["accuracy"]), xytext=(-4, -13),
            textcoords="offset points", ha="right", fontsize=8.5,
        )  # fmt: skip
    axes.margins(x=0.16, y=0.12)
    axes.set_xlabel("coverage: share of bounces answered (≥: confidence asked for)")
    axes.set_ylabel("right")
    _in_percent(axes.xaxis)
    _in_percent(axes.yaxis)
    return figure


def _spread(points: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Points far enough apart for a label each, the sharpest threshold first."""
    kept: list[Mapping[str, Any]] = []
    width = max((point["coverage"] for point in points), default=0) - min(
        (point["coverage"] for point in points), default=0
    )
    for point in reversed(points):
        if not kept or abs(point["coverage"] - kept[-1]["coverage"]) > 0.14 * width:
            kept.append(point)
    return kept


def bounces(document: Mapping[str, Any]) -> Figure:
    """The fifteen lines, by label and by answer."""
    lines = document["bounce_report"]["lines"]
    figure = _figure(5.6)
    axes = figure.subplots()
    for key, shift, colour, label in (("labelled", -0.2, SECOND, "by label"), ("answered", 0.2, FIRST, "by answer")):
        axes.barh(
            [y + shift for y in range(len(lines))], [line[key] for line in lines], 0.38, color=colour, label=label
        )
    axes.set_yticks(range(len(lines)), [f"{line['category']} · {line['line']}" for line in lines])
    axes.set_ylim(len(lines) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("rows")
    _legend(axes, 2)
    return figure
