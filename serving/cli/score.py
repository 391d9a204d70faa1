"""``whybounce score``."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from whybounce.model.errors import DataError
from whybounce.serving.cli.loading import ArtifactOption, load
from whybounce.serving.cli.output import stderr


@contextmanager
def seldom_collecting() -> Iterator[None]:
    """Look for circles of references more seldom: there are none, and it would take a fifth of the time."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def score(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="IN", help="File, or folder of files: .parquet, .jsonl, .csv, .tsv; text may be packed (.gz …)."
        ),
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="File to write: .parquet, .jsonl or .csv.")],
    column: Annotated[
        str | None, typer.Option(help="Column or key that holds the diagnostic.", show_default=False)
    ] = None,
    fields: Annotated[
        str | None,
        typer.Option(help="Fields to add, as in reason,action,confidence; all by default.", show_default=False),
    ] = None,
    prefix: Annotated[str, typer.Option(help="What the names of the added columns begin with.")] = "bounce_",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace OUT when it is there.")] = False,
    restart: Annotated[bool, typer.Option("--restart", help="Begin anew instead of going on.")] = False,
    checkpoint: Annotated[float, typer.Option(min=0, help="Seconds after which what is done is safe.")] = 30.0,
    artifact: ArtifactOption = None,
) -> None:
    """Score a table of any size: the rows of IN, and the predictions beside them, go to OUT.

    Columns named reply_code, enhanced_status, command and remote_host are used besides the
    diagnostic. An interrupted run goes on where it was when the command is given again. Rows that
    cannot be read are listed in OUT.rejected.jsonl.
    """
    from whybounce.serving.score import Scorer
    from whybounce.serving.score.job import Job

    classifier = load(artifact)
    names = None if fields is None else [name.strip() for name in fields.split(",") if name.strip()]
    scorer = Scorer(classifier, column=column, fields=names, prefix=prefix, dictionary=True)
    job = Job(source, out, scorer, checkpoint=checkpoint)
    if out.exists() and not overwrite and not job.was_finished():
        raise typer.BadParameter(f"{out} exists already; name another file or give --overwrite", param_hint="OUT")
    columns = (
        TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[rows]:,} rows"),
        TimeElapsedColumn(),
    )  # fmt: skip
    try:
        with seldom_collecting(), Progress(*columns, console=stderr) as bars:
            task = bars.add_task("scoring", total=1.0, rows=0)
            done = job.run(lambda rows, share: bars.update(task, completed=share, rows=rows), restart=restart)
            bars.update(task, completed=1.0, rows=done.rows)
    except KeyboardInterrupt:
        stderr.print(
            f"stopped; what is done is in {escape(str(job.folder))}, and the same command goes on from there",
            highlight=False, soft_wrap=True,
        )  # fmt: skip
        raise typer.Exit(130) from None
    fresh = done.rows - done.resumed
    before = f" ({done.resumed:,} of them before)" if done.resumed else ""
    stderr.print(
        f"{done.rows:,} rows{before} in {escape(str(out))}: {done.seconds:.1f} s, {fresh / done.seconds:,.0f} rows/s",
        highlight=False, soft_wrap=True,
    )  # fmt: skip
    if done.rejected_file is not None:
        stderr.print(
            f"[yellow]{done.rejected:,} rows could not be read:[/] {escape(str(done.rejected_file))}",
            highlight=False, soft_wrap=True,
        )  # fmt: skip
    if done.rejected and not done.rows:
        raise DataError("none of the rows could be read; the list says why (is --column the right one?)")
    if done.cut:
        raise DataError("; ".join(done.cut))
