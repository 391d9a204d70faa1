"""The verdict in plain words, with what it means for ten thousand bounces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from whybounce.training.report.curves import PER
from whybounce.training.report.view import (
    Cell,
    Phrase,
    Reader,
    p_equals,
    per_10k,
    percent,
    phrase,
    plain,
    signed,
    span,
)

if TYPE_CHECKING:
    from whybounce.training.report.measure import About

FEW_TEMPLATES = 100
"""Distinct texts under which a report says that they are few."""

SIGNIFICANT = 0.05
"""p-value from which on a difference may be chance."""

# figure -> whether more of it is better
_BETTER_UP = {"accuracy": True, "macro_f1": True, "good_called_hard": False, "hard_recall": True}
_WORDS = {
    "accuracy": ("more right answers", "fewer right answers"),
    "macro_f1": ("better on the reasons on average", "worse on the reasons on average"),
    "good_called_hard": ("fewer good addresses called hard", "more good addresses called hard"),
    "hard_recall": ("more bad addresses found", "fewer bad addresses found"),
}


def headline(document: Mapping[str, Any], about: About) -> dict[str, Any]:
    """Compute what the top of a report says.

    Returns
    -------
    dict
        ``level``: ``better``, ``worse``, ``mixed`` or ``same`` against the current
        model, ``single`` without one. Numbers are per 10,000 bounces.
    """
    both, current = document["systems"]["both"], document["current"]
    costs = document["costs"]
    level, gains, losses = _level(document["contrasts"].get("current"))
    found: dict[str, Any] = {
        "level": level,
        "gains": gains,
        "losses": losses,
        "per": PER,
        "right": both["accuracy"] * PER,
        "right_interval": _scaled(both["intervals"]["accuracy"]),
        "review": (1 - both["acted_share"]) * PER,
        "good_suppressed": costs["default"]["good_suppressed"],
        "bad_kept": costs["default"]["bad_kept"],
        "bad": costs["default"]["bad_kept"] + costs["default"]["bad_suppressed"],
        "rules_right": document["systems"]["rules"]["accuracy"] * PER if "rules" in document["systems"] else None,
        "current": _against(document) if current else None,
        "cautions": _cautions(document),
    }
    found["advice"] = _advice(level, about)
    complete = {**document, "headline": found}
    found["title"] = plain(title(complete))
    found["sentences"] = [plain(sentence) for sentence in sentences(complete)]
    return found


def title(document: Mapping[str, Any]) -> Phrase:
    """The verdict in a few words."""
    name = document["current"]["name"] if document["current"] else ""
    match document["headline"]["level"]:
        case "better":
            return phrase(f"Better than {name}")
        case "worse":
            return phrase(f"Worse than {name}")
        case "mixed":
            return phrase(f"Better than {name} in some ways, worse in others")
        case "same":
            return phrase(f"No evidence of a difference from {name}")
    return phrase(
        "The right reason for ", Reader(document).cell("/systems/both/accuracy", percent), " of these bounces"
    )


def sentences(document: Mapping[str, Any]) -> tuple[Phrase, ...]:
    """What it means for ten thousand bounces."""
    read = Reader(document)
    head = document["headline"]

    def number(name: str) -> Cell:
        return read.cell(f"/headline/{name}", per_10k)

    first = phrase(
        "Of ", number("per"), " bounces like these, about ", number("right"), " (95 % interval: ",
        read.cell("/headline/right_interval", span(per_10k)), f") get the right reason from {document['name']}.",
    )  # fmt: skip
    second = phrase(
        "Acting on its advice would suppress about ", number("good_suppressed"), " good addresses and keep about ",
        number("bad_kept"), " of ", number("bad"), " bad ones; ", number("review"), " answers go to a person.",
    )  # fmt: skip
    found = [first, second]
    if head["current"]:
        found += _compared(document, read)
    against_rules = document["current"] is not None and document["current"]["model_version"] is None
    if head["rules_right"] is not None and "model" in document["systems"] and not against_rules:
        found.append(phrase("The rules alone, without a model, would be right on ", number("rules_right"), "."))
    return tuple(found)


def _compared(document: Mapping[str, Any], read: Reader) -> list[Phrase]:
    name = document["current"]["name"]
    name = name[0].upper() + name[1:]
    head = document["headline"]
    against = phrase(
        f"{name} would be right on ", read.cell("/headline/current/right", per_10k), ", suppress ",
        read.cell("/headline/current/good_suppressed", per_10k), " good addresses and keep ",
        read.cell("/headline/current/bad_kept", per_10k), " bad ones.",
    )  # fmt: skip
    if not any(document["changes"][effect] for effect in ("won", "lost", "other")):
        return [phrase(f"{name} gives the same answer to every row.")]
    chance = {
        "better": "The gain is larger than chance explains: ",
        "worse": "The loss is larger than chance explains: ",
        "mixed": "Both are larger than chance explains: ",
        "same": "The difference may be chance: ",
    }[head["level"]]
    because = [_WORDS[metric][0] for metric in head["gains"]] + [_WORDS[metric][1] for metric in head["losses"]]
    listed = f"{', '.join(because)}; " if because else ""
    test = phrase(
        chance, listed, "right answers ", read.cell("/headline/current/change", signed), " (95 % interval: ",
        read.cell("/headline/current/change_interval", span(signed)), "; McNemar's test: ",
        read.cell("/headline/current/p_value", p_equals), ").",
    )  # fmt: skip
    return [against, test]


def _against(document: Mapping[str, Any]) -> dict[str, Any]:
    contrast = document["contrasts"]["current"]
    accuracy = contrast["metrics"]["accuracy"]
    costs = document["costs"]["current"]
    return {
        "right": document["current"]["accuracy"] * PER,
        "good_suppressed": costs["good_suppressed"],
        "bad_kept": costs["bad_kept"],
        "change": accuracy["value"] * PER,
        "change_interval": _scaled(accuracy["interval"]),
        "p_value": _p(contrast),
    }


def _scaled(interval: Mapping[str, float] | None) -> dict[str, float] | None:
    return {name: value * PER for name, value in interval.items()} if interval else None


def _p(contrast: Mapping[str, Any]) -> float:
    # The more cautious of the two: rows of one template are no independent observations.
    return float(max(test["p_value"] for test in contrast["mcnemar"].values()))


def _level(contrast: Mapping[str, Any] | None) -> tuple[str, list[str], list[str]]:
    if contrast is None:
        return "single", [], []
    gains: list[str] = []
    losses: list[str] = []
    for metric, up in _BETTER_UP.items():
        difference = contrast["metrics"][metric]
        if not difference["clear"]:
            continue
        if metric == "accuracy" and _p(contrast) >= SIGNIFICANT:
            continue
        (gains if (difference["value"] > 0) == up else losses).append(metric)
    level = "mixed" if gains and losses else "better" if gains else "worse" if losses else "same"
    return level, gains, losses


def _cautions(document: Mapping[str, Any]) -> list[str]:
    data = document["data"]
    found = list(document["notes"])
    if document["degraded"]:
        found.append("No model could be loaded: these are the figures of the rules alone.")
    if data["templates"] < FEW_TEMPLATES:
        texts = "one distinct text was" if data["templates"] == 1 else f"{data['templates']:,} distinct texts were"
        found.append(f"Only {texts} measured: the figures may be luck. Label some hundreds to be sure.")
    if data["templates"] > 1 and data["largest_template"] > data["measured"] / 2:
        found.append("More than half of the rows are one and the same text: the figures are mostly about that text.")
    return found


def _advice(level: str, about: About) -> str:
    name = about.current_name
    return {
        "better": f"Switch from {name} to {about.name}.",
        "worse": f"Keep {name}.",
        "mixed": f"Look at what gets worse before you switch: see “Against {name}”.",
        "same": f"No reason to switch from {name}. Label more bounces, above all unsure ones, and train again.",
        "single": "To decide between two models, compare them on the same data: whybounce compare.",
    }[level]
