"""The taxonomy is the one that was agreed on, and the README shows it."""

from __future__ import annotations

from pathlib import Path

import pytest
import readme_parts

from whybounce.model.category import category_of
from whybounce.model.diagnostic import Phase, parse
from whybounce.model.errors import TaxonomyError, WhybounceError
from whybounce.model.taxonomy import (
    REPORT_LINES,
    TAXONOMY,
    Action,
    Category,
    Group,
    Reason,
    ReasonInfo,
    Taxonomy,
    markdown_table,
)

# The agreed table, spelt out: reason | report line | category | retryable | action.
AGREED = """
invalid_recipient      | Invalid recipient            | hard              | no  | suppress
bad_domain             | Bad domain                   | hard              | no  | suppress
address_error          | Address error                | hard              | no  | fix_address
closed_account         | Closed account               | hard              | no  | suppress
general_hard_bounce    | General hard bounce          | hard              | no  | suppress_if_repeated
mailbox_full           | Mailbox is full              | soft              | yes | retry_later
account_inactive       | Account is inactive          | soft              | no  | suppress_if_repeated
server_busy            | Server is currently too busy | soft or technical | yes | retry_later
general_error          | General error                | soft              | yes | retry_later
data_format_error      | Data format error            | soft              | no  | fix_message
network_error          | Network error                | soft or technical | yes | retry_later
other_receiver_error   | Other receiver error         | soft or technical | yes | retry_later
spam_content           | Other receiver error         | soft              | no  | fix_message
sender_reputation      | Other receiver error         | soft              | no  | fix_sender
sender_rejected        | Other receiver error         | soft              | no  | fix_sender
authentication_failure | Other receiver error         | soft              | no  | fix_sender
policy_rejection       | Other receiver error         | soft              | no  | review
rate_limited           | Server is currently too busy | soft              | yes | slow_down
greylisted             | Server is currently too busy | soft              | yes | retry_later
message_too_large      | Data format error            | soft              | no  | fix_message
relay_denied           | Other receiver error         | technical         | no  | review
virus_detected         | Other receiver error         | soft              | no  | fix_message
tls_required           | Network error                | technical         | no  | fix_sender
mail_loop              | Network error                | technical         | no  | review
delivery_expired       | Network error                | technical         | no  | retry_later
not_a_bounce           | (none)                       | other             | –   | ignore
no_information         | (none)                       | other             | –   | review
"""
ROWS = [tuple(cell.strip() for cell in line.split("|")) for line in AGREED.strip().splitlines()]
RETRYABLE = {"yes": True, "no": False, "–": None}

LINES = [
    ("hard", "General hard bounce", "failed to deliver due to an unspecified permanent error"),
    ("hard", "Invalid recipient", "misspelled or does not exist"),
    ("hard", "Bad domain", "the domain is misspelled or does not exist"),
    ("hard", "Address error", "the address might contain invalid characters"),
    ("hard", "Closed account", "the recipient's mailbox has been closed"),
    ("soft", "Mailbox is full", "full or over its storage allocation"),
    ("soft", "Server is currently too busy", "temporary error on the receiving side"),
    ("soft", "Account is inactive", "the mailbox is inactive"),
    ("soft", "General error", "unspecified reasons"),
    ("soft", "Data format error", "format error somewhere in the data"),
    ("soft", "Network error", "a network related error"),
    ("soft", "Other receiver error", "unspecified reasons on the receiving side"),
    ("technical", "Server is currently too busy", "temporary error on the receiving side"),
    ("technical", "Network error", "a network related error"),
    ("technical", "Other receiver error", "unspecified reasons on the receiving side"),
]


def test_reasons_and_their_order() -> None:
    assert [row[0] for row in ROWS] == list(TAXONOMY.reasons) == [str(reason) for reason in Reason]
    assert len(TAXONOMY) == len(ROWS) == 27


