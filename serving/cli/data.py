"""``whybounce data``."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from whybounce.serving.cli.output import many, percent, print_json, printable, progress_bars, stdout
from whybounce.serving.cli.sources import MaxBadOption, OwnLabelled, labelled_options

app = typer.Typer(help="Look at labelled bounces.", no_args_is_help=True)
_SHOWN = 5


@app.callback()
def _group() -> None:
    """Look at labelled bounces."""


@app.command("check")
@labelled_options
def check(
    source: OwnLabelled,
    data: Annotated[
        list[str],
        typer.Argument(help="Labelled bounces: files (.csv, .tsv, .jsonl, .parquet), folders, Hugging Face data sets."),
    ],
    max_bad: MaxBadOption = 0.01,
    noise: Annotated[bool, typer.Option(help="Search for wrong labels; takes a minute.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Look for what is wrong with labelled bounces before training on them.

    Exit code 1 when `train` would refuse them.
    """
    from whybounce.training.check.run import check as look
    from whybounce.training.corpus import load_corpus
    from whybounce.training.sources.reasons import read_reasons

    taxonomy = read_reasons(source.reasons)
    with progress_bars() as report:
        found = look(
            data, source.own_options(taxonomy), max_bad=max_bad, corpus=load_corpus() if noise else (),
            folds=3 if noise else 0, rejects=source.rejects, progress=report,
        )  # fmt: skip
    if as_json:
        print_json(found)
    else:
        _print(found)
    if found["training"]["refuses"]:
        raise typer.Exit(1)


def _print(found: dict[str, Any]) -> None:
    rows = found["rows"]
    _line(
        f"{', '.join(found['sources'])}: {many(rows['read'], 'row')} read, {rows['used']:,} usable, "
        f"{many(rows['templates'], 'template')}"
    )
    if found["training"]["refuses"]:
        _line(f"[bold red]train would refuse this:[/] {_safe(found['training']['because'])}", markup=True)
    else:
        _line("[bold green]train would take this[/]", markup=True)
    _bad_rows(found)
    _reasons(found)
    _templates(found)
    _noise(found["noise"])
    _who_and_what(found)


def _bad_rows(found: dict[str, Any]) -> None:
    rows = found["rows"]
    if rows["bad"] or rows["left_out"]:
        table = _table(f"rows not used: {rows['bad']:,} bad, {rows['left_out']:,} left out", "problem", "rows")
        for problem, number in list(found["problems"].items())[:10]:
            table.add_row(_safe(problem), f"{number:,}")
        stdout.print(table)
        for reject in found["rejects"][:_SHOWN]:
            _line(f"  {reject['file']}, {reject['unit']} {reject['line']}: {reject['problem']}")
        if found["advice"]:
            _line(f"  {found['advice']}")
        if found["rejects_file"]:
            _line(f"  all are listed in {found['rejects_file']}")
        elif rows["bad"] + rows["left_out"] > len(found["rejects"][:_SHOWN]):
            _line("  list all of them, line by line, with --rejects bad-rows.jsonl")
    if rows["recoded"]:
        _line(f"no UTF-8, read as Windows-1252: {many(rows['recoded'], 'line')}")
    if found["lossy"]:
        table = _table("labels that lose something", "label", "reason", "rows", "what")
        for item in found["lossy"][:10]:
            table.add_row(_safe(item["label"]), item["reason"], f"{item['rows']:,}", _safe(item["note"]))
        stdout.print(table)


def _reasons(found: dict[str, Any]) -> None:
    if found["reasons"]:
        table = _table("reasons", "reason", "rows", "templates")
        for item in found["reasons"]:
            table.add_row(item["reason"], f"{item['rows']:,}", f"{item['templates']:,}")
        stdout.print(table)
    if found["absent"]:
        _line(f"no rows: {', '.join(found['absent'])}")


def _templates(found: dict[str, Any]) -> None:
    conflicts, near = found["conflicts"], found["near_duplicates"]
    if conflicts["templates"]:
        title = (
            f"one template, several labels: {many(conflicts['templates'], 'template')}, "
            f"{many(conflicts['rows'], 'row')} against the most frequent label"
        )
        table = _table(title, "template", "labels")
        for item in conflicts["examples"][:_SHOWN]:
            table.add_row(_safe(item["template"]), ", ".join(f"{name} ×{n:,}" for name, n in item["labels"].items()))
        stdout.print(table)
    title = (
        f"nearly the same: {many(near['pairs'], 'pair')} among {many(near['looked_at'], 'template')}, "
        f"{near['with_other_label']:,} with different labels"
    )
    differing = [item for item in near["examples"] if len(set(item["labels"])) > 1]
    if not differing:
        _line(f"\n{title}")
        return
    table = _table(title, "template", "label")
    for item in differing[:_SHOWN]:
        for template, label in zip(item["templates"], item["labels"], strict=True):
            table.add_row(_safe(template), label)
        table.add_section()
    stdout.print(table)


def _noise(noise: dict[str, Any] | None) -> None:
    if noise is None:
        return
    title = (
        f"labels to look at again: {noise['templates']:,} of {noise['looked_at']:,} texts ({noise['rows']:,} rows), "
        "where a model that had not seen them is sure of another reason"
    )
    if not noise["examples"]:
        _line(f"\n{title}")
        return
    table = _table(title, "template", "label", "model", "sure", "rules", "rows")
    for item in noise["examples"][: 2 * _SHOWN]:
        table.add_row(
            _safe(item["template"]), item["label"], item["predicted"], percent(item["confidence"]), item["rule"] or "–",
            f"{item['rows']:,}",
        )  # fmt: skip
    stdout.print(table)


def _who_and_what(found: dict[str, Any]) -> None:
    languages = found["languages"]
    counted = ", ".join(f"{name} {number:,}" for name, number in list(languages["rows"].items())[:12])
    if counted:
        how = "by the column" if languages["source"] == "column" else "guessed; ? is too short to guess"
        _line(f"\nlanguages ({how}): {counted}")
    if found["times"]:
        _line(f"from {found['times']['first']} to {found['times']['last']}")
    if found["personal"]:
        table = _table("personal data (training keeps masked templates only)", "column", "kind", "rows", "such as")
        for item in found["personal"]:
            table.add_row(_safe(item["column"]), item["kind"], f"{item['rows']:,}", _safe(item["example"]))
        stdout.print(table)
    if found["ignored"]:
        _line(f"not read, of no known type: {', '.join(found['ignored'][:_SHOWN])}")


def _table(title: str, *columns: str) -> Table:
    _line(f"\n{title}")  # a title of the table itself would be broken to its width
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in columns:
        figure = name in ("rows", "templates", "sure")
        wide = name in ("template", "problem", "what")
        table.add_column(
            name, justify="right" if figure else "left", no_wrap=figure, overflow="fold", ratio=1 if wide else None
        )
    return table


def _safe(text: str) -> str:
    return escape(printable(text))


def _line(text: str, *, markup: bool = False) -> None:
    stdout.print(text if markup else _safe(text), highlight=False, soft_wrap=True)
