"""Accepted corrections as training examples."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from whybounce.data.slots import fill
from whybounce.model.diagnostic import parse
from whybounce.model.features import document
from whybounce.model.rules import RuleSet, default_rules
from whybounce.model.taxonomy import TAXONOMY, Taxonomy
from whybounce.training.corpus import Template
from whybounce.training.expand import Example
from whybounce.training.feedback import open_store
from whybounce.training.feedback.accept import Accepted, Selection, select
from whybounce.training.feedback.unmask import unmask

FAMILY = "own-feedback"
"""Family of the examples; ``own-`` makes training hold them out template by template."""

MAX_VOTES = 3
"""Sources that raise the weight of a template; more of them add nothing."""


@dataclass(frozen=True, slots=True)
class FeedbackData:
    """What training takes from a store.

    Attributes
    ----------
    examples : tuple of Example
    selection : Selection
    """

    examples: tuple[Example, ...]
    selection: Selection

    def summary(self) -> dict[str, Any]:
        """Return the counts for reports and the manifest."""
        return self.selection.summary()


def feedback_examples(
    url: str,
    *,
    weight: float,
    templates: Sequence[Template] = (),
    rules: RuleSet | None = None,
    taxonomy: Taxonomy = TAXONOMY,
) -> FeedbackData:
    """Read a store, decide what may be used, and note the decision in the store.

    Parameters
    ----------
    url : str
        SQLAlchemy URL of the store.
    weight : float
        Weight of a template that one source labelled; two sources count twice, three
        or more three times.
    templates : sequence of Template
        The corpus, which single sources cannot contradict.
    rules, taxonomy : optional

    Raises
    ------
    StoreError
        When the store cannot be read, or the decision not be written.
    """
    store = open_store(url)
    try:
        selection = select(
            store.everything(), rules=rules or default_rules(), taxonomy=taxonomy, corpus=corpus_readings(templates)
        )
        store.set_statuses(selection.outcomes)
        store.queue.reopen(selection.contested)
    finally:
        store.close()
    examples = tuple(example(item, weight=weight) for item in selection.accepted)
    return FeedbackData(examples, selection)


def example(item: Accepted, *, weight: float) -> Example:
    """Turn an accepted template into an example."""
    diagnostic = item.subject.diagnostic()
    return Example(
        doc=document(diagnostic),
        reason=item.reason,
        also=None,
        family=FAMILY,
        source="feedback",
        lang="",
        weight=weight * min(len(item.sources), MAX_VOTES),
        text=unmask(item.subject),
        template=item.subject.template,
        plain=True,
        rows=float(len(item.rows)),
    )


def corpus_readings(templates: Sequence[Template]) -> Mapping[str, set[str]]:
    """Return the reasons that the corpus gives to each document."""
    found: dict[str, set[str]] = {}
    for template in templates:
        doc = document(parse(fill(template.text, random.Random(template.text))))
        found.setdefault(doc, set()).update(filter(None, (template.reason, template.also)))
    return found
