"""What a person sees: consoles, tables, progress."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from whybounce.model.prediction import Prediction

stdout = Console()
stderr = Console(stderr=True)

COLOURS = {"hard": "red", "soft": "yellow", "technical": "cyan", "other": "dim"}


@contextmanager
def progress_bars() -> Iterator[Callable[[str, int, int], None]]:
    """Yield ``report(step, done, in all)``, drawn as one bar per step on stderr."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=stderr) as bars:
        tasks: dict[str, Any] = {}

        def report(step: str, done: int, total: int) -> None:
            if step not in tasks:
                tasks[step] = bars.add_task(step, total=total)
                if not stderr.is_terminal:
                    stderr.print(f"{step} …", highlight=False)
            bars.update(tasks[step], completed=done, total=total)

        yield report


def print_json(value: Any) -> None:
    """Print indented JSON for programs: no colours, no wrapping."""
    sys.stdout.write(printable(json.dumps(value, indent=2, ensure_ascii=False)) + "\n")


def print_json_line(value: Any) -> None:
    """Print one line of JSON."""
    sys.stdout.write(printable(json.dumps(value, ensure_ascii=False)) + "\n")


def printable(text: str) -> str:
    """Replace lone surrogates, which stand for bytes that are no UTF-8 and cannot be written."""
    return text.encode("utf-8", "replace").decode("utf-8")


def prediction_table(rows: list[tuple[str, Prediction]]) -> Table:
    """Predictions as a table: text, reason, category, advice, confidence, who decided."""
    table = Table(box=None, pad_edge=False, header_style="bold", expand=True)
    # The diagnostic gives way in a narrow terminal, not the answer.
    table.add_column("diagnostic", ratio=1, min_width=16, overflow="ellipsis", no_wrap=True)
    for name in ("reason", "category", "action"):
        table.add_column(name, no_wrap=True)
    table.add_column("confidence", justify="right", no_wrap=True)
    table.add_column("by", no_wrap=True)
    for text, prediction in rows:
        colour = COLOURS[prediction.category]
        table.add_row(
            escape(printable(" ".join(text.split()))) or "[dim](empty)[/]",
            f"[bold]{prediction.reason}[/]",
            f"[{colour}]{prediction.category}[/]",
            prediction.action,
            f"{prediction.confidence:.2f}",
            str(prediction.decided_by),
        )
    return table


def many(count: int, what: str) -> str:
    """Say how many there are: ``1 row``, ``2 rows``."""
    return f"{count:,} {what}" + ("" if count == 1 else "s")


def percent(value: float | None) -> str:
    """A share as a percentage; a dash for none."""
    return "–" if value is None else f"{100 * value:.1f} %"