@pytest.mark.parametrize(("reason", "group", "category", "retryable", "action"), ROWS, ids=[row[0] for row in ROWS])
def test_reason_as_agreed(reason: str, group: str, category: str, retryable: str, action: str) -> None:
    info = TAXONOMY[reason]
    assert info.group == group
    assert " or ".join(info.categories) == category
    assert info.retryable is RETRYABLE[retryable]
    assert info.action == action
    assert TAXONOMY.is_hard(reason) == (category == "hard")
    assert info.title
    assert info.description.endswith(".")


def test_report_lines() -> None:
    found = [(line.category, line.group) for line in REPORT_LINES]
    assert found == [(category, title) for category, title, _ in LINES]
    for line, (_, _, words) in zip(REPORT_LINES, LINES, strict=True):
        assert line.description.endswith(words)


def test_every_reason_is_counted_under_a_line_of_its_category() -> None:
    lines = {(line.category, line.group) for line in REPORT_LINES}
    for info in TAXONOMY:
        if info.group is Group.NONE:
            assert info.categories == (Category.OTHER,)
            continue
        if info.reason in {"relay_denied", "tls_required", "mail_loop", "delivery_expired"}:
            assert (Category.TECHNICAL, info.group) in lines
        for category in info.categories:
            assert (category, info.group) in lines


def test_every_action_has_advice_for_a_person() -> None:
    for action in Action:
        assert action.advice.endswith(".")
    assert {info.action for info in TAXONOMY} == set(Action)


# The category of the three reasons that stand in two: (text, fields, category).
TWO_SIDED = ("server_busy", "network_error", "other_receiver_error")
CATEGORY_CASES: list[tuple[str, dict[str, int | str], Category]] = [
    # no SMTP reply at all
    ("connect to mx.example.net[192.0.2.1]:25: Connection timed out", {}, Category.TECHNICAL),
    ("Connection refused", {}, Category.TECHNICAL),
    ("temporary DNS failure", {"command": "RCPT TO"}, Category.TECHNICAL),
    # a 421, whatever else is said
    ("421 Service not available", {}, Category.TECHNICAL),
    ("421 4.2.1 busy (in reply to RCPT TO command)", {}, Category.TECHNICAL),
    ("busy", {"reply_code": 421, "command": "DATA"}, Category.TECHNICAL),
    # a reply to greeting, EHLO or STARTTLS
    ("450 local problem", {"command": "EHLO"}, Category.TECHNICAL),
    ("454 TLS not available", {"command": "STARTTLS"}, Category.TECHNICAL),
    ("SMTP error from remote mail server after initial connection: 554 busy", {}, Category.TECHNICAL),
    ("host mx.example.net[192.0.2.1] said: 450 4.2.0 busy (in reply to EHLO command)", {}, Category.TECHNICAL),
    # x.3.z and x.4.z are about the host and the network
    ("451 4.3.0 local error", {}, Category.TECHNICAL),
    ("451 4.3.2 try later (in reply to RCPT TO command)", {}, Category.TECHNICAL),
    ("451 4.4.1 timed out", {"command": "DATA"}, Category.TECHNICAL),
    ("4.4.2 bad connection", {}, Category.TECHNICAL),
    # answered about this recipient or message
    ("450 try later (in reply to RCPT TO command)", {}, Category.SOFT),
    ("451 local error (in reply to end of DATA command)", {}, Category.SOFT),
    ("452 busy (in reply to MAIL FROM command)", {}, Category.SOFT),
    ("busy", {"reply_code": 451, "command": "rcpt"}, Category.SOFT),
    ("450 4.2.0 mailbox busy", {}, Category.SOFT),
    ("4.2.1 mailbox busy", {}, Category.SOFT),
    ("450 4.7.1 later (in reply to RCPT TO command)", {}, Category.SOFT),
    # the subject, not any digit: x.30.z is not x.3.z, x.20.z not x.2.z
    ("451 4.30.0 later (in reply to RCPT TO command)", {}, Category.SOFT),
    ("451 4.20.0 later", {}, Category.TECHNICAL),
    # a reply with neither evidence
    ("451 later", {}, Category.TECHNICAL),
    ("451 4.7.1 later", {}, Category.TECHNICAL),
]


