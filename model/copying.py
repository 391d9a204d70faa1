"""Copying an artifact so that it is whole and on the disk, and checking that it is."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from whybounce.model.artifact import Manifest
from whybounce.model.errors import ArtifactError

_CHUNK = 1 << 20


def check_digest(folder: Path, manifest: Manifest, *, named: Path) -> None:
    """Compare the model file of an artifact with the digest in its manifest.

    Parameters
    ----------
    folder : Path
    manifest : Manifest
    named : Path
        The folder that an error names.

    Raises
    ------
    ArtifactError
        When the file is missing or another one.
    """
    digest = hashlib.sha256()
    try:
        with (folder / manifest.model_file).open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    except OSError as error:
        raise ArtifactError(f"no readable {manifest.model_file} in {named} ({error}); train it again") from error
    if digest.hexdigest() != manifest.sha256:
        raise ArtifactError(
            f"{named / manifest.model_file} does not have the digest that its manifest names; "
            "train it again, or fetch it again"
        )


def leftovers(source: Path, manifest: Manifest) -> set[Path]:
    """Model files that the manifest does not name, and half-written files."""
    models = set(source.glob("model-*.joblib*")) - {source / manifest.model_file}
    return models | set(source.rglob("*.tmp"))


def copy_folder(source: Path, target: Path, *, without: set[Path]) -> None:
    """Copy a folder with everything in it but ``without``, times included, and have it on the disk."""
    target.mkdir()
    for entry in sorted(source.iterdir()):
        copy = target / entry.name
        if entry in without:
            continue
        if entry.is_dir() and not entry.is_symlink():
            copy_folder(entry, copy, without=without)
        elif entry.is_file():
            with entry.open("rb") as read, copy.open("wb") as write:
                while chunk := read.read(_CHUNK):
                    write.write(chunk)
                write.flush()
                os.fsync(write.fileno())
            found = entry.stat()
            os.utime(copy, ns=(found.st_atime_ns, found.st_mtime_ns))
    sync_folder(target)


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
