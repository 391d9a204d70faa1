"""Writing a document down: HTML that needs nothing beside itself, Markdown, JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from whybounce.model.artifact import replace_file
from whybounce.model.errors import DataError, MissingExtraError
from whybounce.training.report.charts import matplotlib, svg
from whybounce.training.report.sections import view
from whybounce.training.report.view import Cell

TEMPLATES = Path(__file__).parent / "templates"
SUFFIXES = (".html", ".htm", ".md", ".json")
"""What a report's name may end in; the ending chooses the form."""


def to_json(document: Mapping[str, Any]) -> str:
    """Indented JSON."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def to_html(document: Mapping[str, Any]) -> str:
    """One page with style and charts inside: no network, no scripts."""
    shown = view(document)
    names = [table.chart for section in shown.sections for table in section.tables if table.chart]
    charts = {name: svg(name, document) for name in names}
    return str(_environment().get_template("report.html.j2").render(view=shown, charts=charts, style=_style()))


def to_markdown(document: Mapping[str, Any]) -> str:
    """The same sentences and tables; charts are left to the HTML."""
    return str(_environment().get_template("report.md.j2").render(view=view(document)))


def fill(template: str, values: Mapping[str, Any]) -> str:
    """Render another template of this folder."""
    return str(_environment().get_template(template).render(**values))


def render(document: Mapping[str, Any], suffix: str) -> str:
    """Render by the ending of a file name; see :data:`SUFFIXES`."""
    return {".json": to_json, ".md": to_markdown}.get(suffix.lower(), to_html)(document)


def check_report(path: Path) -> None:
    """Raise what :func:`write_report` would raise, before any work is done."""
    if path.suffix.lower() not in SUFFIXES:
        raise DataError(f"{path}: a report ends in {', '.join(SUFFIXES)}; name it so")
    if path.is_dir():
        raise DataError(f"{path} is a folder; name a file in it")
    if path.suffix.lower() != ".json":
        _environment()
    if path.suffix.lower() in (".html", ".htm"):
        matplotlib()


def write_report(document: Mapping[str, Any], path: Path) -> None:
    """Write a report in the form that its name ends in, in one step.

    Raises
    ------
    DataError
        When the name ends in none of :data:`SUFFIXES` or the file cannot be written.
    MissingExtraError
        When jinja2 or matplotlib is not installed.
    """
    check_report(path)
    write_text(path, render(document, path.suffix))


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 in one step; raises DataError that names the file."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, text.encode("utf-8", "replace"))
    except OSError as error:
        raise DataError(f"cannot write {path} ({error.strerror}); name another file") from error


@cache
def _environment() -> Any:
    try:
        import jinja2
    except ImportError as error:
        raise MissingExtraError("train", "a report") from error
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES, encoding="utf-8"),
        autoescape=jinja2.select_autoescape(enabled_extensions=("html.j2",), default=False),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["md"] = _markdown_cell
    environment.filters["plain"] = _escaped
    environment.filters["percent"] = lambda value: "–" if value is None else f"{100 * value:.1f} %"
    return environment


def _markdown_cell(cell: Cell) -> str:
    note = f" ({_escaped(cell.note)})" if cell.note else ""
    if cell.kind in ("code", "template") and cell.text:
        fence = "``" if "`" in cell.text else "`"
        return fence + cell.text.replace("|", "\\|") + fence + note
    return _escaped(cell.text) + note


def _escaped(text: str) -> str:
    for mark in "\\<>*_[]`|":
        text = text.replace(mark, f"\\{mark}")
    return text.replace("\n", " ")


@cache
def _style() -> str:
    return (TEMPLATES / "report.css").read_text("utf-8")
