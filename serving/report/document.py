"""The bounce report as plain data: what every output is made of."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import re2

from whybounce.model.taxonomy import REPORT_LINES, TAXONOMY, Action, Category, Taxonomy
from whybounce.serving.report.addresses import Advice, Decision, advise
from whybounce.serving.report.counts import UNDATED, Counts, Row, Verdict
from whybounce.serving.report.incidents import Incident, find
from whybounce.serving.report.policy import Policy

EXAMPLES = 3
TEMPLATES = 10
NAMES = 200
"""Providers, domains and campaigns that are listed, those with the most bounces."""

CATEGORIES = {
    Category.HARD: "typically the address is not valid: misspelled, non-existing, or the account was closed",
    Category.SOFT: "the address exists, but cannot receive now",
    Category.TECHNICAL: "a temporary problem at the recipient's mail server: not available, down, overloaded",
    Category.OTHER: "no reason given: the recipient's server sent no information back",
}
_LOCAL_PART = re2.compile(r"[^\s<>()\[\],;:\"'=@]+@")


@dataclass(frozen=True, slots=True)
class Report:
    """A finished report.

    Attributes
    ----------
    document : dict
        The figures; see the module's ``build``. No address stands in it.
    advice : tuple of Advice
        What to do with each address.
    """

    document: dict[str, Any]
    advice: tuple[Advice, ...]


def build(counts: Counts, policy: Policy | None = None, taxonomy: Taxonomy = TAXONOMY) -> Report:
    """Make a report of what was counted.

    ``sent`` are the recipients whose mail came to an end: delivered or bounced. ``deferred``
    are attempts that were put off, of which one recipient may have several. ``not_bounces``
    are vacation replies and the like, ``complaints`` those of them in which somebody
    reported the mail as spam.
    """
    policy = policy or Policy()
    incidents = find(counts, policy.incidents, taxonomy)
    rows = _rows_of(counts)
    advice = tuple(advise(counts, policy.suppress, incidents))
    decisions = Tally(item.decision for item in advice)
    known = counts.tells_deliveries
    document = {
        "sources": [
            {
                "name": name,
                "format": form,
                "records": read,
                "skipped": skipped,
                "left_out": [{"where": where, "why": why} for where, why in counts.left_out.get((name, form), ())],
            }
            for (name, form), (read, skipped) in sorted(counts.sources.items())
        ],
        "model_versions": sorted(counts.model_versions),
        "period": _period(counts),
        "sent": counts.delivered + counts.bounced if known else None,
        "delivered": counts.delivered if known else None,
        "deferred": counts.deferred,
        "bounced": counts.bounced,
        "not_bounces": counts.not_bounces,
        "complaints": counts.complaints,
        "categories": _categories(counts),
        **_lines(counts, taxonomy),
        "to_do": _to_do(counts, taxonomy),
        "deferrals": [
            {"reason": reason, "count": count}
            for reason, count in sorted(counts.deferrals.items(), key=lambda item: (-item[1], item[0]))
        ],
        **rows,
        "actions": {str(decision): decisions.get(decision, 0) for decision in Decision},
        "bounces_without_address": counts.unnamed,
        "incidents": [_incident(incident, advice, counts) for incident in incidents],
        "policy": policy.to_dict(),
    }
    return Report(document, advice)


def without_names(text: str) -> str:
    """Put *** for the name in front of every @: reports are passed around."""
    return str(_LOCAL_PART.sub("***@", text)) if "@" in text else text


def _categories(counts: Counts) -> list[dict[str, Any]]:
    tally: Tally[str] = Tally()
    for verdict, (count, _) in counts.verdicts.items():
        tally[verdict.category] += count
    return [
        {
            "category": str(name), "description": description, "count": tally[name],
            "share": _share(tally[name], counts.bounced),
        }
        for name, description in CATEGORIES.items()
    ]  # fmt: skip


def _lines(counts: Counts, taxonomy: Taxonomy) -> dict[str, Any]:
    lines = {(str(line.category), str(line.group)): line for line in REPORT_LINES}
    on_line: dict[tuple[str, str], list[tuple[Verdict, int, str]]] = {key: [] for key in lines}
    other: Tally[str] = Tally()
    for verdict, (count, text) in counts.verdicts.items():
        place = (verdict.category, verdict.group)
        if place in on_line:
            on_line[place].append((verdict, count, text))
        else:
            other[verdict.reason] += count
    return {
        "lines": [
            {
                "category": category,
                "line": group,
                "description": lines[category, group].description,
                "count": sum(count for _, count, _ in found),
                "share": _share(sum(count for _, count, _ in found), counts.bounced),
                "reasons": _reasons(found, taxonomy),
            }
            for (category, group), found in on_line.items()
        ],
        "other": [
            {"reason": reason, "count": count}
            for reason, count in sorted(other.items(), key=lambda item: (-item[1], item[0]))
        ],
    }


def _action(reason: str, taxonomy: Taxonomy) -> Action:
    return taxonomy[reason].action if reason in taxonomy else Action.REVIEW  # merged from a machine with more reasons


def _to_do(counts: Counts, taxonomy: Taxonomy) -> list[dict[str, Any]]:
    """What is to be done about the bounces, the most frequent first."""
    tally: dict[Action, Tally[str]] = {}
    for verdict, (count, _) in counts.verdicts.items():
        tally.setdefault(_action(verdict.reason, taxonomy), Tally())[verdict.reason] += count
    return [
        {
            "action": str(action), "advice": action.advice, "count": reasons.total(),
            "reasons": [
                {"reason": reason, "count": count}
                for reason, count in sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
            ],
        }
        for action, reasons in sorted(tally.items(), key=lambda item: (-item[1].total(), item[0]))
    ]  # fmt: skip


def _reasons(found: Iterable[tuple[Verdict, int, str]], taxonomy: Taxonomy) -> list[dict[str, Any]]:
    by_reason: dict[str, dict[str, list[Any]]] = {}
    for verdict, count, text in found:
        known = by_reason.setdefault(verdict.reason, {}).setdefault(verdict.template, [0, text])
        known[0] += count
        known[1] = min(known[1], text, key=lambda one: (not one, len(one), one))
    reasons = []
    for reason, templates in by_reason.items():
        ranked = sorted(templates.items(), key=lambda item: (-item[1][0], item[0]))
        shown = [
            {"template": template, "count": count, "example": without_names(text)}
            for template, (count, text) in ranked[:TEMPLATES]
        ]
        reasons.append(
            {
                "reason": reason,
                "count": sum(count for count, _ in templates.values()),
                "action": str(_action(reason, taxonomy)),
                "advice": _action(reason, taxonomy).advice,
                "distinct_templates": len(templates),
                "examples": [item["example"] for item in shown if item["example"]][:EXAMPLES],
                "templates": shown,
            }
        )
    return sorted(reasons, key=lambda item: (-item["count"], item["reason"]))


def _rows_of(counts: Counts) -> dict[str, list[dict[str, Any]]]:
    known = counts.tells_deliveries
    return {
        "by_provider": _rows(counts.providers, known),
        "by_domain": _rows(counts.domains, known),
        "by_campaign": _rows(counts.campaigns, known),
        "by_day": _days(counts.hours, known),
    }


def _rows(table: Mapping[str, Row], known: bool) -> list[dict[str, Any]]:
    with_bounces = [(name, row) for name, row in table.items() if sum(row[1:])]
    ranked = sorted(with_bounces, key=lambda item: (-sum(item[1][1:]), item[0]))
    return [_row(name, row, known) for name, row in ranked[:NAMES]]


def _row(name: str, row: Sequence[int], known: bool) -> dict[str, Any]:
    delivered, hard, soft, technical, other = row
    bounced = hard + soft + technical + other
    return {
        "name": name, "bounced": bounced, "hard": hard, "soft": soft, "technical": technical, "other": other,
        "delivered": delivered, "rate": _share(bounced, delivered + bounced) if known else None,
    }  # fmt: skip


def _days(hours: Mapping[int, Row], known: bool) -> list[dict[str, Any]]:
    days: dict[str, Row] = {}
    for hour, row in sorted(hours.items()):
        if hour == UNDATED:
            continue
        day = days.setdefault(_day(hour), [0, 0, 0, 0, 0])
        for place, count in enumerate(row):
            day[place] += count
    return [_row(day, row, known) for day, row in days.items()]


def _period(counts: Counts) -> dict[str, str] | None:
    dated = [hour for hour in counts.hours if hour != UNDATED]
    return {"first": _day(min(dated)), "last": _day(max(dated))} if dated else None


def _day(hour: int) -> str:
    return datetime.fromtimestamp(hour * 3600, UTC).date().isoformat()


def _incident(incident: Incident, advice: Sequence[Advice], counts: Counts) -> dict[str, Any]:
    held = 0
    if incident.hard:
        held = sum(
            1
            for item in advice
            if item.held_back
            and any(
                incident.holds(event.provider, event.verdict.reason, event.verdict.template, event.time)
                for event in counts.addresses[item.address]
            )
        )
    return {
        "provider": incident.provider, "reason": incident.reason, "template": incident.template,
        "start": incident.start, "end": incident.end, "count": incident.count, "held_back": held,
        "warning": incident.warning,
    }  # fmt: skip


def _share(count: int, total: int) -> float:
    return round(count / total, 6) if total else 0.0
