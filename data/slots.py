"""The slots of the templates: what each stands for, and what to put in its place.

Every value is made up from names and numbers that are reserved for documentation:
the domains of RFC 2606 and RFC 6761, the addresses of RFC 5737 and RFC 3849, the
telephone numbers that the North American plan and Ofcom keep for fiction.
"""

from __future__ import annotations

import random
import re
import string
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

SLOT = re.compile(r"\{([a-z]+)\}")
"""A slot in a template."""

USERS = (
    "alex", "j.smith", "maria.garcia", "info", "sales", "k_tanaka", "p-muller", "jdoe42", "office", "anna+news",
    "b.o.neill", "webmaster2", "contact", "user1987", "li.wei", "accounts", "olga.ivanova", "mj", "team-berlin",
    "x7731",
)  # fmt: skip
DOMAINS = (
    "example.com", "example.net", "example.org", "mail.example.com", "corp.example.net", "shop.example.org",
    "acme.example", "uni-nord.example", "kontoret.example", "firma.test", "city-hall.example", "abc123.test",
)  # fmt: skip
HOSTS = (
    "mx", "mx1", "mx2", "mail", "smtp", "mta-in-03", "inbound", "mx01.mail", "relay2", "gw", "mxfront7.dc1",
    "ip-4-17.static", "email-smtp-11", "vps2041", "ex01.ad", "out-7.mta",
)  # fmt: skip
SUBJECTS = (
    "Your invoice", "Re: meeting on Tuesday", "Newsletter May", "Fwd: photos", "Order 48213", "hello",
    "Welcome to the club", "Reminder: appointment", "AW: Angebot", "weekly report", "Tickets for the concert",
)  # fmt: skip
LISTS = (
    "announce", "dev-list", "members", "staff-all", "newsletter-de", "choir", "discuss", "board", "users-l",
    "alumni2019",
)  # fmt: skip
NAMES = (
    "Alex Example", "Maria Muster", "J. Doe", "Max Mustermann", "Jan Novak", "Jane Roe", "Taro Yamada", "Ola Nordmann",
    "Mario Rossi", "Jean Dupont", "Sam Sample", "Juan Perez",
)  # fmt: skip
PHONES = (
    "+1 202-555-0143", "(303) 555-0117", "1-800-555-0199", "555-0162", "+44 20 7946 0018", "020 7946 0455",
    "+44 1632 960 774", "+1 (416) 555-0123", "+1.604.555.0188", "01632 960231",
)  # fmt: skip
FILES = (
    "setup.exe", "invoice.zip", "photo.scr", "report.js", "scan_0042.docm", "update.bat", "document.pdf.exe",
    "order.vbs", "archive.rar", "readme.lnk", "macro.xlsm", "installer.msi",
)  # fmt: skip
PATHS = (
    "", "help", "info/{}", "support/{}", "e/{}", "kb/{}.html", "?id={}", "faq#{}", "r?c={}&v=2", "errors/{}", "x/y/{}",
)  # fmt: skip
DATE_FORMATS = (
    "%a, %d %b %Y %H:%M:%S +0000", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M:%S", "%d.%m.%Y %H:%M", "%m/%d/%Y %I:%M:%S %p",
    "%d %b %Y", "%a %b %d %H:%M:%S %Y", "%d-%m-%Y", "%Y/%m/%d", "%B %d, %Y", "%b %d %H:%M:%S",
    "%a, %d %b %Y %H:%M:%S +0200 (CEST)",
)  # fmt: skip

Rng: TypeAlias = random.Random
Values: TypeAlias = tuple[str, ...] | Callable[[Rng], str]

_BASE52 = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz"
_BASE62 = string.digits + string.ascii_letters
_LOWER = string.digits + string.ascii_lowercase
_UPPER = string.digits + string.ascii_uppercase
_HEX = "0123456789abcdef"


def _random(rng: Rng, alphabet: str, low: int, high: int = 0) -> str:
    return "".join(rng.choices(alphabet, k=rng.randint(low, max(low, high))))


_QUEUE_ID_STYLES: tuple[Callable[[Rng], str], ...] = (
    lambda rng: _random(rng, "0123456789ABCDEF", 9, 12),  # Postfix
    lambda rng: f"4{_random(rng, _BASE52, 9)}z{_random(rng, _BASE52, 4)}",  # Postfix, long ids
    lambda rng: f"1{_random(rng, _BASE62, 5)}-{_random(rng, _BASE62, 6)}-{_random(rng, _BASE62, 2)}",  # Exim
    lambda rng: f"1{_random(rng, _BASE62, 5)}-{_random(rng, _BASE62, 11)}-{_random(rng, _BASE62, 4)}",  # Exim 4.97
    lambda rng: f"{rng.choice('pqrst')}{_random(rng, _BASE62, 6)}0{rng.randint(10000, 99999)}",  # Sendmail
    lambda rng: f"{rng.randint(1500000000, 1799999999)} qp {rng.randint(100, 99999)}",  # qmail
    lambda rng: f"{_random(rng, _UPPER, 12, 15)}.{_random(rng, _LOWER, 4, 8)}.example.com",  # Exchange
    lambda rng: f"{_random(rng, _LOWER, 14, 18)}.{rng.randint(10, 999)}",
)
_ID_STYLES: tuple[Callable[[Rng], str], ...] = (
    lambda rng: _random(rng, _HEX, 32),
    lambda rng: "-".join(_random(rng, _HEX, size) for size in (8, 4, 4, 4, 12)),
    lambda rng: _random(rng, _BASE62, 10, 22),
    lambda rng: str(rng.randint(10**7, 10**12)),
    lambda rng: f"{_random(rng, _LOWER, 9)}si{_random(rng, string.digits, 10)}.{rng.randint(1, 999)}",
    lambda rng: f"{rng.randint(1000, 99999)}_{rng.randint(1000, 99999)}",
    lambda rng: f"{_random(rng, _BASE62, 6, 8)}.{_random(rng, _BASE62, 4, 8)}",
    lambda rng: _random(rng, string.ascii_uppercase, 3) + str(rng.randint(10000, 999999)),
)


