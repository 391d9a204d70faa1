"""Reading a file with reasons of the user's own.

::

    [reasons.promotion_blocked]
    title = "Promotion blocked"                      # optional
    description = "The provider takes no advertising from us."
    group = "Other receiver error"                   # a line of the bounce report
    category = "soft"                                # optional: where that line stands
    retryable = false                                # optional
    action = "fix_message"
"""

from __future__ import annotations

from pathlib import Path

from whybounce.data.crosswalk import read_toml
from whybounce.model.custom import custom_reasons
from whybounce.model.errors import DataError, TaxonomyError
from whybounce.model.taxonomy import TAXONOMY, Taxonomy


def read_reasons(path: Path | None) -> Taxonomy:
    """Return our reasons and those of a TOML file; ours alone without a file.

    Raises
    ------
    DataError
        Naming the file, the reason and the fix.
    """
    if path is None:
        return TAXONOMY
    table = read_toml(path, "file of reasons")
    unknown = sorted(set(table) - {"reasons"})
    reasons = table.get("reasons")
    if unknown or not isinstance(reasons, dict) or not reasons:
        raise DataError(f"{path}: write a table for each reason, such as [reasons.promotion_blocked]")
    try:
        return Taxonomy(custom_reasons(reasons))
    except TaxonomyError as error:
        raise DataError(f"{path}: {error}") from error
