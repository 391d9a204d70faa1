"""Reading labels back: doccano's and Label Studio's exports, and JSON Lines of our own."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from whybounce.model.errors import DataError
from whybounce.model.taxonomy import TAXONOMY, Taxonomy
from whybounce.training.feedback.exchange import FIELDS, MASKED
from whybounce.training.feedback.records import NewFeedback, Subject

MAX_LINE = 16 * 1024 * 1024
"""Bytes of one line of JSON Lines."""

MAX_ARRAY = 256 * 1024 * 1024
"""Bytes of a file that holds one JSON array."""

_DOCCANO, _LABEL_STUDIO = "doccano", "label-studio"


@dataclass(frozen=True, slots=True)
class Label:
    """A label that came back.

    ``place`` is the line, or the task of a JSON array; ``source`` whom the file names.
    """

    place: str
    subject: Subject
    reason: str
    source: str | None = None
    event_id: str | None = None
    comment: str | None = None

    def feedback(self, source: str) -> NewFeedback:
        """Make it feedback. Without an event id it gets one of its content: a file may be read twice."""
        who = self.source or source
        content = "\x1f".join((self.subject.key, self.reason, who, self.comment or ""))
        event_id = self.event_id or f"import:{hashlib.sha256(content.encode('utf-8', 'replace')).hexdigest()[:32]}"
        return NewFeedback(self.subject, self.reason, source=who, event_id=event_id, comment=self.comment)


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be used, where it stands and why."""

    place: str
    problem: str


@dataclass(frozen=True, slots=True)
class Unlabelled:
    """A row that nobody labelled yet."""

    place: str


Row = Label | BadRow | Unlabelled


def read_labels(path: Path, taxonomy: Taxonomy = TAXONOMY) -> Iterator[Row]:
    """Yield what stands in a file that a labelling tool or :func:`feedback_file` wrote.

    The format is seen from the rows. A task of Label Studio yields one row for each
    annotator.

    Raises
    ------
    DataError
        When the file cannot be read at all; a bad row is yielded as :class:`BadRow`.
    """
    try:
        with path.open("rb") as stream:
            start = stream.read(4096).removeprefix(b"\xef\xbb\xbf").lstrip()
        if not start:
            raise DataError(f"{path}: the file is empty; export labels into it first")
        if b"\x00" in start:
            raise DataError(f"{path}: looks binary; give JSON Lines or Label Studio's JSON export")
        numbered = _array(path) if start.startswith(b"[") else _lines(path)
        for place, row in numbered:
            if isinstance(row, BadRow):
                yield row
            else:
                yield from _rows(place, row, taxonomy)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); check the path") from error


def _array(path: Path) -> Iterator[tuple[str, Any]]:
    if path.stat().st_size > MAX_ARRAY:
        raise DataError(f"{path}: one JSON array of more than {MAX_ARRAY >> 20} MB; split the export")
    try:
        rows = json.loads(path.read_bytes().decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not valid JSON ({error}); export it again") from error
    for number, row in enumerate(rows, start=1):
        name = f" (id {row['id']})" if isinstance(row, dict) and isinstance(row.get("id"), int | str) else ""
        yield f"task {number}{name}", row


def _lines(path: Path) -> Iterator[tuple[str, Any]]:
    with path.open("rb") as stream:
        number = 0
        while line := stream.readline(MAX_LINE + 1):
            number += 1
            place = f"line {number}"
            if len(line) > MAX_LINE:
                raise DataError(f"{path}, line {number}: longer than {MAX_LINE >> 20} MB; is this JSON Lines?")
            if not line.strip():
                continue
            try:
                yield place, json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))
            except (ValueError, RecursionError) as error:
                yield place, BadRow(place, f"not valid JSON in UTF-8 ({error}); one object a line")


def _rows(place: str, row: Any, taxonomy: Taxonomy) -> Iterator[Row]:
    if not isinstance(row, dict):
        yield BadRow(place, "not an object; each row has a text and a label")
        return
    try:
        if isinstance(row.get("data"), dict):
            yield from _label_studio(place, row, taxonomy)
        elif isinstance(row.get("label"), list) or isinstance(row.get("labels"), list):
            yield _doccano(place, row, taxonomy)
        else:
            yield _plain(place, row, taxonomy)
    except _UnusableError as error:
        yield BadRow(place, str(error))


def _label_studio(place: str, task: dict[str, Any], taxonomy: Taxonomy) -> Iterator[Row]:
    data = task["data"]
    subject = _subject(data, data.get("text"))
    annotations = task.get("annotations")
    given = [item for item in annotations if isinstance(item, dict)] if isinstance(annotations, list) else []
    given = [item for item in given if not item.get("was_cancelled")]
    if not given:
        yield Unlabelled(place)
    for annotation in given:
        result = annotation.get("result")
        choices = [
            str(choice)
            for item in (result if isinstance(result, list) else [])
            if isinstance(item, dict)
            and isinstance(item.get("value"), dict)
            and isinstance(item["value"].get("choices"), list)
            for choice in item["value"]["choices"]
        ]
        who = annotation.get("completed_by")
        if isinstance(who, dict):
            who = who.get("email") or who.get("id")
        source = f"{_LABEL_STUDIO}:{who}" if who is not None else _text(data.get("source"))
        yield _label(place, subject, choices, taxonomy, source=source or _LABEL_STUDIO)


def _doccano(place: str, row: dict[str, Any], taxonomy: Taxonomy) -> Row:
    labels = row["label"] if isinstance(row.get("label"), list) else row["labels"]
    subject = _subject(row, row.get("text", row.get("data")))
    return _label(
        place, subject, [str(label) for label in labels], taxonomy, source=_text(row.get("source")) or "doccano"
    )


def _plain(place: str, row: dict[str, Any], taxonomy: Taxonomy) -> Row:
    label = row["label"] if "label" in row else row.get("reason")
    template = row.get("template")
    if template is not None:
        subject = _subject({**row, MASKED: True}, template)
    else:
        subject = _subject(row, row.get("diagnostic", row.get("text")))
    return _label(
        place,
        subject,
        [] if label in (None, "") else [str(label)],
        taxonomy,
        source=_text(row.get("source")),
        event_id=_text(row.get("event_id")),
        comment=_text(row.get("comment")),
    )


class _UnusableError(Exception):
    pass


def _subject(row: Mapping[str, Any], text: Any) -> Subject:
    if not isinstance(text, str):
        raise _UnusableError("no text; a row has template, diagnostic, text or data.text")
    fields = {name: row[name] for name in (*FIELDS, "remote_host") if row.get(name) not in (None, "")}
    code = fields.get("reply_code")
    if code is not None:
        if isinstance(code, bool) or not str(code).isascii() or not str(code).isdigit():
            raise _UnusableError(f"reply_code {str(code)[:40]!r} is not a number")
        fields["reply_code"] = int(code)
    fields = {name: value if name == "reply_code" else str(value) for name, value in fields.items()}
    return Subject.of_template(text, **fields) if row.get(MASKED) is True else Subject.of_text(text, **fields)


def _label(place: str, subject: Subject, labels: list[str], taxonomy: Taxonomy, **about: str | None) -> Row:
    if not labels:
        return Unlabelled(place)
    if len(set(labels)) > 1:
        return BadRow(place, f"{len(set(labels))} labels ({', '.join(labels[:3])}); keep one")
    if labels[0] not in taxonomy:
        return BadRow(place, f"unknown reason {labels[0][:60]!r}; whybounce reasons lists them")
    return Label(place, subject, labels[0], **about)


def _text(value: Any) -> str | None:
    return str(value) if isinstance(value, str | int) and value != "" else None
