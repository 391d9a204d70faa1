"""Importing ``datasets`` late, with an error that names the install command."""

from __future__ import annotations

import logging
from typing import Any

from whybounce.model.errors import MissingExtraError


def datasets_module() -> Any:
    """Return the ``datasets`` module, progress bars and log off; raises MissingExtraError."""
    try:
        import datasets
    except ImportError as error:
        raise MissingExtraError("train", "reading labelled data") from error
    datasets.disable_progress_bars()
    datasets.utils.logging.set_verbosity(logging.CRITICAL)  # what it logs is raised, too, and told by us
    return datasets
