"""The pictures of a report, drawn by matplotlib as SVG that follows the page's colours.

Every picture has a table with the same figures beside it. Needs the extra ``train``.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from whybounce.model.errors import MissingExtraError
from whybounce.training.report import drawing
from whybounce.training.report.style import COLOURS, RC

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PIXELS = 4 / 3  # a point in CSS
_SVG = "http://www.w3.org/2000/svg"
_XLINK = "http://www.w3.org/1999/xlink"
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"

# name -> (what draws it, its title, what it shows)
CHARTS: dict[str, tuple[Any, str, str]] = {
    "systems": (
        drawing.systems, "Model, rules, and both",
        "Share of each figure for each system, with its 95 % interval as a line.",
    ),
    "costs": (
        drawing.costs, "Costs as the confidence threshold moves",
        "Good addresses suppressed fall and bad addresses kept rise with the confidence that is asked for.",
    ),
    "reasons": (drawing.reasons, "Precision and recall by reason", "Two marks a reason, joined by a line."),
    "reasons_against": (
        drawing.reasons_against, "Change of F1 by reason", "Bars to the right are gains, to the left losses.",
    ),
    "confusion": (
        drawing.confusion, "Confusion matrix",
        "Rows are true reasons, columns answers; darker is a larger share of the true reason, numbers are rows.",
    ),
    "calibration": (
        drawing.calibration, "Calibration", "Share of right answers against mean confidence, and rows.",
    ),
    "coverage": (
        drawing.coverage, "Accuracy against coverage", "Share of right answers when only the surer are taken.",
    ),
    "bounces": (
        drawing.bounces, "The fifteen lines of the bounce report", "Rows on each line, by label and by answer.",
    ),
}  # fmt: skip


def svg(name: str, document: Mapping[str, Any]) -> str:
    """Draw a chart of :data:`CHARTS` as an ``<svg>`` element to put into a page.

    Raises
    ------
    MissingExtraError
        When matplotlib is not installed.
    """
    rc_context = matplotlib().rc_context
    draw, title, description = CHARTS[name]
    buffer = io.BytesIO()
    with rc_context({**RC, "svg.hashsalt": name}), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a label in a script that the measuring font lacks; browsers have it
        figure: Figure = draw(document)
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return _for_a_page(buffer.getvalue(), name, title, description)


def matplotlib() -> Any:
    """Return the module ``matplotlib``; raises MissingExtraError."""
    try:
        return import_module("matplotlib")
    except ImportError as error:
        raise MissingExtraError("train", "a report with charts") from error


def _for_a_page(drawn: bytes, name: str, title: str, description: str) -> str:
    root = ElementTree.fromstring(drawn)  # noqa: S314 - our own drawing
    for namespace, prefix in ((_SVG, ""), (_XLINK, "xlink"), (_RDF, "rdf")):
        ElementTree.register_namespace(prefix, namespace)
    for metadata in root.findall(f"{{{_SVG}}}metadata"):
        root.remove(metadata)
    # Drawings share a page with each other and with its sections: their ids must not meet.
    own = f"chart-{name}"
    for element in root.iter():
        for attribute, value in element.attrib.items():
            if attribute == "id":
                element.set(attribute, f"{own}-{value}")
            elif "url(#" in value:
                element.set(attribute, value.replace("url(#", f"url(#{own}-"))
            elif attribute == f"{{{_XLINK}}}href" and value.startswith("#"):
                element.set(attribute, f"#{own}-{value[1:]}")
    root.set("role", "img")
    root.set("aria-labelledby", f"{own}-title {own}-desc")
    root.set("class", f"chart {own}")
    root.set("style", f"--drawn: {float(root.attrib.pop('width').removesuffix('pt')) * _PIXELS:.0f}px")
    root.attrib.pop("height")
    for position, (tag, text) in enumerate((("title", title), ("desc", description))):
        element = ElementTree.Element(f"{{{_SVG}}}{tag}", {"id": f"{own}-{tag}"})
        element.text = text
        root.insert(position, element)
    text = ElementTree.tostring(root, encoding="unicode")
    for colour, variable in COLOURS.items():
        text = text.replace(colour, variable)
    return text
