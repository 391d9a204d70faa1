"""Long files are read in constant memory: ten times the length takes no more of it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import deque
from collections.abc import Callable
from pathlib import Path

import pytest

from whybounce.serving.intake import joining
from whybounce.serving.intake.open import read, sources

SHORT, LONG = 2_000_000, 20_000_000
MORE = 12 * 1024  # kB: what an allocator keeps is never the same twice


def exim(n: int) -> str:
    person, when = f"person{n % 5000}@example.com", f"2026-03-02 {n // 3600 % 24:02}:{n // 60 % 60:02}:{n % 60:02}"
    name = f"1{n % 10**5:05}-00000000{n % 1000:03}-{n % 10**4:04}"
    said = f"SMTP error from remote mail server after RCPT TO:<{person}>: 452 4.2.2 Mailbox full"
    return (
        f"{when} {name} <= news@example.org U=news P=local S=2000 id={n}@example.org\n"
        f"{when} {name} {'==' if n % 2 else '**'} {person} R=dnslookup T=remote_smtp H=mx.example.com [198.51.100.7]: {said}\n"
        + ("" if n % 2 else f"{when} {name} Completed\n")
    )


def ses(n: int) -> str:
    mail = {
        "timestamp": "2026-03-02T09:00:00Z",
        "messageId": f"0100-{n}",
        "destination": [f"person{n % 5000}@example.com"],
        "headers": [{"name": "Subject", "value": "News " * 40}],
    }
    bounced = {"emailAddress": f"person{n % 5000}@example.com", "diagnosticCode": f"smtp; 550 5.1.1 unknown {n}"}
    bounce = {
        "bounceType": "Permanent",
        "bounceSubType": "General",
        "bouncedRecipients": [bounced],
        "feedbackId": f"{n}",
    }
    return json.dumps({"eventType": "Bounce", "mail": mail, "bounce": bounce}) + "\n"


def mbox(n: int) -> str:
    return (
        "From MAILER-DAEMON Mon Mar  2 09:00:00 2026\n"
        "From: MAILER-DAEMON@mx.example.org\nSubject: Undelivered Mail Returned to Sender\nTo: news@example.org\n"
        "Date: Mon, 02 Mar 2026 09:00:00 +0000\nMIME-Version: 1.0\n"
        f'Content-Type: multipart/report; report-type=delivery-status; boundary="b{n}"\n\n'
        f"--b{n}\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example.org\n\n"
        f"Final-Recipient: rfc822; person{n % 5000}@example.com\nAction: failed\nStatus: 5.1.1\n"
        f"Diagnostic-Code: smtp; 550 5.1.1 unknown {n}\n\n"
        f"--b{n}\nContent-Type: message/rfc822\n\nSubject: News {n}\nMessage-Id: <{n}@example.org>\n\n"
        + "Dear reader, this is the news.\n" * 400
        + f"\n--b{n}--\n\n"
    )


FORMS: dict[str, Callable[[int], str]] = {"exim": exim, "ses": ses, "mbox": mbox}


STATUS = Path("/proc/self/status")


def peak() -> int:
    """Most memory that this process ever had, in kB; what ``getrusage`` says begins with that of the parent."""
    return next(int(line.split()[1]) for line in STATUS.read_text().splitlines() if line.startswith("VmHWM"))


def child(short: str, long: str) -> None:
    """Read both files in a process of its own, and say what each had and how much memory it took at most."""
    # Reached by both, so that only what is not bounded grows.
    joining.Recent.__init__.__defaults__ = joining.Pending.__init__.__defaults__ = (1000,)
    found = []
    for name in (short, short, long):
        [source] = sources([name])
        form, records = read(source)
        last = deque(enumerate(records, start=1), maxlen=1)
        found.append((form.name, last[0][0], peak()))
    print(json.dumps(found))


@pytest.mark.skipif(not STATUS.exists(), reason="this system does not tell in /proc")
@pytest.mark.parametrize("form", FORMS)
def test_ten_times_the_length_takes_no_more_memory(form: str, tmp_path: Path) -> None:
    for name, size in (("short", SHORT), ("long", LONG)):
        with (tmp_path / name).open("w") as file:
            for n in range(10**6):
                file.write(FORMS[form](n))
                if file.tell() >= size:
                    break
    code = "import sys, test_intake_memory; test_intake_memory.child(*sys.argv[1:])"
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "short"), str(tmp_path / "long")],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (_, _, _), (name, few, before), (again, many, after) = json.loads(done.stdout)
    assert name == again == form
    assert many > 8 * few
    assert after - before < MORE, f"{before} kB for {few} records, {after} kB for {many}"
