"""Tables that are not as they should be: what is wrong is told with its line, and the rows around it are read."""

from __future__ import annotations

import io
import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from report_cli import here
from typer.testing import CliRunner, Result

from whybounce.model.errors import DataError
from whybounce.model.predictor import BounceClassifier
from whybounce.serving.cli import app
from whybounce.serving.http.app import create_app
from whybounce.serving.intake import rows as reading
from whybounce.serving.intake.rows import MAX_ROW, Bad, Rows
from whybounce.serving.score import Scorer
from whybounce.serving.score.job import Job

__all__ = ["here"]
pytestmark = pytest.mark.usefixtures("here")


def said(n: int) -> str:
    return f"550 5.1.1 <u{n}@example.com>: User unknown"


def call(*arguments: str, text: bytes | None = None) -> Result:
    return CliRunner().invoke(app, [*arguments], input=text)


def read(text: str, delimiter: str = ",") -> tuple[list[list[str]], list[int]]:
    """The rows that are whole, and the lines of those that are not."""
    found = list(Rows(io.StringIO(text, newline=""), delimiter))
    return [one for one in found if not isinstance(one, Bad)][1:], [one.line for one in found if isinstance(one, Bad)]


TABLES: list[tuple[str, str, list[list[str]], list[int]]] = [
    # Whole ones: what a quote holds is a cell.
    ("several lines", 'id,d\n1,"550 a\nb, c\nd"\n2,e\n', [["1", "550 a\nb, c\nd"], ["2", "e"]], []),
    ("an answer of several lines", 'd\n"550-a\n550 b"\n450 c\n', [["550-a\n550 b"], ["450 c"]], []),
    ("doubled quotes", 'id,d\n1,"say ""no"",\n""never"""\n2,e\n', [["1", 'say "no",\n"never"'], ["2", "e"]], []),
    ("an address in a cell", 'd,to\n"550 a\nb, c",x@y.example\n450 e,z@y.example\n', [["550 a\nb, c", "x@y.example"], ["450 e", "z@y.example"]], []),
    ("MySQL's backslashes", 'id,d\n1,"a\nsaid \\"no\\" so"\n2,b\n', [["1", 'a\nsaid \\no\\" so"'], ["2", "b"]], []),
    # Broken ones: the row of the quote is lost, no other.
    ("the next row has quotes", 'id,d\n1,"550 a\n2,"550 b"\n3,"550 c"\n4,e\n', [["2", "550 b"], ["3", "550 c"], ["4", "e"]], [2]),
    ("no row after it has any", 'id,d\n1,x\n2,"550 a\n3,550 b\n4,550 c\n', [["1", "x"], ["3", "550 b"], ["4", "550 c"]], [3]),
    ("the first row of all", 'id,d\n1,"550 a\n2,550 b\n3,550 c\n', [["2", "550 b"], ["3", "550 c"]], [2]),
    ("another quote at an end", 'id,d,n\n1,x,5\n2,"550 a,5\n3,550 b,6\n4,550 c",7\n5,e,8\n', [["1", "x", "5"], ["3", "550 b", "6"], ["4", '550 c"', "7"], ["5", "e", "8"]], [3]),
    ("every row", 'id,d\n1,"a\n2,"b\n3,"c\n', [], [2, 3, 4]),
    ("one column", 'd\n"550 a\n550 b\n450 c\n', [["550 b"], ["450 c"]], [2]),
    ("a whole cell after it", 'id,d\n1,"550 a\n2,"550 b\nc"\n3,e\n', [["2", "550 b\nc"], ["3", "e"]], [2]),
    ("in the line of names", 'id,"d\n1,550 a\n2,550 b\n', [["1", "550 a"], ["2", "550 b"]], []),
    # What follows is no row: nobody knows where the cell should have ended.
    ("cut off in a cell", 'id,d\n1,550 x\n2,"550 a\nand more\nand m', [["1", "550 x"]], [3]),
    ("in the last row", 'id,d\n1,550 x\n2,"550 a\n', [["1", "550 x"]], [3]),
    ("quotes in a quote", 'id,d\n1,"550 a\nsaid "no" x"\n2,e\n', [["2", "e"]], [2]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "whole", "bad"), [row[1:] for row in TABLES], ids=[row[0] for row in TABLES])
def test_rows(text: str, whole: list[list[str]], bad: list[int]) -> None:
    assert read(text) == (whole, bad)
    assert read(text.replace("\n", "\r\n")) == ([[cell.replace("\n", "\r\n") for cell in row] for row in whole], bad)
    assert read(text.replace(",", ";"), ";") == ([[cell.replace(",", ";") for cell in row] for row in whole], bad)


def test_what_is_wrong_is_said() -> None:
    [bad] = [one for one in Rows(io.StringIO('id,d\n1,"a\n2,b\n'), ",") if isinstance(one, Bad)]
    assert (bad.content, bad.ends_early) == ('1,"a\n', False)
    assert "close or double it" in bad.why
    [bad] = [one for one in Rows(io.StringIO('id,d\n1,"a\nmore words\nand more'), ",") if isinstance(one, Bad)]
    assert bad.ends_early
    assert "lines 2 to 4" in bad.why


