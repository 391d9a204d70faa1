"""Colours and fonts of the charts.

Charts are drawn in stand-in colours that are replaced by the page's own, so that one
drawing serves light, dark and print. The palette is Okabe and Ito's, which the common
kinds of colour blindness keep apart; marks differ in shape as well.
"""

from __future__ import annotations

from typing import Any

INK = "#010203"
FIRST = "#0072b2"
SECOND = "#d55e00"
THIRD = "#009e73"
FOURTH = "#cc79a7"

COLOURS = {
    INK: "currentColor",
    FIRST: f"var(--first, {FIRST.upper()})",
    SECOND: f"var(--second, {SECOND.upper()})",
    THIRD: f"var(--third, {THIRD.upper()})",
    FOURTH: f"var(--fourth, {FOURTH.upper()})",
}
"""Colour of the drawing -> colour of the page."""

RC: dict[Any, Any] = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "grid.color": INK,
    "grid.alpha": 0.14,
    "grid.linewidth": 0.8,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "lines.linewidth": 2.0,
}
"""matplotlib settings, in force only while a chart is drawn."""
