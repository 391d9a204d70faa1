"""The labelled template corpus that ships with whybounce. See README.md beside this file."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent
TEMPLATES = FOLDER / "templates"


def template_files() -> list[Path]:
    """Every template file, one per server family or provider, in the order of the names."""
    return sorted(TEMPLATES.glob("*.jsonl"))