def test_a_long_table_takes_no_more_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_ROW", 100_000)

    def lines(count: int) -> Iterator[str]:
        yield "id,d\n"
        yield '0,"550 never closed\n'
        yield from (f"{n},{said(n)}\n" for n in range(1, count))

    peaks = []
    for count in (20_000, 100_000):
        tracemalloc.start()
        found = sum(1 for row in Rows(lines(count), ",") if not isinstance(row, Bad))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert found == count
    assert peaks[1] < peaks[0] * 1.5


def test_rows_that_are_too_long_cost_themselves() -> None:
    text = "x " * (MAX_ROW // 2 + 9)
    assert read(f"id,d\n1,{text}\n2,b\n") == ([["2", "b"]], [2])
    half = text[: MAX_ROW // 2]
    assert read(f'id,d\n1,"{half}\n{half}\n{half}"\n2,b\n') == ([["2", "b"]], [2])
    whole = "y" * 3_000_000
    assert read(f'id,d\n1,"{whole}"\n2,b\n') == ([["1", whole], ["2", "b"]], [])


BROKEN = "id,email,diagnostic\n" + "".join(
    f'{n},u{n}@example.com,{chr(34) if n == 40 else ""}{said(n)}\n' for n in range(100)
)  # fmt: skip


@pytest.mark.parametrize("names", ["id,email,diagnostic", "id,email,answer"])
def test_predict(names: str) -> None:
    Path("b.csv").write_text(BROKEN.replace("id,email,diagnostic", names))
    done = call("predict", "b.csv", "--jsonl")
    assert done.exit_code == 0, done.exception
    assert [json.loads(line)["diagnostic"] for line in done.stdout.splitlines()] == [
        said(n) for n in range(100) if n != 40
    ]
    assert "left out: 1; the first: b.csv:42 a quote is opened in it and not closed" in done.stderr
    done = call("predict", "-", "--jsonl", text=Path("b.csv").read_bytes())
    assert len(done.stdout.splitlines()) == 99
    assert "standard input:42 a quote is opened" in done.stderr


def test_predict_of_a_table_that_was_cut() -> None:
    Path("b.csv").write_text('id,diagnostic\n1,550 a b\n2,"550 c\nand then a lot of')
    done = call("predict", "b.csv", "--jsonl")
    assert len(done.stdout.splitlines()) == 1
    assert isinstance(done.exception, DataError)  # the exit code is 1
    assert str(done.exception).startswith("b.csv:3: the quote that is opened in it is never closed")


def test_report(classifier: BounceClassifier) -> None:
    Path("b.csv").write_text(BROKEN)
    done = call("report", "b.csv", "--json")
    assert done.exit_code == 0, done.exception
    assert "not read: b.csv:42: a quote is opened in it and not closed" in done.stderr
    here = json.loads(done.stdout)
    with TestClient(create_app(classifier)) as client:
        sent = client.post("/v1/report?name=b.csv", content=BROKEN.encode()).json()
        page = client.post("/v1/report?name=b.csv&format=md", content=BROKEN.encode()).text
    for found in (here, sent):
        assert found["bounced"] == 99
        [source] = found["sources"]
        assert (source["records"], source["skipped"]) == (99, 1)
        [left] = source["left_out"]
        assert left["where"] == "b.csv:42"
        assert left["why"].startswith("a quote is opened in it and not closed")
    assert "b.csv:42" in page


@pytest.mark.parametrize("checkpoint", [0, 1000])
def test_score_and_score_that_goes_on(classifier: BounceClassifier, checkpoint: float) -> None:
    Path("b.csv").write_text(BROKEN)

    class StoppedError(Exception):
        pass

    def stop(rows: int, share: float) -> None:
        if rows > 45:
            raise StoppedError

    def job() -> Job:
        return Job(
            Path("b.csv"), Path("o.jsonl"), Scorer(classifier, fields=["reason"]), checkpoint=checkpoint, batch_rows=5
        )

    with pytest.raises(StoppedError):
        job().run(stop)
    done = job().run()
    assert (done.rows, done.rejected, done.cut) == (99, 1, [])
    assert [json.loads(row)["id"] for row in Path("o.jsonl").read_text().splitlines()] == [
        str(n) for n in range(100) if n != 40
    ]
    [left] = map(json.loads, Path("o.jsonl.rejected.jsonl").read_text().splitlines())
    assert (left["line"], left["content"]) == (42, f'40,u40@example.com,"{said(40)}')


def test_score_of_a_table_that_was_cut() -> None:
    Path("b.csv").write_text('id,diagnostic\n1,550 a b\n2,"550 c\nand then a lot of')
    done = call("score", "b.csv", "o.jsonl", "--fields", "reason")
    assert isinstance(done.exception, DataError)
    assert str(done.exception).startswith("b.csv, line 3: the quote")
    assert len(Path("o.jsonl").read_text().splitlines()) == 1
    [left] = map(json.loads, Path("o.jsonl.rejected.jsonl").read_text().splitlines())
    assert left["line"] == 3


PLAIN = "id,diagnostic\n" + "".join(f"{n},{said(n)}\n" for n in range(5))
ODD: dict[str, tuple[bytes, int]] = {
    "a null character": (PLAIN.replace("u2@", "u\0@").encode(), 5),
    "two encodings": ("id,diagnostic\n1,550 5.1.1 Empfänger unbekannt\n".encode("cp1252") + "2,550 5.1.1 Empfänger\n".encode(), 2),
    "UTF-16": (PLAIN.encode("utf-16"), 5),
    "UTF-16, the other way round": (b"\xfe\xff" + PLAIN.encode("utf-16-be"), 5),
    "sep=;": (b"sep=;\r\n" + PLAIN.replace(",", ";").replace("\n", "\r\n").encode(), 5),
    "sep=|": (b"sep=|\n" + PLAIN.replace(",", "|").encode(), 5),
    "sep=,": (b"\xef\xbb\xbfsep=,\n" + PLAIN.encode(), 5),
    "ends of an old Mac": (PLAIN.replace("\n", "\r").encode(), 5),
    "ends of two kinds": (PLAIN.replace("\n", "\r", 3).encode(), 5),
    "an old Mac's, in a cell too": (b'id,diagnostic\r0,"550 5.1.1 a\rb"\r1,550 5.1.1 c d\r', 2),
    "decimal commas": (("id;wert;diagnostic\n" + "".join(f"{n};1,5;{said(n)}\n" for n in range(5))).encode(), 5),
    "tabs": (PLAIN.replace(",", "\t").encode(), 5),
    "German names": (("Nummer;Wert;Meldung\n" + "".join(f"{n};1,5;{said(n)}\n" for n in range(5))).encode(), 5),
    "Russian names": (("номер,ответ\n" + "".join(f"{n},{said(n)}\n" for n in range(5))).encode(), 5),
    "a cell of 3 MB": (f"id,diagnostic\n0,550 5.1.1 a b\n1,550 5.1.1 {'x' * 3_000_000}\n2,550 5.1.1 c d\n".encode(), 3),
}  # fmt: skip


@pytest.mark.parametrize("name", ODD)
def test_odd_tables_lose_nothing(name: str) -> None:
    data, rows = ODD[name]
    Path("b.csv").write_bytes(data)
    done = call("predict", "b.csv", "--jsonl")
    assert (done.exit_code, len(done.stdout.splitlines()), "left out" in done.stderr) == (0, rows, False)
    assert all(json.loads(line)["diagnostic"].startswith("550 5.1.1 ") for line in done.stdout.splitlines())
    assert "\ufffd" not in done.stdout
    done = call("report", "b.csv", "--json")
    found = json.loads(done.stdout)
    assert (found["bounced"], found["sources"][0]["skipped"]) == (rows, 0)
    column = {"German names": ["--column", "Meldung"], "Russian names": ["--column", "ответ"]}.get(name, [])
    done = call("score", "b.csv", "o.jsonl", "--fields", "reason", *column)
    assert done.exit_code == 0, done.exception
    assert len(Path("o.jsonl").read_text().splitlines()) == rows
    assert not Path("o.jsonl.rejected.jsonl").exists()


def test_a_text_with_commas_that_nobody_quoted_is_whole() -> None:
    """Cut at its comma, a text about the sender would make an address bad."""
    Path("b.csv").write_text(
        "date,email,diagnostic\n2026-11-01,d@example.com,550 No such user, sender verify failed\n"
        "2026-11-01,e@example.com,550 5.1.1 user unknown,,\n"
    )
    done = call("predict", "b.csv", "--jsonl")
    first, second = map(json.loads, done.stdout.splitlines())
    assert first["diagnostic"] == "550 No such user, sender verify failed"
    assert first["reason"] == "sender_rejected"
    assert second["diagnostic"] == "550 5.1.1 user unknown"


def test_cells_without_a_name_are_told() -> None:
    Path("b.csv").write_text(
        "diagnostic,email\n550 No such user, sender verify failed,d@example.com\n550 full,e@example.com\n"
    )
    done = call("predict", "b.csv", "--jsonl")
    assert (len(done.stdout.splitlines()), "3 cells under 2 names" in done.stderr) == (1, True)
    done = call("report", "b.csv", "--json")
    found = json.loads(done.stdout)
    assert (found["bounced"], found["sources"][0]["skipped"]) == (1, 1)
    assert "3 cells under 2 names" in found["sources"][0]["left_out"][0]["why"]


def test_scores_without_a_row_are_an_error() -> None:
    Path("b.jsonl").write_text('{"answer": "550 no such user"}\n' * 3)
    done = call("score", "b.jsonl", "o.jsonl", "--column", "reply")
    assert isinstance(done.exception, DataError)
    assert "none of the rows could be read" in str(done.exception)
