"""Expanding templates into training documents.

Every template is filled once per variant and wrapped, cut and recoded the way logs,
queues and DSNs do it. Masking undoes most of that, so few distinct documents remain;
each keeps the summed weight of its variants.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from whybounce.data.slots import fill
from whybounce.model.diagnostic import parse
from whybounce.model.features import document
from whybounce.training.boilerplate import AFTER, BEFORE
from whybounce.training.corpus import Template

_CODES = re.compile(r"^(?P<reply>[245]\d\d)?(?P<gap>[ -]?)(?P<status>[245]\.\d{1,3}\.\d{1,3})?[ :-]*")
_COMMANDS = {"mail": "MAIL FROM", "rcpt": "RCPT TO", "data": "DATA", "eod": "end of DATA"}
_EXIM = {"mail": "MAIL FROM:<{sender}>", "rcpt": "RCPT TO:<{rcpt}>", "data": "DATA", "eod": "end of data"}
_WRONG_HARD = ("550", "553", "554 5.7.1", "550 5.1.1", "552", "550 5.7.1", "501", "554 5.0.0", "550 5.2.1")
_WRONG_SOFT = ("450", "451", "421 4.7.0", "452 4.2.2", "450 4.1.1", "451 4.3.0", "421")

DISGUISES = 3
"""Variants of a template besides itself."""

ALSO_SHARE = 0.3
"""Weight of a template's second acceptable reason against its first."""


@dataclass(slots=True)
class Example:
    """A distinct training document with its label, weight and family.

    ``template`` is the corpus text it comes from first, ``text`` the filled variant,
    ``plain`` whether that is the template as it was written. ``rows`` and ``slices``
    belong to rows of the user's own: how many there are, and what to slice figures by.
    """

    doc: str
    reason: str
    also: str | None
    family: str
    source: str
    lang: str
    weight: float
    text: str
    template: str
    plain: bool
    rows: float = 1.0
    slices: tuple[tuple[str, str], ...] = ()


def expand(
    templates: list[Template],
    *,
    seed: int = 0,
    disguises: int = DISGUISES,
    progress: Callable[[int, int], None] | None = None,
) -> list[Example]:
    """Turn templates into distinct, weighted documents.

    Parameters
    ----------
    templates : list of Template
    seed : int
        Same templates and seed, same examples.
    disguises : int
        Variants of a template besides itself, at most.
    progress : callable, optional
        Called with (templates done, templates in all).

    Returns
    -------
    list of Example
        In the order of first appearance. ``plain`` marks a template as it was written.
    """
    found: dict[tuple[str, str], Example] = {}
    for number, template in enumerate(templates):
        # One generator per template: adding a template changes nothing for the others.
        rng = random.Random(f"{seed}/{template.text}")
        for plain, (text, weight) in _numbered(variants(template, rng, disguises)):
            filled = fill(text, rng)
            doc = document(parse(filled))
            for reason, share, is_plain in _readings(template, plain):
                example = found.get((doc, reason))
                if example is None:
                    found[doc, reason] = Example(
                        doc,
                        reason,
                        template.also,
                        template.family,
                        template.source,
                        template.lang,
                        weight * share,
                        filled,
                        template.text,
                        is_plain,
                    )
                else:
                    example.weight += weight * share
        if progress:
            progress(number + 1, len(templates))
    return list(found.values())


def _readings(template: Template, plain: bool) -> Iterator[tuple[str, float, bool]]:
    # An either/or text is both: the second reading keeps the model from being too sure of the first.
    yield template.reason, 1.0, plain
    if template.also:
        yield template.also, ALSO_SHARE, False


def _numbered(items: Iterator[tuple[str, float]]) -> Iterator[tuple[bool, tuple[str, float]]]:
    for index, item in enumerate(items):
        yield index == 0, item


def variants(template: Template, rng: random.Random, most: int = DISGUISES) -> Iterator[tuple[str, float]]:
    """Yield ``(text with slots, weight)``: the template itself first, then its disguises."""
    text = template.text
    yield text, 1.0
    codes = _CODES.match(text)
    reply, status = (codes["reply"], codes["status"]) if codes else (None, None)
    rest = text[codes.end() :] if codes else text
    if len(rest.split()) < 2 and rest.isascii():
        return  # codes without words: there is nothing to vary
    disguises: list[tuple[str, float]] = []
    if reply or status:
        disguises.append((rest, 0.5))
    if reply and status:
        disguises.append((f"{rng.choice((reply, reply, status))} {rest}", 0.4))
    disguises.append((_wrapped(template, text, rng), 0.4))
    if template.reason != "no_information":
        disguises.append((f"{rng.choice(BEFORE)} {text}", 0.3))
        disguises.append((f"{text} {rng.choice(AFTER)}", 0.3))
    if reply and reply[0] in "45":
        disguises.append((f"{rng.choice(_WRONG_HARD if reply[0] == '5' else _WRONG_SOFT)} {rest}", 0.3))
    words = text.split()
    if len(words) > 9:
        disguises.append((" ".join(words[: rng.randint(7, len(words) - 1)]), 0.3))
    yield from rng.sample(disguises, min(most, len(disguises)))


def _wrapped(template: Template, text: str, rng: random.Random) -> str:
    if template.phase in _COMMANDS and rng.random() < 0.8:
        if rng.random() < 0.6:
            return f"host {{host}}[{{mxip}}] said: {text} (in reply to {_COMMANDS[template.phase]} command)"
        return f"SMTP error from remote mail server after {_EXIM[template.phase]}: host {{host}} [{{mxip}}]: {text}"
    return rng.choice(
        (
            f"smtp;{text}",
            f"SMTP error from remote mail server after initial connection: host {{host}} [{{mxip}}]: {text}",
            f"{{host}} #<{text}> #SMTP#",
            f"Remote host said: {text}",
            f"delivery attempts: {{n}}; last error: {text}",
            f"554 5.4.7 [internal] message timeout (last transfail: {text})",
            f"<{{rcpt}}>: {text}",
        )
    )
