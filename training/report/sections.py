"""The first half of a report: verdict, comparison, costs, systems; and the view as a whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from whybounce.training.report import context, details
from whybounce.training.report.verdict import sentences, title
from whybounce.training.report.view import (
    Card,
    Cell,
    Reader,
    Section,
    Table,
    View,
    count,
    decimal,
    p_value,
    per_10k,
    percent,
    phrase,
    pointer,
    points,
    signed,
    span,
    two,
    words,
)

SYSTEMS = {"both": "model + rules", "model": "model alone", "rules": "rules alone"}
FIGURES = {
    "accuracy": ("accuracy", percent),
    "accuracy_with_also": ("accuracy, second label accepted", percent),
    "macro_f1": ("macro-F1", percent),
    "good_called_hard": ("good addresses called hard", percent),
    "hard_recall": ("hard bounces called hard", percent),
    "calibration_error": ("calibration error", decimal),
    "sure_share": ("share with confidence ≥ 0.95", percent),
    "sure_right": ("of these right", percent),
    "acted_share": ("share that needs no person", percent),
}
"""Title and format of each figure of a system."""

DIFFERENCES = ("accuracy", "macro_f1", "good_called_hard", "hard_recall")
CHANGES_SHOWN = 25
_EFFECTS = {"won": "now right", "lost": "now wrong", "other": "wrong both times"}


def view(document: Mapping[str, Any]) -> View:
    """Lay a document out."""
    read = Reader(document)
    sections = [part(read) for part in _PARTS]
    version = document["model_version"] or "no model"
    about: list[str | Cell] = [
        read.cell("/data/measured", count), " labelled bounces, ",
        read.cell("/data/templates", count), f" distinct texts; model {version}",
    ]  # fmt: skip
    if document["created"]:
        about.append(f"; {document['created']}")
    return View(
        title=f"Bounce classifier report: {document['source'] or 'labelled bounces'}",
        about=phrase(*about),
        level=document["headline"]["level"],
        verdict=title(document),
        sentences=sentences(document),
        cautions=tuple(document["headline"]["cautions"]),
        advice=document["headline"]["advice"],
        cards=cards(read),
        sections=tuple(section for section in sections if section is not None),
    )


def cards(read: Reader) -> tuple[Card, ...]:
    """The four figures that decide."""

    def detail(metric: str, text: str) -> tuple[Cell, ...]:
        if read.value(f"/systems/both/intervals/{metric}") is None:
            return phrase("no such rows in the data")
        return phrase(read.cell(f"/systems/both/intervals/{metric}", span(percent)), f": {text}")

    return (
        Card(read.cell("/systems/both/accuracy", percent), "right reason", detail("accuracy", "95 % interval")),
        Card(
            read.cell("/systems/both/good_called_hard", percent), "good addresses called hard",
            detail("good_called_hard", "each may lose a subscriber"),
        ),
        Card(
            read.cell("/systems/both/hard_recall", percent), "bad addresses found",
            detail("hard_recall", "the rest is mailed again"),
        ),
        Card(
            read.cell("/systems/both/macro_f1", percent), "macro-F1",
            detail("macro_f1", "every reason counts alike"),
        ),
    )  # fmt: skip


def against(read: Reader) -> Section | None:
    """Against the model in use."""
    current = read.value("/current")
    if current is None:
        return None
    name = current["name"]
    rows = []
    for metric, (heading, form) in FIGURES.items():
        difference: tuple[Cell, Cell] = (Cell(""), Cell(""))
        if metric in DIFFERENCES:
            at = f"/contrasts/current/metrics/{metric}"
            difference = (read.cell(f"{at}/value", points), read.cell(f"{at}/interval", span(points)))
        rows.append(
            (
                Cell(heading),
                read.cell(f"/systems/both/{metric}", form),
                read.cell(f"/current/{metric}", form),
                *difference,
            )
        )
    tests = []
    for unit in ("rows", "templates"):
        at = f"/contrasts/current/mcnemar/{unit}"
        tests.append(
            (
                Cell("rows" if unit == "rows" else "distinct texts"),
                read.cell(f"{at}/first_only", count),
                read.cell(f"{at}/second_only", count),
                read.cell(f"{at}/p_value", p_value),
                read.cell(f"{at}/method", words, "text"),
            )
        )
    reasons = tuple(
        (
            Cell(row["reason"], kind="code"),
            read.cell(f"/contrasts/current/reasons/{number}/support", count),
            read.cell(f"/contrasts/current/reasons/{number}/f1", two),
            read.cell(f"/contrasts/current/reasons/{number}/before", two),
            read.cell(f"/contrasts/current/reasons/{number}/difference", lambda value: signed(value, 2)),
        )
        for number, row in enumerate(read.value("/contrasts/current/reasons"))
    )
    return Section(
        "current",
        f"Against {name}",
        (
            phrase(
                "Both answered the same rows. An interval of a difference that does not hold zero, and a p-value under "
                "0.05, mean that chance hardly explains it; the verdict looks at four figures and asks for wider "
                "intervals (Bonferroni). Answers that changed: ",
                read.cell("/changes/won", count), " now right, ", read.cell("/changes/lost", count),
                " now wrong, ", read.cell("/changes/other", count), " wrong both times.",
            ),
        ),
        (
            Table("Figures", ("figure", read.document["name"], name, "difference", "95 % interval"), tuple(rows)),
            Table(
                "McNemar's test",
                ("counted over", f"only {read.document['name']} right", f"only {name} right", "p-value", "method"),
                tuple(tests),
                "Rows of one text always get one answer, so the second line is the cautious one.",
            ),
            Table(
                "F1 by reason, losses first", ("reason", "rows", "F1", "before", "difference"), reasons,
                chart="reasons_against",
            ),
            _changed(read),
        ),
    )  # fmt: skip


def _changed(read: Reader) -> Table:
    rows = []
    shown = {"won": 0, "lost": 0, "other": 0}
    for number, change in enumerate(read.value("/changes/listed")):
        if shown[change["effect"]] >= CHANGES_SHOWN:
            continue
        shown[change["effect"]] += 1
        rows.append(
            (
                Cell(_EFFECTS[change["effect"]], kind={"won": "good", "lost": "bad"}.get(change["effect"], "text")),
                Cell(change["template"], kind="template"),
                Cell(change["predicted"], kind="code", note=f"before: {change['before']}; label: {change['label']}"),
                read.cell(pointer("changes", "listed", number, "count"), count),
            )
        )
    return Table(
        "Answers that changed",
        ("effect", "text (masked)", "answer", "rows"),
        tuple(rows),
        f"At most {CHANGES_SHOWN} texts of each effect.",
        folded=True,
    )


def costs(read: Reader) -> Section:
    """What acting on the answers costs."""
    rows = []
    compared = read.value("/costs/current") is not None
    places = [(read.document["name"] if compared else "by default", "/costs/default")]
    if compared:
        places.append((read.value("/current/name"), "/costs/current"))
    for heading, at in places:
        rows.append((Cell(heading), *_cost_cells(read, at)))
    curve = tuple(
        (read.cell(f"/costs/thresholds/{number}/threshold", two), *_cost_cells(read, f"/costs/thresholds/{number}"))
        for number in range(len(read.value("/costs/thresholds")))
    )
    columns = ("good addresses suppressed", "bad addresses kept", "bad addresses suppressed", "good addresses kept")
    return Section(
        "costs",
        "What it costs",
        (
            phrase(
                "Per ", read.cell("/costs/per", count), " bounces. An address is suppressed when its bounce is called "
                "hard; by default an unsure answer goes to a person and suppresses nothing. Asking for more confidence "
                "loses fewer good addresses and keeps more bad ones.",
            ),
        ),
        (
            Table("Default policy", ("model" if compared else "policy", *columns), tuple(rows)),
            Table(
                "When an answer must reach a confidence to suppress", ("confidence from", *columns), curve,
                folded=True, chart="costs",
            ),
        ),
    )  # fmt: skip


def _cost_cells(read: Reader, at: str) -> tuple[Cell, ...]:
    names = ("good_suppressed", "bad_kept", "bad_suppressed", "good_kept")
    return tuple(read.cell(f"{at}/{name}", per_10k) for name in names)


def systems(read: Reader) -> Section:
    """Model, rules, and both."""
    present = list(read.value("/systems"))
    rows = [
        (Cell(heading), *(read.cell(f"/systems/{name}/{metric}", form) for name in present))
        for metric, (heading, form) in FIGURES.items()
    ]
    intervals = [
        (
            Cell(FIGURES[metric][0]),
            *(read.cell(f"/systems/{name}/intervals/{metric}", span(percent)) for name in present),
        )
        for metric in DIFFERENCES
    ]
    contrasts = [name for name in ("rules", "model") if name in read.value("/contrasts")]
    gains = [
        (
            Cell(FIGURES[metric][0]),
            *(
                read.cell(f"/contrasts/{name}/metrics/{metric}/{part}", form)
                for name in contrasts
                for part, form in (("value", points), ("interval", span(points)))
            ),
        )
        for metric in DIFFERENCES
        if contrasts
    ]
    over = [heading for name in contrasts for heading in (f"over {SYSTEMS[name]}", "95 % interval")]
    decided = [
        (Cell(who), *(read.cell(f"/systems/{name}/decided_by/{who}", count) for name in present))
        for who in ("model", "rules", "default")
    ]
    headings = tuple(SYSTEMS[name] for name in present)
    tables = [
        Table("Figures", ("figure", *headings), tuple(rows), chart="systems"),
        Table("95 % intervals", ("figure", *headings), tuple(intervals)),
        Table("What both have over each alone", ("figure", *over), tuple(gains)),
        Table("Who decided, in rows", ("decided by", *headings), tuple(decided), folded=True),
    ]
    return Section(
        "systems",
        "Model, rules, and both",
        (
            phrase(
                "What ships is both together: the model decides where it is sure, the rules speak in its ranking, and "
                "forbid a bad address where a text is about the sender. Good addresses called hard should be near "
                "zero; everything else near one hundred."
            ),
        ),
        tuple(table for table in tables if table.rows),
    )


_PARTS: tuple[Callable[[Reader], Section | None], ...] = (
    against,
    costs,
    systems,
    details.reasons,
    details.confused,
    details.confidence,
    details.slices,
    details.mistakes,
    context.bounce_report,
    context.training,
    context.gate,
    context.data,
)
