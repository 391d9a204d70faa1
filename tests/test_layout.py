"""What may import what, and how the folders become the package."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PARTS = ("model", "training", "serving", "data")
# part -> parts of whybounce that it may import besides itself
ALLOWED = {
    "model": set[str](),
    "data": {"model"},
    "training": {"model", "data"},
    "serving": {"model", "training", "data"},
}
HEAVY = {"fastapi", "starlette", "pydantic", "uvicorn", "datasets", "pandas", "pyarrow", "typer", "rich"}
# module -> heavy libraries that it may import at all
MAY_IMPORT = {
    "model": set[str](),
    "data": {"datasets"},
    "training": {"datasets"},
    "serving": HEAVY - {"datasets", "pandas"},
}


def modules(part: str) -> list[Path]:
    return sorted((ROOT / part).rglob("*.py"))


def imports(source: str) -> Iterator[str]:
    """Names of the modules that a source imports, wherever in it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import: write it in full"
            assert node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def foreign(part: str, source: str) -> list[str]:
    """What a source of a part imports against the direction serving -> training -> model."""
    found = []
    for name in imports(source):
        top, _, rest = name.partition(".")
        inner = rest.partition(".")[0]
        if (top == "whybounce" and inner in PARTS and inner != part and inner not in ALLOWED[part]) or (
            top in HEAVY and top not in MAY_IMPORT[part]
        ):
            found.append(name)
    return found


@pytest.mark.parametrize("part", PARTS)
def test_imports_point_one_way(part: str) -> None:
    files = modules(part)
    assert files
    found = {str(path.relative_to(ROOT)): foreign(part, path.read_text("utf-8")) for path in files}
    assert {path: names for path, names in found.items() if names} == {}


@pytest.mark.parametrize(
    ("part", "source", "names"),
    [
        ("model", "from whybounce.training import fit", ["whybounce.training.fit"]),
        ("model", "def f():\n    import whybounce.serving.cli", ["whybounce.serving.cli"]),
        ("model", "from whybounce import data", ["whybounce.data"]),
        ("model", "import datasets.arrow", ["datasets.arrow"]),
        ("model", "if TYPE_CHECKING:\n    from pydantic import BaseModel", ["pydantic.BaseModel"]),
        ("model", "from whybounce.model import codes\nimport re2", []),
        ("training", "from whybounce.serving import cli", ["whybounce.serving.cli"]),
        ("training", "from whybounce.model import codes\nimport datasets", []),
        ("serving", "from whybounce.training import fit\nimport fastapi", []),
        ("data", "import whybounce.training.fit", ["whybounce.training.fit"]),
    ],
)
def test_the_scan_finds_what_it_should(part: str, source: str, names: list[str]) -> None:
    assert foreign(part, source) == names


@pytest.mark.parametrize("part", PARTS)
def test_the_folders_are_the_package(part: str) -> None:
    link = ROOT / "whybounce" / part
    assert link.is_symlink()
    assert link.readlink() == Path("..") / part
    module = importlib.import_module(f"whybounce.{part}")
    assert module.__file__ is not None
    assert Path(module.__file__).resolve().parent == ROOT / part


def test_modules_read_in_one_sitting() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for part in PARTS
        for path in modules(part)
        if path.name != "vocabulary.py"  # tables
        and (lines := len(path.read_text("utf-8").splitlines())) > 450
    }
    assert long == {}


@pytest.mark.parametrize(
    ("module", "forbidden"),
    [
        (
            "whybounce.model",
            [
                "fastapi",
                "starlette",
                "pydantic",
                "uvicorn",
                "datasets",
                "typer",
                "whybounce.training",
                "whybounce.serving",
                "whybounce.data",
            ],
        ),
        ("whybounce.serving.http.app", ["sklearn", "scipy", "pandas", "pyarrow", "datasets", "matplotlib"]),
        ("whybounce.training.train", ["fastapi", "pydantic", "uvicorn", "datasets", "whybounce.serving"]),
        ("whybounce.serving.cli", ["fastapi", "uvicorn", "datasets", "whybounce.serving.http", "whybounce.training"]),
    ],
)
def test_what_an_import_really_loads(module: str, forbidden: list[str], tmp_path: Path) -> None:
    script = f"import sys, {module}\nprint([name for name in {forbidden!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.stdout == "[]\n", done.stderr


def test_types_are_shipped() -> None:
    assert (ROOT / "whybounce" / "py.typed").is_file()


def test_locks_are_hashed_and_name_no_index() -> None:
    for name in ("requirements.lock", "requirements-dev.lock"):
        text = (ROOT / name).read_text("utf-8")
        assert "://" not in text
        assert "--index-url" not in text
        pins = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
        assert pins
        assert all("==" in pin and pin.endswith("\\") for pin in pins)
        assert text.count("--hash=sha256:") >= len(pins)


def test_the_runtime_lock_is_part_of_the_dev_lock() -> None:
    def pins(name: str) -> set[str]:
        lines = (ROOT / name).read_text("utf-8").splitlines()
        return {line.split(";")[0].strip(" \\") for line in lines if line and not line.startswith((" ", "#"))}

    assert pins("requirements.lock") <= pins("requirements-dev.lock")


def test_the_core_stays_small() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    core = {requirement.split(">")[0].split("<")[0] for requirement in project["dependencies"]}
    assert core == {"scikit-learn", "joblib", "numpy", "scipy", "google-re2", "pyahocorasick", "typer", "rich"}
    assert set(project["optional-dependencies"]) == {
        "train", "feedback", "postgres", "serve", "score", "spark", "report", "all",
    }  # fmt: skip
