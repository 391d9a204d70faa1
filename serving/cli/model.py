"""``whybounce model``: the registry of models."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from whybounce.model.errors import RegistryError
from whybounce.serving.cli.evidence import read_rows
from whybounce.serving.cli.output import percent, print_json, stderr, stdout
from whybounce.serving.cli.sources import LabelColumn, LabelsOption, TextColumn

if TYPE_CHECKING:
    from whybounce.model.promotions import Event
    from whybounce.model.registry import Registry
    from whybounce.model.versions import Version
    from whybounce.training.gate import Gate

DEFAULT = Path("models")

app = typer.Typer(no_args_is_help=True, help="Keep models as versions; choose the one that answers.")

RegistryOption = Annotated[Path, typer.Option(envvar="WHYBOUNCE_REGISTRY", help="Directory of the model registry.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
BecauseOption = Annotated[str | None, typer.Option(help="Why, for the history.", show_default=False)]


@app.command("add")
def add(
    run: Annotated[Path, typer.Argument(help="A run directory or artifact, as whybounce train writes it.")],
    registry: RegistryOption = DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Copy a trained model into the registry; it does not answer before it is promoted."""
    added = _open(registry).add(run)
    if as_json:
        print_json(_row(added, None))
        return
    stdout.print(f"[bold]{escape(added.name)}[/] is in {escape(str(registry))}", highlight=False, soft_wrap=True)
    stderr.print(f"let it answer with: whybounce model promote {escape(added.name)}", highlight=False, soft_wrap=True)


@app.command("list")
def list_models(registry: RegistryOption = DEFAULT, as_json: JsonOption = False) -> None:
    """List the versions, the newest first, and which one answers."""
    found = _open(registry)
    versions, promotions = found.versions(), found.promotions()
    if as_json:
        print_json(
            {"promoted": promotions.current, "versions": [_row(version, promotions.current) for version in versions]}
        )
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("", "version", "made (UTC)", "own rows"):
        table.add_column(name, no_wrap=True)
    for name in ("accuracy", "macro-F1", "good called hard"):
        table.add_column(name, justify="right")
    for version in versions:
        figures = measured(version)
        table.add_row(
            "[green]●[/]" if version.name == promotions.current else "",
            f"[bold]{escape(version.name)}[/]",
            version.created.strftime("%Y-%m-%d %H:%M") if version.created else "[red]damaged[/]",
            f"{version.manifest.data.get('own_rows', 0):,}" if version.manifest else "",
            *(percent(figures.get(name)) for name in ("accuracy", "macro_f1", "good_called_hard")),
        )
    stdout.print(table)
    if not versions:
        stderr.print("no model yet; add one with: whybounce model add RUN", highlight=False)
    for version in versions:
        if version.problem:
            stderr.print(
                f"[yellow]{escape(version.name)}:[/] {escape(version.problem)}", highlight=False, soft_wrap=True
            )
    now = promotions.current or "none; the shipped model answers"
    stderr.print(f"promoted: {escape(now)}. Figures: held-out rows, else held-out families.", highlight=False)


