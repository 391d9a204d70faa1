"""The harnesses of ``tests/fuzz`` over every fixture and over a few hundred inputs near them, without coverage."""

from __future__ import annotations

import random
from base64 import b64encode
from collections.abc import Iterator

import pytest
from fuzz import mutate
from fuzz.target import Broken, Items, PumpedTooSlow, Target, TooSlow, cpu_limit, pumped
from fuzz.targets import TARGETS
from fuzz.tokens import tokens_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from whybounce.model.predictor import BounceClassifier
from whybounce.serving.intake.events import providers
from whybounce.serving.intake.format import Source
from whybounce.serving.intake.formats import formats

NAMES = list(TARGETS)
LIMIT = 60.0
"""CPU seconds, so that a slow machine fails no test; the fuzzer itself has a limit that means something."""


def named(name: str) -> Target:
    return TARGETS[name]


def test_every_format_is_fuzzed() -> None:
    wanted = {form.name for form in formats()} - {"message", "mbox"}
    assert wanted <= TARGETS.keys()
    assert {"message", "mailbox", "packed"} <= TARGETS.keys()
    assert len(providers()) + 1 <= len([name for name in wanted if name in TARGETS])


@pytest.mark.parametrize("name", NAMES)
def test_every_fixture_passes_the_oracles(name: str, classifier: BounceClassifier) -> None:
    seeds = named(name).seeds()
    assert seeds
    for seed in seeds:
        named(name).run(seed, classifier, LIMIT)


@pytest.mark.parametrize("name", NAMES)
@given(seed=st.integers(0, 2**32), rounds=st.integers(1, 4))
@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
def test_inputs_near_the_fixtures_pass_the_oracles(
    name: str, seed: int, rounds: int, classifier: BounceClassifier
) -> None:
    target = named(name)
    rng = random.Random(seed)
    seeds, tokens = _material(name)
    data = rng.choice(seeds)
    for _ in range(rounds):
        data = target.mutate(data, rng, seeds) if rng.random() < 0.6 else mutate.havoc(data, rng, tokens)
    target.run(data[:20_000], classifier, LIMIT)


_KNOWN: dict[str, tuple[list[bytes], list[bytes]]] = {}


def _material(name: str) -> tuple[list[bytes], list[bytes]]:
    if name not in _KNOWN:
        _KNOWN[name] = (named(name).seeds(), tokens_of(named(name).modules))
    return _KNOWN[name]


@pytest.mark.parametrize("name", NAMES)
@given(data=st.binary(max_size=400))
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_bytes_pass_the_oracles(name: str, data: bytes, classifier: BounceClassifier) -> None:
    named(name).run(data, classifier, LIMIT)


# The harness itself: oracles that cannot fail would find nothing


def _found() -> Iterator[tuple[str, Target]]:
    yield from TARGETS.items()


def test_the_dictionary_holds_what_parsers_look_for() -> None:
    assert {b", status=", b": to=<", b"expired, returned to sender"} <= set(tokens_of(TARGETS["postfix"].modules))
    assert b"bouncedRecipients" in tokens_of(TARGETS["ses"].modules)
    for name, target in _found():
        assert len(tokens_of(target.modules)) > 10, name


@pytest.mark.parametrize("name", NAMES)
def test_mutations_differ_and_are_repeatable(name: str) -> None:
    seeds = named(name).seeds()
    one, other = (
        [named(name).mutate(seeds[0], random.Random(number), seeds) for number in range(40)] for _ in range(2)
    )
    assert one == other
    assert len(set(one)) > 8


def test_an_invented_address_is_found(monkeypatch: pytest.MonkeyPatch, classifier: BounceClassifier) -> None:
    target = TARGETS["postfix"]
    monkeypatch.setattr("whybounce.serving.intake.postfix.host_of", lambda relay: "mx.invented.example")
    with pytest.raises(Broken, match="remote_host stands in the input"):
        target.run(target.seeds()[0], classifier, LIMIT)


_REPORT = b64encode(
    b"Reporting-MTA: dns; mail.example.com\n\nFinal-Recipient: rfc822; a@example.com\nAction: failed\nStatus: 5.1.1\n"
)
_ENCODED = b"Content-Type: message/delivery-status\nContent-Transfer-Encoding: base64\n\n"


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("message", _ENCODED + _REPORT[:73] + b"\n\n" + _REPORT[73:] + b"\n"),
        ("message", b"From: =?iso-2022-jp?B?GyRCOzNFRBsoQg==?= Date:\nSubject: Automatic reply\n\nI am away\n"),
        (
            "message",
            b'Content-Type: multipart/report; boundary="b"\n\n--b\nContent-Type: message/rfc822\n\nA: b\x1ec: d\n',
        ),
        ("csv", b'recipient,diagnostic\n"a@example.com\n\xef\xbb\xbfname",550 5.1.1 no such user\n'),
    ],
    ids=[
        "base64 with a blank line",
        "encoded and plain words",
        "a field that email writes no more",
        "a byte order mark",
    ],
)
def test_what_only_oracles_once_stumbled_over(name: str, data: bytes, classifier: BounceClassifier) -> None:
    named(name).run(data, classifier, LIMIT)


def test_a_reader_that_minds_line_ends_is_found(monkeypatch: pytest.MonkeyPatch, classifier: BounceClassifier) -> None:
    def naive(source: Source) -> Iterator[tuple[int, str]]:
        yield from enumerate((line.decode() for line in source.open().read().split(b"\n")), start=1)

    monkeypatch.setattr("whybounce.serving.intake.postfix.numbered", naive)
    seed = TARGETS["postfix"].seeds()[0]
    with pytest.raises(Broken, match="line ends do not matter"):  # it is not asked of every input
        _run_all("postfix", [seed + b"\n" * number for number in range(60)], classifier)


def _run_all(name: str, inputs: list[bytes], classifier: BounceClassifier) -> None:
    for data in inputs:
        named(name).run(data, classifier, LIMIT)


def test_slow_inputs_are_found(monkeypatch: pytest.MonkeyPatch, classifier: BounceClassifier) -> None:
    monkeypatch.setattr("fuzz.target.PUMPED", 0.05)
    with pytest.raises(TooSlow), cpu_limit(0.05):
        _slowly(b"x")
    slow = Target("slow", (), lambda: [b"x"], _slowly, lambda data, given: None, mutate.lines)
    with pytest.raises(PumpedTooSlow) as caught:
        slow.run_pumped(b"some text", random.Random(1), classifier)
    assert len(caught.value.data) > 100_000


def _slowly(data: bytes) -> Items:
    while True:
        data = data[::-1]


def test_pumped_inputs_are_large_and_made_of_few_pieces() -> None:
    large = pumped(b"to=<a@example.com>, stat=Sent", random.Random(3))
    assert len(large) > 200_000
    assert len({large[place : place + 4] for place in range(len(large))}) < 300
