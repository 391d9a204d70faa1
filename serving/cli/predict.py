"""``whybounce predict``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from whybounce.model.errors import DataError
from whybounce.model.prediction import Prediction
from whybounce.model.predictor import BounceClassifier
from whybounce.serving.cli.loading import ArtifactOption, load
from whybounce.serving.cli.output import prediction_table, print_json, print_json_line, stderr, stdout
from whybounce.serving.cli.recognised import STDIN, Input
from whybounce.serving.cli.records import SUFFIXES, Record

TABLE_ROWS = 200


def predict(
    texts: Annotated[
        list[str],
        typer.Argument(
            metavar="TEXT…",
            help="Diagnostics; or files, in any format that whybounce formats lists, packed or not; folders or "
            "Maildirs; or - for standard input.",
        ),
    ],
    column: Annotated[
        str | None, typer.Option(help="Column or key that holds the diagnostic.", show_default=False)
    ] = None,
    format: Annotated[
        str | None,
        typer.Option("--format", help="Format of the files, when it is not recognised.", show_default=False),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON array.")] = False,
    as_json_lines: Annotated[bool, typer.Option("--jsonl", help="Print one JSON object a line, as they come.")] = False,
    artifact: ArtifactOption = None,
) -> None:
    """Say why messages bounced.

    Blank lines of text input are skipped. CSV and JSON rows may carry reply_code,
    enhanced_status, command, remote_host and id besides the diagnostic. Bounce messages, mailboxes,
    events and logs are recognised; deliveries in them are passed over.
    """
    if as_json and as_json_lines:
        raise typer.BadParameter("choose --json or --jsonl, not both")
    classifier = load(artifact)
    source = _source(texts, column, format)
    records = source.records() if source is not None else map(Record, texts)
    answers = ((record, _judged(classifier, record)) for record in records)
    if as_json_lines:
        for record, prediction in answers:
            print_json_line(_row(record, prediction) | prediction.to_dict())
    elif as_json:
        print_json([_row(record, prediction) | prediction.to_dict() for record, prediction in answers])
    else:
        _print_table(answers)
    if source is not None and source.cut:  # told last: what could be read is answered
        raise DataError("; ".join(source.cut))


def _print_table(answers: Iterator[tuple[Record, Prediction]]) -> None:
    shown = 0
    total = 0
    batch = []
    for record, prediction in answers:
        total += 1
        if shown < TABLE_ROWS:
            who = record.bounce.recipient if record.bounce is not None else None
            batch.append((f"{who}: {record.text}" if who else record.text, prediction))
            shown += 1
    stdout.print(prediction_table(batch))
    if total > shown:
        stderr.print(f"{total - shown} more rows; use --jsonl for all of them")


def _judged(classifier: BounceClassifier, record: Record) -> Prediction:
    if record.bounce is None:
        return classifier.predict_one(record.text, **record.fields)
    from whybounce.serving.intake.judge import judge

    return judge(classifier, record.bounce)


def _row(record: Record, prediction: Prediction) -> dict[str, str | bool | None]:
    identity: dict[str, str | bool | None] = {"id": record.id} if record.id is not None else {}
    if (bounce := record.bounce) is None:
        return {**identity, "diagnostic": record.text}
    from whybounce.serving.intake.judge import agrees

    return {
        "recipient": bounce.recipient,
        "outcome": str(bounce.outcome),
        "kind": bounce.kind,
        "event_id": bounce.event_id,
        "message_id": bounce.message_id,
        "campaign": bounce.campaign,
        "date": bounce.occurred_at.isoformat() if bounce.occurred_at is not None else None,
        "source": bounce.source,
        "theirs": bounce.theirs,
        "agrees": agrees(bounce, prediction.reason),
        "diagnostic": record.text,
    }


def _source(texts: list[str], column: str | None, format: str | None) -> Input | None:
    """Return what is to be read; None for diagnostics that stand on the command line."""
    if texts == [STDIN] or all(_names_a_file(text) for text in texts):
        return Input(texts, column, format)
    if column is not None or format is not None:
        name = "--column" if column is not None else "--format"
        raise typer.BadParameter(f"{name} goes with a file or with standard input")
    return None


def _names_a_file(text: str) -> bool:
    if " " not in text and text.lower().endswith(SUFFIXES):
        return True  # a file that is not there is an error, not a diagnostic
    try:
        return bool(text) and Path(text).exists()
    except (OSError, ValueError):  # too long for a file name, or with a null character: a diagnostic
        return False
