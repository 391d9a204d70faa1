"""Scoring record batches: the same answers as one by one."""

from __future__ import annotations

import random
import subprocess
import sys
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from score_files import TEXTS

from whybounce.data.slots import fill
from whybounce.model.errors import DataError
from whybounce.model.masking import MAX_TEXT, template_of
from whybounce.model.predictor import BounceClassifier
from whybounce.serving.score import FIELDS, Scorer
from whybounce.serving.score import scorer as scorer_module
from whybounce.serving.score.folding import LONGEST, fold
from whybounce.training.corpus import load_corpus

RNG = random.Random(8)


# Tokens near the border of what is folded, and what stands between tokens.
TOKENS = [
    "a@example.com", "joe+x@example.com", "to=a@example.com", "x-to=a@b.example", "a@b@c", "@example.com", "a@", "a:b@c.example",
    "192.0.2.1", "192.0.2.1:25", "192.0.2.256", "1.2.3", "5.1.1", "2001:db8::1", "2001:db8:1:2:3:4:5:6", "1:2:3:4", "12:30:59",
    "550", "550-5.1.1", "450", "4504", "12", "7", "00:00:01.", "2026-01-02T10:11:12.345Z", "S3150", "TSS04", "10MB", "4F2B11C0",
    "a1-b2c3d4.e5", "250-abc1d2e3", "550-a1b2c3", "x1y2z3.com", "a1b2.c3d4", "550x", "xn--a1b2c", "a1_b2c3_d4", "300", "seconds",
    "bytes", "messages", "ID", "NUM", "ADDR", "mx1.example.com", "gmail-smtp-in.l.google.com", "zen.spamhaus.org", "ab-a1b2c3",
    "abcd-a1b2c3", "a" * 60, "1" * 60, "a1" * 150, "x" * 200 + "@example.com", "\u0338", "é", "用户", "a1b2c3é", "\\r", "\\n",
    "mx1.example.com:25", "a_b.example", "-a.example", "a.gmail.com", "xgmail.com", "www.example.com", "WWW.EXAMPLE.COM", "a..example",
    "a." * 90 + "com", "x" * 60 + ".com", "mx.example.com.", "12345_67890", "1234.5678", "5.1.1.com", "192.0.2.1.example", "b.spamhaus.org.example",
    "Thu", "Thu.", "may", "Mon", "am", "UTC", "monkey", "77", "020", "+44", "+0000", "12-11-2026", "2026-11-12", "12/11/2026", "12.11.2026",
    "5.11.2026", "23:16", "2026-11-12T10:11Z", "2026-11-12T10:11:12.5", "x=1", "ip=192.0.2.1", "a=b=c", "a=", "=", "amk253435", "RL000003",
    "abcdefghijk12345", "mx12", "uAaqGcA", "1320500698B", "132050069B", "13205B", "2026-550-11", "mx1.example.com.:", "192.0.2.1.:", "77b",
    "user", "unknown", "said", "try", "again", "in", "www.example.com/a1b2c3", "http://example.com/1", "ipv6:1::2", "::1", "1::",
]  # fmt: skip


BETWEEN = [" ", "  ", "<", ">", "> <", "(", ")", "[", "]", ": ", ":", ";", ",", "=", "+", "\\", "/", ".", "\t", "\n", "\u00a0", "‚", "\x7f", "\0", "-"]  # fmt: skip


texts = st.lists(st.one_of(st.sampled_from(TOKENS), st.sampled_from(BETWEEN), st.text(max_size=4)), max_size=14).map(
    "".join
) | st.lists(st.sampled_from(TOKENS), max_size=10).map(" ".join)


any_text = texts | st.sampled_from(TEXTS) | st.text(max_size=60)


whole = any_text.map(lambda text: text.encode("utf-8", "replace").decode())


def folded(many: list[str]) -> list[str]:
    return list(fold(pa.array(many, pa.large_string())).to_pylist())


def test_folding_keeps_the_template_of_every_line_of_the_corpus() -> None:
    lines = [fill(row.text, RNG) for row in load_corpus()]
    few = folded(lines)
    assert [template_of(text) for text in few] == [template_of(text) for text in lines]


