"""What must not matter to a verdict, and what may move it in one direction only.

An address, an IP, a host, an id, the case and the wrapping of lines say nothing about
why a message bounced: texts that differ in them alone should get one verdict. A link
to a blocklist speaks of the sender: it never makes an address bad.
"""

from __future__ import annotations

import random
import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from whybounce.model.prediction import Prediction
from whybounce.model.predictor import BounceClassifier

_DOMAIN = r"(?:(?:[a-z0-9-]+\.)*example\.(?:com|net|org)|(?:[a-z0-9-]+\.)+(?:example|test|invalid))"
_ADDRESS = re.compile(rf"[A-Za-z0-9._+-]+@{_DOMAIN}\b", re.IGNORECASE)
_IP = re.compile(r"\b(?:192\.0\.2|198\.51\.100|203\.0\.113)\.\d{1,3}\b")
_HOST = re.compile(rf"(?<![@\w.-]){_DOMAIN}\b", re.IGNORECASE)
_ID = re.compile(r"\b(?=[A-Za-z0-9]*\d)(?=[A-Za-z0-9]*[A-Za-z])[A-Za-z0-9]{9,}\b")
_CODE = re.compile(r"\s*[245]\d\d[ -]")

_USERS = ("h.lind", "accounting", "zoe_9", "r+list", "pieter.de.vries", "qa77", "kontakt", "x.y")
_DOMAINS = ("example.net", "mail.example.org", "klub.example", "a1.example.com", "dept-4.example.net")
_HOSTS = ("mx7.example.net", "in-2.example.org", "smtp.klub.example", "edge01.dc3.example.com")
_LINKS = (
    "https://www.spamhaus.org/query/ip/192.0.2.77",
    "see https://www.barracudacentral.org/lookups?ip_address=198.51.100.9",
    "More at https://check.spamhaus.org/listed/?searchterm=203.0.113.4",
)

Change = Callable[[str, random.Random], str]


def _other_addresses(text: str, rng: random.Random) -> str:
    return _ADDRESS.sub(lambda _: f"{rng.choice(_USERS)}@{rng.choice(_DOMAINS)}", text)


def _other_ips(text: str, rng: random.Random) -> str:
    return _IP.sub(lambda _: f"{rng.choice(('192.0.2', '198.51.100', '203.0.113'))}.{rng.randint(1, 254)}", text)


def _other_hosts(text: str, rng: random.Random) -> str:
    # A bare domain stays one: "no such domain example.com" does not speak of a host.
    return _HOST.sub(
        lambda found: rng.choice(_HOSTS) if found[0].count(".") >= 2 else rng.choice(("example.org", "example.net")),
        text,
    )


def _other_ids(text: str, rng: random.Random) -> str:
    def changed(found: re.Match[str]) -> str:
        return "".join(rng.choice("0123456789") if char.isdigit() else char for char in found[0])

    return _ID.sub(changed, text)


def _upper(text: str, _: random.Random) -> str:
    return text.upper()


def _lower(text: str, _: random.Random) -> str:
    return text.lower()


def _wrapped(text: str, rng: random.Random) -> str:
    lines = textwrap.wrap(
        " ".join(text.split()), width=rng.randint(50, 78), break_long_words=False, break_on_hyphens=False
    )
    return "\n    ".join(lines)


def _typed(text: str, _: random.Random) -> str:
    """As a delivery status notification writes it (RFC 3464, Diagnostic-Code)."""
    return f"smtp; {text}" if _CODE.match(text) else text


INVARIANCES: Mapping[str, Change] = {
    "addresses": _other_addresses,
    "IPs": _other_ips,
    "hosts": _other_hosts,
    "ids": _other_ids,
    "upper case": _upper,
    "lower case": _lower,
    "wrapping": _wrapped,
    "diagnostic type": _typed,
}


@dataclass(frozen=True, slots=True)
class Broken:
    """A text whose verdict moved though it must not."""

    change: str
    text: str
    changed: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How a classifier behaved.

    Attributes
    ----------
    tried : dict
        Name of the change -> texts that it changed at all.
    broken : tuple of Broken
    """

    tried: Mapping[str, int]
    broken: tuple[Broken, ...]

    def unchanged(self, change: str) -> float:
        """Share of the texts whose verdict a change left alone."""
        tried = self.tried[change]
        return 1.0 - sum(broken.change == change for broken in self.broken) / tried if tried else 1.0

    @property
    def all_unchanged(self) -> float:
        """The same over all changes."""
        tried = sum(self.tried.values())
        return 1.0 - len(self.broken) / tried if tried else 1.0


def invariances(classifier: BounceClassifier, texts: Sequence[str], *, seed: int = 7) -> Behaviour:
    """Change what must not matter in texts and count the verdicts that stay.

    Parameters
    ----------
    classifier : BounceClassifier
    texts : sequence of str
        With addresses, IPs and hosts that are reserved for documentation only.
    seed : int
        Of what is put in instead.
    """
    tried: dict[str, int] = {}
    broken: list[Broken] = []
    before = classifier.predict(texts)
    for name, change in INVARIANCES.items():
        rng = random.Random(seed)
        changed = [change(text, rng) for text in texts]
        moved = [number for number, text in enumerate(texts) if changed[number] != text]
        tried[name] = len(moved)
        broken += _moved(name, texts, changed, moved, before, classifier.predict([changed[n] for n in moved]))
    return Behaviour(tried, tuple(broken))


def blocklist_links(classifier: BounceClassifier, texts: Sequence[str]) -> Behaviour:
    """Add a link to a blocklist to texts that call no address bad, and count those that then do."""
    before = classifier.predict(texts)
    good = [number for number, given in enumerate(before) if not _hard(classifier, given)]
    changed = {number: f"{texts[number]} {_LINKS[number % len(_LINKS)]}" for number in good}
    after = classifier.predict(changed.values())
    broken = tuple(
        Broken("blocklist link", texts[number], changed[number], before[number].reason, given.reason)
        for number, given in zip(good, after, strict=True)
        if _hard(classifier, given)
    )
    return Behaviour({"blocklist link": len(good)}, broken)


def _moved(
    name: str,
    texts: Sequence[str],
    changed: Sequence[str],
    numbers: Sequence[int],
    before: Sequence[Prediction],
    after: Sequence[Prediction],
) -> list[Broken]:
    return [
        Broken(name, texts[number], changed[number], before[number].reason, given.reason)
        for number, given in zip(numbers, after, strict=True)
        if given.reason != before[number].reason
    ]


def _hard(classifier: BounceClassifier, prediction: Prediction) -> bool:
    return prediction.reason in classifier.taxonomy and classifier.taxonomy.is_hard(prediction.reason)
