"""Checks on the template files: ``python -m whybounce.data.lint [file …]``.

The rules keep the corpus free of labels that contradict each other, of texts that are
one text after masking, and of anything that could belong to a real person.
"""

from __future__ import annotations

import ipaddress
import json
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from whybounce.data import template_files
from whybounce.data.slots import SLOT, SLOTS, slot_names
from whybounce.model.masking import mask
from whybounce.model.taxonomy import TAXONOMY

FIELDS = ("text", "reason", "also", "family", "source", "phase", "lang")
"""The fields of a row, all of them strings; only ``also`` may be null."""

PHASES = frozenset(("connect", "ehlo", "starttls", "auth", "mail", "rcpt", "data", "eod", "queue", "dsn", "none"))
"""Where in the transaction a reply belongs; ``queue`` and ``dsn`` are reports written without or after one."""

ROLES = frozenset((
    "abuse", "admin", "administrator", "antispam", "blacklist", "bounce", "complaints", "contact", "deblock",
    "delist", "feedback", "help", "helpdesk", "hostmaster", "info", "mail-admin", "mailadmin", "mailer-daemon",
    "mailmaster", "no-reply", "noc", "noreply", "postmaster", "removal", "root", "security", "smtpadmin", "spam",
    "support", "tobr", "tosa", "unblacklist", "unblock", "whitelist",
))  # fmt: skip
"""Local parts that belong to an office and not to a person (tobr and tosa: the postmasters of T-Online)."""

_FIXED = {
    **dict.fromkeys(SLOTS, "77"),
    **dict.fromkeys(("rcpt", "sender"), "a@example.com"),
    **dict.fromkeys(("domain", "sdomain", "host", "client"), "a.example.com"),
    **dict.fromkeys(("ip", "mxip"), "192.0.2.1"),
    "url": "http://example.com/",
}
_DOCUMENTATION = tuple(
    map(ipaddress.ip_network, ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "127.0.0.0/8", "2001:db8::/32"))
)
_EXAMPLE_DOMAIN = re.compile(
    r"(?:.*\.)?(?:example\.(?:com|net|org)|[\w-]+\.(?:example|test|invalid))|localhost", re.IGNORECASE
)
_ADDRESS = re.compile(r"([\w.+=-]+)@((?:[\w-]+\.)+[a-z]{2,})", re.IGNORECASE)
_IPV4 = re.compile(r"(?<!version )(?<![A-Za-z]/)(?<![\w.-])(?:\d{1,3}\.){3}\d{1,3}(?![\w-]|\.\d)")
_IPV6 = re.compile(r"(?:(?<=ipv6:)|(?<![\w:.]))[0-9a-f]{1,4}:[0-9a-f:]*:[0-9a-f]{0,4}(?![\w:])", re.IGNORECASE)
_PHONE = re.compile(
    r"(?<![\w.{])(?:\+[1-9][\d ()./-]{7,}\d|1-8\d\d-[\dA-Z]{3}-[\dA-Z]{4}|\(\d{3,5}\) ?\d{3,4}[ -]\d{3,4}"
    r"|\d{3}-\d{3}-\d{4}|0\d{2,4}[ -]\d{3,4}[ -]\d{3,4})(?![\w.-])"
)
_WIDE = re.compile(r"[\u0e00-\u0e7f\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff]")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with one line."""

    file: str
    line: int
    rule: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.rule}: {self.message}"


def masked(text: str) -> str:
    """Return the masked form of a template: what must be distinct across the corpus."""
    return mask(SLOT.sub(lambda match: _FIXED.get(match[1], match[0]), text))


def lint(paths: Iterable[Path]) -> list[Finding]:
    """Check template files, together: a duplicate may stand in another file.

    Parameters
    ----------
    paths : iterable of Path
        JSON Lines files.

    Returns
    -------
    list of Finding
        In the order of files and lines; empty when nothing is wrong.
    """
    findings: list[Finding] = []
    seen: dict[str, tuple[str, str]] = {}
    for path in paths:
        for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
            if not line:
                continue
            problems = list(_row_problems(line))
            if not problems:
                row = json.loads(line)
                problems = [*_text_problems(row["text"]), *_repeats(row, f"{path.name}:{number}", seen)]
                if row["family"] != path.stem:
                    problems.append(("family", f"{row['family']} stands in the file of {path.stem}"))
            findings.extend(Finding(path.name, number, rule, message) for rule, message in problems)
    return findings


def _row_problems(line: str) -> Iterator[tuple[str, str]]:
    try:
        row = json.loads(line)
    except ValueError as error:
        yield "bad-json", str(error)
        return
    if not isinstance(row, dict) or set(row) != set(FIELDS):
        yield "fields", f"a row has exactly the fields {', '.join(FIELDS)}"
        return
    for name in FIELDS:
        if not (isinstance(row[name], str) and row[name].strip()) and not (name == "also" and row[name] is None):
            yield "fields", f"{name} is {row[name]!r}; it must be a text that is not empty"
            return
    if row["reason"] not in TAXONOMY:
        yield "unknown-reason", row["reason"]
    if row["also"] is not None and (row["also"] not in TAXONOMY or row["also"] == row["reason"]):
        yield "unknown-also", f"{row['also']} is no second reason beside {row['reason']}"
    if row["phase"] not in PHASES:
        yield "unknown-phase", row["phase"]
    if not re.fullmatch(r"[a-z]{2}", row["lang"]):
        yield "unknown-language", f"{row['lang']!r} is no ISO 639-1 code"


def _text_problems(text: str) -> Iterator[tuple[str, str]]:
    for name in slot_names(text):
        if name not in SLOTS:
            yield "unknown-slot", f"{{{name}}}; known slots: {', '.join(SLOTS)}"
    if re.search(r"[{}]", SLOT.sub("", text)):
        yield "brace", "a brace that belongs to no slot"
    for local, domain in _ADDRESS.findall(text):
        if not _EXAMPLE_DOMAIN.fullmatch(domain) and not _is_role(local):
            yield "address", f"{local}@{domain}; use {{rcpt}} or {{sender}}"
    for match in (*_IPV4.finditer(text), *_IPV6.finditer(text)):
        if not _is_harmless_ip(match[0]):
            yield "ip", f"{match[0]}; use {{ip}} or {{mxip}}"
    for match in _PHONE.finditer(text):
        yield "phone", f"{match[0]}; use {{phone}}"
    key = masked(text)
    if len(key.split()) < 2 and len(_WIDE.findall(key)) < 2:
        yield "too-short", f"{key!r} has fewer than two words after masking"


def _is_role(local: str) -> bool:
    name = local.lower()
    return name in ROLES or any(piece in ROLES for piece in re.split(r"[._+-]", name))


def _is_harmless_ip(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:  # a version number, a time
        return True
    return any(address in network for network in _DOCUMENTATION)


def _repeats(row: dict[str, str], place: str, seen: dict[str, tuple[str, str]]) -> Iterator[tuple[str, str]]:
    key = masked(row["text"])
    first = seen.setdefault(key, (place, row["reason"]))
    if first[0] == place:
        return
    if first[1] == row["reason"]:
        yield "duplicate", f"same as {first[0]} after masking: {key[:80]}"
    else:
        yield "conflict", f"{row['reason']} here, {first[1]} in {first[0]}: {key[:80]}"


def main(arguments: list[str] | None = None) -> int:
    """Print the findings; exit status 1 when there are any."""
    names = sys.argv[1:] if arguments is None else arguments
    findings = lint([Path(name) for name in names] or template_files())
    sys.stdout.write("".join(f"{finding}\n" for finding in findings))
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
