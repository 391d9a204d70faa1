"""What a bounce report says in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from whybounce.serving.report.document import Report

_SHOWN = 5
"""Places that could not be read and are named."""


def sentences(report: Report) -> list[str]:
    """Say the main things in words."""
    document = report.document
    period = document["period"]
    when = f", {period['first']} to {period['last']}" if period else ""
    found = []
    if document["sent"] is not None:
        share = document["bounced"] / document["sent"] if document["sent"] else 0.0
        found.append(
            f"Of {document['sent']:,} recipients {document['bounced']:,} bounced ({100 * share:.2f} %){when}; "
            f"{document['delivered']:,} got the message."
        )
    else:
        found.append(f"{_many(document['bounced'], 'bounce')}{when}. The sources do not tell what was delivered.")
    if document["deferred"] or document["not_bounces"]:
        found.append(
            f"Attempts that were put off: {document['deferred']:,}. Messages that were no bounces (vacation replies, "
            f"delay notices and the like): {document['not_bounces']:,}."
        )
    if document["complaints"]:
        found.append(
            f"Complaints among these, in which somebody reported the mail as spam: {document['complaints']:,}. Mail to "
            "who complains costs the reputation."
        )
    actions = document["actions"]
    found.append(
        f"Addresses: {actions['suppress']:,} to suppress, {actions['retry']:,} to try again, {actions['review']:,} to "
        f"look at, {actions['keep']:,} to keep."
    )
    if document["bounces_without_address"]:
        found.append(f"Bounces that name no address: {document['bounces_without_address']:,}.")
    skipped = sum(source["skipped"] for source in document["sources"])
    if skipped:
        # Why may quote an address; where does not.
        first = [piece["where"] for source in document["sources"] for piece in source.get("left_out", ())][:_SHOWN]
        shown = f" The first: {', '.join(first)}." if first else ""
        found.append(f"Pieces of the sources that could not be read: {skipped:,}.{shown}")
    return found


def to_do(report: Report) -> list[str]:
    """Say what to do, the addresses first and then the causes, as a list to go through."""
    document = report.document
    actions = document["actions"]
    found = []
    if actions["suppress"]:
        found.append(
            f"Stop mailing {_many(actions['suppress'], 'address')}: --suppress-list writes them, with the evidence."
        )
    if actions["review"]:
        found.append(
            f"Look at {_many(actions['review'], 'address')}: --addresses writes all of them, with what was said."
        )
    if actions["retry"]:
        found.append(f"Mail {_many(actions['retry'], 'address')} again at the next occasion: what was wrong may pass.")
    for item in document["to_do"]:
        if item["action"] in _CAUSES:
            named = ", ".join(f"{reason['reason']} {reason['count']:,}" for reason in item["reasons"])
            found.append(f"{item['advice']} {_many(item['count'], 'bounce')}: {named}.")
    return found


_CAUSES = ("fix_sender", "fix_message", "slow_down")
"""Actions about the sender and the message; the others are about addresses, whose numbers are told before."""


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}" + ("" if count == 1 else "es" if what.endswith("s") else "s")


def policy_sentences(policy: Mapping[str, Any]) -> list[str]:
    """Say when an address is put on the suppression list."""
    suppress = policy["suppress"]
    found = []
    if suppress["once"]:
        unsure = suppress["unsure"]
        found.append(
            f"An address is suppressed after one sure bounce ({', '.join(suppress['once'])}; confidence of "
            f"{suppress['min_confidence']:g} and more), after unsure or temporary (4xx) ones {_often(unsure)}."
        )
    if suppress["complaints"]:
        found.append("An address that reported the mail as spam is suppressed at once.")
    for reason, rule in sorted(suppress["repeated"].items()):
        found.append(f"{reason}: {_often(rule)}.")
    return found


def _often(rule: Mapping[str, int]) -> str:
    return f"on {rule['times']} days within {rule['days']}"
