"""Loading the model for a command, and saying once when it could not be."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from whybounce.model import predictor
from whybounce.model.predictor import BounceClassifier
from whybounce.serving.cli.output import stderr

ArtifactOption = Annotated[
    Path | None, typer.Option("--artifact", help="Artifact folder; the shipped model by default.", show_default=False)
]


def load(artifact: Path | None) -> BounceClassifier:
    """Load a classifier; a degraded one is announced on stderr instead of in the log."""
    logger = logging.getLogger(predictor.__name__)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        classifier = BounceClassifier.load(artifact)
    finally:
        logger.setLevel(level)
    if classifier.degraded:
        because = escape(str(classifier.degraded_because))
        stderr.print(f"[yellow]answered from rules alone:[/] {because}", highlight=False, soft_wrap=True)
    return classifier
