"""A bounce report to read: Markdown, CSV, JSON, one HTML page; and the lists of addresses."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from whybounce.model.artifact import replace_file
from whybounce.model.errors import DataError, MissingExtraError
from whybounce.serving.report.addresses import Advice, Decision
from whybounce.serving.report.counts import Counts
from whybounce.serving.report.document import Report
from whybounce.serving.report.state import to_state
from whybounce.serving.report.words import policy_sentences, sentences, to_do

TEMPLATES = Path(__file__).parent / "templates"
SUFFIXES = (".html", ".htm", ".md", ".csv", ".json")
"""What a report's name may end in; the ending chooses the form."""

ADDRESS_COLUMNS = (
    "address", "decision", "reason", "confidence", "because", "first_bounce", "last_bounce", "bounces", "held_back",
    "evidence",
)  # fmt: skip


def to_json(report: Report, counts: Counts) -> str:
    """Indented JSON with the counts themselves, so that reports can be merged; it holds addresses."""
    document = {"schema": "whybounce-bounces", **report.document, "state": to_state(counts)}
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def to_csv(report: Report) -> str:
    """One row for each reason of each line of the report."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(
        ["category", "line", "description", "line_count", "line_share", "reason", "reason_count", "action", "example"]
    )
    for line in report.document["lines"]:
        head = [line["category"], line["line"], line["description"], line["count"], line["share"]]
        for reason in line["reasons"]:
            example = reason["examples"][0] if reason["examples"] else ""
            writer.writerow([*head, reason["reason"], reason["count"], reason["action"], safe_cell(example)])
        if not line["reasons"]:
            writer.writerow([*head, "", 0, "", ""])
    nothing = next(row for row in report.document["categories"] if row["category"] == "other")
    head = ["other", "", nothing["description"], nothing["count"], nothing["share"]]
    for item in report.document["other"]:
        writer.writerow([*head, item["reason"], item["count"], "", ""])
    if not report.document["other"]:
        writer.writerow([*head, "", 0, "", ""])
    return out.getvalue()


def to_markdown(report: Report) -> str:
    """Sentences and tables."""
    return str(_environment().get_template("bounces.md.j2").render(**_said(report)))


def to_html(report: Report) -> str:
    """One page with style and charts inside: no network, no scripts."""
    document = report.document
    charts = {"days": _days(document), "providers": _providers(document)}
    most = max([line["count"] for line in document["lines"]] + [1])
    return str(
        _environment().get_template("bounces.html.j2").render(**_said(report), charts=charts, most=most, style=_style())
    )


def _said(report: Report) -> dict[str, Any]:
    document = report.document
    return {
        "report": document, "sentences": sentences(report), "to_do": to_do(report),
        "policy": policy_sentences(document["policy"]),
        "no_reason": next(row for row in document["categories"] if row["category"] == "other"),
    }  # fmt: skip


def render(report: Report, counts: Counts, suffix: str) -> str:
    """Render by the ending of a file name; see :data:`SUFFIXES`."""
    suffix = suffix.lower()
    if suffix == ".json":
        return to_json(report, counts)
    return {".csv": to_csv, ".md": to_markdown}.get(suffix, to_html)(report)


def write(path: Path, text: str) -> None:
    """Write a file whole or not at all; raises DataError when it cannot be written."""
    try:
        replace_file(path, text.encode("utf-8", "replace"))
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror}); check the folder") from error


def check_output(path: Path) -> None:
    """Refuse a name that no report can be written to, before any work is done."""
    if path.suffix.lower() not in SUFFIXES:
        raise DataError(f"{path}: a report ends in {', '.join(SUFFIXES)}; name it so")
    if path.is_dir():
        raise DataError(f"{path} is a folder; name a file in it")
    if path.suffix.lower() in (".html", ".htm", ".md"):
        _environment()


def address_list(advice: Iterable[Advice], *decisions: Decision) -> str:
    """Addresses with their evidence as CSV, of some decisions or of all."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(ADDRESS_COLUMNS)
    for item in advice:
        if not decisions or item.decision in decisions:
            writer.writerow(
                [
                    _cell_of(item.address), item.decision, item.reason, f"{item.confidence:.2f}", item.because,
                    item.first or "", item.last or "", item.bounces, item.held_back, safe_cell(item.evidence),
                ]
            )  # fmt: skip
    return out.getvalue()


def _cell_of(address: str) -> str:
    # As it is, so that it is found again where the list is imported, unless it could be a formula.
    return address if _PLAIN_ADDRESS.fullmatch(address) else safe_cell(address)


_PLAIN_ADDRESS = re.compile(r"[\w.%+=@-]+")


def safe_cell(text: str) -> str:
    """Keep a spreadsheet from taking a server's words for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def _days(document: Mapping[str, Any]) -> str:
    return _stacked([row for row in document["by_day"] if row["bounced"] or row["delivered"]][-92:], upright=True)


def _providers(document: Mapping[str, Any]) -> str:
    return _stacked(document["by_provider"][:12], upright=False)


_COLOURS = {"hard": "#b3261e", "soft": "#b07d00", "technical": "#1f6f8b", "other": "#77808a"}


def _stacked(rows: list[dict[str, Any]], *, upright: bool) -> str:
    """Draw bounces by category as stacked bars; an empty text when there is nothing to show."""
    if not rows or not any(row["bounced"] for row in rows) or (upright and len(rows) < 2):
        return ""
    matplotlib = _matplotlib()
    from matplotlib.figure import Figure

    names = [str(row["name"])[:40] for row in rows]
    with matplotlib.rc_context({"svg.hashsalt": "whybounce", "svg.fonttype": "none", "font.size": 9}):
        figure = Figure(figsize=(7.6, 2.8 if upright else 0.6 + 0.28 * len(rows)), layout="constrained")
        axes = figure.subplots()
        base = [0] * len(rows)
        for category, colour in _COLOURS.items():
            values = [row[category] for row in rows]
            if upright:
                axes.bar(range(len(rows)), values, bottom=base, color=colour, label=category)
            else:
                axes.barh(range(len(rows)), values, left=base, color=colour, label=category)
            base = [low + value for low, value in zip(base, values, strict=True)]
        if upright:
            step = max(1, len(rows) // 8)
            axes.set_xticks(range(0, len(rows), step), names[::step])
        else:
            axes.set_yticks(range(len(rows)), names)
            axes.invert_yaxis()
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        axes.legend(ncols=4, frameon=False, loc="lower right", bbox_to_anchor=(1, 1))
        out = io.StringIO()
        figure.savefig(out, format="svg", transparent=False, metadata={"Date": None, "Creator": None})
    text = out.getvalue()
    before, _, after = text[text.index("<svg") :].partition("<metadata>")
    return before + after.partition("</metadata>")[2] if after else before


def _matplotlib() -> Any:
    try:
        import matplotlib
    except ImportError as error:
        raise MissingExtraError("report", "reports with charts") from error
    return matplotlib


@cache
def _environment() -> Any:
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined
    except ImportError as error:
        raise MissingExtraError("report", "reports to read") from error
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=lambda name: name is not None and ".html" in name,  # noqa: S701 - Markdown is not escaped
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["count"] = lambda value: f"{value:,}"
    environment.filters["percent"] = lambda value: f"{100 * value:.1f} %"
    environment.filters["cell"] = lambda value: " ".join(str(value).split()).replace("|", "\\|").replace("`", "'")
    return environment


def _style() -> Any:
    from markupsafe import Markup

    return Markup((TEMPLATES / "bounces.css").read_text("utf-8"))  # noqa: S704 - our own file
