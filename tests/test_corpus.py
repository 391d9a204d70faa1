"""The template corpus: clean, big enough, described truly, loadable, and safe to fill."""

from __future__ import annotations

import ipaddress
import json
import random
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from whybounce.data import FOLDER, card, template_files
from whybounce.data.lint import lint, main, masked
from whybounce.data.slots import SLOTS, Slot, fill, slot_names
from whybounce.model.taxonomy import TAXONOMY

ROOT = Path(__file__).parent.parent
ROWS = card.rows()

RESERVED_DOMAIN = re.compile(r"(?:[\w-]+\.)*(?:example\.(?:com|net|org)|[\w-]+\.(?:example|test))")
DOCUMENTATION = tuple(map(ipaddress.ip_network, ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")))


def test_the_corpus_is_clean() -> None:
    assert [str(finding) for finding in lint(template_files())] == []


def test_floors() -> None:
    assert len({masked(row["text"]) for row in ROWS}) >= 4000
    assert len({row["source"] for row in ROWS}) >= 80
    reasons = Counter(row["reason"] for row in ROWS)
    assert {name: reasons[name] for name in TAXONOMY.reasons if reasons[name] < 60} == {}
    languages = Counter(row["lang"] for row in ROWS)
    big = {code for code, count in languages.items() if count >= 40}
    assert len(big) >= 14
    assert big >= {"cs", "de", "en", "es", "fr", "it", "ja", "ko", "nl", "pl", "pt", "ru", "tr", "zh"}


# The card


def test_the_card_is_up_to_date() -> None:
    text = card.CARD.read_text(encoding="utf-8")
    assert card.render(text, ROWS) == text, "run python -m whybounce.data.card --write"
    assert set(re.findall(r"<!-- generated:(\w+) -->", text)) == set(card.BLOCKS)


def test_writing_the_card_renews_what_is_stale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stale = tmp_path / "README.md"
    stale.write_text("before\n<!-- generated:slots -->\nold\n<!-- /generated:slots -->\nafter\n", encoding="utf-8")
    monkeypatch.setattr(card, "CARD", stale)
    assert card.main([]) == 1
    assert "old" in stale.read_text(encoding="utf-8")
    assert card.main(["--write"]) == 0
    assert card.main([]) == 0
    text = stale.read_text(encoding="utf-8")
    assert re.fullmatch(r"before\n.*after\n", text, re.DOTALL)
    assert "`{rcpt}`" in text
    assert "old" not in text


def test_datasets_loads_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets", reason="pip install datasets")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    loaded: Any = datasets.load_dataset(str(FOLDER), split="train", cache_dir=str(tmp_path))
    assert loaded.num_rows == len(ROWS)
    assert tuple(loaded.features["reason"].names) == TAXONOMY.reasons
    assert tuple(loaded.features["also"].names) == TAXONOMY.reasons
    decode = loaded.features["reason"].int2str
    for row, got in zip(ROWS[::97], loaded.select(range(0, len(ROWS), 97)), strict=True):
        also = None if got["also"] is None else decode(got["also"])
        assert {**got, "reason": decode(got["reason"]), "also": also} == row


def test_the_examples_of_the_card_run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("datasets", reason="pip install datasets")
    monkeypatch.chdir(ROOT)
    examples = re.findall(r"```python\n(.*?)```", card.CARD.read_text(encoding="utf-8"), re.DOTALL)
    for example in examples:
        exec(compile(example, "README.md", "exec"), {})
    assert len(examples) == 2
    assert "Recipient address rejected" in capsys.readouterr().out


# The lint

GOOD = {
    "text": "550 5.1.1 <{rcpt}>: no mailbox here", "reason": "invalid_recipient", "also": None, "family": "planted",
    "source": "Planted", "phase": "rcpt", "lang": "en",
}  # fmt: skip


def _planted(folder: Path, *rows: dict[str, Any] | str) -> list[str]:
    path = folder / "planted.jsonl"
    lines = [row if isinstance(row, str) else json.dumps({**GOOD, **row}) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return [finding.rule for finding in lint([path])]


@pytest.mark.parametrize(
    ("rows", "rule"),
    [
        (["{not json"], "bad-json"),
        (["[1, 2]"], "fields"),
        (['{"text": "550 no such user"}'], "fields"),
        ([{"extra": "field"}], "fields"),
        ([{"text": "  "}], "fields"),
        ([{"source": None}], "fields"),
        ([{"phase": 3}], "fields"),
        ([{"reason": "bad_luck"}], "unknown-reason"),
        ([{"also": "bad_luck"}], "unknown-also"),
        ([{"also": "invalid_recipient"}], "unknown-also"),
        ([{"phase": "helo"}], "unknown-phase"),
        ([{"lang": "english"}], "unknown-language"),
        ([{"family": "elsewhere"}], "family"),
        ([{"text": "550 no mailbox {mailbox} here"}], "unknown-slot"),
        ([{"text": "550 no mailbox {} here"}], "brace"),
        ([{"text": "550 no mailbox {rcpt here"}], "brace"),
        ([{"text": "550 no mailbox {Rcpt} here"}], "brace"),
        ([{"text": "550 no mailbox for jane.roe@hotmail.com here"}], "address"),
        ([{"text": "550 blocked, your IP is 8.8.4.4"}], "ip"),
        ([{"text": "550 blocked, see http://8.8.4.4/why"}], "ip"),
        ([{"text": "550 blocked [IPv6:2a00:1450:4001::1a]"}], "ip"),
        ([{"text": "550 blocked, call +49 30 901820"}], "phone"),
        ([{"text": "550 blocked, call (212) 736-5000"}], "phone"),
        ([{"text": "550 blocked, call 1-800-FLOWERS or 212-736-5000"}], "phone"),
        ([{"text": "rejected!"}], "too-short"),
        ([{"text": "{rcpt}"}], "too-short"),
        ([{"text": "满"}], "too-short"),
        ([{}, {"text": "550 5.1.1 <{sender}>: No Mailbox, here"}], "duplicate"),
        ([{}, {"reason": "closed_account"}], "conflict"),
    ],
)
def test_lint_finds_planted_errors(rows: list[dict[str, Any] | str], rule: str, tmp_path: Path) -> None:
    assert _planted(tmp_path, *rows) == [rule]


@pytest.mark.parametrize(
    "text",
    [
        "550-5.7.26 refused, 450 4.7.1 was for {ip}",
        "554 blocked, write to postmaster@gmx.net or abuse-desk@telia.com",
        "554 ask info@example.com or somebody@mail.acme.example",
        "550 refused by Exim version 4.92.3.1, Exim/4.92.3.1 and SMTPSVC 6.0.3790.4675",
        "550 connect to 127.0.0.1, 192.0.2.77, [2001:db8::1]:25 refused",
        "Mon, 04 May 2020 12:34:56 +0000 (2020-05-04) no mailbox here",
        "error 0x80040119-00000000-0000 in 550 1234 5678",
        "邮箱已满",
    ],
)
def test_lint_lets_harmless_texts_pass(text: str, tmp_path: Path) -> None:
    assert _planted(tmp_path, {"text": text}) == []


def test_lint_compares_across_files_and_sets_the_exit_status(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [tmp_path / "a.jsonl", tmp_path / "b.jsonl"]
    for path in paths:
        path.write_text(json.dumps({**GOOD, "family": path.stem}) + "\n", encoding="utf-8")
    assert [(finding.file, finding.line, finding.rule) for finding in lint(paths)] == [("b.jsonl", 1, "duplicate")]
    assert main([str(paths[0])]) == 0
    assert main([str(path) for path in paths]) == 1
    assert capsys.readouterr().out.startswith("b.jsonl:1: duplicate: same as a.jsonl:1")


# The slots


@pytest.mark.parametrize("name", SLOTS)
def test_a_slot_has_eight_values_and_a_description(name: str) -> None:
    slot: Slot = SLOTS[name]
    rng = random.Random(0)
    assert slot.description
    assert len({slot.draw(rng) for _ in range(200)}) >= 8
    assert not any(re.search(r"[{}\s]{2}|[{}]", slot.draw(rng)) for _ in range(50))


def test_every_slot_is_used() -> None:
    assert {name for row in ROWS for name in slot_names(row["text"])} == set(SLOTS)


def test_every_template_fills_completely_and_reproducibly() -> None:
    for row in ROWS:
        text = fill(row["text"], random.Random(7))
        assert not re.search(r"[{}]", text)
        assert text == fill(row["text"], random.Random(7))


def test_values_are_reserved_for_documentation() -> None:
    rng = random.Random(1)
    for _ in range(300):
        for name in ("rcpt", "sender"):
            local, _at, domain = fill(f"{{{name}}}", rng).partition("@")
            assert local
            assert RESERVED_DOMAIN.fullmatch(domain)
        for name in ("domain", "sdomain", "host", "client"):
            assert RESERVED_DOMAIN.fullmatch(fill(f"{{{name}}}", rng))
        for name in ("ip", "mxip"):
            address = ipaddress.ip_address(fill(f"{{{name}}}", rng))
            assert any(address in network for network in DOCUMENTATION)
        assert RESERVED_DOMAIN.fullmatch(fill("{url}", rng).split("/")[2])


def test_a_filled_text_agrees_with_itself() -> None:
    for seed in range(50):
        rcpt, user, domain, sender, sdomain, first, second = fill(
            "{rcpt} {user} {domain} {sender} {sdomain} {ip} {ip}", random.Random(seed)
        ).split()
        assert rcpt == f"{user}@{domain}"
        assert sender.endswith(f"@{sdomain}")
        assert first == second


def test_braces_that_are_no_slot_stay() -> None:
    assert fill("a {nothing} {} {N}", random.Random(0)) == "a {nothing} {} {N}"
