"""API keys: who may do what.

A key is a random token of 256 bits. The configuration holds its SHA-256 only: a token
of that entropy cannot be guessed from its hash, so a slow password hash would cost
every request time and add nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from whybounce.model.errors import WhybounceError

_ENTRY = re.compile(r"(?P<role>[a-z]+):(?P<digest>[0-9a-fA-F]{64})(:(?P<name>[A-Za-z0-9_-]{1,40}))?")


class KeyConfigError(WhybounceError, ValueError):
    """A configured key that cannot be read."""


class Role(StrEnum):
    """What a key is for."""

    PREDICT = "predict"
    FEEDBACK = "feedback"
    METRICS = "metrics"
    ADMIN = "admin"

    @property
    def includes(self) -> frozenset[Role]:
        """The roles whose endpoints a key of this role may use."""
        return _INCLUDES[self]


_INCLUDES = {
    Role.PREDICT: frozenset({Role.PREDICT}),
    Role.FEEDBACK: frozenset({Role.PREDICT, Role.FEEDBACK}),
    Role.METRICS: frozenset({Role.METRICS}),
    Role.ADMIN: frozenset(Role),
}


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it is configured: its role, its SHA-256 and, to tell it from others, a name."""

    role: Role
    digest: str
    name: str | None = None

    def __str__(self) -> str:
        return ":".join([self.role, self.digest, *([self.name] if self.name else [])])


def new_key(role: Role, name: str | None = None) -> tuple[str, ApiKey]:
    """Return a fresh token, to be given to its user, and the key to configure."""
    token = "wb_" + secrets.token_urlsafe(32)
    return token, ApiKey(role, digest_of(token.encode()), name)


def digest_of(token: bytes) -> str:
    """Return the SHA-256 of a token as it is configured."""
    return hashlib.sha256(token).hexdigest()


def parse_keys(text: str) -> tuple[ApiKey, ...]:
    """Read ``role:sha256[:name]`` entries, apart by commas or white space; ``#`` starts a comment.

    Raises
    ------
    KeyConfigError
        Names the entry by its number; never shows it, since it may be a token put in by mistake.
    """
    lines = (line.partition("#")[0] for line in text.splitlines())
    entries = [entry for line in lines for entry in re.split(r"[,\s]+", line) if entry]
    keys = []
    for number, entry in enumerate(entries, 1):
        found = _ENTRY.fullmatch(entry)
        if found is None or found["role"] not in set(Role):
            raise KeyConfigError(
                f"API key {number} is not role:sha256 with one of the roles {', '.join(Role)}; "
                "make one with: whybounce key new --role predict"
            )
        keys.append(ApiKey(Role(found["role"]), found["digest"].lower(), found["name"]))
    if len({key.digest for key in keys}) < len(keys):
        raise KeyConfigError("two API keys have the same hash; make one key for each user: whybounce key new")
    return tuple(keys)


def role_of(token: bytes, keys: Iterable[ApiKey]) -> Role | None:
    """Return the role of a token; takes the same time whichever key it is, or none."""
    digest = digest_of(token)
    found: Role | None = None
    for key in keys:
        if hmac.compare_digest(digest, key.digest):
            found = key.role
    return found
