"""``whybounce feedback``: corrections in, out, and across to labelling tools."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from whybounce.model.errors import DataError
from whybounce.serving.cli.loading import ArtifactOption, load
from whybounce.serving.cli.output import print_json, stderr, stdout
from whybounce.serving.cli.serve import STORE

if TYPE_CHECKING:
    from whybounce.model.taxonomy import Taxonomy
    from whybounce.training.feedback.store import FeedbackStore

app = typer.Typer(no_args_is_help=True, help="Tell whybounce the right reasons; training learns from them.")

StoreOption = Annotated[
    str, typer.Option("--feedback-url", envvar="WHYBOUNCE_FEEDBACK_URL", help="Feedback store, as an SQLAlchemy URL.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
FormatOption = Annotated[
    str, typer.Option("--format", help="jsonl, doccano or label-studio.", metavar="jsonl|doccano|label-studio")
]

SHOWN_BAD_ROWS = 10


@app.command("add")
def add(
    diagnostic: Annotated[str, typer.Argument(help="The text that the server gave; masked before it is stored.")],
    reason: Annotated[str, typer.Option(help="The right reason; whybounce reasons lists them.")],
    source: Annotated[str, typer.Option(help="Who or what says so; sources vote.")] = "user",
    event_id: Annotated[
        str | None, typer.Option(help="Your id of this correction: given again, it is stored once.", show_default=False)
    ] = None,
    comment: Annotated[str | None, typer.Option(show_default=False)] = None,
    reply_code: Annotated[int | None, typer.Option(min=200, max=599, show_default=False)] = None,
    enhanced_status: Annotated[str | None, typer.Option(show_default=False)] = None,
    command: Annotated[str | None, typer.Option(help="SMTP command that was answered.", show_default=False)] = None,
    remote_host: Annotated[str | None, typer.Option(show_default=False)] = None,
    feedback_url: StoreOption = STORE,
    artifact: ArtifactOption = None,
    as_json: JsonOption = False,
) -> None:
    """Store the right reason for a diagnostic."""
    from whybounce.training.feedback.records import NewFeedback, Subject

    classifier = load(artifact)
    check_reason(reason, classifier.taxonomy)
    subject = Subject.of_text(
        diagnostic, reply_code=reply_code, enhanced_status=enhanced_status, command=command, remote_host=remote_host
    )
    new = NewFeedback(subject, reason, source=source, event_id=event_id, comment=comment)
    with opened(feedback_url) as store:
        added = store.add(new.seen(classifier.predict_template(subject.template, **subject.fields())))
    if as_json:
        print_json({"id": added.id, "event_id": added.event_id, "duplicate": added.duplicate})
        return
    known = " (it was there already)" if added.duplicate else ""
    stdout.print(f"stored as {added.id}{known}: {escape(subject.template)} → [bold]{escape(reason)}[/]", soft_wrap=True)


@app.command("list")
def list_feedback(
    status: Annotated[
        str | None,
        typer.Option(help="pending, accepted, quarantined, capped or superseded.", show_default=False),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000)] = 50,
    feedback_url: StoreOption = STORE,
    as_json: JsonOption = False,
) -> None:
    """List corrections, the newest first, and what training made of them."""
    from whybounce.training.feedback.records import Status

    if status is not None and status not in set(Status):
        raise typer.BadParameter(f"one of {', '.join(Status)}", param_hint="--status")
    with opened(feedback_url) as store:
        total, rows = store.page(limit=limit, status=Status(status) if status else None)
    if as_json:
        print_json({"total": total, "items": [row.to_dict() for row in rows]})
        return
    table = Table(box=None, pad_edge=False, header_style="bold", expand=True)
    table.add_column("id", justify="right", no_wrap=True)
    table.add_column("template", ratio=2, overflow="ellipsis", no_wrap=True, min_width=16)
    for name in ("right reason", "was", "source", "status"):
        table.add_column(name, no_wrap=name != "status", overflow="fold")
    for row in rows:
        state = f"{row.status}: {row.because}" if row.because else str(row.status)
        table.add_row(
            str(row.id), escape(row.subject.template), f"[bold]{escape(row.reason)}[/]",
            escape(row.predicted_reason or ""), escape(row.source), escape(state),
        )  # fmt: skip
    stdout.print(table)
    stderr.print(f"{len(rows)} of {total} corrections", highlight=False)


@app.command("export")
def export(
    out: Annotated[Path, typer.Argument(help="File to write.")],
    form: FormatOption = "jsonl",
    review: Annotated[bool, typer.Option("--review", help="The review queue, to be labelled.")] = False,
    config: Annotated[
        Path | None,
        typer.Option(help="Write what the tool needs to know of the reasons to this file.", show_default=False),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="Templates of the review queue.")] = 1000,
    feedback_url: StoreOption = STORE,
) -> None:
    """Write corrections, or templates to label, for doccano, Label Studio or as JSON Lines."""
    from whybounce.model.artifact import replace_file
    from whybounce.training.feedback.exchange import Format, feedback_file, label_config, review_file

    if form not in set(Format):
        raise typer.BadParameter(f"one of {', '.join(Format)}", param_hint="--format")
    chosen = Format(form)
    with opened(feedback_url) as store:
        if review:
            _, items = store.queue.page(limit=limit)
            text, count = review_file(items, chosen), len(items)
        else:
            rows = list(store.everything())
            text, count = feedback_file(rows, chosen), len(rows)
    try:
        replace_file(out, text.encode("utf-8", "replace"))
        if config is not None:
            replace_file(config, label_config(chosen).encode())
    except OSError as error:
        raise DataError(f"{out}: cannot be written ({error.strerror}); check the folder") from error
    stderr.print(f"{count} rows written to {escape(str(out))}", highlight=False, soft_wrap=True)


@app.command("import")
def import_labels(
    file: Annotated[Path, typer.Argument(help="JSON Lines, or an export of doccano or Label Studio.")],
    source: Annotated[str, typer.Option(help="Who labelled, when the file does not say.")] = "import",
    feedback_url: StoreOption = STORE,
    artifact: ArtifactOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read labels back; rows without a label are passed over, bad ones are listed."""
    from whybounce.training.feedback.labels import BadRow, Label, Unlabelled, read_labels
    from whybounce.training.feedback.records import ConflictError

    classifier = load(artifact)
    bad: list[BadRow] = []
    labels: list[Label] = []
    unlabelled = 0
    for row in read_labels(file, classifier.taxonomy):
        if isinstance(row, BadRow):
            bad.append(row)
        elif isinstance(row, Unlabelled):
            unlabelled += 1
        else:
            labels.append(row)
    new = []
    for label in labels:
        given = label.feedback(source)
        new.append(given.seen(classifier.predict_template(given.subject.template, **given.subject.fields())))
    with opened(feedback_url) as store:
        added = store.add_many(new)
    for label, found in zip(labels, added, strict=True):
        if isinstance(found, ConflictError):
            bad.append(BadRow(label.place, str(found)))
    stored = sum(not isinstance(found, ConflictError) and not found.duplicate for found in added)
    again = sum(not isinstance(found, ConflictError) and found.duplicate for found in added)
    if as_json:
        print_json(
            {
                "stored": stored, "duplicates": again, "unlabelled": unlabelled,
                "bad": [{"place": row.place, "problem": row.problem} for row in bad],
            }
        )  # fmt: skip
    else:
        stdout.print(f"{stored} labels stored, {again} were there already", highlight=False)
        stdout.print(f"{unlabelled} rows without a label, {len(bad)} bad rows", highlight=False)
        for row in bad[:SHOWN_BAD_ROWS]:
            stderr.print(
                f"{escape(str(file))}, {escape(row.place)}: {escape(row.problem)}", highlight=False, soft_wrap=True
            )
        if len(bad) > SHOWN_BAD_ROWS:
            stderr.print(f"and {len(bad) - SHOWN_BAD_ROWS} more; --json lists all", highlight=False)
    if bad:
        raise typer.Exit(1)


class opened:  # noqa: N801 - used like a function
    """Open a store for a command, and close it."""

    def __init__(self, url: str) -> None:
        from whybounce.training.feedback import open_store

        self._store = open_store(url)

    def __enter__(self) -> FeedbackStore:
        """The store."""
        return self._store

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self._store.close()


def check_reason(reason: str, taxonomy: Taxonomy) -> None:
    """Raise when a reason is not known, with the nearest one."""
    if reason in taxonomy:
        return
    from difflib import get_close_matches

    close = get_close_matches(reason, taxonomy.reasons, 1)
    meant = f" did you mean {close[0]}?" if close else ""
    raise DataError(f"{reason!r} is not a reason;{meant} whybounce reasons lists them")
