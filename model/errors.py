"""Every error that whybounce raises on purpose. Each message names the fix."""

from __future__ import annotations


class WhybounceError(Exception):
    """Base class of all errors below."""


class TaxonomyError(WhybounceError, KeyError):
    """A reason that nobody defined."""

    def __str__(self) -> str:  # KeyError would print the repr of the message
        return str(self.args[0])


class RuleError(WhybounceError, ValueError):
    """A rule file that is malformed."""


class ArtifactError(WhybounceError):
    """An artifact that is missing, damaged or made by other library versions."""


class RegistryError(WhybounceError):
    """A model registry that cannot be read, or a change to it that is refused or fails."""


class DataError(WhybounceError, ValueError):
    """Labelled data that cannot be read or used."""


class MissingExtraError(WhybounceError, ImportError):
    """A capability whose optional dependencies are not installed."""

    def __init__(self, extra: str, capability: str) -> None:
        super().__init__(f"{capability} needs an extra; install it with: pip install 'whybounce[{extra}]'")
