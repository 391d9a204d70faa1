"""What is known about each measured row besides its label and the answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from ipaddress import ip_address
from typing import Any

import numpy as np

from whybounce.model.category import category_of
from whybounce.model.diagnostic import Diagnostic, Phase, parse
from whybounce.model.masking import template_of
from whybounce.model.prediction import Prediction
from whybounce.model.taxonomy import Category, Taxonomy
from whybounce.training.labelled import Labelled
from whybounce.training.metrics import IntArray

LANGUAGES = (
    "ar", "bg", "cs", "da", "de", "el", "en", "es", "fi", "fr", "he", "hr", "hu", "id", "it", "ja", "ko", "nl", "no",
    "pl", "pt", "ro", "ru", "sk", "sl", "sv", "th", "tr", "uk", "vi", "zh",
)  # fmt: skip
"""Languages that detection chooses from."""

UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Cases:
    """The measured rows, as what the parser found in them.

    Attributes
    ----------
    rows : tuple of Labelled
    found : tuple of Diagnostic
        One a row; equal texts share one. They hold the masked template, never the text.
    templates : tuple of str
        Distinct templates.
    cluster : array of int
        Position of each row's template in ``templates``.
    """

    rows: tuple[Labelled, ...]
    found: tuple[Diagnostic, ...]
    templates: tuple[str, ...]
    cluster: IntArray

    def provider(self, row: int) -> str:
        """Provider of a row: its column, else what the parser found."""
        return _column(self.rows[row], "provider") or self.found[row].provider or UNKNOWN

    def category(self, row: int, reason: str, taxonomy: Taxonomy) -> Category:
        """Category of a bounce that is said to have ``reason``."""
        return category_of(reason, self.found[row], taxonomy) if reason in taxonomy else Category.OTHER


def cases(rows: Sequence[Labelled], found: Sequence[Diagnostic]) -> Cases:
    """Group rows by their templates."""
    number: dict[str, int] = {}
    cluster = [number.setdefault(diagnostic.template, len(number)) for diagnostic in found]
    return Cases(tuple(rows), tuple(found), tuple(number), np.array(cluster, dtype=np.int64))


def parsed(rows: Sequence[Labelled]) -> list[Diagnostic]:
    """Parse each distinct text once."""
    once = {
        text: replace(parse(text), text="", normalised="", words="") for text in dict.fromkeys(row.text for row in rows)
    }
    return [once[row.text] for row in rows]


def diagnostic_of(prediction: Prediction) -> Diagnostic:
    """Take the parsed fields back out of a prediction, which saves parsing again."""
    return Diagnostic(
        text="", truncated=prediction.truncated, normalised="", template=prediction.template, words="",
        reply_code=prediction.reply_code, enhanced_status=prediction.enhanced_status,
        command=Phase(prediction.command) if prediction.command else None,
        retry_after_seconds=None, blocklist=prediction.blocklist, provider=prediction.provider,
    )  # fmt: skip


def code_family(diagnostic: Diagnostic) -> str:
    """Name the codes that a text carries: ``5.1.x``, ``550 alone``, ``no code``."""
    if diagnostic.enhanced_status:
        major, subject, _ = diagnostic.enhanced_status.split(".")
        return f"{major}.{subject}.x"
    return f"{diagnostic.reply_code} alone" if diagnostic.reply_code else "no code"


def languages(cases: Cases) -> tuple[list[str], bool]:
    """Language of each row, and whether it was detected because no row names one."""
    named = [_column(row, "lang") for row in cases.rows]
    if any(named):
        return [name or UNKNOWN for name in named], False
    identifier = _identifier()
    if identifier is None:
        return [UNKNOWN] * len(named), True
    by_template: dict[int, str] = {}
    for row, template in zip(cases.rows, cases.cluster.tolist(), strict=True):
        if template not in by_template:
            by_template[template] = _language(identifier, row.text)
    return [by_template[template] for template in cases.cluster.tolist()], True


def _language(identifier: Any, text: str) -> str:
    # Codes, hosts and addresses are of no language; a word or two is too little to tell.
    words = " ".join(word for word in text[:1000].lower().replace(",", " ").replace(".", " ").split() if word.isalpha())
    if len(words) < 12 and words.isascii():
        return UNKNOWN
    return str(identifier.classify(words)[0])


@cache
def _identifier() -> Any | None:
    try:
        langid: Any = import_module("py3langid.langid")
    except ImportError:
        return None  # the figures do without this slice
    identifier = langid.LanguageIdentifier.from_model_file(langid.MODEL_FILE)
    identifier.set_languages(list(LANGUAGES))
    return identifier


def _column(row: Labelled, name: str) -> str:
    return shown(dict(row.slices).get(name, ""))


def shown(value: str) -> str:
    """Keep a user's own word out of a report when it is an address or an IP."""
    return template_of(value) if "@" in value or _is_ip(value) else value


def _is_ip(value: str) -> bool:
    try:
        ip_address(value.strip().strip("[]"))
    except ValueError:
        return False
    return True
