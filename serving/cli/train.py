"""``whybounce train``."""

from __future__ import annotations

import shlex
import sys
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from whybounce.model.errors import ArtifactError, DataError
from whybounce.serving.cli.evidence import MODELS, named_model
from whybounce.serving.cli.output import percent, progress_bars, stderr, stdout
from whybounce.serving.cli.sources import (
    AlsoColumn,
    EncodingOption,
    KeepGoingOption,
    LabelColumn,
    LabelsOption,
    LangColumn,
    MaxBadOption,
    ProviderColumn,
    ReasonsOption,
    RejectsOption,
    SplitOption,
    TextColumn,
    TimeColumn,
    options_of,
    tell,
)

if TYPE_CHECKING:
    from whybounce.model.taxonomy import Taxonomy
    from whybounce.training.train import Trained


class Corpus(StrEnum):
    """Whether the shipped templates are trained on."""

    INCLUDE = "include"
    EXCLUDE = "exclude"


def train(
    out: Annotated[Path, typer.Option(help="Folder of the run: artifact, figures, report.")] = Path("runs/model"),
    data: Annotated[
        list[str] | None,
        typer.Option(
            help="Labelled bounces of your own: .csv, .tsv, .jsonl, .parquet, a folder, "
            "or a Hugging Face data set (org/name); may be repeated.",
            show_default=False,
        ),
    ] = None,
    corpus: Annotated[Corpus, typer.Option(help="Train on the shipped templates, too, or on --data alone.")] = (
        Corpus.INCLUDE
    ),
    weight: Annotated[
        float, typer.Option(min=0.01, max=1000, help="Weight of a template of --data against one of the corpus.")
    ] = 2.0,
    holdout: Annotated[
        float, typer.Option(min=0, max=0.9, help="Share of --data to measure on; the latest with --time-column.")
    ] = 0.2,
    against: Annotated[str, typer.Option(help=f"Compare with the model in use: {MODELS}.")] = "shipped",
    text_column: TextColumn = None,
    label_column: LabelColumn = None,
    time_column: TimeColumn = None,
    provider_column: ProviderColumn = None,
    lang_column: LangColumn = None,
    also_column: AlsoColumn = None,
    labels: LabelsOption = None,
    reasons: ReasonsOption = None,
    encoding: EncodingOption = None,
    split: SplitOption = "train",
    max_bad: MaxBadOption = 0.01,
    keep_going: KeepGoingOption = False,
    rejects: RejectsOption = None,
    bare: Annotated[bool, typer.Option("--bare", help="Write the artifact alone, no figures and report.")] = False,
    seed: Annotated[int, typer.Option(help="Same data and seed, same predictions.")] = 7,
    folds: Annotated[int, typer.Option(min=2, max=20, help="Folds of the held-out families.")] = 5,
) -> None:
    """Train on the shipped corpus and on your own labelled bounces, measure, and write it all to a folder.

    What is measured: your rows that a second model, otherwise the same, was trained
    without; without rows of your own, families of servers held out of the corpus.
    """
    from whybounce.training.corpus import load_corpus
    from whybounce.training.own import own_examples
    from whybounce.training.run import check_folder
    from whybounce.training.sources.load import load
    from whybounce.training.sources.reasons import read_reasons
    from whybounce.training.train import train as run

    check_folder(out)
    if corpus is Corpus.EXCLUDE and not data:
        raise DataError("--corpus exclude leaves nothing to train on; name your own bounces with --data")
    taxonomy = read_reasons(reasons)
    options = options_of(
        text_column=text_column, label_column=label_column, time_column=time_column, provider_column=provider_column,
        lang_column=lang_column, also_column=also_column, labels=labels, taxonomy=taxonomy, encoding=encoding,
        split=split, latest=holdout,
    )  # fmt: skip
    own, later = [], []
    with progress_bars() as report:
        if data:
            listed = rejects or out.with_name(f"{out.name}.rejects.jsonl")
            loaded = load(data, options, rejects=listed, progress=report)
            loaded.summary.refuse_above(1.0 if keep_going else max_bad, taxonomy)
            own = own_examples(loaded.rows, name=Path(data[0]).stem, weight=weight)
            later = loaded.later
            tell(loaded.summary, len({example.template for example in own}))
            if time_column and holdout and not later:
                stderr.print("all rows have one time: held out by template instead", highlight=False)
        _warn_of_unused(taxonomy, {example.reason for example in own} | {row.label for row in later})
        trained = run(
            load_corpus() if corpus is Corpus.INCLUDE else [], own=own, later=later, later_weight=weight,
            holdout=holdout, seed=seed, folds=folds, taxonomy=taxonomy, progress=report,
        )  # fmt: skip
        _write(
            out,
            trained,
            against=None if bare else against,
            taxonomy=taxonomy,
            source=", ".join(Path(name).name for name in data or []),
        )
    _tell_result(out, trained)


