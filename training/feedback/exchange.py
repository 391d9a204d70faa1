"""Templates and labels as files of labelling tools: doccano, Label Studio, and plain JSON Lines.

doccano (text classification) reads and writes JSON Lines with ``text`` and a list
``label``; other columns come back as they went. Label Studio reads a JSON array of
tasks with ``data`` and ``predictions``, and writes it with ``annotations`` whose
``result`` holds ``value.choices``. Both show the masked template, never a text.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from enum import StrEnum
from typing import Any
from xml.sax.saxutils import quoteattr

from whybounce.model.taxonomy import TAXONOMY, Taxonomy
from whybounce.training.feedback.records import Feedback, ReviewItem, Subject

MASKED = "whybounce_masked"
"""Column that says that the text is a masked template of ours."""

_TO, _FROM = "text", "reason"
FIELDS = ("reply_code", "enhanced_status", "command", "provider")
"""Columns of what was known besides the template."""


class Format(StrEnum):
    """Kinds of files."""

    JSONL = "jsonl"
    DOCCANO = "doccano"
    LABEL_STUDIO = "label-studio"


def review_file(items: Iterable[ReviewItem], form: Format) -> str:
    """Return the review queue as a file of the format, without labels."""
    return _file((_review_row(item, form) for item in items), form)


def feedback_file(rows: Iterable[Feedback], form: Format) -> str:
    """Return corrections as a file of the format, with their labels."""
    return _file((_feedback_row(row, form) for row in rows), form)


def label_config(form: Format, taxonomy: Taxonomy = TAXONOMY) -> str:
    """Return what the tool needs to know of the reasons: labels of doccano, or Label Studio's view."""
    if form is Format.LABEL_STUDIO:
        choices = "\n".join(
            f"    <Choice value={quoteattr(str(info.reason))} hint={quoteattr(info.description)}/>" for info in taxonomy
        )
        return (
            f'<View>\n  <Text name="{_TO}" value="$text"/>\n'
            f'  <Choices name="{_FROM}" toName="{_TO}" choice="single" showInline="false" required="true">\n'
            f"{choices}\n  </Choices>\n</View>\n"
        )
    return json.dumps([{"text": str(info.reason)} for info in taxonomy], indent=2) + "\n"


def _file(rows: Iterable[dict[str, Any]], form: Format) -> str:
    if form is Format.LABEL_STUDIO:
        return json.dumps(list(rows), indent=1, ensure_ascii=False) + "\n"
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _about(subject: Subject) -> dict[str, Any]:
    fields = {name: getattr(subject, name) for name in FIELDS}
    return {MASKED: True, **{name: value for name, value in fields.items() if value is not None}}


def _review_row(item: ReviewItem, form: Format) -> dict[str, Any]:
    flag = item.flag
    seen = {
        "count": item.count,
        "suggested": flag.reason,
        "confidence": flag.confidence,
        "rules_suggest": flag.rules_reason,
        "why": flag.why,
    }
    if form is Format.LABEL_STUDIO:
        prediction = {
            "model_version": item.model_version or "whybounce",
            "score": flag.confidence,
            "result": [_choice(flag.reason)],
        }
        return {"data": {"text": item.subject.template, **_about(item.subject), **seen}, "predictions": [prediction]}
    if form is Format.DOCCANO:
        return {"text": item.subject.template, "label": [], **_about(item.subject), **seen}
    row = item.to_dict()
    suggested = row.pop("reason")
    return {"label": None, "suggested": suggested, **row}


def _feedback_row(row: Feedback, form: Format) -> dict[str, Any]:
    if form is Format.LABEL_STUDIO:
        data = {"text": row.subject.template, **_about(row.subject), "source": row.source}
        return {"data": data, "annotations": [{"result": [_choice(row.reason)]}]}
    if form is Format.DOCCANO:
        about = {**_about(row.subject), "source": row.source}
        return {"text": row.subject.template, "label": [row.reason], **about}
    return row.to_dict()


def _choice(reason: str) -> dict[str, Any]:
    return {"from_name": _FROM, "to_name": _TO, "type": "choices", "value": {"choices": [reason]}}
