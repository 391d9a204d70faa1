"""The rules are data: every row proves itself by its own examples and counter-examples."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import re2

from whybounce.model import codes
from whybounce.model.diagnostic import parse
from whybounce.model.errors import RuleError
from whybounce.model.rules import RULESET, Rule, RuleSet, default_rules, load_rules
from whybounce.model.taxonomy import TAXONOMY, Category

RULES = load_rules()
BY_ID = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)


def reason_of(text: str) -> str | None:
    found = default_rules().decide(parse(text))
    return found.reason if found else None


@BY_ID
def test_examples_get_their_reason_from_their_own_rule(rule: Rule) -> None:
    for text in rule.examples:
        found = default_rules().decide(parse(text))
        assert found is not None, text
        assert (found.rule_id, found.reason) == (rule.id, rule.reason), text


@BY_ID
def test_counter_examples_do_not_match(rule: Rule) -> None:
    for text in rule.counter:
        assert re2.search(rule.pattern, parse(text).words) is None, text


@BY_ID
def test_the_match_is_quoted_from_the_words(rule: Rule) -> None:
    diagnostic = parse(rule.examples[0])
    found = default_rules().decide(diagnostic)
    assert found is not None
    assert found.text in diagnostic.words


def test_ids_are_unique_and_name_a_family() -> None:
    ids = [rule.id for rule in RULES]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-z-]+\.[a-z0-9.-]+", id_) for id_ in ids)


def test_every_file_holds_rules_and_says_what_it_is_for() -> None:
    files = sorted(RULESET.glob("*.toml"))
    assert all(re.fullmatch(r"\d\d-[a-z-]+\.toml", path.name) for path in files)
    assert all(path.read_text("utf-8").startswith("# ") for path in files)
    assert sum(path.read_text("utf-8").count("[[rule]]") for path in files) == len(RULES)


def test_every_reason_has_a_rule_or_a_code() -> None:
    by_words = {rule.reason for rule in RULES}
    by_codes = {*codes.STATUS.values(), *codes.REPLY.values()}
    assert {info.reason for info in TAXONOMY} - by_words - by_codes == set()


# First match wins; each pair of texts would swap its verdict if the order of the families changed.
PRECEDENCE = [
    ("550 5.7.1 user unknown", "invalid_recipient"),
    ("552 no such user", "invalid_recipient"),
    ("550 5.1.1 rejected", "invalid_recipient"),
    ("554 5.4.7 [internal] (last transfail: 452 4.2.2 inbox is out of storage space)", "mailbox_full"),
    ("421 too many connections from your IP 192.0.2.1", "rate_limited"),
    ("421 4.3.2 too many connections, server busy", "server_busy"),
    ("550 5.7.1 192.0.2.1 blocked, see http://www.spamhaus.org/query", "sender_reputation"),
    ("554 5.7.1 message contains a URL listed in SURBL", "spam_content"),
    ("550 5.7.1 rejected by the DMARC policy of example.org", "authentication_failure"),
    ("450 4.1.8 <x@example.org>: Sender address rejected: Domain not found", "sender_rejected"),
    ("550 Verification failed for <x@example.org> no such user; Sender verify failed", "sender_rejected"),
    ("450 4.7.1 <mx>: Helo command rejected: you are greylisted", "greylisted"),
    ("552 5.2.2 mailbox quota exceeded", "mailbox_full"),
    ("550 daily sending quota exceeded", "rate_limited"),
    ("552 exceeded storage allocation: message size exceeds fixed limit", "message_too_large"),
    ("554 This account has been disabled or discontinued", "account_inactive"),
    ("550 user unknown or mailbox full", "mailbox_full"),
    ("550 mailbox unavailable", "invalid_recipient"),
    ("450 mailbox unavailable", "general_error"),
    ("530 5.7.0 Authentication required", "relay_denied"),
    ("530 5.7.0 Must issue a STARTTLS command first", "tls_required"),
    ("Host or domain name not found. Name service error type=MX: Host not found, try again", "network_error"),
    ("550 5.4.1 Recipient address rejected: Access denied. AS(201806281)", "invalid_recipient"),
    ("warning: still undelivered after 4 hours, recipient over storage limit", "mailbox_full"),
    ("Automatic reply: Jo Doe no longer works here", "closed_account"),
]


@pytest.mark.parametrize(("text", "reason"), PRECEDENCE)
def test_precedence(text: str, reason: str) -> None:
    assert reason_of(text) == reason


ABOUT_THE_SENDER = [
    "550 your IP 192.0.2.1 is blocked",
    "550 5.1.1 sender address rejected: user unknown",
    "550 sender domain does not exist",
    "554 poor reputation",
    "550 5.7.25 no PTR record",
    "550 invalid HELO name",
    "550 SPF fail for example.org",
    "550 you send too much",
    "553 sender verify failed: no such mailbox",
    "550 the domain of your return path could not be found",
    "550 adresse de l'expéditeur inconnue",
    "550 отправитель не существует",
    "550 发件人不存在",
]


@pytest.mark.parametrize("text", ABOUT_THE_SENDER)
def test_text_about_the_sender_is_never_hard(text: str) -> None:
    reason = reason_of(text)
    assert reason is not None
    assert Category.HARD not in TAXONOMY[reason].categories


MULTILINGUAL = [
    ("550 Benutzer unbekannt", "invalid_recipient"),
    ("550 utilisateur inconnu", "invalid_recipient"),
    ("550 Пользователь не найден", "invalid_recipient"),
    ("550 用户不存在", "invalid_recipient"),
    ("552 Postfach voll", "mailbox_full"),
    ("552 メールボックスがいっぱいです", "mailbox_full"),
    ("552 buzón lleno", "mailbox_full"),
    ("554 skräppost", "spam_content"),
    ("552 mensagem muito grande", "message_too_large"),
    ("Domäne nicht gefunden", "bad_domain"),
    ("Automatická odpověď", "not_a_bounce"),
]


@pytest.mark.parametrize(("text", "reason"), MULTILINGUAL)
def test_many_languages(text: str, reason: str) -> None:
    assert reason_of(text) == reason


@pytest.mark.parametrize(
    "unit",
    [
        "a ",
        "not ",
        "sender does not ",
        "é ",
        "用户",
        "x@example.org ",
        "550 5.1.1 ",
        "(((",
        "\u0301",
        "user " * 9 + "\n",
    ],
)
def test_hostile_text_finishes(unit: str) -> None:
    text = unit * (1_000_000 // len(unit))
    diagnostic = parse(text)
    assert diagnostic.truncated
    default_rules().decide(diagnostic)


def test_matching_many_different_texts_exhausts_nothing() -> None:
    """RE2 says nothing when a set runs out of memory; it then matches nothing, and verdicts change."""
    texts = [text for rule in RULES for text in (*rule.examples, *rule.counter)]
    first = [reason_of(text) for text in texts]
    assert [reason_of(text) for text in reversed(texts)] == first[::-1]


UNREAD = [("554", "general_hard_bounce"), ("554 zxq vbn", "policy_rejection"), ("550 zxq vbn", "general_hard_bounce")]


@pytest.mark.parametrize(("text", "reason"), UNREAD)
def test_words_that_no_rule_reads(text: str, reason: str) -> None:
    assert reason_of(text) == reason


GOOD_ROW = {"id": "'a.b'", "reason": "'mailbox_full'", "pattern": "'full'", "examples": "['full']", "counter": "['no']"}
BAD_ROWS = [
    *(({name: None}, name) for name in GOOD_ROW),
    ({"pattern": "''"}, "pattern"),
    ({"examples": "[]"}, "examples"),
    ({"counter": "[]"}, "counter"),
    ({"code": "['5']"}, "code"),
    ({"reason": "'mailbox_ful'"}, "mailbox_ful"),
]


def write(folder: Path, changes: dict[str, str | None]) -> Path:
    row: dict[str, str | None] = {**GOOD_ROW, **changes}
    lines = [f"{name} = {value}" for name, value in row.items() if value is not None]
    (folder / "10-full.toml").write_text("[[rule]]\n" + "\n".join(lines), "utf-8")
    return folder


@pytest.mark.parametrize(("changes", "field"), BAD_ROWS)
def test_a_malformed_row_names_file_and_field(tmp_path: Path, changes: dict[str, str | None], field: str) -> None:
    with pytest.raises(RuleError) as caught:
        load_rules(write(tmp_path, changes))
    assert "10-full.toml" in str(caught.value)
    assert field in str(caught.value)


def test_invalid_toml_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "10-full.toml").write_text("[[rule", "utf-8")
    with pytest.raises(RuleError, match=r"10-full\.toml"):
        load_rules(tmp_path)


def test_a_good_row_loads(tmp_path: Path) -> None:
    assert [rule.id for rule in load_rules(write(tmp_path, {}))] == ["a.b"]


def rule(id_: str, reason: str, pattern: str, codes: tuple[str, ...] = (), not_codes: tuple[str, ...] = ()) -> Rule:
    return Rule(id_, reason, pattern, ("x",), ("y",), codes, not_codes)


def test_an_id_used_twice_is_an_error() -> None:
    with pytest.raises(RuleError, match=r"a\.b"):
        RuleSet((rule("a.b", "mailbox_full", "x"), rule("a.b", "mailbox_full", "y")))


def test_a_pattern_that_does_not_compile_is_an_error() -> None:
    with pytest.raises(RuleError, match=r"a\.b"):
        RuleSet((rule("a.b", "mailbox_full", "(?=look)"),))


def test_no_rules_leave_it_to_the_codes() -> None:
    assert RuleSet(()).decide(parse("full")) is None
    found = RuleSet(()).decide(parse("552 5.2.2 full"))
    assert found is not None
    assert found.reason == "mailbox_full"


@pytest.mark.parametrize(
    ("text", "id_"),
    [("550 5.7.1 full", "with"), ("450 full", "without"), ("full", "without"), ("552 5.2.2 full", "last")],
)
def test_codes_select_a_rule(text: str, id_: str) -> None:
    rules = RuleSet(
        (
            rule("with", "policy_rejection", "full", codes=("5.7.",)),
            rule("without", "general_error", "full", not_codes=("5",)),
            rule("last", "mailbox_full", "full"),
        )
    )
    assert next(found.id for found in rules.matches(parse(text))) == id_
