"""The same figures in JSON, HTML and Markdown; pages that stand alone; nobody's address in them."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pages import agrees, at, read_markdown, read_page

from whybounce.model.errors import DataError, MissingExtraError
from whybounce.model.predictor import BounceClassifier
from whybounce.training.corpus import Template
from whybounce.training.evaluate import measure, measure_answers
from whybounce.training.labelled import Labelled
from whybounce.training.metrics import Answer
from whybounce.training.report import charts, render
from whybounce.training.report.measure import About
from whybounce.training.report.render import to_html, to_json, to_markdown, write_report
from whybounce.training.report.view import per_10k, percent, signed

SECRETS = ("john.doe", "jane+tag", "bounces-7", "192.0.2.44", "2001:db8::9", "mx7.customer.example", "QX7Z9K2L1M")


def sample(templates: list[Template]) -> list[Labelled]:
    """Rows full of personal data, some with wrong labels, some of them ambiguous."""
    rng = random.Random(1)
    rows = []
    for template in templates:
        text = (
            f"host mx7.customer.example[192.0.2.44] said: {template.text} <john.doe@example.com> id QX7Z9K2L1M"
            f" (client 2001:db8::9) (from jane+tag@example.org via bounces-7@example.net)"
        )
        label = template.reason if rng.random() < 0.8 else rng.choice(templates).reason
        rows.append(
            Labelled(
                text, label, (template.also,) if template.also else (), rng.random() < 0.05,
                (("provider", rng.choice(("north", "south", "john.doe@example.com", "192.0.2.44"))),),
                weight=float(rng.randint(1, 3)),
            )
        )  # fmt: skip
    return rows


@pytest.fixture(scope="module")
def documents(
    classifier: BounceClassifier, rules_only: BounceClassifier, few_templates: list[Template]
) -> dict[str, dict[str, Any]]:
    rows = sample(few_templates)
    single = [Labelled("552 5.2.2 Mailbox full", "mailbox_full")]
    right = [Labelled(f"550 5.1.1 user {word} unknown", "invalid_recipient") for word in ("alpha", "beta", "gamma")]
    against = About(source="mine | <b>.jsonl", name="“new”", current_name="the rules", notes=("A note.",))
    found = {
        "against": measure(classifier, rows, current=rules_only, about=against).document,
        "alone": measure(classifier, rows, about=About(source="mine.jsonl", created="2026-01-31")).document,
        "degraded": measure(rules_only, rows).document,
        "one row": measure(classifier, single, current=classifier).document,
        "one label": measure(classifier, right).document,
        "nothing right": measure_answers(single, {"both": [Answer("of_nobody", 0.0, "model")]}).document,
    }
    found["one label"]["gate"] = {
        "checks": [
            {"name": "golden set", "passed": True, "value": 0.9912, "limit": 0.98},
            {"name": "invariance", "passed": False, "value": 0.99, "limit": 0.995},
        ]
    }
    found["one label"]["training"] = {
        "held_out_families": {"both": found["alone"]["systems"]["both"]},
        "facts": [{"name": "templates", "value": 11780}, {"name": "temperature", "value": 0.957}],
    }
    return {name: json.loads(to_json(document)) for name, document in found.items()}


NAMES = ("against", "alone", "degraded", "one row", "one label", "nothing right")
every = pytest.mark.parametrize("name", NAMES)


@pytest.fixture(scope="module")
def pages(documents: dict[str, dict[str, Any]]) -> dict[str, str]:
    return {name: to_html(document) for name, document in documents.items()}


# The same figures


@every
def test_figures_of_the_page_are_those_of_the_json(name: str, documents: Any, pages: Any) -> None:
    page = read_page(pages[name])
    assert len(page.figures) > 150
    wrong = [(key, shown) for key, shown in page.figures if not agrees(shown, at(documents[name], key))]
    assert wrong == []


@every
def test_markdown_has_the_tables_of_the_page(name: str, documents: Any, pages: Any) -> None:
    ours = [[[" ".join(cell.split()) for cell in row] for row in grid] for grid in read_page(pages[name]).grids]
    _cards, *theirs = read_markdown(to_markdown(documents[name]))
    assert len(ours) == len(theirs) > 8
    for page, markdown in zip(ours, theirs, strict=True):
        assert [[" ".join(cell.replace("(empty)", "").split()) for cell in row] for row in page] == markdown


@every
def test_every_row_has_a_cell_a_column(name: str, documents: Any) -> None:
    for grid in read_markdown(to_markdown(documents[name])):
        assert {len(row) for row in grid} == {len(grid[0])}


@every
def test_verdict_reads_the_same_everywhere(name: str, documents: Any, pages: Any) -> None:
    head = documents[name]["headline"]
    page = " ".join(read_page(pages[name]).text.split())
    markdown = re.sub(r"\\([<>*_\[\]`|\\])", r"\1", to_markdown(documents[name]))
    for text in (head["title"], *head["sentences"], *head["cautions"], head["advice"]):
        assert text in page
        assert text in markdown


def test_markdown_figures_by_name(documents: Any) -> None:
    document = documents["alone"]
    grids = read_markdown(to_markdown(document))
    figures = next(grid for grid in grids if grid[0] == ["figure", "model + rules", "model alone", "rules alone"])
    rows = {row[0]: row[1:] for row in figures[1:]}
    for title, key in (("accuracy", "accuracy"), ("macro-F1", "macro_f1"), ("hard bounces called hard", "hard_recall")):
        for shown, system in zip(rows[title], ("both", "model", "rules"), strict=True):
            assert abs(float(shown.removesuffix(" %")) / 100 - document["systems"][system][key]) <= 0.0005
    reasons = next(grid for grid in grids if grid[0] == ["reason", "precision", "recall", "F1", "rows"])
    assert {row[0] for row in reasons[1:]} == set(document["systems"]["both"]["reasons"])


def test_the_reading_back_notices_a_wrong_figure() -> None:
    assert agrees("94.1 %", 0.9412)
    assert not agrees("94.1 %", 0.9512)
    assert not agrees("1,234", 1236)
    assert agrees("+1.3 pts", 0.0131)
    assert not agrees("+1.3 pts", -0.0131)
    assert agrees("87.5 to 91.8 %", {"low": 0.8751, "high": 0.9183})
    assert not agrees("87.5 to 91.8 %", {"low": 0.8751, "high": 0.9283})
    assert not agrees("–", 0.5)
    assert not agrees("< 0.001", 0.002)


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        (percent(0.99999), "> 99.9 %"), (percent(1.0), "100.0 %"), (percent(0.0001), "< 0.1 %"), (percent(0), "0.0 %"),
        (signed(0.0), "±0"), (signed(-12.4), "−12"), (signed(0.4), "±0"), (signed(1234.5, 1), "+1,234.5"),
        (per_10k(1234.4), "1,234"), (per_10k(0.4), "0.4"), (per_10k(0), "0"), (per_10k(9.96), "10.0"),
    ],
)  # fmt: skip
def test_formats(shown: str, text: str) -> None:
    assert shown == text


# Pages that stand alone


@every
def test_pages_are_well_formed(name: str, pages: Any) -> None:
    page = read_page(pages[name])
    assert page.problems == []
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))
    links = [value for _, name, value in page.attributes if name.endswith("href")]
    assert all(link.startswith("#") and link[1:] in page.ids for link in links)
    labelled = [part for _, name, value in page.attributes if name == "aria-labelledby" for part in value.split()]
    assert set(labelled) <= set(page.ids)
    assert page.tags.count("h1") == 1
    assert page.tags.count("main") == 1


def test_the_wellformedness_check_notices_what_is_wrong() -> None:
    assert read_page("<p><b>x</p></b>").problems
    assert read_page("<p>x").open == ["p"]


@every
def test_pages_need_nothing_from_outside(name: str, pages: Any) -> None:
    page = read_page(pages[name])
    assert not {"script", "link", "img", "iframe", "object", "image"} & set(page.tags)
    assert not [item for item in page.attributes if item[1] in ("src", "srcset", "onload", "onclick")]
    assert "@import" not in pages[name]
    assert set(re.findall(r"url\(([^)]*)", pages[name])) <= {f"#{value}" for value in page.ids}
    assert set(re.findall(r"https?://[^\s\"'<]+", pages[name])) <= {
        "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink",
    }  # fmt: skip


@every
def test_every_chart_has_words_and_a_table(name: str, pages: Any, documents: Any) -> None:
    found = re.findall(r"<figure class=\"wide (\w+)\">(.*?)</figure>", pages[name], re.DOTALL)
    expected = set(charts.CHARTS) - (set() if documents[name]["current"] else {"reasons_against"})
    assert {chart for chart, _ in found} == expected
    for _, svg in found:
        assert 'role="img"' in svg
        assert re.search(r"<title id=\"[^\"]+\">[^<]+</title>", svg)
        assert re.search(r"<desc id=\"[^\"]+\">[^<]+</desc>", svg)
        assert "currentColor" in svg
        assert not re.search("#010203|#0072b2(?!\\))", svg)
    for chart in expected:
        after = pages[name].split(f'<figure class="wide {chart}">')[1]
        nothing = chart == "confusion" and not documents[name]["confusion"]["confused"]
        assert ("<table>" in after[: after.index("</section>")]) is not nothing


def test_words_of_the_data_cannot_become_markup(documents: Any, pages: Any) -> None:
    assert "<b>" not in pages["against"]
    assert "&lt;b&gt;" in pages["against"]
    markdown = to_markdown(documents["against"])
    assert "\\<b\\>" in markdown
    assert "<b>" not in markdown.replace("\\<b\\>", "")


def test_charts_are_the_same_each_time(documents: Any) -> None:
    assert charts.svg("systems", documents["against"]) == charts.svg("systems", documents["against"])


def test_drawing_leaves_matplotlib_as_it_was(documents: Any) -> None:
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    charts.svg("confusion", documents["alone"])
    assert dict(mpl.rcParams) == before
    script = (
        "import sys\nfrom whybounce.training.report import drawing, render, sections\n"
        "print([name for name in ('matplotlib', 'jinja2', 'datasets') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout == "[]\n", done.stderr


def test_labels_in_any_script() -> None:
    rows = [Labelled("550 x y", "mailbox_full")]
    document = measure_answers(rows, {"both": [Answer("満杯 $x$ & <y>", 0.5, "model")]}).document
    page = read_page(to_html(document))
    assert page.problems == []
    assert "満杯 $x$ & <y>" in page.text


# Nobody's data


@every
def test_no_personal_data(name: str, documents: Any, pages: Any) -> None:
    for text in (to_json(documents[name]), pages[name], to_markdown(documents[name])):
        assert [secret for secret in SECRETS if secret in text] == []


def test_the_sample_has_personal_data(few_templates: list[Template]) -> None:
    rows = sample(few_templates)
    assert all(secret in rows[0].text for secret in SECRETS)
    assert {"john.doe@example.com", "192.0.2.44"} <= {value for row in rows for _, value in row.slices}


# Writing


def test_reports_by_their_endings(documents: Any, tmp_path: Path) -> None:
    for ending, start in ((".html", "<!doctype html>"), (".md", "# "), (".json", "{"), (".HTM", "<!doctype html>")):
        path = tmp_path / "deep" / f"report{ending}"
        write_report(documents["one row"], path)
        assert path.read_text("utf-8").lstrip().startswith(start)
    assert sorted(path.suffix for path in (tmp_path / "deep").iterdir()) == [".HTM", ".html", ".json", ".md"]
    assert json.loads((tmp_path / "deep" / "report.json").read_text("utf-8")) == documents["one row"]


def test_reports_that_cannot_be_written(documents: Any, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"x.pdf: a report ends in .html, .htm, .md, .json; name it so"):
        write_report(documents["one row"], Path("x.pdf"))
    (tmp_path / "x.md").mkdir()
    with pytest.raises(DataError, match="is a folder; name a file in it"):
        write_report(documents["one row"], tmp_path / "x.md")
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"cannot write .*; name another file"):
        write_report(documents["one row"], tmp_path / "file" / "x.json")


@pytest.mark.parametrize(("module", "ending"), [("matplotlib", ".html"), ("jinja2", ".html"), ("jinja2", ".md")])
def test_without_the_extra(module: str, ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    render._environment.cache_clear()
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=r"pip install 'whybounce\[train\]'"):
        render.check_report(tmp_path / f"x{ending}")
    render.check_report(tmp_path / "x.json")