def _write(out: Path, trained: Trained, *, against: str | None, taxonomy: Taxonomy, source: str) -> None:
    from whybounce.model.artifact import publish
    from whybounce.training.report.measure import About
    from whybounce.training.run import held_out_answers, write_run

    if against is None or not (trained.measured or trained.cases):
        publish(out, trained.payload, trained.manifest)
        return
    day = datetime.now(UTC).date().isoformat()
    command = shlex.join(["whybounce", *sys.argv[1:]])
    if trained.measured is None:
        rows, answers = held_out_answers(trained.cases, trained.manifest)
        about = About(source="families of servers held out of the training data", created=day)
        write_run(
            out, trained.payload, trained.manifest, rows=rows, measured=answers, about=about, command=command,
            taxonomy=taxonomy,
        )  # fmt: skip
        return
    try:
        current, name = named_model(against)
    except ArtifactError as error:
        stderr.print(f"[yellow]no comparison:[/] {escape(str(error))}", highlight=False, soft_wrap=True)
        current, name = None, ""
    notes: tuple[str, ...] = ()
    if current is not None and current.manifest is not None and current.manifest.data.get("own_rows"):
        notes = ("The model in use may have been trained on some of these rows, which flatters it.",)
    about = About(source=f"held-out rows of {source}", current_name=name, created=day, notes=notes)
    write_run(
        out, trained.payload, trained.manifest, rows=trained.holdout, measured=trained.measured, current=current,
        about=about, command=command,
    )  # fmt: skip


def _warn_of_unused(taxonomy: Taxonomy, used: set[str]) -> None:
    unused = [str(info.reason) for info in taxonomy.extra if info.reason not in used]
    if unused:
        stderr.print(
            f"[yellow]no row has the reason {escape(', '.join(unused))}:[/] the model will never answer it",
            highlight=False,
            soft_wrap=True,
        )


def _tell_result(out: Path, trained: Trained) -> None:
    manifest = trained.manifest
    size = f"{len(trained.payload) / 1e6:.1f} MB"
    stdout.print(f"[bold]{manifest.model_version}[/] written to {escape(str(out))} ({size})", soft_wrap=True)
    figures = {"families held out": manifest.metrics.get("held_out_families")}
    if trained.measured is not None:
        part = manifest.data["holdout"]
        title = f"{part['rows']:,} of your rows held out by {part['by']}"
        figures = {title: manifest.metrics["holdout"], **figures}
    for title, measured in figures.items():
        if measured:
            both = measured["both"]
            stdout.print(
                f"{title}: accuracy {percent(both['accuracy'])}, macro-F1 {percent(both['macro_f1'])}, "
                f"good addresses called hard {percent(both['good_called_hard'])}",
                highlight=False,
                soft_wrap=True,
            )
    if trained.measured is not None:
        stdout.print(
            "these rows were measured with a model that had not seen them; the one written was fitted on all rows",
            highlight=False,
            soft_wrap=True,
        )
    if (out / "report.html").is_file():
        stderr.print(f"report: {escape(str(out / 'report.html'))}", highlight=False, soft_wrap=True)
    stderr.print(f"use it with: whybounce serve --artifact {escape(str(out))}", highlight=False, soft_wrap=True)
