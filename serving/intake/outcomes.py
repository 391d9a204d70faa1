"""Words that tables and events of one's own use for what became of a message."""

from __future__ import annotations

from whybounce.serving.intake.record import Outcome

_MEANING: dict[tuple[Outcome, str | None], tuple[str, ...]] = {
    (Outcome.DELIVERED, None): ("delivered", "delivery", "sent", "success", "ok"),
    (Outcome.DEFERRED, None): (
        "deferred", "deferral", "delayed", "delay", "temporary", "temporaryfailure", "transient",
    ),
    (Outcome.NOT_A_BOUNCE, None): ("notabounce",),
    (Outcome.NOT_A_BOUNCE, "vacation"): ("autoreply", "vacation"),
    (Outcome.NOT_A_BOUNCE, "feedback_report"): ("complaint", "complained", "spamreport"),
}  # fmt: skip
_OF_WORD = {word: meaning for meaning, words in _MEANING.items() for word in words}
_BETWEEN = str.maketrans("", "", "_- ")


def meaning_of(word: str | None) -> tuple[Outcome, str | None]:
    """Return the outcome that a word stands for, and the kind of what is no bounce; a bounce for any other word."""
    return _OF_WORD.get((word or "").strip().lower().translate(_BETWEEN), (Outcome.BOUNCED, None))
