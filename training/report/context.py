"""The end of a report: the bounce report of the data, how the model was made, the gate, the data."""

from __future__ import annotations

from typing import Any

from whybounce.training.report.view import Cell, Reader, Section, Table, count, percent, phrase


def bounce_report(read: Reader) -> Section:
    """The fifteen lines."""
    rows = []
    inside = []
    for number, line in enumerate(read.value("/bounce_report/lines")):
        at = f"/bounce_report/lines/{number}"
        rows.append(
            (
                Cell(line["category"]), Cell(line["line"]), Cell(line["description"]),
                read.cell(f"{at}/labelled", count), read.cell(f"{at}/answered", count),
            )
        )  # fmt: skip
        for place, reason in enumerate(line["reasons"]):
            inside.append(
                (
                    Cell(line["category"]), Cell(line["line"]), Cell(reason["reason"], kind="code"),
                    read.cell(f"{at}/reasons/{place}/labelled", count),
                    read.cell(f"{at}/reasons/{place}/answered", count),
                )
            )  # fmt: skip
    other = [
        (
            Cell("other"), Cell("no line"), Cell(reason["reason"], kind="code"),
            read.cell(f"/bounce_report/other/{number}/labelled", count),
            read.cell(f"/bounce_report/other/{number}/answered", count),
        )
        for number, reason in enumerate(read.value("/bounce_report/other"))
    ]  # fmt: skip
    totals = tuple(
        (
            Cell(category["category"]),
            read.cell(f"/bounce_report/categories/{number}/labelled", count),
            read.cell(f"/bounce_report/categories/{number}/answered", count),
        )
        for number, category in enumerate(read.value("/bounce_report/categories"))
    )
    return Section(
        "bounces",
        "The bounce report of these data",
        (phrase("How the same rows would stand in a bounce report: by their labels, and by this model's answers."),),
        (
            Table("Categories", ("category", "by label", "by answer"), totals),
            Table(
                "The fifteen lines", ("category", "line", "meaning", "by label", "by answer"), tuple(rows),
                chart="bounces",
            ),
            Table(
                "Category and reason", ("category", "line", "reason", "by label", "by answer"), (*inside, *other),
                folded=True,
            ),
        ),
    )  # fmt: skip


def training(read: Reader) -> Section | None:
    """How the model was made, in reports of training runs."""
    if read.value("/training") is None:
        return None
    tables = []
    held_out = read.value("/training/held_out_families") or {}
    systems = [name for name in ("both", "model") if name in held_out]
    if systems:
        metrics = ("accuracy", "macro_f1", "good_called_hard", "hard_recall")
        titles = ("accuracy", "macro-F1", "good addresses called hard", "hard bounces called hard")
        rows = tuple(
            (
                Cell(heading),
                *(read.cell(f"/training/held_out_families/{name}/{metric}", percent) for name in systems),
            )
            for metric, heading in zip(metrics, titles, strict=True)
        )
        names = tuple({"both": "model + rules", "model": "model alone"}[name] for name in systems)
        tables.append(
            Table(
                "Whole server families held out of the corpus", ("figure", *names), rows,
                "The harder question: how it reads a server that it has never seen.",
            )
        )  # fmt: skip
    facts = tuple(
        (Cell(row["name"]), read.cell(f"/training/facts/{number}/value", _fact, "text"))
        for number, row in enumerate(read.value("/training/facts"))
    )
    tables.append(Table("What it was trained on", ("", ""), facts))
    return Section("training", "How it was trained", (), tuple(tables))


def _fact(value: Any) -> str:
    return count(value) if isinstance(value, int) and not isinstance(value, bool) and value >= 1000 else str(value)


def gate(read: Reader) -> Section | None:
    """Golden set and behaviour, when a gate has judged the model."""
    checks = (read.value("/gate") or {}).get("checks")
    if not checks:
        return None
    rows = tuple(
        (
            Cell("passed" if check["passed"] else "failed", kind="good" if check["passed"] else "bad"),
            Cell(str(check["name"])),
            read.cell(f"/gate/checks/{number}/value", _measured),
            read.cell(f"/gate/checks/{number}/limit", _measured),
        )
        for number, check in enumerate(checks)
    )
    table = Table("Checks", ("", "check", "measured", "wanted"), rows)
    return Section("gate", "The gate before promotion", (), (table,))


def _measured(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def data(read: Reader) -> Section:
    """What was measured on."""
    facts = {
        "rows": "rows", "ambiguous": "ambiguous rows, left out", "measured": "rows measured",
        "templates": "distinct texts after masking", "duplicates": "repeated rows",
        "largest_template": "rows of the most frequent text",
        "templates_with_several_labels": "texts with several labels", "with_second_label": "rows with a second label",
    }  # fmt: skip
    rows = [(Cell(text), read.cell(f"/data/{name}", count, "text")) for name, text in facts.items()]
    rows.append((Cell("fingerprint (sha256)"), read.cell("/data/fingerprint", str, "code")))
    if read.value("/data/weighted"):
        rows.append((Cell("weights"), Cell("rows of one text were joined, and count as often as they occurred")))
    labels = tuple(
        (Cell(row["reason"], kind="code"), read.cell(f"/data/labels/{number}/rows", count))
        for number, row in enumerate(read.value("/data/labels"))
    )
    lead = phrase(
        "Intervals come from ", read.cell("/intervals/resamples", count), " bootstrap draws of whole texts (seed ",
        read.cell("/intervals/seed", str), "): rows of one text get one answer and count as one observation. Intervals "
        "of slices are Wilson's, for as many observations as the texts amount to.",
    )  # fmt: skip
    return Section(
        "data",
        "The data, and how the figures were made",
        (lead,),
        (Table("Data", ("", ""), tuple(rows)), Table("Labels", ("label", "rows"), labels, folded=True)),
    )