@pytest.mark.parametrize("reason", TWO_SIDED)
@pytest.mark.parametrize(("text", "fields", "category"), CATEGORY_CASES, ids=[case[0] for case in CATEGORY_CASES])
def test_category_of_reasons_in_two_categories(
    reason: str, text: str, fields: dict[str, int | str], category: Category
) -> None:
    assert category_of(reason, parse(text, **fields)) is category  # type: ignore[arg-type]


@pytest.mark.parametrize("reason", [row[0] for row in ROWS if row[0] not in TWO_SIDED])
@pytest.mark.parametrize("text", ["", "421 4.4.1 x", "550 5.2.1 x (in reply to RCPT TO command)"])
def test_category_of_the_other_reasons_never_depends_on_the_text(reason: str, text: str) -> None:
    assert category_of(reason, parse(text)) is TAXONOMY[reason].categories[0]


def test_phases_are_all_considered() -> None:
    soft = {phase for phase in Phase if category_of("server_busy", parse("450 x", command=phase)) is Category.SOFT}
    assert soft == {Phase.MAIL, Phase.RCPT, Phase.DATA}


# Looking up


def test_unknown_reason_is_an_error_that_lists_the_known_ones() -> None:
    with pytest.raises(TaxonomyError, match="unknown reason 'nope'; known reasons: invalid_recipient, bad_domain"):
        TAXONOMY["nope"]
    assert issubclass(TaxonomyError, WhybounceError)
    assert "nope" not in TAXONOMY
    assert "greylisted" in TAXONOMY


def test_reasons_of_ones_own() -> None:
    own = ReasonInfo("geo_block", "Geo block", "Blocked.", Group.GENERAL_ERROR, (Category.SOFT,), False, Action.REVIEW)
    extended = Taxonomy((own,))
    assert extended.reasons == (*TAXONOMY.reasons, "geo_block")
    assert extended["geo_block"] is own
    assert "geo_block" not in TAXONOMY
    assert category_of("geo_block", parse("550"), extended) is Category.SOFT
    with pytest.raises(TaxonomyError, match="'geo_block' exists already; choose another name"):
        Taxonomy((own, own))
    with pytest.raises(TaxonomyError, match="exists already"):
        Taxonomy((next(iter(TAXONOMY)),))


# The table in the README


def test_markdown_table_has_a_row_for_each_reason() -> None:
    lines = markdown_table().splitlines()
    assert len(lines) == 2 + 27
    for line, (reason, group, category, retryable, action) in zip(lines[2:], ROWS, strict=True):
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        assert cells == [f"`{reason}`", TAXONOMY[reason].description, group, category, retryable, action]


def test_readme_holds_the_table() -> None:
    text = readme_parts.README.read_text("utf-8")
    assert readme_parts.render(text) == text, "run: make docs"


def test_readme_part_is_checked_and_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    readme = tmp_path / "README.md"
    monkeypatch.setattr(readme_parts, "README", readme)
    readme.write_text(f"before\n\n{readme_parts.BEGIN}\nold\n{readme_parts.END}\n\nafter\n", "utf-8")
    assert readme_parts.main([]) == 1
    assert "make docs" in capsys.readouterr().err
    assert "old" in readme.read_text("utf-8")
    assert readme_parts.main(["--write"]) == 0
    written = readme.read_text("utf-8")
    assert written.startswith("before\n\n")
    assert written.endswith("\n\nafter\n")
    assert markdown_table() in written
    assert "old" not in written
    assert readme_parts.main([]) == 0


@pytest.mark.parametrize(
    "text", ["none", "<!-- /generated --><!-- generated:reasons -->", "<!-- generated:reasons -->"]
)
def test_readme_without_markers_is_an_error(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(text, "utf-8")
    monkeypatch.setattr(readme_parts, "README", readme)
    assert readme_parts.main(["--write"]) == 1
    assert readme.read_text("utf-8") == text
