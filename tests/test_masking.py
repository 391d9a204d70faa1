"""Masking: what varies is masked, what says something is kept, and nothing depends on the rest."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whybounce.model.diagnostic import parse
from whybounce.model.masking import MAX_TEXT, mask, normalise
from whybounce.model.tokens import fold, is_enhanced_status

MASKS: list[tuple[str, str]] = [
    # letters that stand alone are words of one
    ("ユ ー ザ ー a は 見 つ か り ま せ ん", "ユーザー a は見つかりません"),
    ("用户 不 存在 和 其、他", "用户 不 存在 和其他"),
    ("用户 不 在", "用户 不 在"),
    # addresses
    ("<joe@example.com>", "ADDR"),
    ("<joe.smith@mail.example.com>:", "ADDR"),
    ("joe+news@example.com", "ADDR"),
    ("<bounce-7-joe=example.net@em.example.com>", "ADDR"),
    ("SRS0=abcd=T4=example.com=joe@srs.example.net", "ADDR"),
    ("to=<joe@example.com>", "to ADDR"),
    ("rcpt=joe@example.com", "rcpt ADDR"),
    ("to=joe+news@example.com", "to ADDR"),
    ("mailto:joe@example.com", "mailto ADDR"),
    ("rfc822;joe@example.com", "rfc822 ADDR"),
    ("joe@localhost", "ADDR"),
    ("(joe@example.com:Blocked)", "ADDR blocked"),
    ("joe@example.com:25", "ADDR"),
    ("@example.com", "HOST"),
    ("user @ home", "user home"),
    # dates
    ("Thu, 12 Nov 2026 10:11:12 +0100", "NUM"),
    ("on Monday 3 pm", "on NUM"),
    ("at 2026-11-12T10:11:12.345Z", "at NUM"),
    ("2026-11-12T10:11:12+01:00", "NUM"),
    ("it may be full", "it may be full"),
    ("closed on Monday", "closed on monday"),
    ("May 7th", "NUM th"),
    ("a + b = c", "a b c"),
    # addresses of machines
    ("192.0.2.1", "IP"),
    ("[192.0.2.1]:", "IP"),
    ("(192.0.2.1:25)", "IP"),
    ("192.0.2.0/24", "IP"),
    ("xx.xx.xx.xx", "IP"),
    ("2001:db8::1", "IP"),
    ("[2001:DB8:0:0:8:800:200C:417A]", "IP"),
    ("IPv6:2001:db8::25", "IP"),
    ("192.0.2.1.2", "NUM"),
    ("1.2.3", "NUM"),
    # hosts
    ("mx1.example.net", "HOST"),
    ("MX1.EXAMPLE.NET.", "HOST"),
    ("mx.example.net[192.0.2.1]:25", "HOST IP NUM"),
    ("xn--bcher-kva.example", "HOST"),
    ("mail-yb1.google.com", "HOST @google"),
    ("eur05.prod.outlook.com", "HOST @microsoft"),
    ("notgoogle.com", "HOST"),
    ("zen.spamhaus.org", "HOST DNSBL spamhaus"),
    ("notspamhaus.org", "HOST"),
    ("unknown.user", "unknown user"),
    # URLs
    ("https://example.com/a/b", "URL"),
    ("www.example.com/abc", "URL"),
    ("https://www.spamhaus.org/query/ip/192.0.2.5", "URL DNSBL spamhaus ip"),
    ("http://example.com/unblock/list/x1y2z3", "URL unblock list"),
    ("https://support.google.com/mail/?p=NoSuchUser", "URL @google p nosuchuser"),
    # ids
    ("4XyZ12abCdEf", "ID"),
    ("amk253435", "ID"),
    ("1320500698B", "ID"),
    ("(qxz48213)", "ID"),
    ("uAaqGcA", "ID"),
    ("smtp14 mx3 mta2", "ID"),
    ("[uAaqGcA]", "ID"),
    ("1rXyZa-0001Ab-3C", "ID"),
    ("x5K9sR2t012345", "ID"),
    ("abc123si123456wrb.12", "ID"),
    ("a" * 300, "ID"),
    ("(S3150)", "s3150"),
    ("RL000003", "rl000003"),
    ("LPN105_421", "lpn105421"),
    ("RecipientNotFound", "recipientnotfound"),
    ("McAfee iPhone eBay", "mcafee iphone ebay"),
    ("NoSuchUser", "nosuchuser"),
    ("[TSS04]", "tss04"),
    ("AUP#CNCT", "aup cnct"),
    ("OU-002", "ou002"),
    # numbers and codes
    ("12345", "NUM"),
    ("10MB", "NUM mb"),
    ("10 MB", "NUM mb"),
    ("300s", "NUM s"),
    ("12:34:56", "NUM"),
    ("2024-05-06", "NUM"),
    ("100%", "NUM"),
    ("1 2 3", "NUM"),
    ("550 5.1.1", "550 5.1.1"),
    ("550-5.1.1", "550 5.1.1"),
    ("554-5.7.1:", "554 5.7.1"),
    ("(#5.1.1)", "5.1.1"),
    ("550-Unknown", "550 unknown"),
    ("650", "NUM"),
    ("6.1.1", "NUM"),
    ("5.1.1000", "NUM"),
    # a reply code counts nothing; a count is no reply code
    ("550 Message rejected", "550 message rejected"),
    ("550 Recipient unknown", "550 recipient unknown"),
    ("smtp; 421 messages deferred", "smtp 421 messages deferred"),
    ("mx.example.net said: 452 connections exceeded", "HOST said 452 connections exceeded"),
    ("sent 550 messages", "sent NUM messages"),
    ("limit of 450 recipients", "limit of NUM recipients"),
    ("waited 421 seconds", "waited NUM seconds"),
    # words
    ("User UNKNOWN!", "user unknown"),
    ("user/unknown", "user unknown"),
    ("don't", "don t"),
    ("“No such” ‘user’", "no such user"),
    ("Usuário não existe", "usuario nao existe"),
    ("Größe", "grosse"),
    ("Skrzynka jest pełna", "skrzynka jest pelna"),
    ("kullanıcı BULUNAMADI İptal", "kullanici bulunamadi iptal"),
    ("Fraværende, søppelpost, đầy", "fravaerende soppelpost day"),
    ("ＦＵＬＬ", "full"),
    ("re\u00adcipient not\u200bfound", "recipient notfound"),
    ("找不到用户a@example.com。", "找不到用户 ADDR"),
    ("用户不存在550", "用户不存在 550"),
    ("邮箱：joe@example.com", "邮箱 ADDR"),
    ("ユーザーが見つかりません（550 5.1.1）", "ユーザーが見つかりません 550 5.1.1"),
    ("пользователь не найден", "пользователь не наиден"),
    ("", ""),
    (" \t\r\n ", ""),
    ("<>", ""),
    ("@", ""),
    ("...", ""),
]


@pytest.mark.parametrize(("text", "template"), MASKS, ids=[repr(text[:40]) for text, _ in MASKS])
def test_mask(text: str, template: str) -> None:
    assert mask(text) == template


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("550 5.1.1\r\n\tUser  unknown", "550 5.1.1 User unknown"),
        ("a\x00b\x1bc\x7fd\x85e", "a b c d e"),
        (r"550-first\r\n550 second\tthird", "550-first 550 second third"),
        ("zero\u200bwidth soft\u00adhyphen", "zerowidth softhyphen"),
        ("\ufeffbom", "bom"),
        ("lone \ud800 surrogate", "lone ? surrogate"),
        ("①ＡＢ", "1AB"),
        ("Case and “quotes” stay: <a@example.com>", "Case and “quotes” stay: <a@example.com>"),
        (
            '<html><body class="x"><p>550 5.1.1 <b>User</b>&nbsp;unknown:<br/>&lt;a@example.com&gt;</p></body></html>',
            "550 5.1.1 User unknown: a@example.com",
        ),
        ("550 <b@example.com>: <i> is no user</b", "550 <b@example.com>: is no user"),
        ("550 <td width <b>no</b> </b\u200b> <\u200b/p> a < b > c", "550 width no a < b > c"),
        ("", ""),
    ],
)
def test_normalise(text: str, clean: str) -> None:
    assert normalise(text) == clean


def test_text_is_cut_to_its_limit() -> None:
    assert len(normalise("x" * (MAX_TEXT + 100))) == MAX_TEXT
    assert mask("a " * MAX_TEXT + "tail").endswith("a")


@pytest.mark.parametrize(
    ("status", "good"),
    [
        ("5.1.1", True), ("4.7.650", True), ("2.0.0", True), ("5.1.10", True),
        ("3.1.1", False), ("5.1", False), ("5.1.1.1", False), ("5.1.1000", False), ("5.x.1", False), ("5..1", False),
        ("", False), ("5.1.１", False), ("55.1.1", False),
    ],
)  # fmt: skip
def test_enhanced_status_codes(status: str, good: bool) -> None:
    assert is_enhanced_status(status) is good


@pytest.mark.parametrize(
    ("text", "folded"), [("ÉÀÜ", "eau"), ("plain", "plain"), ("한국어", "한국어"), ("が", "か"), ("İ", "i")]
)
def test_fold(text: str, folded: str) -> None:
    # Japanese voicing marks are letters' parts, not accents: they stay.
    expected = "が" if text == "が" else folded
    assert fold(text) == expected


# Properties

HOSTILE = st.text(max_size=200) | st.text(alphabet="<>@.:-/[]#=+0123456789abAB \u200b\ud800用é", max_size=200)


@given(HOSTILE)
def test_normalised_text_is_one_clean_line(text: str) -> None:
    clean = normalise(text)
    assert clean.encode("utf-8").decode("utf-8") == clean
    assert clean == " ".join(clean.split())
    assert not any(ord(char) < 0x20 for char in clean)


@given(HOSTILE)
def test_masked_text_has_no_address_and_no_long_number(text: str) -> None:
    template = mask(text)
    assert template == " ".join(template.split())
    for token in template.split():
        assert "@" not in token[1:]
        assert not (token.isascii() and token.isdigit() and len(token) > 3)


LABEL = st.from_regex(r"[a-z]{2}[a-z0-9]{0,8}", fullmatch=True)
HOST = st.builds(
    "{}{}.{}".format, LABEL, st.sampled_from(["", "-7", "01", ".mail"]),
    st.sampled_from(["example.com", "example.net", "mail.example.org", "corp.example.co.uk"]),
)  # fmt: skip
ADDRESS = st.builds("{}{}@{}".format, LABEL, st.sampled_from(["", ".smith", "+tag", "-x", "_y", "99"]), HOST)
IPV4 = st.ip_addresses(v=4).map(str)
IPV6 = st.ip_addresses(v=6).map(str).filter(lambda ip: "." not in ip and ip.strip(":"))
QUEUE_ID = st.one_of(
    st.from_regex(r"4[A-Z][a-z][A-Z][0-9][a-z]{2}[0-9][A-Z]{2}z[a-z0-9]{3}", fullmatch=True),  # Postfix, long
    st.from_regex(r"1[a-z][A-Z][a-z][0-9][A-Z]-000[0-9][A-Z][a-z]-[0-9][A-Z]", fullmatch=True),  # Exim
    st.from_regex(r"x[0-9][A-Z][0-9]s[A-Z][0-9]t01[0-9]{4}", fullmatch=True),  # Sendmail
)
NUMBER = st.integers(min_value=1000, max_value=10**9).map(str)

SHAPES = [
    "host {host}[{ip}] said: 550 5.1.1 <{address}>: Recipient address rejected: User unknown (in reply to RCPT TO command)",
    "550 5.7.1 Client host [{ip}] blocked using our list; {queue} - reference {number}",
    "SMTP error from remote mail server after RCPT TO:<{address}>: host {host} [{ip}]: 452 4.2.2 <{address}> over quota, {number} bytes",
    "554 5.4.6 {queue} Too many hops {number} (from {host})",
    "<{address}>... Deferred: Connection timed out with {host}.",
]


@settings(max_examples=200)
@given(
    shape=st.sampled_from(SHAPES),
    parts=st.tuples(*[st.fixed_dictionaries(
        {"host": HOST, "address": ADDRESS, "ip": IPV4 | IPV6, "queue": QUEUE_ID, "number": NUMBER}
    )] * 2),
)  # fmt: skip
def test_what_varies_changes_nothing(shape: str, parts: tuple[dict[str, str], dict[str, str]]) -> None:
    first, second = (shape.format(**values) for values in parts)
    assert mask(first) == mask(second)
    assert parse(first).words == parse(second).words


@given(shape=st.sampled_from(SHAPES), change=st.sampled_from([str.upper, str.lower, str.swapcase]))
def test_case_changes_nothing(shape: str, change: object) -> None:
    text = shape.format(
        host="mx.example.net", ip="192.0.2.1", address="a@example.com", queue="4XyZ12abCdEf", number="12345"
    )
    assert callable(change)
    assert mask(str(change(text))) == mask(text)


@given(
    shape=st.sampled_from(SHAPES),
    prefix=st.sampled_from(["smtp;", "smtp; ", "SMTP;", "X-Postfix; ", "Diagnostic-Code: smtp; "]),
)
def test_the_type_prefix_of_a_dsn_leaves_words_and_codes(shape: str, prefix: str) -> None:
    text = shape.format(
        host="mx.example.net", ip="192.0.2.1", address="a@example.com", queue="4XyZ12abCdEf", number="12345"
    )
    plain, prefixed = parse(text), parse(prefix + text)
    assert prefixed.words == plain.words
    assert (prefixed.reply_code, prefixed.enhanced_status) == (plain.reply_code, plain.enhanced_status)
    assert prefixed.command == plain.command


@pytest.mark.parametrize("text", ["550 user unknown", "Greylisted, try later", "用户不存在"])
@pytest.mark.parametrize("change", ["<{}>", "({})", '"{}"', "{}.", "{};", "\t{}\r\n", "{}\x00"])
def test_punctuation_changes_nothing(text: str, change: str) -> None:
    assert mask(change.format(text)) == mask(text)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("550 user unknown", "450 user unknown"),
        ("5.1.1 rejected", "5.7.1 rejected"),
        ("mailbox full", "mailbox unknown"),
        ("blocked by zen.spamhaus.org", "blocked by mx.example.org"),
        ("(S3150)", "(S3140)"),
        ("not found", "found"),
    ],
)
def test_what_says_something_is_kept(first: str, second: str) -> None:
    assert mask(first) != mask(second)


@pytest.mark.parametrize(
    "piece", ["a", "@", "a@", "<", "1.", ":", "::", "a.b", "-", "550-", "http://", "用a", "é", "\u0301", "a/", "=", "+"]
)
def test_masking_is_linear(piece: str) -> None:
    hostile = piece * (1_000_000 // len(piece))
    start = time.perf_counter()
    mask(hostile)
    assert time.perf_counter() - start < 1.0
