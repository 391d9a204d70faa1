"""``whybounce predict``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from whybounce.serving.cli.loading import ArtifactOption, load
from whybounce.serving.cli.output import prediction_table, print_json, print_json_line, stderr, stdout
from whybounce.serving.cli.records import SUFFIXES, Record, read

TABLE_ROWS = 200


def predict(
    texts: Annotated[
        list[str],
        typer.Argument(
            metavar="TEXT…", help="Diagnostics; or one file (.txt, .csv, .tsv, .jsonl); or - for standard input."
        ),
    ],
    column: Annotated[
        str | None, typer.Option(help="Column or key that holds the diagnostic.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON array.")] = False,
    as_json_lines: Annotated[bool, typer.Option("--jsonl", help="Print one JSON object a line, as they come.")] = False,
    artifact: ArtifactOption = None,
) -> None:
    """Say why messages bounced.

    Blank lines of text input are skipped. CSV and JSON rows may carry reply_code,
    enhanced_status, command, remote_host and id besides the diagnostic.
    """
    if as_json and as_json_lines:
        raise typer.BadParameter("choose --json or --jsonl, not both")
    classifier = load(artifact)
    answers = ((record, classifier.predict_one(record.text, **record.fields)) for record in _records(texts, column))
    if as_json_lines:
        for record, prediction in answers:
            print_json_line(_row(record) | prediction.to_dict())
        return
    if as_json:
        print_json([_row(record) | prediction.to_dict() for record, prediction in answers])
        return
    shown = 0
    total = 0
    batch = []
    for record, prediction in answers:
        total += 1
        if shown < TABLE_ROWS:
            batch.append((record.text, prediction))
            shown += 1
    stdout.print(prediction_table(batch))
    if total > shown:
        stderr.print(f"{total - shown} more rows; use --jsonl for all of them")


def _row(record: Record) -> dict[str, str]:
    identity = {"id": record.id} if record.id is not None else {}
    return {**identity, "diagnostic": record.text}


def _records(texts: list[str], column: str | None) -> Iterator[Record]:
    if len(texts) == 1 and (texts[0] == "-" or _names_a_file(texts[0])):
        yield from read(texts[0], column=column)
        return
    if column is not None:
        raise typer.BadParameter("--column goes with a file or with standard input")
    for text in texts:
        yield Record(text)


def _names_a_file(text: str) -> bool:
    if " " not in text and text.lower().endswith(SUFFIXES):
        return True  # a file that is not there is an error, not a diagnostic
    try:
        return bool(text) and Path(text).exists()
    except (OSError, ValueError):  # too long for a file name, or with a null character: a diagnostic
        return False
