"""A text for a template: where the masked parts stood, documentation names and numbers.

Reports and labelled files want a text that reads and parses like a diagnostic. The
text of :func:`unmask` has the template that it was made from.
"""

from __future__ import annotations

from whybounce.model.diagnostic import parse
from whybounce.model.vocabulary import BLOCKLIST_HOSTS, PROVIDER_HOSTS
from whybounce.training.feedback.records import Subject

_PLAIN = {"ADDR": "user@example.com", "IP": "192.0.2.1", "ID": "4f1c9a07b3d2e8", "NUM": "7"}
_HOSTS = {
    **{name: host for host, name in reversed(BLOCKLIST_HOSTS.items())},
    **{f"@{name}": host for host, name in reversed(PROVIDER_HOSTS.items())},
}


def unmask(subject: Subject) -> str:
    """Return a diagnostic for a subject; codes that stand in no text come first."""
    text = text_of(subject.template)
    parsed = parse(text)
    code = subject.reply_code if parsed.reply_code != subject.reply_code else None
    status = subject.enhanced_status if parsed.enhanced_status != subject.enhanced_status else None
    return " ".join(str(part) for part in (code, status, text) if part)


def text_of(template: str) -> str:
    """Return a text whose template is ``template``."""
    text: list[str] = []
    words = template.split()
    while words:
        word = words.pop(0)
        if word not in ("HOST", "URL"):
            text.append(_PLAIN.get(word, word))
            continue
        # Whose host it is follows: "HOST @google", "URL DNSBL spamhaus".
        whose = "example.com"
        if words and words[0] == "DNSBL":
            whose = _HOSTS.get(" ".join(words[1:2]), whose)
            del words[:2]
        elif words and words[0] in _HOSTS:
            whose = _HOSTS[words.pop(0)]
        text.append(f"host7.{whose}" if word == "HOST" else f"https://{whose}/7")
    return " ".join(text)
