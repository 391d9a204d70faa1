"""Events of sending services: as files, and as bodies of ``/v1/events/{provider}``."""

from __future__ import annotations

import random
from functools import partial
from urllib.parse import parse_qsl

import orjson

from whybounce.model.errors import DataError
from whybounce.model.predictor import BounceClassifier
from whybounce.serving.http.events import _answer, _Refused
from whybounce.serving.intake.events import providers
from whybounce.serving.intake.events.generic import generic_format, paths_of
from whybounce.serving.intake.events.values import values
from whybounce.serving.intake.format import Format, Skipped, Source
from whybounce.serving.intake.formats import format_named
from whybounce.serving.intake.open import from_bytes, read
from whybounce.serving.intake.record import BounceRecord

from . import mutate, oracles
from .oracles import NAME, alike, chance, must, plain
from .said import said_in_json
from .target import FIXTURES, Items, Target

_EVENTS = "whybounce.serving.intake.events"
_SHARED = (f"{_EVENTS}.provider", f"{_EVENTS}.values", "whybounce.serving.intake.syslog")


def _split(data: bytes) -> tuple[list[tuple[str, str]], bytes]:
    """For ``generic``: the first line holds the paths as a query does."""
    first, _, rest = data.partition(b"\n")
    return parse_qsl(first.decode("utf-8", "replace"), max_num_fields=1000), rest


def _form(name: str, data: bytes) -> tuple[Format | None, bytes]:
    if name != "generic":
        return format_named("kumomta-hook" if name == "kumomta" else name), data
    try:
        pairs, rest = _split(data)
        return generic_format(paths_of(pairs)), rest
    except (DataError, ValueError):  # no field of that name, too many fields
        return None, b""


def _parse(name: str, data: bytes) -> Items:
    form, body = _form(name, data)
    return list(read(from_bytes(NAME, body), form)[1]) if form is not None else []


def _check(name: str, data: bytes, classifier: BounceClassifier) -> None:
    form, body = _form(name, data)
    if form is None:
        return
    items = _parse(name, data)
    oracles.well_formed(items)
    oracles.judged(items, classifier)
    found = [one[1] for one in values(Source(NAME, from_bytes(NAME, body).open)) if not isinstance(one, Skipped)]
    oracles.nothing_invented(items, "\n".join(said_in_json(found)))
    if chance(body, 12):
        oracles.recognised(from_bytes(NAME, body))
        oracles.reported(items, form, classifier)
    if chance(body, 12, 1):
        alike(items, list(form.read(oracles.dribbled(body))), "pieces do not matter")
    if b"\r" not in body and chance(body, 4, 2):
        alike(items, list(read(from_bytes(NAME, body.replace(b"\n", b"\r\n")), form)[1]), "line ends do not matter")
    if chance(body, 4, 3):
        _followed(name, form, body, items)
    if chance(body, 2, 4):
        _posted(name, data, classifier)


def _followed(name: str, form: Format, body: bytes, items: Items) -> None:
    """A whole event after any bytes and the end of a line is read, unless they make it a part of their own."""
    tail = next((seed for seed in _plain_seeds(name) if _first_record(form, seed) is not None), None)
    if tail is None:  # paths that lead nowhere in any of them
        return
    compact = b" ".join(tail.split(b"\n"))
    try:
        wanted = plain([one for one in read(from_bytes(NAME, compact), form)[1] if isinstance(one, BounceRecord)])
    except ValueError:
        return
    got = plain(list(read(from_bytes(NAME, body + b"\n" + compact), form)[1]), skipped=False)
    must(got[len(got) - len(wanted) :] == wanted, "what follows is read", got[-1:], wanted[-1:])


def _first_record(form: Format, seed: bytes) -> BounceRecord | None:
    return next((one for one in form.read(from_bytes(NAME, seed)) if isinstance(one, BounceRecord)), None)


def _posted(name: str, data: bytes, classifier: BounceClassifier) -> None:
    """The web service answers, or says what is wrong."""
    kinds = ["application/json", "application/x-ndjson"]
    body, path = data, list[str]()
    if name == "mailgun":
        kinds.append("application/x-www-form-urlencoded")
    if name == "generic":
        pairs, body = _split(data)
        path = [f"{key}:{value}" for key, value in pairs]
    for kind in kinds:
        try:
            answer = _answer(classifier, name, kind, body, path, 1 << 20).body()
        except _Refused as refusal:
            must(400 <= refusal.status < 500 and bool(refusal.detail), "a refusal says what is wrong", refusal.status)
            refusal.detail.encode()
        else:
            orjson.loads(answer)


def _plain_seeds(name: str) -> list[bytes]:
    folder = FIXTURES / "events" / name
    return [
        path.read_bytes()
        for path in sorted(folder.iterdir())
        if ".expected." not in path.name and path.suffix != ".paths"
    ]


def _seeds(name: str) -> list[bytes]:
    if name != "generic":
        return _plain_seeds(name)
    found = []
    for path in sorted((FIXTURES / "events" / name).iterdir()):
        if ".expected." in path.name or path.suffix == ".paths":
            continue
        given = path.with_suffix(".paths")
        first = b"&".join(given.read_bytes().split(b"\n")).strip(b"&") if given.exists() else b""
        found.append(first + b"\n" + path.read_bytes())
    return found


def _mutate_generic(data: bytes, rng: random.Random, seeds: list[bytes]) -> bytes:
    first, _, rest = data.partition(b"\n")
    others = [seed.partition(b"\n") for seed in seeds]
    if rng.random() < 0.3:
        first = rng.choice(
            (rng.choice(others)[0], mutate.havoc(first, rng, [b"[]", b".", b"0", b"&", b"=", b"events="]))
        )
        return first.replace(b"\n", b"") + b"\n" + rest
    return first + b"\n" + mutate.json_values(rest, rng, [other[2] for other in others])


def _target(name: str) -> Target:
    modules = (f"{_EVENTS}.{name}", *_SHARED, *(["whybounce.serving.intake.kumomta"] if name == "kumomta" else []))
    how = _mutate_generic if name == "generic" else mutate.json_values
    called = "kumomta-hook" if name == "kumomta" else name
    return Target(called, modules, partial(_seeds, name), partial(_parse, name), partial(_check, name), how)


TARGETS: tuple[Target, ...] = tuple(_target(name) for name in (*providers(), "generic"))
