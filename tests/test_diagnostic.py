"""Parsing: every wrapper that operators paste, and every field that is read out of it."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whybounce.model.diagnostic import Diagnostic, Phase, as_phase, parse, provider_of_host
from whybounce.model.masking import MAX_TEXT
from whybounce.model.retry import retry_after_seconds

# text, innermost words, reply code, enhanced status, phase
Wrapper = tuple[str, str, int | None, str | None, Phase | None]
WRAPPERS: list[Wrapper] = [
    # bare
    ("550 5.1.1 User unknown", "user unknown", 550, "5.1.1", None),
    ("550 User unknown", "user unknown", 550, None, None),
    ("5.1.1 User unknown", "user unknown", None, "5.1.1", None),
    ("User unknown", "user unknown", None, None, None),
    ("550", "", 550, None, None),
    ("4.2.2", "", None, "4.2.2", None),
    ("", "", None, None, None),
    # Postfix
    (
        "host mx.example.net[192.0.2.1] said: 550 5.1.1 <a@example.com>: User unknown (in reply to RCPT TO command)",
        "ADDR user unknown", 550, "5.1.1", Phase.RCPT,
    ),
    (
        "status=bounced (host mx.example.net[192.0.2.1] said: 552 5.3.4 Too big (in reply to MAIL FROM command))",
        "too big", 552, "5.3.4", Phase.MAIL,
    ),
    (
        "host mx.example.net[192.0.2.1]:25 said: 554 Looks like spam (in reply to end of DATA command)",
        "looks like spam", 554, None, Phase.DATA,
    ),
    ("host mx.example.net[192.0.2.1] said: 451 later (in reply to DATA command)", "later", 451, None, Phase.DATA),
    ("host mx.example.net[192.0.2.1] said: 501 bad (in reply to EHLO command)", "bad", 501, None, Phase.EHLO),
    (
        "host mx.example.net[192.0.2.1] said: 454 4.7.0 TLS not available (in reply to STARTTLS command)",
        "tls not available", 454, "4.7.0", Phase.STARTTLS,
    ),
    ("host mx.example.net[192.0.2.1] said: 535 no (in reply to AUTH LOGIN command)", "no", 535, None, Phase.AUTH),
    (
        "host mx.example.net[2001:db8::1] refused to talk to me: 421 4.7.0 Too many connections",
        "too many connections", 421, "4.7.0", Phase.EHLO,
    ),
    (
        "connect to mx.example.net[192.0.2.1]:25: Connection timed out",
        "connect to HOST IP NUM connection timed out", None, None, Phase.CONNECT,
    ),
    (
        "delivery temporarily suspended: host mx.example.net[192.0.2.1] said: 451 4.3.2 try later",
        "try later", 451, "4.3.2", None,
    ),
    ('X-Postfix; unknown user: "joe"', "unknown user joe", None, None, None),
    ("X-Postfix; host mx.example.net[192.0.2.1] said: 550 nope", "nope", 550, None, None),
    # Exim
    (
        "SMTP error from remote mail server after RCPT TO:<a@example.com>: host mx.example.net [192.0.2.1]: 550 5.1.1 no such user",
        "no such user", 550, "5.1.1", Phase.RCPT,
    ),
    (
        "SMTP error from remote mail server after pipelined RCPT TO:<a@example.com>: 550 unknown user",
        "unknown user", 550, None, Phase.RCPT,
    ),
    (
        "SMTP error from remote mail server after MAIL FROM:<s@example.org> SIZE=1234: host mx.example.net [192.0.2.1]: 452 4.3.1 Insufficient storage",
        "insufficient storage", 452, "4.3.1", Phase.MAIL,
    ),
    (
        "SMTP error from remote mail server after end of data: host mx.example.net [192.0.2.1]: 554 5.7.1 looks like spam",
        "looks like spam", 554, "5.7.1", Phase.DATA,
    ),
    (
        "SMTP error from remote mail server after initial connection: host mx.example.net [192.0.2.1]: 421 too busy",
        "too busy", 421, None, Phase.CONNECT,
    ),
    ("SMTP error from remote mailer after end of data: host mx.example.net [192.0.2.1]: 552 too large", "too large", 552, None, Phase.DATA),
    # Sendmail
    ("<a@example.com>... User unknown", "ADDR user unknown", None, None, None),
    ("550 5.1.1 <a@example.com>... User unknown", "ADDR user unknown", 550, "5.1.1", None),
    ("451 4.4.1 reply: read error from mx.example.net.", "reply read error from HOST", 451, "4.4.1", None),
    # qmail
    ("Sorry, no mailbox here by that name. (#5.1.1)", "sorry no mailbox here by that name", None, "5.1.1", None),
    (
        "192.0.2.1 does not like recipient. Remote host said: 550 5.1.1 User unknown",
        "user unknown", 550, "5.1.1", None,
    ),
    (
        "Connected to 192.0.2.1 but sender was rejected. Remote host said: 550 5.7.1 blocked",
        "blocked", 550, "5.7.1", Phase.MAIL,
    ),
    # Exchange
    ("#5.1.1 smtp;550 5.1.1 No such user", "smtp no such user", 550, "5.1.1", None),
    ("#550 5.1.1 RESOLVER.ADR.RecipNotFound; not found ##", "resolver adr recipnotfound not found", 550, "5.1.1", None),
    ("Remote Server returned '550 5.2.2 mailbox full'", "mailbox full", 550, "5.2.2", None),
    ("mx.example.net #<mx.example.net #5.4.4 smtp;550 no route> #SMTP#", "HOST smtp no route smtp", 550, "5.4.4", None),
    ("The error that the other server returned was: 550 5.1.1 unknown", "unknown", 550, "5.1.1", None),
    # DSN types
    ("smtp; 550 5.2.1 mailbox disabled", "mailbox disabled", 550, "5.2.1", None),
    ("smtp;550 5.2.1 mailbox disabled", "mailbox disabled", 550, "5.2.1", None),
    ("SMTP; 452 4.2.2 Over quota", "over quota", 452, "4.2.2", None),
    ("Diagnostic-Code: smtp; 550 5.1.1 user unknown", "user unknown", 550, "5.1.1", None),
    # several lines
    ("550-5.1.1 The account\r\n550-5.1.1 that you tried\r\n550 5.1.1 is gone", "the account that you tried is gone", 550, "5.1.1", None),
    ("550-5.1.1 The account 550 5.1.1 is gone", "the account is gone", 550, "5.1.1", None),
    (r"550-Mailbox unknown.\r\n550 Bye", "mailbox unknown bye", 550, None, None),
    ("550-Mailbox\n unknown", "mailbox unknown", 550, None, None),
    # nested
    (
        "554 5.4.7 [internal] message timeout (exceeded max time, last transfail: 452 4.2.2 inbox is out of storage space)",
        "inbox is out of storage space", 452, "4.2.2", None,
    ),
    (
        "554 5.4.7 [internal] (last transfail: 421 4.4.1 [internal] Connection failed) (last transfail: 452 4.2.2 mailbox full)",
        "mailbox full", 452, "4.2.2", None,
    ),
    (
        "SMTP error from remote mail server after RCPT TO:<a@example.com>: host relay.example.org [192.0.2.7]: "
        "host mx.example.net[192.0.2.1] said: 550 5.1.1 User unknown (in reply to RCPT TO command)",
        "user unknown", 550, "5.1.1", Phase.RCPT,
    ),
    # a wrapper that quotes nothing keeps its own words and codes
    ("554 5.4.7 delivery expired (last transfail: )", "delivery expired last transfail", 554, "5.4.7", None),
    ("450 4.4.2 expired; host mx.example.net[192.0.2.1] said:", "expired host HOST IP said", 450, "4.4.2", None),
    # several codes, counts that look like codes
    ("550 5.1.1 gone (see also 421 4.7.0)", "gone see also", 550, "5.1.1", None),
    ("gave up after 550 seconds: 451 4.4.2 timeout", "gave up after NUM seconds timeout", 451, "4.4.2", None),
    ("quota 500 exceeded, 552 5.2.2 full", "quota exceeded full", 552, "5.2.2", None),
    ("550 message rejected", "message rejected", 550, None, None),
    # quotes, tabs, control characters
    ('550 "User" \'unknown\'', "user unknown", 550, None, None),
    ("550\t5.1.1\tUser\tunknown", "user unknown", 550, "5.1.1", None),
    ("550 5.1.1 User\x00unknown\x1b[0m", "user unknown NUM m", 550, "5.1.1", None),
    # scripts without spaces
    ("550 5.1.1 用户不存在a@example.com", "用户不存在 ADDR", 550, "5.1.1", None),
    ("550ユーザーが見つかりません", "ユーザーが見つかりません", 550, None, None),
    ("메일함이 가득 찼습니다 552 5.2.2", "메일함이 가득 찼습니다", 552, "5.2.2", None),
    # no codes in these
    ("port 250 is not smtp", "port is not smtp", 250, None, None),
    ("99 bottles, 650 of beer, 1.2.3 of 6.1.1", "NUM bottles NUM of beer NUM of NUM", None, None, None),
    ("call 5550 5.1", "call NUM", None, None, None),
]  # fmt: skip


@pytest.mark.parametrize(("text", "words", "code", "status", "phase"), WRAPPERS, ids=[row[0][:60] for row in WRAPPERS])
def test_wrappers(text: str, words: str, code: int | None, status: str | None, phase: Phase | None) -> None:
    found = parse(text)
    assert found.words == words
    assert found.reply_code == code
    assert found.enhanced_status == status
    assert found.command == phase


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("451 4.7.1 Please try again in 5 minutes", 300),
        ("450 Greylisted for 300 seconds", 300),
        ("421 Try again later, retry-after=60", 60),
        ("Retry-After: 120", 120),
        ("retry in 2 hours", 7200),
        ("try again in 30s", 30),
        ("wait 10 min before sending", 600),
        ("retry after 1 day", 86400),
        ("Greylisting in action, please come back in 00:05:00", 300),
        ("come back in 01:00:30", 3630),
        ("temporarily deferred, resend after 1 hour", 3600),
        # nothing asked for
        ("550 5.1.1 user unknown", None),
        ("try again later", None),
        ("try again in 0 minutes", None),
        ("try again in 99 days", None),
        ("retry at 12:34:56", None),
        ("message of 5 minutes ago", None),
        ("quota of 300 seconds", None),
        ("", None),
    ],
)
def test_retry_after(text: str, seconds: int | None) -> None:
    assert retry_after_seconds(text) == seconds
    assert parse(text).retry_after_seconds == seconds


@pytest.mark.parametrize(
    ("text", "blocklist"),
    [
        ("554 5.7.1 Client host [192.0.2.5] blocked using zen.spamhaus.org", "spamhaus"),
        ("550 see https://www.spamhaus.org/query/ip/192.0.2.5", "spamhaus"),
        ("550 listed at bl.spamcop.net", "spamcop"),
        ("554 http://www.barracudacentral.org/reputation?ip=192.0.2.5", "barracuda"),
        ("550 5.7.1 listed in SORBS", "sorbs"),
        ("550 URIBL hit", "uribl"),
        ("554 listed at b.barracudacentral.org and zen.spamhaus.org", "barracuda"),
        ("550 blocked", None),
        ("550 mx.spamhaus.example.com", None),
        ("550 listed at notspamcop.net", None),
        ("", None),
    ],
)
def test_blocklist(text: str, blocklist: str | None) -> None:
    assert parse(text).blocklist == blocklist


@pytest.mark.parametrize(
    ("text", "host", "provider"),
    [
        ("host gmail-smtp-in.l.google.com[192.0.2.1] said: 550 no", None, "google"),
        ("550-5.1.1 gone d2e1a72fcca58-7af - gsmtp", None, "google"),
        ("550 5.4.1 Access denied [DB5EUR.mail.protection.outlook.com]", None, "microsoft"),
        ("421 4.7.0 [TSS04] see https://postmaster.yahooinc.com/error-codes", None, "yahoo"),
        ("550 no", "mx2.mail.icloud.com", "apple"),
        ("550 no", "MX1.Mimecast.COM.", "mimecast"),
        ("host gmail-smtp-in.l.google.com said: 550 no", "mx.zoho.com", "zoho"),
        ("host gmail-smtp-in.l.google.com said: 550 no", "mx.example.net", "google"),
        ("550 no", "google.com.example.net", None),
        ("550 no", "notgoogle.com", None),
        ("550 no", "", None),
        ("550 no", "com", None),
        ("550 mx.example.net", None, None),
    ],
)
def test_provider(text: str, host: str | None, provider: str | None) -> None:
    assert parse(text, remote_host=host).provider == provider


def test_provider_of_host_of_nothing() -> None:
    assert provider_of_host(None) is None
    assert provider_of_host("." * 500) is None


@pytest.mark.parametrize(
    ("command", "phase"),
    [
        ("RCPT TO", Phase.RCPT), ("rcpt", Phase.RCPT), ("RCPT_TO:<a@example.com>", Phase.RCPT),
        ("MAIL FROM:", Phase.MAIL), ("mail", Phase.MAIL), ("DATA", Phase.DATA), ("BDAT", Phase.DATA),
        ("end of DATA", Phase.DATA), ("eod", Phase.DATA), ("EHLO", Phase.EHLO), ("HELO mx", Phase.EHLO),
        ("LHLO", Phase.EHLO), ("STARTTLS", Phase.STARTTLS), ("AUTH LOGIN", Phase.AUTH), ("greeting", Phase.CONNECT),
        ("connect", Phase.CONNECT), ("VRFY", None), ("", None), ("   ", None), (None, None), ("\ud800", None),
    ],
)  # fmt: skip
def test_as_phase(command: str | None, phase: Phase | None) -> None:
    assert as_phase(command) == phase


# What the caller passes wins over what the text says; nonsense is ignored.
PASSED: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("550 5.1.1 gone", {"reply_code": 451}, {"reply_code": 451, "enhanced_status": "5.1.1"}),
    ("550 5.1.1 gone", {"enhanced_status": "4.2.2"}, {"reply_code": 550, "enhanced_status": "4.2.2"}),
    ("gone", {"enhanced_status": " #5.1.1 "}, {"enhanced_status": "5.1.1"}),
    ("gone (in reply to DATA command)", {"command": "RCPT TO"}, {"command": Phase.RCPT}),
    ("gone", {"remote_host": "aspmx.l.google.com"}, {"provider": "google"}),
    ("550 5.1.1 gone", {"reply_code": 99}, {"reply_code": 550}),
    ("550 5.1.1 gone", {"reply_code": -1}, {"reply_code": 550}),
    ("550 5.1.1 gone", {"reply_code": 0}, {"reply_code": 550}),
    ("gone", {"reply_code": 10**30}, {"reply_code": None}),
    ("550 5.1.1 gone", {"enhanced_status": "nonsense"}, {"enhanced_status": "5.1.1"}),
    ("550 5.1.1 gone", {"enhanced_status": ""}, {"enhanced_status": "5.1.1"}),
    ("gone (in reply to DATA command)", {"command": "nonsense"}, {"command": Phase.DATA}),
]


@pytest.mark.parametrize(("text", "passed", "found"), PASSED, ids=[f"{row[0]} {row[1]}" for row in PASSED])
def test_fields_that_the_caller_passes(text: str, passed: dict[str, Any], found: dict[str, Any]) -> None:
    diagnostic = parse(text, **passed)
    assert {name: getattr(diagnostic, name) for name in found} == found


@pytest.mark.parametrize(
    ("text", "code_class"),
    [
        ("550 5.1.1 x y", 5),
        ("450 x y", 4),
        ("4.2.2 x y", 4),
        ("5.0.0", 5),
        ("250 fine", 2),
        ("none", None),
        ("450 5.1.1 z", 4),
    ],
)
def test_code_class(text: str, code_class: int | None) -> None:
    assert parse(text).code_class == code_class


def test_texts_are_kept() -> None:
    raw = "550  5.1.1\t<A@Example.com>\r\n"
    found = parse(raw)
    assert found.text == raw
    assert found.normalised == "550 5.1.1 <A@Example.com>"
    assert found.template == "550 5.1.1 ADDR"
    assert not found.truncated


@pytest.mark.parametrize(("length", "truncated"), [(MAX_TEXT, False), (MAX_TEXT + 1, True)])
def test_a_long_text_is_cut_and_says_so(length: int, truncated: bool) -> None:
    found = parse("x" * length)
    assert found.truncated is truncated
    assert len(found.text) == MAX_TEXT


@given(
    text=st.text(max_size=300),
    reply_code=st.none() | st.integers(),
    enhanced_status=st.none() | st.text(max_size=20),
    command=st.none() | st.text(max_size=20),
    remote_host=st.none() | st.text(max_size=50),
)
def test_parse_never_raises(
    text: str, reply_code: int | None, enhanced_status: str | None, command: str | None, remote_host: str | None
) -> None:
    found = parse(
        text, reply_code=reply_code, enhanced_status=enhanced_status, command=command, remote_host=remote_host
    )
    assert isinstance(found, Diagnostic)
    assert found.text == text
    assert found.reply_code is None or 200 <= found.reply_code <= 599
    assert found.code_class in (None, 2, 3, 4, 5)


@pytest.mark.parametrize(
    "piece",
    [
        "said: ", "last transfail: ", "host a.com said: ", "SMTP error from remote mail server after ", "550 ", "5.1.1 ",
        "in reply to ", "try again in ", "retry 1", "smtp; ", "(in reply to RCPT TO command", "421 4.7.0 said: x ",
        "on 1 mx a.com ", "after rcpt to ",
    ],
)  # fmt: skip
def test_parsing_hostile_text_is_quick(piece: str) -> None:
    hostile = piece * (1_000_000 // len(piece))
    start = time.perf_counter()
    parse(hostile)
    assert time.perf_counter() - start < 1.0


_BEHIND = "from=<a@example.com> to=<b@example.net> proto=ESMTP helo=<mail.example.com>"


@pytest.mark.parametrize(
    ("text", "words", "status", "command"),
    [
        (
            f"NOQUEUE: reject: RCPT from unknown[192.0.2.1]: 454 4.7.1 <b@example.net>: Relay access denied; {_BEHIND}",
            "ADDR relay access denied", "4.7.1", "rcpt",
        ),
        (
            "Mar  3 10:11:12 mx postfix/smtpd[123]: NOQUEUE: reject: RCPT from mail.example.com[192.0.2.1]: 550 5.1.1 "
            "<b@example.net>: User unknown; from=<> to=<b@example.net> proto=SMTP helo=<mail>",
            "ADDR user unknown", "5.1.1", "rcpt",
        ),
        (f"milter-reject: DATA from unknown[192.0.2.1]: 550 5.7.1 Command rejected; {_BEHIND}", "command rejected",
         "5.7.1", "data"),
        (f"4A5B6C7D8E9: milter-reject: END-OF-MESSAGE from mail.example.com[192.0.2.1]: 5.7.1 No thanks; {_BEHIND}",
         "no thanks", "5.7.1", "data"),
        ("Status: 5.0.0 X-Supplementary-Info: <mx.example.com #5.0.0 smtp;550 5.1.1 No such user>",
         "HOST smtp no such user", "5.1.1", None),
        ("550 Service of mail proto", "service of mail proto", None, None),
        ("This is a multi-part message in MIME format. Mailbox full", "mailbox full", None, None),
        ("This message is in MIME format. Since your mail reader does not understand this format, some or all of this "
         "message may not be legible. User unknown", "user unknown", None, None),
        ("550 This message is refused", "this message is refused", None, None),
    ],
)  # fmt: skip
def test_what_logs_and_summaries_put_around_an_answer(
    text: str, words: str, status: str | None, command: str | None
) -> None:
    found = parse(text)
    assert (found.words, found.enhanced_status, found.command) == (words, status, command)


@pytest.mark.parametrize(
    ("text", "words", "code"),
    [
        (
            "The message could not be sent because one of the recipients was rejected by the server. Subject 'x', Account: "
            "'mail', Server: 'smtp.example.com', Protocol: SMTP, Server Response: '550 <a@example.com> unknown here', "
            "Port: 25, Secure(SSL): No, Server Error: 550, Error Number: 0x800CCC79",
            "ADDR unknown here", 550,
        ),
        (
            "Konto: 'x', Server: 'smtp.example.com', Protokoll: SMTP, Serverantwort: '552 Postfach voll', Port: 587, "
            "Secure (SSL): Nein, Serverfehler: 552, Fehlernummer: 0x800CCC79",
            "postfach voll", 552,
        ),
        (
            "アカウント : 'x', サーバー : 'smtp.example.com', プロトコル : SMTP, サーバーの応答 : '550 Mail box unknown', "
            "ポート : 25, セキュリティ (SSL) : なし, サーバー エラー : 550, エラー番号 : 0x800CCC79",
            "mail box unknown", 550,
        ),
        (
            "The connection to the server has failed. Protocol: SMTP, Port: 25, Secure(SSL): No, Socket Error: 10060, "
            "Error Number: 0x800CCC0E",
            "the connection to the server has failed protocol smtp", None,
        ),
        ("530 must use port 465 with ssl on", "must use port NUM with ssl on", 530),
    ],
)  # fmt: skip
def test_what_a_mail_program_shows_around_an_answer(text: str, words: str, code: int | None) -> None:
    found = parse(text)
    assert (found.words, found.reply_code) == (words, code)
