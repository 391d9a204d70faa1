"""The versions in a model registry: their names, and what each says about itself."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from whybounce.model.artifact import MANIFEST_FILE, Manifest, read_manifest
from whybounce.model.copying import check_digest
from whybounce.model.errors import ArtifactError, RegistryError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_EPOCH = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, slots=True)
class Version:
    """One version in a registry.

    Attributes
    ----------
    name : str
        The model version.
    folder : Path
        An artifact folder.
    manifest : Manifest or None
        None when it cannot be read; ``problem`` then says why.
    created : datetime or None
        When its manifest was written, in UTC.
    problem : str or None
    """

    name: str
    folder: Path
    manifest: Manifest | None
    created: datetime | None
    problem: str | None = None


def newest_first(versions: list[Version]) -> list[Version]:
    """Sort by the time of making; what cannot be read comes last."""
    return sorted(versions, key=lambda one: (one.created is None, -(one.created or _EPOCH).timestamp(), one.name))


def names_in(folder: Path) -> list[str]:
    """Names of the versions in a folder, sorted; none when there is no such folder."""
    try:
        with os.scandir(folder) as entries:
            found = [entry.name for entry in entries if entry.is_dir()]
    except OSError:
        return []
    return sorted(name for name in found if _NAME.fullmatch(name))


def check_name(name: str) -> str:
    """Return a name that is safe as the name of a folder; raises RegistryError for any other."""
    if not _NAME.fullmatch(str(name)):
        raise RegistryError(f"{name!r} is no name of a version; use letters, digits, dots and dashes, at most 100")
    return name


def describe(folder: Path) -> Version:
    """Read what a version says about itself; never raises."""
    try:
        manifest = read_manifest(folder)
        created = datetime.fromtimestamp((folder / MANIFEST_FILE).stat().st_mtime, UTC)
        if manifest.model_version != folder.name:
            raise ArtifactError(f"{folder} holds {manifest.model_version}; remove the folder and add the model again")
        (folder / manifest.model_file).stat()
    except (ArtifactError, OSError) as error:
        return Version(folder.name, folder, None, None, str(error))
    return Version(folder.name, folder, manifest, created)


def check_same(source: Path, target: Path, manifest: Manifest) -> None:
    """Raise unless two folders hold the same whole model: ArtifactError or RegistryError."""
    if read_manifest(target) != manifest:
        raise RegistryError(
            f"{target} holds another model than {source} under the same version; remove that folder and add again"
        )
    check_digest(source, manifest, named=source)
    check_digest(target, manifest, named=target)