def _host(rng: Rng) -> str:
    return f"{rng.choice(HOSTS)}.{rng.choice(DOMAINS)}"


def _address(rng: Rng) -> str:
    return f"{rng.choice(USERS)}@{rng.choice(DOMAINS)}"


def _ip(rng: Rng) -> str:
    if rng.random() < 0.12:
        tail = ":".join(f"{rng.randrange(1, 65536):x}" for _ in range(rng.randint(1, 3)))
        return f"2001:db8:{rng.randrange(65536):x}::{tail}"
    return f"{rng.choice(('192.0.2', '198.51.100', '203.0.113'))}.{rng.randint(1, 254)}"


def _url(rng: Rng) -> str:
    path = rng.choice(PATHS).format(rng.randint(10, 99999))
    return f"{rng.choice(('https', 'https', 'http'))}://{rng.choice(('www.', '', 'help.'))}{rng.choice(DOMAINS)}/{path}"


def _queue_id(rng: Rng) -> str:
    return rng.choice(_QUEUE_ID_STYLES)(rng)


def _opaque_id(rng: Rng) -> str:
    return rng.choice(_ID_STYLES)(rng)


def _date(rng: Rng) -> str:
    moment = datetime(2019, 1, 1, tzinfo=UTC) + timedelta(seconds=rng.randrange(8 * 365 * 86400))
    return moment.strftime(rng.choice(DATE_FORMATS))


def _between(low: int, high: int) -> Callable[[Rng], str]:
    return lambda rng: str(rng.randint(low, high))


def _times(factor: int, low: int, high: int) -> Callable[[Rng], str]:
    return lambda rng: str(factor * rng.randint(low, high))


def _either(*choices: Callable[[Rng], str]) -> Callable[[Rng], str]:
    return lambda rng: rng.choice(choices)(rng)


@dataclass(frozen=True, slots=True)
class Slot:
    """What a slot stands for and its values: a choice of texts, or a function that draws one."""

    description: str
    values: Values

    def draw(self, rng: Rng) -> str:
        """Draw one value."""
        return self.values(rng) if callable(self.values) else rng.choice(self.values)


SLOTS: dict[str, Slot] = {
    "rcpt": Slot("recipient address", _address),
    "sender": Slot("sender address", _address),
    "user": Slot("local part of the recipient", USERS),
    "domain": Slot("domain of the recipient", DOMAINS),
    "sdomain": Slot("domain of the sender", DOMAINS),
    "host": Slot("name of the receiving host", _host),
    "client": Slot("name of the sending host, HELO", _host),
    "ip": Slot("IP address of the sending host", _ip),
    "mxip": Slot("IP address of the receiving host", _ip),
    "url": Slot("some URL that says nothing by itself", _url),
    "qid": Slot("queue id", _queue_id),
    "id": Slot("any other opaque id or hash", _opaque_id),
    "n": Slot("number", _either(_between(1, 12), _between(13, 200), _between(1000, 99999))),
    "size": Slot("byte count", _either(_between(2_000, 99_999_999), _times(1_048_576, 5, 60))),
    "mb": Slot("number of megabytes", _either(_times(5, 1, 10), _times(10, 2, 20), _between(1, 2048))),
    "secs": Slot("number of seconds", _either(_times(60, 1, 15), _times(300, 1, 12), _between(1, 3600))),
    "mins": Slot("number of minutes", _either(_times(5, 1, 12), _between(1, 15), _between(1, 120))),
    "hours": Slot("number of hours", _either(_times(12, 1, 10), _between(1, 8), _between(1, 120))),
    "days": Slot("number of days", _between(1, 14)),
    "date": Slot("date or time", _date),
    "subject": Slot("subject of the message", SUBJECTS),
    "list": Slot("name of a mailing list", LISTS),
    "name": Slot("display name of a person", NAMES),
    "phone": Slot("telephone number", PHONES),
    "file": Slot("file name with a dangerous extension", FILES),
}  # fmt: skip
"""Every slot that a template may use, by name."""


def slot_names(text: str) -> tuple[str, ...]:
    """Return the names in braces of a template, known or not, in their order."""
    return tuple(match[1] for match in SLOT.finditer(text))


def fill(text: str, rng: random.Random) -> str:
    """Fill the slots of a template.

    A slot that occurs twice gets one value, and the recipient's address is made of the
    recipient's local part and domain, so that the result is consistent in itself.

    Parameters
    ----------
    text : str
        A template.
    rng : random.Random
        Where the choices come from; equal states give equal texts.

    Returns
    -------
    str
        The text without slots; braces that name no slot stay.
    """
    drawn: dict[str, str] = {}

    def value(name: str) -> str:
        if name not in drawn:
            if name == "rcpt":
                drawn[name] = f"{value('user')}@{value('domain')}"
            elif name == "sender":
                drawn[name] = f"{rng.choice(USERS)}@{value('sdomain')}"
            else:
                drawn[name] = SLOTS[name].draw(rng)
        return drawn[name]

    return SLOT.sub(lambda match: value(match[1]) if match[1] in SLOTS else match[0], text)
