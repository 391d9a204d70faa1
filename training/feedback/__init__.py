"""Feedback: corrections and templates to look at, kept in a store, checked before training uses them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from whybounce.model.errors import MissingExtraError

if TYPE_CHECKING:
    from whybounce.training.feedback.store import FeedbackStore

URL_VARIABLE = "WHYBOUNCE_FEEDBACK_URL"
"""Environment variable that names the store."""

EXAMPLE_URL = "sqlite:///whybounce-feedback.db"
"""A store that works everywhere, for messages."""


def open_store(url: str) -> FeedbackStore:
    """Return the store behind an SQLAlchemy URL; nothing is opened before the first use.

    Parameters
    ----------
    url : str
        ``sqlite:///FILE`` or ``postgresql://USER:PASSWORD@HOST/DATABASE``.

    Raises
    ------
    StoreError
        When the URL names no store that whybounce can use.
    MissingExtraError
        When SQLAlchemy is not installed.
    """
    try:
        from whybounce.training.feedback.store import FeedbackStore
    except ImportError as error:
        raise MissingExtraError("feedback", "the feedback store") from error
    return FeedbackStore(url)
