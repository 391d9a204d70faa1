"""The fuzzer's dictionary: texts that stand in a parser's own source."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Iterable


def tokens_of(modules: Iterable[str]) -> list[bytes]:
    """Return the strings of modules, documentation left out, and the literal parts of their patterns."""
    found: set[bytes] = set()
    for name in modules:
        tree = ast.parse(inspect.getsource(importlib.import_module(name)))
        documented = {
            id(node.body[0].value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
            and node.body
            and isinstance(node.body[0], ast.Expr)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and id(node) not in documented:
                text = node.value.encode() if isinstance(node.value, str) else node.value
                if isinstance(text, bytes):
                    found.update(_literals(text))
    return sorted(found)


def _literals(text: bytes) -> Iterable[bytes]:
    if re.search(rb"[\\(|\[?*]", text) is None:
        return [text] if 2 <= len(text) <= 60 else []
    return [part for part in re.split(rb"\\.|\(\?\w+\)|[()|\[\]?*+^${}]", text) if 3 <= len(part) <= 60]
