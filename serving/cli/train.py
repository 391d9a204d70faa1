"""``whybounce train``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from whybounce.serving.cli.output import percent, progress_bars, stderr, stdout


def train(
    out: Annotated[Path, typer.Option(help="Folder that the artifact is written to.")] = Path("runs/model"),
    data: Annotated[
        list[Path] | None,
        typer.Option(
            help="Labelled bounces of your own (.jsonl, .csv, .tsv, .parquet); may be repeated.", show_default=False
        ),
    ] = None,
    weight: Annotated[
        float, typer.Option(min=0.01, max=1000, help="Weight of a row of --data against a template.")
    ] = 2.0,
    text_column: Annotated[
        str | None, typer.Option(help="Column of the diagnostic in --data.", show_default=False)
    ] = None,
    label_column: Annotated[
        str | None, typer.Option(help="Column of the reason in --data.", show_default=False)
    ] = None,
    seed: Annotated[int, typer.Option(help="Same data and seed, same predictions.")] = 7,
    folds: Annotated[int, typer.Option(min=2, max=20, help="Folds of the held-out families.")] = 5,
) -> None:
    """Train on the shipped corpus, and on your own labelled bounces, and publish an artifact."""
    from whybounce.model.artifact import publish
    from whybounce.training.corpus import load_corpus
    from whybounce.training.labelled import read_labelled
    from whybounce.training.train import own_examples
    from whybounce.training.train import train as run

    own = [
        example
        for path in data or []
        for example in own_examples(
            read_labelled(path, text_column=text_column, label_column=label_column), name=path.stem, weight=weight
        )
    ]
    with progress_bars() as report:
        trained = run(load_corpus(), own=own, seed=seed, folds=folds, progress=report)
    publish(out, trained.payload, trained.manifest)
    held_out = trained.manifest.metrics["held_out_families"]["both"]
    size = f"{len(trained.payload) / 1e6:.1f} MB"
    stdout.print(f"[bold]{trained.manifest.model_version}[/] written to {escape(str(out))} ({size})", soft_wrap=True)
    stdout.print(
        f"families held out: accuracy {percent(held_out['accuracy'])}, macro-F1 {percent(held_out['macro_f1'])}, "
        f"good addresses called hard {percent(held_out['good_called_hard'])}",
        highlight=False,
        soft_wrap=True,
    )
    stderr.print(f"use it with: whybounce serve --artifact {escape(str(out))}", highlight=False, soft_wrap=True)
