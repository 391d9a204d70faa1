"""The command ``whybounce``.

Exit codes: 0 done; 1 the data, the artifact or the port was the problem; 2 the command
line was (typer's own usage errors).
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from whybounce.model.errors import WhybounceError
from whybounce.serving.cli import (
    about,
    compare,
    crosswalk,
    data,
    drift,
    evaluate,
    explain,
    feedback,
    key,
    model,
    predict,
    report,
    review,
    score,
    serve,
    train,
)
from whybounce.serving.cli.output import stderr

app = typer.Typer(
    name="whybounce",
    help="Why did this message bounce, and what should I do about it?",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    epilog="Exit codes: 0 done, 1 data or artifact problem, 2 wrong usage.",
)
app.command("predict")(predict.predict)
app.command("explain")(explain.explain)
app.command("train")(train.train)
app.add_typer(data.app, name="data")
app.command("evaluate")(evaluate.evaluate)
app.command("compare")(compare.compare)
app.add_typer(model.app, name="model")
app.add_typer(feedback.app, name="feedback")
app.command("review")(review.review)
app.command("report")(report.report)
app.command("formats")(report.formats)
app.command("crosswalk")(crosswalk.crosswalk)
app.command("score")(score.score)
app.command("drift")(drift.drift)
app.command("reasons")(about.reasons)
app.command("serve")(serve.serve)
app.add_typer(key.app, name="key")
app.command("version")(about.version)


def _version(asked: bool) -> None:
    if asked:
        about.version()
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
    traceback: Annotated[bool, typer.Option("--traceback", help="Show the traceback of an error.")] = False,
) -> None:
    """Why did this message bounce, and what should I do about it?"""
    context.obj = {"traceback": traceback}


def main() -> None:
    """Run the command line; known errors become one line on stderr and exit code 1."""
    try:
        app()
    except WhybounceError as error:
        if "--traceback" in sys.argv:
            raise
        stderr.print(f"[bold red]error:[/] {_escaped(str(error))}", soft_wrap=True)
        sys.exit(1)
    except BrokenPipeError:
        # The reader has gone, as in `whybounce predict … | head`.
        sys.stderr.close()
        sys.exit(1)


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape(text)
