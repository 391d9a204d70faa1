"""A model registry: a directory with versions, of which at most one is promoted.

::

    registry/
        promoted.json           the promoted version and the history (see promotions.py)
        versions/<version>/     an artifact, with whatever lay beside it in its run directory
        .lock                   held by whoever changes something

A version is written under another name, synced to the disk and renamed into place; the
promotion is one file that is replaced. Whoever reads needs no lock and sees the old
state or the new one. What a killed process left behind is removed by the next change.
"""

from __future__ import annotations

import fcntl
import getpass
import os
import shutil
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from whybounce.model.artifact import read_manifest, replace_file
from whybounce.model.copying import check_digest, copy_folder, leftovers, sync_folder
from whybounce.model.errors import RegistryError
from whybounce.model.promotions import PROMOTE, ROLLBACK, Event, Promotions, read_promotions
from whybounce.model.versions import Version, check_name, check_same, describe, names_in, newest_first

PROMOTED_FILE = "promoted.json"
VERSIONS = "versions"
LOCK_FILE = ".lock"
LOCK_SECONDS = 10.0
"""How long a change waits for another one to finish."""

_ADDING = ".adding-"


class Registry:
    """Read and change a registry directory.

    Parameters
    ----------
    folder : Path
        Made by the first :meth:`add`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.promoted_file = folder / PROMOTED_FILE

    def promotions(self) -> Promotions:
        """The promoted version and the history; raises RegistryError when the file is damaged."""
        return read_promotions(self.promoted_file)

    def path(self, version: str) -> Path:
        """The folder of a version.

        Raises
        ------
        RegistryError
            When the name is no name of a version, or there is none of that name.
        """
        check_name(version)
        folder = self.folder / VERSIONS / version
        if not folder.is_dir():
            known = ", ".join(self._names()) or "none"
            raise RegistryError(
                f"{self.folder} has no version {version}; it has: {known}; add one with: whybounce model add RUN"
            )
        return folder

    def version(self, name: str) -> Version:
        """Describe one version; raises RegistryError when there is none of that name."""
        return describe(self.path(name))

    def versions(self) -> list[Version]:
        """Every version, the newest first; one that is damaged has a ``problem``.

        Raises
        ------
        RegistryError
            When the directory is no registry.
        """
        if not (self.folder / VERSIONS).is_dir():
            raise RegistryError(
                f"{self.folder} is no model registry; name it with --registry, or begin one: whybounce model add RUN"
            )
        return newest_first([describe(self.folder / VERSIONS / name) for name in self._names()])

    def find(self, start: str) -> str:
        """Complete the first characters of a version's name.

        Raises
        ------
        RegistryError
            When no version, or more than one, begins so.
        """
        names = self._names()
        fitting = [name for name in names if name == start] or [name for name in names if name.startswith(start)]
        if len(fitting) > 1:
            raise RegistryError(f"{start!r} may be {' or '.join(fitting)}; give more of the name")
        return fitting[0] if fitting else self.path(start).name

    def add(self, source: Path) -> Version:
        """Copy an artifact or run directory into the registry; nothing happens when it is there.

        Raises
        ------
        ArtifactError
            When the source is no artifact, or its file has not the digest of its manifest.
        RegistryError
            When its version is no name, or is taken by another model, or nothing can be written.
        """
        manifest = read_manifest(source)
        name = check_name(manifest.model_version)
        if self.folder.resolve().is_relative_to(source.resolve()):
            raise RegistryError(f"the registry {self.folder} lies inside of {source}; name another with --registry")
        with self._changing():
            target = self.folder / VERSIONS / name
            if target.is_dir():
                check_same(source, target, manifest)
                return describe(target)
            adding = target.with_name(f"{_ADDING}{name}")
            try:
                copy_folder(source, adding, without=leftovers(source, manifest))
                check_digest(adding, manifest, named=source)
                os.replace(adding, target)
            finally:
                shutil.rmtree(adding, ignore_errors=True)
            sync_folder(target.parent)
        return describe(target)

    def promote(
        self,
        version: str,
        *,
        instead_of: str | None,
        by: str | None = None,
        because: str | None = None,
        forced: bool = False,
        gate: Mapping[str, Any] | None = None,
    ) -> Event:
        """Let a version answer from now on.

        Parameters
        ----------
        version : str
        instead_of : str or None
            The version that was the promoted one when the decision was made.
        by, because : str, optional
            Who and why; the user and the host by default.
        forced : bool
            Whether this goes against the gate.
        gate : mapping, optional
            What the gate measured, for the history.

        Raises
        ------
        ArtifactError
            When the version is damaged.
        RegistryError
            When there is no such version, it is the promoted one already, another one was
            promoted meanwhile, or nothing can be written.
        """
        folder = self.path(version)
        if forced and not (because or "").strip():
            raise RegistryError("a promotion against the gate needs a reason; say it with --because")
        with self._changing():
            check_digest(folder, read_manifest(folder), named=folder)
            before = self.promotions()
            if before.current != instead_of:
                raise RegistryError(
                    f"{before.current or 'the shipped model'} became the promoted one meanwhile; promote again"
                )
            if before.current == version:
                raise RegistryError(f"{version} is the promoted version already; nothing to do")
            measured = dict(gate) if gate is not None else None
            event = Event(PROMOTE, version, before.current, _now(), by or whoami(), because, forced, measured)
            self._write(before.after(event))
        return event

    def rollback(self, *, by: str | None = None, because: str | None = None) -> Event:
        """Go back to the version that was promoted before; from the first one, to none.

        Raises
        ------
        ArtifactError
            When that version is damaged.
        RegistryError
            When nothing is promoted, that version is gone, or nothing can be written.
        """
        with self._changing():
            before = self.promotions()
            if not before.stack:
                raise RegistryError("nothing is promoted; there is no earlier version to go back to")
            target = before.stack[-2] if len(before.stack) > 1 else None
            if target is not None:
                check_digest(self.path(target), read_manifest(self.path(target)), named=self.path(target))
            event = Event(ROLLBACK, target, before.current, _now(), by or whoami(), because)
            self._write(before.after(event))
        return event

    def _write(self, promotions: Promotions) -> None:
        replace_file(self.promoted_file, promotions.to_json().encode())

    def _names(self) -> list[str]:
        return names_in(self.folder / VERSIONS)

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Hold the lock, with what a killed process left behind cleared away."""
        try:
            (self.folder / VERSIONS).mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
            try:
                _wait_for(descriptor, self.folder)
                for left in (self.folder / VERSIONS).glob(f"{_ADDING}*"):
                    shutil.rmtree(left)
                for left in self.folder.glob(f"{PROMOTED_FILE}.*.tmp"):
                    left.unlink()
                yield
            finally:
                os.close(descriptor)
        except OSError as error:
            raise RegistryError(
                f"cannot change the registry {self.folder} ({error}); nothing was changed: "
                "give it a directory that can be written, with room for the model"
            ) from error


def whoami() -> str:
    """The user and the host, for the history."""
    with suppress(OSError, KeyError):  # no name for this user id, as in some containers
        return f"{getpass.getuser()}@{socket.gethostname()}"
    return f"{os.getuid()}@{socket.gethostname()}"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _wait_for(descriptor: int, folder: Path) -> None:
    end = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() >= end:
                raise RegistryError(
                    f"another process has been changing the registry {folder} for {LOCK_SECONDS:.0f} seconds; "
                    "let it finish and try again"
                ) from error
            time.sleep(0.05)
        else:
            return
