"""whybounce: why did this message bounce, and what should I do about it?

The folders of the repository are the parts of this package: ``model``, ``training``,
``serving`` and ``data`` beside this file are links to them.
"""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("whybounce")
except PackageNotFoundError:  # running from a checkout that is not installed
    __version__ = "0+unknown"
