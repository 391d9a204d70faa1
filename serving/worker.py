"""The application as the worker processes of ``whybounce serve`` load it.

scikit-learn imports pandas when it is installed, only to recognise its frames: 65 MB
and a fifth of a second for every worker, and no request ever brings a frame. This
module keeps it out, and is imported by nothing but the server.
"""

from __future__ import annotations

import sys

sys.modules.setdefault("pandas", None)  # type: ignore[arg-type]

from whybounce.serving.http.app import create_app  # noqa: E402

__all__ = ["create_app"]
