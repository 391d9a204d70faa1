"""The middle of a report: reasons, confusion, confidence, slices, mistakes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from whybounce.training.report.view import (
    Cell,
    Reader,
    Section,
    Table,
    count,
    decimal,
    keep,
    percent,
    phrase,
    pointer,
    points,
    signed,
    span,
    two,
)

MISTAKES_SHOWN = 30
CONFUSED_SHOWN = 20
SLICES_SHOWN = 12
_DIMENSIONS = {
    "provider": "Provider", "lang": "Language", "code_family": "Code family", "decided_by": "Decided by",
}  # fmt: skip


def reasons(read: Reader) -> Section:
    """Precision, recall and F1 by true reason."""
    found: dict[str, Any] = read.value("/systems/both/reasons")
    ordered = sorted(found, key=lambda reason: (-found[reason]["support"], reason))
    rows = tuple(
        (
            Cell(reason, kind="code"),
            *(read.cell(pointer("systems", "both", "reasons", reason, name), two) for name in ("precision", "recall")),
            read.cell(pointer("systems", "both", "reasons", reason, "f1"), two),
            read.cell(pointer("systems", "both", "reasons", reason, "support"), count),
        )
        for reason in ordered
    )
    return Section(
        "reasons",
        "Reason by reason",
        (
            phrase(
                "Precision: of the answers with this reason, how many are right. Recall: of the bounces that have it, "
                "how many were found. F1 joins the two. A reason with few rows says little."
            ),
        ),
        (
            Table(
                "model + rules, by true reason", ("reason", "precision", "recall", "F1", "rows"), rows, chart="reasons"
            ),
        ),
    )


def confused(read: Reader) -> Section:
    """The confusion matrix."""
    cells = read.value("/confusion/confused")
    rows = [
        (
            Cell(cell["label"], kind="code"),
            Cell(cell["predicted"], kind="code"),
            read.cell(f"/confusion/confused/{number}/count", count),
            read.cell(f"/confusion/confused/{number}/share", percent),
        )
        for number, cell in enumerate(cells)
    ]
    columns = ("true reason", "answered", "rows", "of its true reason")
    tables = [Table("Most frequent confusions", columns, tuple(rows[:CONFUSED_SHOWN]), chart="confusion")]
    if len(rows) > CONFUSED_SHOWN:
        tables.append(Table("All other confusions", columns, tuple(rows[CONFUSED_SHOWN:]), folded=True))
    lead = phrase("A line of the picture is a true reason, a column an answer; what lies off the diagonal is confused.")
    if not cells:
        lead = phrase("Nothing was confused: every answer is right.")
    return Section("confusion", "What is confused with what", (lead,), tuple(tables))


def confidence(read: Reader) -> Section:
    """Calibration, and accuracy against coverage."""
    bins = tuple(
        (
            read.cell(f"/calibration/bins/{number}", span(two)),
            read.cell(f"/calibration/bins/{number}/rows", count),
            read.cell(f"/calibration/bins/{number}/confidence", percent),
            read.cell(f"/calibration/bins/{number}/accuracy", percent),
        )
        for number in range(len(read.value("/calibration/bins")))
    )
    curve = tuple(
        (
            read.cell(f"/coverage/{number}/threshold", two),
            read.cell(f"/coverage/{number}/rows", count),
            read.cell(f"/coverage/{number}/coverage", percent),
            read.cell(f"/coverage/{number}/accuracy", percent),
        )
        for number in range(len(read.value("/coverage")))
    )
    return Section(
        "confidence",
        "Can its confidence be trusted?",
        (
            phrase(
                "Of the answers that claim 90 %, 90 % should be right: points on the diagonal are honest, under it "
                "too sure of themselves. On average confidence and truth are ",
                read.cell("/calibration/error", decimal), " apart (expected calibration error).",
            ),
            phrase(
                "Taking only the surer answers leaves more to a person and gets more of them right: choose the "
                "threshold by the second picture."
            ),
        ),
        (
            Table("Calibration", ("confidence", "rows", "mean confidence", "right"), bins, chart="calibration"),
            Table(
                "Accuracy against coverage", ("confidence from", "rows", "coverage", "right"), curve, chart="coverage"
            ),
        ),
    )  # fmt: skip


def slices(read: Reader) -> Section:
    """Providers, languages, codes, deciders."""
    compared = read.value("/current") is not None
    tables = []
    for dimension, heading in _DIMENSIONS.items():
        rows = []
        for number, entry in enumerate(read.value(f"/slices/{dimension}")):
            at = f"/slices/{dimension}/{number}"
            rows.append(
                (
                    Cell(entry["name"]),
                    read.cell(f"{at}/rows", count),
                    read.cell(f"{at}/templates", count),
                    read.cell(f"{at}/accuracy", percent),
                    read.cell(f"{at}/interval", span(percent)),
                    read.cell(f"{at}/good_called_hard", percent),
                    *(
                        (
                            read.cell(f"{at}/current_accuracy", percent),
                            read.cell(f"{at}/gain/value", points),
                            read.cell(f"{at}/gain/interval", span(points)),
                        )
                        if compared
                        else (Cell(""),) * 3
                    ),
                )
            )
        columns = [
            (heading.lower(), True), ("rows", True), ("distinct texts", True), ("right", True),
            ("95 % interval", True), ("good called hard", True), ("before", compared), ("difference", compared),
            ("interval of the difference", compared),
        ]  # fmt: skip
        names, kept = keep(columns, rows)
        guessed = dimension == "lang" and read.value("/slices/lang_detected")
        note = "No row names its language: it was detected from the words, which is a guess." if guessed else ""
        tables.append(Table(heading, names, kept[:SLICES_SHOWN], note))
        if len(kept) > SLICES_SHOWN:
            tables.append(Table(f"{heading}: the smaller ones", names, kept[SLICES_SHOWN:], folded=True))
    lead = phrase("A weak slice with many rows is where labels of your own help most.")
    return Section("slices", "Where it is strong, where weak", (lead,), tuple(tables))


def mistakes(read: Reader) -> Section:
    """The worst confident mistakes."""
    rows = []
    for number, wrong in enumerate(read.value("/mistakes")):
        if wrong["accepted"]:
            continue
        rows.append(
            (
                Cell(wrong["template"], kind="template", note=_evidence(wrong)),
                Cell(wrong["predicted"], kind="code", note=f"label: {wrong['label']}"),
                read.cell(f"/mistakes/{number}/confidence", percent),
                Cell(wrong["decided_by"]),
                Cell(wrong["cost"], kind="bad" if wrong["cost"].startswith("good") else "text"),
                read.cell(f"/mistakes/{number}/count", count),
            )
        )
        if len(rows) == MISTAKES_SHOWN:
            break
    lead = phrase(
        "The surest wrong answers. Some will be wrong labels: look at those first. Addresses, hosts, IPs and ids are "
        "masked; the evidence is what spoke most for the answer."
    )
    if not rows:
        return Section("mistakes", "The worst mistakes", (phrase("There are none."),))
    columns = ("text (masked), and what spoke for the answer", "answer", "confidence", "decided by", "cost", "rows")
    return Section("mistakes", "The worst mistakes", (lead,), (Table("Most confident first", columns, tuple(rows)),))


def _evidence(wrong: Mapping[str, Any]) -> str:
    # Character n-grams of one word look alike without their spaces: each is named once.
    pieces: dict[str, str] = {}
    for piece in wrong["evidence"]:
        name = f"{piece['id']}: " if piece["id"] else ""
        weight = f" {signed(piece['weight'], 2)}" if piece["weight"] is not None else ""
        pieces.setdefault(piece["text"].strip(" ^$"), f"{name}“{piece['text'].strip(' ^$')}”{weight}")
    return ", ".join(list(pieces.values())[:4])
