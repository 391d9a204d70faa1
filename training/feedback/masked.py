"""Masking what a person or a program sends besides a diagnostic: templates, notes, names, event ids."""

from __future__ import annotations

import re
from collections.abc import Callable

from whybounce.model.masking import normalise, template_of
from whybounce.model.vocabulary import BLOCKLIST_HOSTS, BLOCKLIST_WORDS, PROVIDER_HOSTS, PROVIDER_WORDS

MASKS = frozenset(["ADDR", "IP", "HOST", "URL", "ID", "NUM", "DNSBL"])
"""Words that stand for what was masked."""

MAX_EVENT_ID = 200
"""Characters of an event id that is stored as it is."""

_ADDRESS_OF_A_HOST = re.compile(r"\d{1,3}(?:[.-]\d{1,3}){3}|(?:[0-9a-f]{1,4}:){2}|::", re.IGNORECASE)
"""What may be an IP address, also inside of a longer word; better one pseudonym too many than one too few."""

_PERSONAL = frozenset(["ADDR", "IP"])
PROVIDERS = frozenset(PROVIDER_HOSTS.values()) | frozenset(PROVIDER_WORDS.values())
"""Providers that a template or a host name can name."""

_BLOCKLISTS = frozenset(name for table in (BLOCKLIST_HOSTS, BLOCKLIST_WORDS) for name in table.values())


def remask(template: str) -> str:
    """Mask a text that should be a masked template already.

    A template of :func:`whybounce.model.masking.template_of` comes back as it is.
    Whatever else stands in the text, an address that somebody left in for instance,
    is masked.
    """
    kept: list[str] = []
    for token in normalise(template).split():
        after_dnsbl = bool(kept) and kept[-1] == "DNSBL"
        if token in MASKS or (token[0] == "@" and token[1:] in PROVIDERS) or (after_dnsbl and token in _BLOCKLISTS):
            kept.append(token)
        else:
            kept += template_of(token).split()
    return " ".join(kept)


def masked_note(text: str, limit: int) -> str:
    """Take addresses and IPs out of a sentence and leave the other words as they were written.

    Parameters
    ----------
    text : str
    limit : int
        Characters that are kept.
    """
    return _replaced(text, lambda token: template_of(token))[:limit]


def masked_name(text: str, limit: int, pseudonym: Callable[[str], str]) -> str:
    """Replace the addresses and IPs in the name of a source by pseudonyms, so that sources stay apart."""
    return _replaced(text, lambda token: pseudonym(token.lower().strip("<>()[],;:\"'")))[:limit]


def masked_event(event_id: str, pseudonym: Callable[[str], str]) -> str:
    """Return the event id as it may be stored: one that holds an address or an IP becomes a pseudonym.

    A Message-ID looks like an address, so it is one of these.
    """
    plain = event_id == normalise(event_id) and len(event_id) <= MAX_EVENT_ID
    return event_id if plain and not _personal(event_id) else pseudonym(event_id)


def _replaced(text: str, masked: Callable[[str], str]) -> str:
    return " ".join(masked(token) if _personal(token) else token for token in normalise(text).split())


def _personal(text: str) -> bool:
    return (
        "@" in text
        or _ADDRESS_OF_A_HOST.search(text) is not None
        or not _PERSONAL.isdisjoint(template_of(text).split())
    )
