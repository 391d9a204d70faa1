"""Reading labelled bounces: every format, and errors that name the file, the row and the fix."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset

from whybounce.model.errors import DataError
from whybounce.training.labelled import Labelled, batches, read_labelled

ROWS: list[dict[str, Any]] = [
    {"text": "550 5.1.1 <a@example.com>: unknown, \"gone\"", "label": "invalid_recipient"},
    {"text": "452 full\twith a tab, a comma\nand a second line", "label": "mailbox_full"},
    {"text": "用户不存在 é 🙂", "label": "closed_account"},
]  # fmt: skip


def as_jsonl(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


def as_json(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text(json.dumps(rows), "utf-8")


def as_csv(path: Path, rows: list[dict[str, Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), delimiter="\t" if path.suffix == ".tsv" else ",")
        writer.writeheader()
        writer.writerows(rows)


def as_parquet(path: Path, rows: list[dict[str, Any]]) -> None:
    Dataset.from_list(rows).to_parquet(path)


WRITERS: dict[str, Callable[[Path, list[dict[str, Any]]], None]] = {
    "a.jsonl": as_jsonl, "a.ndjson": as_jsonl, "a.json": as_json, "a.csv": as_csv, "a.CSV": as_csv, "a.tsv": as_csv,
    "a.parquet": as_parquet,
}  # fmt: skip


@pytest.mark.parametrize("name", list(WRITERS))
def test_formats(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    WRITERS[name](path, ROWS)
    assert read_labelled(path) == [Labelled(row["text"], row["label"]) for row in ROWS]


def test_all_columns(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    rows: list[dict[str, Any]] = [
        {
            "text": "a", "label": "mailbox_full", "also": ["greylisted"], "ambiguous": True, "lang": "de",
            "provider": "x", "kind": "k", "source": "s",
        },
        {
            "text": "b", "label": "greylisted", "also": [], "ambiguous": False, "lang": "", "provider": None,
            "kind": "", "source": "",
        },
    ]  # fmt: skip
    as_jsonl(path, rows)
    assert read_labelled(path) == [
        Labelled("a", "mailbox_full", ("greylisted",), True, (("lang", "de"), ("provider", "x"))),
        Labelled("b", "greylisted"),
    ]


def test_also_as_a_string(tmp_path: Path) -> None:
    as_csv(tmp_path / "a.csv", [{"text": "a", "label": "mailbox_full", "also": "greylisted", "ambiguous": True}])
    assert read_labelled(tmp_path / "a.csv") == [Labelled("a", "mailbox_full", ("greylisted",), True)]


@pytest.mark.parametrize("text_column", ["text", "diagnostic", "diagnostic_code", "message", "reason_text", "response"])
@pytest.mark.parametrize("label_column", ["label", "reason"])
def test_usual_column_names(tmp_path: Path, text_column: str, label_column: str) -> None:
    as_jsonl(tmp_path / "a.jsonl", [{text_column: "x", label_column: "greylisted"}])
    assert read_labelled(tmp_path / "a.jsonl") == [Labelled("x", "greylisted")]


def test_named_columns_win(tmp_path: Path) -> None:
    as_jsonl(tmp_path / "a.jsonl", [{"text": "no", "label": "no", "smtp": "x", "why": "greylisted"}])
    found = read_labelled(tmp_path / "a.jsonl", text_column="smtp", label_column="why")
    assert found == [Labelled("x", "greylisted")]


GOOD = '{"text": "x", "label": "greylisted"}\n'
# name, content, what the error says besides the file's name
BAD: list[tuple[str, bytes | None, str]] = [
    ("missing.jsonl", None, "no such file; check the path"),
    ("a.xlsx", b"x", r"unknown type '.xlsx'; use one of .jsonl, "),
    ("noending", b"x", "unknown type ''; use one of"),
    ("a.jsonl", b"", "the file is empty; it needs a text and a label column"),
    ("a.csv", b"", "the file is empty"),
    ("a.parquet", b"", "the file is empty"),
    ("a.jsonl", b"not json\n", "1 of 1 rows cannot be used: line 1: not valid JSON .*; write one object a line"),
    ("a.jsonl", b"\x00\xff\xfe\x01" * 50, "line 1: binary data; export it as text"),
    ("a.jsonl", GOOD.encode() * 3 + b"\x00\xff" * 50, "line 4: binary data; export it as text"),
    ("a.parquet", b"PAR1 but no parquet", "row 1: not readable as parquet .*; fix or fetch it again"),
    ("a.csv", b"\x89PNG\r\n\x1a\n\x00\xff" * 50, "line 3: binary data; export it as text"),
    ("a.csv", "text,label\nx,greylisted\n".encode("utf-16"), "line 1: UTF-16; name it with --encoding utf-16"),
    ("a.jsonl", b'{"label": "greylisted"}\n', "none of the columns text, diagnostic.* is there; name one of label with --text-column"),
    ("a.jsonl", b'{"text": "x", "b": 1}\n', "none of the columns label, reason is there; name one of text, b with --label-column"),
    ("a.csv", b"a:b\nx:y\n", "none of the columns text, .* name one of a:b with --text-column"),
    ("a.csv", b"text,text,label\nx,y,greylisted\n", "line 1: two columns are called 'text'; rename one"),
    ("a.jsonl", (GOOD + '{"text": "x", "label": "nope"}\n').encode(), "1 of 2 rows cannot be used: line 2: unknown label 'nope'; map them with --labels mapping.toml .*; known labels: invalid_recipient, "),
    ("a.jsonl", (GOOD + '{"text": "x", "label": "userunknown"}\n').encode(), "unknown label 'userunknown'; these look like sisimai's; name them with --labels sisimai"),
    ("a.jsonl", (GOOD + '{"text": null, "label": "greylisted"}\n').encode(), "line 2: no text"),
    ("a.jsonl", (GOOD + '{"text": " ", "label": "greylisted"}\n').encode(), "line 2: no text"),
    ("a.jsonl", (GOOD + '{"text": "x", "label": null}\n').encode(), "line 2: no label"),
    ("a.jsonl", (GOOD + '{"text": "x", "label": ""}\n').encode(), "line 2: no label"),
    ("a.jsonl", (GOOD + '{"text": "x", "label": "greylisted", "also": ["hm"]}\n').encode(), "line 2: unknown label 'hm' in the column of other labels"),
    ("a.jsonl", b'{"text": "x", "label": 3}\n', "line 1: unknown label '3'"),
    ("a.jsonl", b'{"text": "x", "label": "nope"}\n' * 9, "9 of 9 rows .*line 5: unknown label 'nope' …;"),
    ("a.csv", b"text,label\n", "no rows; a header alone is no data"),
    ("a.json", b'[{"text": "x",\n "label" "greylisted"}]', "line 2: not valid JSON .*; fix it, or write .jsonl"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "content", "message"), BAD, ids=[f"{row[0]}: {row[2][:30]}" for row in BAD])
def test_errors_name_the_file_and_the_fix(tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        read_labelled(path)
    assert str(caught.value).startswith(str(path))


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"text_column": "body"}, "no column 'body'; it has: text, label"),
        ({"label_column": "why"}, "no column 'why'; it has: text, label"),
    ],
)
def test_a_named_column_that_is_not_there(tmp_path: Path, columns: dict[str, str], message: str) -> None:
    (tmp_path / "a.jsonl").write_text(GOOD, "utf-8")
    with pytest.raises(DataError, match=message):
        read_labelled(tmp_path / "a.jsonl", **columns)  # type: ignore[arg-type]


def test_a_folder_is_all_its_files(tmp_path: Path) -> None:
    for name in ("b.jsonl", "a.jsonl"):
        (tmp_path / name).write_text(json.dumps({"text": name, "label": "greylisted"}), "utf-8")
    (tmp_path / "README.md").write_text("no data", "utf-8")
    assert [row.text for row in read_labelled(tmp_path)] == ["a.jsonl", "b.jsonl"]


def test_a_share_of_bad_rows_may_be_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(GOOD * 9 + "not json\n", "utf-8")
    assert len(read_labelled(path, max_bad=0.1)) == 9
    with pytest.raises(DataError, match="line 10: not valid JSON"):
        read_labelled(path, max_bad=0.09)


@pytest.mark.parametrize(("count", "sizes"), [(0, []), (1, [1]), (5, [2, 2, 1]), (4, [2, 2])])
def test_batches(count: int, sizes: list[int]) -> None:
    found = list(batches(list(range(count)), 2))
    assert [len(batch) for batch in found] == sizes
    assert [item for batch in found for item in batch] == list(range(count))
