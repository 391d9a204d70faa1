"""A labelled bounce."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Labelled:
    """One labelled bounce, or several of one template joined to one.

    Attributes
    ----------
    text, label : str
        Of joined rows the first text.
    also : tuple of str
        Other labels that a careful reader would accept.
    ambiguous : bool
        Whether the text alone does not decide; such rows are left out of the figures.
    slices : tuple of (str, str)
        Columns to slice the figures by: ``lang`` and ``provider``.
    weight : float
        How many rows it stands for.
    time : float or None
        Seconds since 1970, where a column of times was named; of joined rows the latest.
    """

    text: str
    label: str
    also: tuple[str, ...] = ()
    ambiguous: bool = False
    slices: tuple[tuple[str, str], ...] = ()
    weight: float = 1.0
    time: float | None = None
