"""One database, SQLite or PostgreSQL: opened late, written durably, its failures told in one line."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, insert, make_url, select, text
from sqlalchemy.exc import ArgumentError, DBAPIError, DisconnectionError, SQLAlchemyError

from whybounce.model.errors import MissingExtraError
from whybounce.training.feedback import EXAMPLE_URL
from whybounce.training.feedback.records import StoreError
from whybounce.training.feedback.schema import VERSION, meta, metadata

WAIT_SECONDS = 10.0
"""How long a write waits for other writers, or for a server that does not answer."""

_LOCK = 0x77_68_79_62  # any number that other programs are unlikely to lock
_FIXES = (
    ("readonly", "make the file and its folder writable"),
    ("read-only", "make the database writable"),
    ("full", "free space on its disk"),
    ("no space", "free space on its disk"),
    ("unable to open", "check that the folder exists and can be written"),
    ("locked", "another program holds it; try again"),
    ("not a database", "name another file, or restore this one from a backup"),
    ("malformed", "restore it from a backup"),
    ("no such table", "the file was replaced; start the program again"),
    ("does not exist", "create it, or correct the URL"),
    ("permission denied", "grant this user the right to create and write tables"),
    ("authentication", "check user and password in the URL"),
)


class Database:
    """A connection pool and the rules of its transactions.

    Parameters
    ----------
    url : str
        SQLAlchemy URL, ``sqlite:///FILE`` or ``postgresql://…``.

    Raises
    ------
    StoreError
        When the URL is of no use.
    MissingExtraError
        When the driver for PostgreSQL is not installed.
    """

    def __init__(self, url: str) -> None:
        self.url = _checked(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.path = Path(self.url.database or "") if self.is_sqlite else None
        self._prepared = False
        self._preparing = threading.Lock()
        self._salt = b""
        self._engine = self._sqlite() if self.is_sqlite else self._postgres()

    @property
    def name(self) -> str:
        """What it is called in messages: without user, password and options."""
        if self.path is not None:
            return str(self.path)
        where = f"{self.url.host or 'local'}:{self.url.port}" if self.url.port else self.url.host or "local socket"
        return f"PostgreSQL database {self.url.database!r} at {where}"

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Yield a connection to read from."""
        with self._told():
            self._prepare()
            with self._engine.connect() as connection:
                yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Yield a connection in a transaction; when the block ends without an error, it is on disk."""
        with self._told():
            self._prepare()
            with self._transaction() as connection:
                yield connection

    def takes_no_writes(self, connection: Connection) -> bool:
        """Whether it answers, but only to be read: a standby, or a server that was set so."""
        # A transaction of SQLite that begins to write has found that out already.
        asked = None if self.is_sqlite else connection.execute(text("SHOW transaction_read_only")).scalar_one()
        return asked == "on"

    def pseudonym(self, name: str) -> str:
        """Return a stand-in for something personal: the same within this store, useless outside of it."""
        with self._told():
            self._prepare()
        digest = hmac.new(self._salt, name.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()
        return f"masked:{digest[:24]}"

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        with self._engine.execution_options(whybounce_writes=True).begin() as connection:
            if not self.is_sqlite:
                # A server may be set up to acknowledge commits that are not on disk yet.
                connection.execute(
                    text(
                        "SELECT set_config('synchronous_commit', 'on', true) "
                        "WHERE current_setting('synchronous_commit') = 'off'"
                    )
                )
            yield connection

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (SQLAlchemyError, sqlite3.Error, OSError) as error:
            raise StoreError(self._message(error)) from error

    def _message(self, error: Exception) -> str:
        cause = str(error.orig if isinstance(error, DBAPIError) and error.orig else error).strip()
        first = " ".join((cause.splitlines() or [type(error).__name__])[0].split())
        lowered = cause.lower()
        fix = next((fix for sign, fix in _FIXES if sign in lowered), None)
        if fix is None:
            fix = "check the disk" if self.is_sqlite else "check that the server runs and can be reached"
        return f"the feedback store {self.name} cannot be used ({first}); {fix}"

    def _prepare(self) -> None:
        if self._prepared:
            return
        with self._preparing:
            found = self._read_meta()
            if "salt" not in found:
                found = self._create()
            version = int(found["schema_version"])
            if version > VERSION:
                raise StoreError(
                    f"the feedback store {self.name} was made by a newer whybounce (schema {version}, this one knows "
                    f"{VERSION}); upgrade whybounce"
                )
            self._salt = bytes.fromhex(found["salt"])
            self._prepared = True

    def _read_meta(self) -> dict[str, str]:
        if self.path is not None and not self.path.exists():
            return {}
        with self._engine.connect() as connection:
            if not self._engine.dialect.has_table(connection, meta.name):
                return {}
            return _meta(connection)

    def _create(self) -> dict[str, str]:
        # Several instances may start at once: one creates, the others wait for it here.
        with self._transaction() as connection:
            if not self.is_sqlite:
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            metadata.create_all(connection)
            found = _meta(connection)
            for name, value in (("schema_version", str(VERSION)), ("salt", secrets.token_hex(16))):
                if name not in found:
                    connection.execute(insert(meta).values(name=name, value=value))
                    found[name] = value
        return found

    def _sqlite(self) -> Engine:
        engine = create_engine(self.url, connect_args={"timeout": WAIT_SECONDS, "isolation_level": None})

        # A file that was deleted or replaced stays writable for those who have it open: what is
        # written would be lost. So a connection is used only while its file is still that file.
        @event.listens_for(engine, "do_connect")
        def _opening(*_: Any) -> None:
            if self._prepared and not self._exists():
                raise StoreError(
                    f"the feedback store {self.name} has gone; put it back, or start again to begin a new one"
                )

        @event.listens_for(engine, "connect")
        def _opened(connection: sqlite3.Connection, record: Any) -> None:
            _set_up(connection)
            record.info["file"] = self._file()

        @event.listens_for(engine, "checkout")
        def _taken(_connection: Any, record: Any, _proxy: Any) -> None:
            if record.info.get("file") != self._file():
                raise DisconnectionError("the file is another one now")

        @event.listens_for(engine, "begin")
        def _begun(connection: Connection) -> None:
            # A writer waits at the start, not in the middle where it would have to give up.
            writes = connection.get_execution_options().get("whybounce_writes")
            connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

        return engine

    def _postgres(self) -> Engine:
        try:
            return create_engine(
                self.url,
                pool_pre_ping=True,
                pool_timeout=WAIT_SECONDS,
                connect_args={
                    "connect_timeout": int(WAIT_SECONDS / 2),
                    "tcp_user_timeout": int(WAIT_SECONDS * 1000),
                    "application_name": "whybounce",
                },
            )
        except ModuleNotFoundError as error:
            raise MissingExtraError("postgres", "a feedback store in PostgreSQL") from error

    def _exists(self) -> bool:
        return self.path is not None and self.path.exists()

    def _file(self) -> tuple[int, int] | None:
        try:
            status = (self.path or Path()).stat()
        except OSError:
            return None
        return status.st_dev, status.st_ino


def _meta(connection: Connection) -> dict[str, str]:
    return {row.name: row.value for row in connection.execute(select(meta.c.name, meta.c.value))}


def _checked(url: str) -> URL:
    advice = f"use {EXAMPLE_URL} or postgresql://USER:PASSWORD@HOST/DATABASE"
    try:
        made = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise StoreError(f"the feedback store's URL cannot be read; {advice}") from error
    if made.drivername in ("postgres", "postgresql"):
        made = made.set(drivername="postgresql+psycopg")
    if made.drivername not in ("sqlite", "sqlite+pysqlite", "postgresql+psycopg"):
        raise StoreError(f"a feedback store cannot be kept in {made.drivername!r}; {advice}")
    if made.get_backend_name() == "sqlite" and made.database in (None, "", ":memory:"):
        raise StoreError(f"the feedback store's URL names no file, and feedback has to survive; {advice}")
    if made.get_backend_name() == "sqlite" and str(made.database).startswith("file:"):
        raise StoreError(f"the feedback store's URL must name a plain file; {advice}")
    return made


def _set_up(connection: sqlite3.Connection) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
            break
        except sqlite3.OperationalError as error:
            # Switching does not wait for other connections by itself.
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
    if mode != "wal":
        raise StoreError("the feedback store's disk does not allow SQLite's write-ahead log; use a local disk")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")
