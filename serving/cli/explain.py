"""``whybounce explain``."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from whybounce.model.explain import Explanation
from whybounce.serving.cli.loading import ArtifactOption, load
from whybounce.serving.cli.output import COLOURS, percent, print_json, stdout


def explain(
    text: Annotated[str, typer.Argument(help="One diagnostic.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    artifact: ArtifactOption = None,
) -> None:
    """Show what was read from a diagnostic and which words decided."""
    explanation = load(artifact).explain(text)
    if as_json:
        print_json(asdict(explanation))
        return
    _print(explanation)


def _print(explanation: Explanation) -> None:
    prediction, diagnostic = explanation.prediction, explanation.diagnostic
    shown = Text(diagnostic.normalised)
    for span in explanation.highlights:
        shown.stylize("bold reverse", span.start, span.end)
    stdout.print(shown)
    stdout.print()
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    colour = COLOURS[prediction.category]
    sure = percent(prediction.confidence)
    others = ", ".join(f"{other.reason} {percent(other.confidence)}" for other in prediction.alternatives)
    codes = " ".join(str(code) for code in (prediction.reply_code, prediction.enhanced_status) if code)
    rows = {
        "reason": f"[bold]{prediction.reason}[/] ({prediction.title}), {sure} sure, decided by {prediction.decided_by}",
        "report line": f"[{colour}]{prediction.category}[/] / {prediction.group}",
        "advice": f"{explanation.advice} [dim]({prediction.action})[/]",
        "or else": others or "–",
        "codes": codes or "–",
        "command": prediction.command or "–",
        "provider": prediction.provider or "–",
        "blocklist": prediction.blocklist or "–",
        "retry after": f"{prediction.retry_after_seconds} s" if prediction.retry_after_seconds else "–",
        "template": escape(prediction.template),
        "rules": ", ".join(explanation.rules) or "–",
    }
    for name, value in rows.items():
        table.add_row(name, value)
    for piece in prediction.evidence:
        weight = f" (+{piece.weight:.2f})" if piece.weight is not None else ""
        name = f"{piece.id}: " if piece.id else ""
        table.add_row("evidence", escape(f"{piece.kind} {name}“{piece.text}”{weight}"))
    stdout.print(table)