@app.command("show")
def show(
    version: Annotated[
        str | None, typer.Argument(help="First characters are enough; the promoted one by default.", show_default=False)
    ] = None,
    registry: RegistryOption = DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Show what a version was made of, its figures, its report and its promotions."""
    found = _open(registry)
    promotions = found.promotions()
    name = found.find(version) if version else promotions.current
    if name is None:
        raise RegistryError("nothing is promoted; name a version, whybounce model list shows them")
    chosen = found.version(name)
    history = [event for event in promotions.history if name in (event.version, event.previous)]
    if as_json:
        print_json(_row(chosen, promotions.current) | {"history": [_event(event) for event in history]})
        return
    state = "[green]promoted[/]" if name == promotions.current else "not promoted"
    stdout.print(f"[bold]{escape(name)}[/]  {state}", highlight=False)
    if chosen.problem or chosen.manifest is None:
        stdout.print(f"[red]damaged:[/] {escape(str(chosen.problem))}", highlight=False, soft_wrap=True)
        raise typer.Exit(1)
    manifest = chosen.manifest
    facts: dict[str, Any] = {
        "made": chosen.created and chosen.created.strftime("%Y-%m-%d %H:%M UTC"),
        "reasons": len(manifest.labels),
        "own rows": f"{manifest.data.get('own_rows', 0):,}",
        "corpus templates": f"{manifest.data.get('templates', 0):,}",
        **{
            f"{name} ({_where(chosen)})": percent(measured(chosen).get(key))
            for name, key in (
                ("accuracy", "accuracy"), ("macro-F1", "macro_f1"), ("good addresses called hard", "good_called_hard"),
            )
        },
        "report": next((str(path) for path in [chosen.folder / "report.html"] if path.is_file()), "none"),
    }  # fmt: skip
    for fact, value in facts.items():
        stdout.print(f"  {fact}: {escape(str(value))}", highlight=False, soft_wrap=True)
    for event in history:
        stdout.print(f"  {escape(told(event))}", highlight=False, soft_wrap=True)


@app.command("promote")
def promote(
    version: Annotated[str, typer.Argument(help="A version (first characters are enough) or a run directory.")],
    registry: RegistryOption = DEFAULT,
    data: Annotated[
        str | None, typer.Option(help="Labelled bounces that neither model has seen, for the gate.", show_default=False)
    ] = None,
    text_column: TextColumn = None,
    label_column: LabelColumn = None,
    labels: LabelsOption = None,
    force: Annotated[bool, typer.Option("--force", help="Promote although the gate refuses; needs --because.")] = False,
    because: BecauseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a version answer from now on, if it passes the gate.

    The gate holds it to the model that answers now: the golden set, verdicts that must
    not move with addresses, IPs, hosts, ids, case and wrapping, families that the models
    had not seen, and your rows when you give --data. Running services take it over
    within seconds.
    """
    found = _open(registry)
    if force and not (because or "").strip():
        raise typer.BadParameter("say why, for the history: --because TEXT", param_hint="--force")
    name = found.add(Path(version)).name if Path(version).is_dir() else found.find(version)
    before = found.promotions().current
    gate = _judged(found, name, before, data, (text_column, label_column), labels)
    if not as_json:
        stdout.print(gate_table(gate, before or "the shipped model"))
    if not gate.passed and not force:
        for failure in gate.failures[:5]:
            stderr.print(escape(_failure(failure)), highlight=False, soft_wrap=True)
        failed = "; ".join(check.name for check in gate.failed)
        raise RegistryError(
            f"{name} is not promoted, the gate refuses it: {failed}. Train with more data, "
            "or promote it with --force --because REASON"
        )
    event = found.promote(
        name, instead_of=before, because=because, forced=force and not gate.passed, gate=gate.to_dict()
    )
    if as_json:
        print_json(_event(event))
        return
    stdout.print(f"[bold]{escape(name)}[/] is promoted", highlight=False)
    stderr.print(
        f"services started with --registry {escape(str(registry))} take it over within seconds; "
        "take it back with: whybounce model rollback",
        highlight=False,
        soft_wrap=True,
    )


@app.command("rollback")
def rollback(registry: RegistryOption = DEFAULT, because: BecauseOption = None, as_json: JsonOption = False) -> None:
    """Go back to the version that was promoted before."""
    event = _open(registry).rollback(because=because)
    if as_json:
        print_json(_event(event))
        return
    stdout.print(f"{escape(event.version or 'the shipped model')} answers again", highlight=False)


def measured(version: Version) -> Mapping[str, Any]:
    """Return the main figures that a version's manifest carries."""
    metrics = version.manifest.metrics if version.manifest else {}
    part = metrics.get("holdout") or metrics.get("held_out_families") or {}
    both = part.get("both")
    return both if isinstance(both, dict) else {}


def told(event: Event) -> str:
    """Say what happened in one line."""
    what = f"{event.action} {event.previous or 'shipped'} → {event.version or 'shipped'}"
    forced = " against the gate" if event.forced else ""
    return f"{event.at}  {what}{forced} by {event.by}" + (f": {event.because}" if event.because else "")


def gate_table(gate: Gate, against: str) -> Table:
    """Draw the checks of a gate."""
    table = Table(box=None, pad_edge=False, header_style="bold", title=f"gate, against {against}", title_justify="left")
    table.add_column("")
    table.add_column("check")
    table.add_column("measured", justify="right")
    table.add_column("wanted", justify="right")
    for check in gate.checks:
        sign = "≤" if check.at_most else "≥"
        table.add_row(
            "[green]passed[/]" if check.passed else "[red]failed[/]",
            check.name,
            f"{check.value:.4f}",
            f"{sign} {check.limit:.4f}",
        )
    return table


def _open(folder: Path) -> Registry:
    from whybounce.model.registry import Registry

    return Registry(folder)


def _judged(
    registry: Registry,
    name: str,
    before: str | None,
    data: str | None,
    columns: tuple[str | None, str | None],
    labels: str | None,
) -> Gate:
    from whybounce.model.predictor import BounceClassifier
    from whybounce.training.gate import judge
    from whybounce.training.labelled import Columns, Options
    from whybounce.training.metrics import merged_taxonomy

    candidate = BounceClassifier.load(registry.path(name), strict=True)
    current = BounceClassifier.load(registry.path(before) if before else None, strict=True)
    taxonomy = merged_taxonomy(candidate.taxonomy, current.taxonomy)
    options = Options(columns=Columns(text=columns[0], label=columns[1]), labels=labels, taxonomy=taxonomy)
    rows = read_rows(data, options, max_bad=0.0) if data else []
    return judge(candidate, current, rows=rows)


def _where(version: Version) -> str:
    metrics = version.manifest.metrics if version.manifest else {}
    return "held-out rows" if metrics.get("holdout") else "held-out families"


def _failure(failure: Mapping[str, Any]) -> str:
    if "case" in failure:
        return f"golden case {failure['case']}: {failure['wanted']} was right, now {failure['after']}"
    return (
        f"{failure['check']}: {failure['before']} became {failure['after']}: {' '.join(failure['text'].split())[:160]}"
    )


def _row(version: Version, promoted: str | None) -> dict[str, Any]:
    return {
        "version": version.name,
        "promoted": version.name == promoted,
        "created": version.created.isoformat() if version.created else None,
        "folder": str(version.folder),
        "problem": version.problem,
        "data": version.manifest.data if version.manifest else None,
        "metrics": measured(version) or None,
    }


def _event(event: Event) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(event)
