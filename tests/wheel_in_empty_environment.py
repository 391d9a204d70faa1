"""Build the wheel and try it where nothing else is: ``make wheel``.

Builds sdist and wheel, looks at what is in them, makes an empty virtual environment,
installs the locked dependencies and the wheel, and from a folder outside of the
repository predicts, trains, evaluates and serves.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.request
import venv
import zipfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
TEXT = "550 5.1.1 <a@example.com>: User unknown"
IN_WHEEL = (
    "whybounce/__init__.py", "whybounce/py.typed", "whybounce/model/artifact/manifest.json",
    "whybounce/model/predictor.py", "whybounce/training/train.py", "whybounce/serving/cli/__init__.py",
    "whybounce/serving/http/app.py", "whybounce/data/templates/postfix.jsonl", "whybounce/data/README.md",
    "whybounce/data/golden/mailbox_full.jsonl",
)  # fmt: skip
STARTED = time.monotonic()


def say(text: str) -> None:
    """Print progress with the seconds since the start."""
    print(f"[{time.monotonic() - STARTED:5.0f} s] {text}", flush=True)


def check(fact: object, text: str) -> None:
    """Stop with a message unless the fact holds."""
    if not fact:
        say(f"FAILED: {text}")
        sys.exit(1)


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command that must succeed; return its standard output."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "WHYBOUNCE"))}
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, cwd=cwd, env=environment, check=False
    )
    check(done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}\n{done.stderr}")
    return done.stdout


def build(out: Path) -> tuple[Path, Path]:
    """Build sdist and, from it, the wheel."""
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", out, ROOT, cwd=out)
    [wheel], [sdist] = list(out.glob("*.whl")), list(out.glob("*.tar.gz"))
    return wheel, sdist


def look_into(wheel: Path, sdist: Path) -> None:
    """Check that everything is in, and nothing generic."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    tops = {name.partition("/")[0] for name in names}
    foreign = {
        top for top in tops if top != "whybounce" and not (top.startswith("whybounce-") and top.endswith(".dist-info"))
    }
    check(not foreign, f"the wheel has {sorted(foreign)} besides whybounce")
    check(
        not [name for name in names if "__pycache__" in name or name.endswith(".pyc")], "the wheel has compiled files"
    )
    missing = [name for name in IN_WHEEL if name not in names]
    check(not missing, f"the wheel lacks {missing}")
    for pattern in ("whybounce/model/artifact/model-", "whybounce/model/ruleset/"):
        check(any(name.startswith(pattern) for name in names), f"the wheel lacks {pattern}*")
    templates = len(list((ROOT / "data" / "templates").glob("*.jsonl")))
    shipped = sum(name.startswith("whybounce/data/templates/") for name in names)
    check(shipped == templates, f"the wheel has {shipped} template files of {templates}")
    with tarfile.open(sdist) as tar:
        inside = {name.partition("/")[2] for name in tar.getnames()}
    for name in (
        "pyproject.toml",
        "README.md",
        "LICENSE",
        "Makefile",
        "tests/conftest.py",
        "whybounce/model/predictor.py",
    ):
        check(name in inside, f"the sdist lacks {name}")
    say(
        f"{wheel.name}: {len(names)} files, {wheel.stat().st_size / 1e6:.1f} MB; {sdist.name}: {sdist.stat().st_size / 1e6:.1f} MB"
    )


def install(environment: Path, wheel: Path) -> Path:
    """Make an empty environment, install locked dependencies and the wheel; return its Python."""
    venv.create(environment, with_pip=True)
    python = environment / "bin" / "python"
    pip = (python, "-m", "pip", "install", "--disable-pip-version-check", "--progress-bar", "off", "-q")
    run(*pip, "--require-hashes", "-r", ROOT / "requirements.lock", cwd=environment)
    [packages] = list(environment.glob("lib/python*/site-packages"))
    before = {path.name for path in packages.iterdir()}
    run(*pip, "--no-deps", wheel, cwd=environment)
    after = {path.name for path in packages.iterdir()} - before
    check(
        len(after) == 2 and "whybounce" in after and all(name.startswith("whybounce") for name in after),
        f"installing put {sorted(after)} into site-packages",
    )
    run(python, "-m", "pip", "check", "--disable-pip-version-check", cwd=environment)
    return python


def get(url: str, body: dict[str, Any] | None = None) -> Any:
    """Send a request, return the JSON answer."""
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(url, data=data, headers={"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as response:
        return json.load(response)


def serve(command: Path, artifact: Path, cwd: Path) -> None:
    """Serve an artifact, ask it, end it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    with subprocess.Popen([command, "serve", "--port", str(port), "--artifact", artifact], cwd=cwd) as process:
        try:
            for _ in range(300):
                check(process.poll() is None, "the service ended by itself")
                try:
                    if get(f"{url}/health/ready")["status"] == "ready":
                        break
                except OSError:
                    time.sleep(0.2)
            else:
                check(False, "the service does not get ready")
            answer = get(f"{url}/v1/predict", {"diagnostic": TEXT})
            check(answer["reason"] == "invalid_recipient" and not answer["degraded"], f"the service answers {answer}")
            process.send_signal(signal.SIGTERM)
            check(process.wait(timeout=30) in (0, -signal.SIGTERM), f"the service ended with {process.returncode}")
        finally:
            process.kill()


def main() -> None:
    """Do all of it in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="whybounce-wheel-") as name:
        work = Path(name)
        for folder in ("dist", "elsewhere"):
            (work / folder).mkdir()
        elsewhere = work / "elsewhere"
        say("building sdist and wheel")
        wheel, sdist = build(work / "dist")
        look_into(wheel, sdist)
        say("installing into an empty environment")
        python = install(work / "environment", wheel)
        command = python.parent / "whybounce"
        say("predicting")
        found = run(python, "-c", "import whybounce.model; print(whybounce.model.__file__)", cwd=elsewhere).strip()
        check(found.startswith(str(work)), f"whybounce comes from {found}")
        [row] = json.loads(run(command, "predict", TEXT, "--json", cwd=elsewhere))
        check(row["reason"] == "invalid_recipient" and not row["degraded"], f"predict answers {row}")
        say("training (a minute or two)")
        labelled = elsewhere / "own.jsonl"
        rows = [
            {"text": TEXT, "label": "invalid_recipient"},
            {"text": "552 5.2.2 Mailbox full", "label": "mailbox_full"},
        ]
        labelled.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
        run(command, "train", "--data", labelled, "--folds", "2", "--out", "model", cwd=elsewhere)
        say("evaluating")
        figures = json.loads(
            run(command, "evaluate", labelled, "--artifact", "model", "--out", "figures.json", "--json", cwd=elsewhere)
        )
        check(figures["systems"]["both"]["accuracy"] == 1, f"the trained model has {figures['systems']['both']}")
        check(not figures["degraded"], "the trained model did not load")
        say("serving")
        serve(command, elsewhere / "model", elsewhere)
    say("the wheel predicts, trains, evaluates and serves")


if __name__ == "__main__":
    main()
