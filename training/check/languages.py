"""Which languages the texts are in: as a column says, or guessed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from whybounce.model.errors import MissingExtraError
from whybounce.training.sources.reader import Progress
from whybounce.training.sources.row import Labelled

SHORTEST = 25
"""Letters of a template, masks and codes left out, below which nobody guesses; scripts other than Latin need 6."""

MOST = 5000
"""Templates that are guessed: the most frequent. The rest counts as not guessed."""

UNKNOWN = "?"
_SHORTEST_OTHER = 6
_EVERY = 200


def languages(
    rows: Sequence[Labelled], templates: Sequence[str], *, progress: Progress | None = None
) -> dict[str, Any]:
    """Count rows by language.

    Returns
    -------
    dict
        ``source`` is ``column`` or ``guess``; ``rows`` maps ISO 639-1 codes to rows,
        and ``?`` to those without a language in the column or too short to guess.
    """
    count: Counter[str] = Counter()
    if any(name == "lang" for row in rows for name, _ in row.slices):
        for row in rows:
            count[dict(row.slices).get("lang", UNKNOWN)] += round(row.weight)
        return {"source": "column", "rows": dict(count.most_common())}
    weight: Counter[str] = Counter()
    for row, template in zip(rows, templates, strict=True):
        weight[template] += round(row.weight)
    guess = _guesser()
    chosen = weight.most_common(MOST)
    for number, (template, times) in enumerate(chosen):
        if progress and number % _EVERY == 0:
            progress("guessing languages", number, len(chosen))
        words = " ".join(word for word in template.split() if word.isalpha() and not word.isupper())
        enough = SHORTEST if words.isascii() else _SHORTEST_OTHER
        count[str(guess(words)[0]) if len(words) >= enough else UNKNOWN] += times
    if progress:
        progress("guessing languages", len(chosen), len(chosen))
    count[UNKNOWN] += sum(weight.values()) - sum(times for _, times in chosen)
    return {"source": "guess", "rows": {name: times for name, times in count.most_common() if times}}


def _guesser() -> Any:
    try:
        langid: Any = import_module("py3langid.langid")
    except ImportError as error:
        raise MissingExtraError("train", "guessing languages") from error
    return langid.LanguageIdentifier.from_model_file(langid.MODEL_FILE).classify