@settings(max_examples=400, deadline=None)
@given(st.lists(whole, min_size=1, max_size=12))
@example(["<\u0338a@example.com", ">\u0338"])
@example(["a@example.com " * 3 + "x+y=z@b"])
@example(["12 " * 8000])
@example(["<td width=12>2026-11-12</td> &lt;a&gt;", "＜/b＞ <font size=12>", "<\u200b/b> <b>", "<／b> <p class=a1>"])
@example(["ユ)ー 在 不", "ユ ー,在"])
@example(["2026-01-02T10:11:12.345Z;2026-01-02T10:11:12.345Z"])
@example(["mx1.example.com:25 http://a.example/x www.a.example <mx.gmail.com> mx1.d2.example,mx2.d3.example 123_4567"])
def test_folding_keeps_the_template(many: list[str]) -> None:
    cut = [text[:MAX_TEXT] for text in many]
    assert [template_of(text) for text in folded(cut)] == [template_of(text) for text in cut]


def test_folding_makes_one_of_many() -> None:
    many = [
        f"450 4.2.0 <user{n}@example.com> from 192.0.2.{n} ID 4F2B{n}11C0 took {n * 700} at Thu, {n % 30} Nov 10:11:{n:02}"
        for n in range(10, 60)
    ]
    assert len(set(folded(many))) == 1


def test_long_texts_are_left_alone() -> None:
    text = "1 " * LONGEST
    assert folded([text, "1 2 3"])[0] == text


fields_given = st.fixed_dictionaries(
    {},
    optional={
        "reply_code": st.sampled_from([None, 550, 421, 7, 99999]),
        "enhanced_status": st.sampled_from([None, "", "5.1.1", "#4.2.2", "x"]),
        "command": st.sampled_from([None, "", "RCPT TO", "end of DATA", "nothing"]),
        "remote_host": st.sampled_from([None, "", "gmail-smtp-in.l.google.com", "mx.example.com"]),
    },
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(whole, fields_given), max_size=10), st.booleans())
def test_every_field_is_that_of_the_single_path(
    classifier: BounceClassifier, rows: list[tuple[str, dict[str, Any]]], dictionary: bool
) -> None:
    names = ("reply_code", "enhanced_status", "command", "remote_host")
    columns: dict[str, Any] = {"diagnostic": pa.array([text for text, _ in rows], pa.string())}
    for name in names:
        kind = pa.int64() if name == "reply_code" else pa.string()
        columns[name] = pa.array([known.get(name) for _, known in rows], kind)
    batch = pa.RecordBatch.from_pydict(columns)
    scored = Scorer(classifier, dictionary=dictionary).score(batch)
    assert scored.schema.names == [*batch.schema.names, *(f"bounce_{name}" for name in FIELDS)]
    for row, (text, known) in zip(scored.to_pylist(), rows, strict=True):
        wanted = classifier.predict_one(text, **known).to_dict()
        wanted["alternatives"] = [dict(one) for one in wanted["alternatives"]]
        wanted["evidence"] = [
            {name: one[name] for name in ("kind", "text", "id", "weight")} for one in wanted["evidence"]
        ]
        assert {name: row[f"bounce_{name}"] for name in FIELDS} == wanted
        assert row["diagnostic"] == text


def test_texts_that_are_cut_or_ask_to_wait(classifier: BounceClassifier) -> None:
    many = ["450 greylisted, try again in 300 seconds", "450 greylisted, try again in 600 seconds", "x " * MAX_TEXT, ""]
    scored = Scorer(classifier, fields=["retry_after_seconds", "truncated"]).score(
        pa.RecordBatch.from_pydict({"diagnostic": [*many, None]})
    )
    assert scored.column("bounce_retry_after_seconds").to_pylist() == [300, 600, None, None, None]
    assert scored.column("bounce_truncated").to_pylist() == [False, False, True, False, False]


waiting = st.lists(
    st.sampled_from(
        ["Try", "AGAIN", "retry", "come back", "come  back", "greylisted", "in", "after", "5 minutes", "300", "00:05:00", "seconds",
         "<a1@example.com>", "450", "4.7.1", ":", "=", "\\r", "\\", "\x01", "\t", "\u00ad", "re\u00adtry", "ｔry", "é", "wait", "7d", "\n", "12 h"]
    ),
    max_size=9,
).flatmap(lambda words: st.sampled_from([" ", "", "  "]).map(lambda glue: glue.join(["450 retry", *words])))  # fmt: skip


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(waiting, min_size=1, max_size=8))
@example(["450 come  back in 5 minutes 1, try", "450 try again 7 later", "450 retry\\r5 minutes"])
def test_how_long_to_wait_is_that_of_the_single_path(classifier: BounceClassifier, many: list[str]) -> None:
    scored = Scorer(classifier, fields=["retry_after_seconds"]).score(pa.RecordBatch.from_pydict({"text": many}))
    assert scored.column("bounce_retry_after_seconds").to_pylist() == [
        classifier.predict_one(text).retry_after_seconds for text in many
    ]


