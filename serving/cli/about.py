"""``whybounce reasons`` and ``whybounce version``."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.padding import Padding

from whybounce import __version__
from whybounce.model.taxonomy import TAXONOMY
from whybounce.serving.cli.output import COLOURS, print_json, stdout


def reasons(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List every reason, what it means and what to do."""
    if as_json:
        print_json(
            [
                {
                    "reason": str(info.reason),
                    "title": info.title,
                    "description": info.description,
                    "group": str(info.group),
                    "categories": [str(category) for category in info.categories],
                    "retryable": info.retryable,
                    "action": str(info.action),
                }
                for info in TAXONOMY
            ]
        )
        return
    for info in TAXONOMY:
        category = " or ".join(f"[{COLOURS[name]}]{name}[/]" for name in info.categories)
        stdout.print(f"[bold]{info.reason}[/]  {category} · {info.group} · {info.action}", highlight=False)
        stdout.print(Padding(info.description, (0, 0, 0, 4)), style="dim", highlight=False)


def version() -> None:
    """Print the version."""
    typer.echo(__version__)
