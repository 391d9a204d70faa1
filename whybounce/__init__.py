"""whybounce: why did this message bounce, and what should I do about it?

The folders of the repository are the parts of this package: ``model``, ``training``,
``serving`` and ``data`` beside this file are links to them.
"""

import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


def _of_checkout() -> str:
    """Return what the project file says, for a checkout that is run without being installed."""
    try:
        project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text("utf-8"))["project"]
        return str(project["version"]) if project["name"] == "whybounce" else "0+unknown"
    except (OSError, KeyError, tomllib.TOMLDecodeError):
        return "0+unknown"


try:
    __version__ = version("whybounce")
except PackageNotFoundError:
    __version__ = _of_checkout()