def test_what_is_remembered_is_bounded(classifier: BounceClassifier, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scorer_module, "MOST_KNOWN", 3)
    scorer = Scorer(classifier, fields=["reason", "template"])
    for start in range(0, 40, 4):
        batch = pa.RecordBatch.from_pydict({"diagnostic": TEXTS[start : start + 4]})
        rows = scorer.score(batch).to_pylist()
        assert [row["bounce_reason"] for row in rows] == [
            classifier.predict_one(text).reason for text in TEXTS[start : start + 4]
        ]
        assert len(scorer._places) <= 3 + 4 * 2


def test_slices_and_other_kinds_of_columns(classifier: BounceClassifier) -> None:
    whole_batch = pa.RecordBatch.from_pydict(
        {
            "smtp_reply": pa.array(TEXTS[:20]).dictionary_encode(),
            "reply_code": pa.array([550.0, None] * 10),
            "tags": [["a"]] * 20,
        }
    )
    part = whole_batch.slice(5, 9)
    scored = Scorer(classifier, fields=["reason"]).score(part)
    assert (
        scored.column("bounce_reason").to_pylist()
        == [
            classifier.predict_one(text, reply_code=550 if place % 2 == 0 else None).reason
            for place, text in enumerate(TEXTS[:20])
        ][5:14]
    )
    assert scored.column("tags").to_pylist() == [["a"]] * 9


@pytest.mark.parametrize(
    ("columns", "arguments", "said"),
    [
        ({"who": ["x"]}, {}, "name one of who with --column"),
        ({"diagnostic": ["x"]}, {"column": "no"}, "there is no column 'no'; there are: diagnostic"),
        ({"diagnostic": [1]}, {}, "holds int64, no text"),
        ({"diagnostic": ["x"], "bounce_reason": ["y"]}, {}, "choose another --prefix"),
        ({"diagnostic": ["x"]}, {"fields": ["nonsense"]}, "there is no field 'nonsense'; choose among reason"),
        ({"diagnostic": ["x"]}, {"fields": []}, "no field is chosen"),
    ],
)
def test_what_cannot_be_scored(
    classifier: BounceClassifier, columns: dict[str, Any], arguments: dict[str, Any], said: str
) -> None:
    with pytest.raises(DataError, match=said):
        Scorer(classifier, **arguments).score(pa.RecordBatch.from_pydict(columns))


def test_many_different_known_fields(classifier: BounceClassifier) -> None:
    size = 3000
    batch = pa.RecordBatch.from_pydict(
        {
            "diagnostic": [f"{TEXTS[n % 30]} zq{n}" for n in range(size)],
            "reply_code": [400 + n % 200 for n in range(size)],
            "enhanced_status": [f"5.{n % 50}.{n % 70}" for n in range(size)],
            "remote_host": [f"mx{n}.example.com" for n in range(size)],
        }
    )
    rows = Scorer(classifier, fields=["reason", "reply_code", "enhanced_status", "confidence"]).score(batch).to_pylist()
    for row in rows[::37]:
        known = {name: row[name] for name in ("reply_code", "enhanced_status", "remote_host")}
        wanted = classifier.predict_one(row["diagnostic"], **known)
        assert (row["bounce_reason"], row["bounce_reply_code"], row["bounce_enhanced_status"], row["bounce_confidence"]) == (
            wanted.reason, wanted.reply_code, wanted.enhanced_status, wanted.confidence,
        )  # fmt: skip


@pytest.mark.parametrize("missing", ["pyarrow", "polars"])
def test_a_missing_extra(missing: str) -> None:
    code = f"import sys; sys.modules[{missing!r}] = None; import whybounce.serving.score"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "MissingExtraError: Scoring tables needs an extra" in done.stderr
    assert "pip install 'whybounce[score]'" in done.stderr
