"""``whybounce train``."""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from whybounce.model.errors import ArtifactError, DataError
from whybounce.serving.cli.evidence import MODELS, named_model
from whybounce.serving.cli.feedback import StoreOption
from whybounce.serving.cli.output import percent, progress_bars, stderr, stdout
from whybounce.serving.cli.serve import STORE
from whybounce.serving.cli.sources import KeepGoingOption, MaxBadOption, OwnLabelled, labelled_options, tell

if TYPE_CHECKING:
    from whybounce.model.predictor import BounceClassifier
    from whybounce.model.taxonomy import Taxonomy
    from whybounce.training.feedback.examples import FeedbackData
    from whybounce.training.train import Trained


class Corpus(StrEnum):
    """Whether the shipped templates are trained on."""

    INCLUDE = "include"
    EXCLUDE = "exclude"


@labelled_options
def train(
    source: OwnLabelled,
    more: Annotated[
        list[str] | None, typer.Argument(metavar="[PATH]...", help="More of --data, as a shell writes --data *.csv.")
    ] = None,
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
    against: Annotated[
        str | None,
        typer.Option(
            help=f"Compare with the model in use: {MODELS}. By default the promoted one of WHYBOUNCE_REGISTRY, "
            "else the shipped one.",
            show_default=False,
        ),
    ] = None,
    max_bad: MaxBadOption = 0.01,
    keep_going: KeepGoingOption = False,
    feedback: Annotated[
        bool, typer.Option("--feedback", help="Train on the corrections in the feedback store, too.")
    ] = False,
    feedback_url: StoreOption = STORE,
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
    data = [*(data or []), *(more or [])]
    if corpus is Corpus.EXCLUDE and not data and not feedback:
        raise DataError("--corpus exclude leaves nothing to train on; name your own bounces with --data")
    templates = load_corpus() if corpus is Corpus.INCLUDE else []
    taxonomy = read_reasons(source.reasons)
    own, later = [], []
    with progress_bars() as report:
        if data:
            listed = source.rejects or out.with_name(f"{out.name}.rejects.jsonl")
            loaded = load(data, source.own_options(taxonomy, holdout), rejects=listed, progress=report)
            loaded.summary.refuse_above(1.0 if keep_going else max_bad, taxonomy)
            own = own_examples(loaded.rows, name=Path(data[0]).stem, weight=weight)
            later = loaded.later
            tell(loaded.summary, len({*loaded.templates, *loaded.later_templates}))
            if source.time_column and holdout and not later:
                stderr.print("all rows have one time: held out by template instead", highlight=False)
        corrections: FeedbackData | None = None
        if feedback:
            from whybounce.training.feedback.examples import feedback_examples

            corrections = feedback_examples(feedback_url, weight=weight, templates=templates, taxonomy=taxonomy)
            own = [*own, *corrections.examples]
            _tell_feedback(corrections.summary())
        _warn_of_unused(taxonomy, {example.reason for example in own} | {row.label for row in later})
        trained = run(
            templates, own=own, later=later, later_weight=weight,
            holdout=holdout, seed=seed, folds=folds, taxonomy=taxonomy, progress=report,
        )  # fmt: skip
        _write(
            out,
            trained,
            against=None if bare else against or _in_use(),
            taxonomy=taxonomy,
            source=" and ".join([*(Path(name).name for name in data), *(["feedback"] if feedback else [])]),
            feedback=corrections.summary() if corrections else None,
        )
    _tell_result(out, trained)


def _write(
    out: Path,
    trained: Trained,
    *,
    against: str | None,
    taxonomy: Taxonomy,
    source: str,
    feedback: dict[str, Any] | None = None,
) -> None:
    if feedback is not None:
        # The manifest says what was learnt from whom; figures of the run are part of it already.
        trained = replace(
            trained, manifest=replace(trained.manifest, data=trained.manifest.data | {"feedback": feedback})
        )
    from whybounce.model.artifact import publish
    from whybounce.training.report.measure import About
    from whybounce.training.run import held_out_answers, write_run

    if against is None or not (trained.measured or trained.cases):
        publish(out, trained.payload, trained.manifest)
        return
    day = datetime.now(UTC).date().isoformat()
    command = shlex.join(["whybounce", *sys.argv[1:]])
    current, name = _current(against)
    gate = _gate(trained, current) if current is not None else None
    if trained.measured is None:
        rows, answers = held_out_answers(trained.cases, trained.manifest)
        about = About(source="families of servers held out of the training data", created=day)
        write_run(
            out, trained.payload, trained.manifest, rows=rows, measured=answers, about=about, command=command,
            taxonomy=taxonomy, gate=gate,
        )  # fmt: skip
        return
    notes: tuple[str, ...] = ()
    if current is not None and current.manifest is not None and current.manifest.data.get("own_rows"):
        notes = ("The model in use may have been trained on some of these rows, which flatters it.",)
    about = About(source=f"held-out rows of {source}", current_name=name, created=day, notes=notes)
    write_run(
        out, trained.payload, trained.manifest, rows=trained.holdout, measured=trained.measured, current=current,
        about=about, command=command, gate=gate,
    )  # fmt: skip


def _in_use() -> str:
    registry = os.environ.get("WHYBOUNCE_REGISTRY")
    return registry if registry and Path(registry).is_dir() else "shipped"


def _current(against: str) -> tuple[BounceClassifier | None, str]:
    try:
        return named_model(against)
    except ArtifactError as error:
        stderr.print(f"[yellow]no comparison:[/] {escape(str(error))}", highlight=False, soft_wrap=True)
        return None, ""


def _gate(trained: Trained, current: BounceClassifier) -> dict[str, Any]:
    """Hold the model to the gate of a promotion, so that its report says what it costs elsewhere."""
    from whybounce.model.artifact import publish
    from whybounce.model.predictor import BounceClassifier
    from whybounce.training.gate import judge

    with TemporaryDirectory() as folder:
        publish(Path(folder) / "candidate", trained.payload, trained.manifest)
        return judge(BounceClassifier.load(Path(folder) / "candidate", strict=True), current).to_dict()


def _tell_feedback(summary: dict[str, Any]) -> None:
    stderr.print(
        f"feedback: {summary['rows']:,} corrections from {summary['sources']:,} sources; {summary['accepted']:,} "
        f"accepted ({summary['templates']:,} templates), {summary['quarantined']:,} quarantined, "
        f"{summary['capped']:,} beyond what one source may contribute, {summary['superseded']:,} superseded",
        highlight=False,
        soft_wrap=True,
    )
    for because, count in summary["quarantined_because"].items():
        stderr.print(f"  quarantined, {escape(because)}: {count:,}", highlight=False, soft_wrap=True)
    if summary["quarantined"]:
        stderr.print("  see them with: whybounce feedback list --status quarantined", highlight=False)


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
