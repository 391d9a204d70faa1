"""Crosswalks: every label of the other vocabularies has a place here, and every reason of ours one there."""

from __future__ import annotations

from pathlib import Path

import pytest

from whybounce.data.crosswalk import crosswalk, crosswalk_names, read_crosswalk
from whybounce.model.errors import DataError
from whybounce.model.taxonomy import TAXONOMY


def words(text: str) -> list[str]:
    return text.split()


# As the tools document them; written down apart from the files, so that a label that is dropped is noticed.
VOCABULARIES = {
    "sisimai": words("""authfailure badreputation blocked contenterror delivered exceedlimit expired failedstarttls feedback
        filtered hasmoved hostunknown mailboxfull mailererror mesgtoobig networkerror norelaying notaccept
        notcompliantrfc onhold policyviolation rejected requireptr securityerror spamdetected speeding suppressed
        suspend syntaxerror systemerror systemfull toomanyconn undefined userunknown vacation virusdetected"""),
    "kumomta": words("""InvalidRecipient DNSFailure SpamBlock SpamContent ProhibitedAttachment RelayDenied AutoReply
        TransientFailure Subscribe Unsubscribe ChallengeResponse BadConfiguration BadConnection BadDomain
        ContentRelated InactiveMailbox InvalidSender MessageExpired NoAnswerFromHost PolicyRelated ProtocolErrors
        QuotaIssues RelayingIssues RoutingErrors SpamRelated VirusRelated AuthenticationFailed TooManyRecipients
        Uncategorized"""),
    "powermta": words("""bad-mailbox bad-domain inactive-mailbox quota-issues message-expired no-answer-from-host
        routing-errors bad-connection bad-configuration relaying-issues invalid-sender content-related policy-related
        protocol-errors spam-related virus-related other"""),
    "postalsys": words("""user_unknown invalid_address mailbox_disabled mailbox_full greylisting rate_limited server_error
        ip_blacklisted domain_blacklisted auth_failure relay_denied spam_blocked policy_blocked virus_detected
        geo_blocked unknown"""),
    "sparkpost": [str(code) for code in (1, *range(20, 27), 10, 30, 40, *range(50, 55), 60, 70, 80, 90, 100)]
    + ["Invalid Recipient", "undetermined", "DNS failure", "mailbox full", "too large", "challenge-response"],
    "postmark": words("""HardBounce 1 Transient 2 Unsubscribe 16 Subscribe 32 AutoResponder 64 AddressChange 128 DnsError 256
        SpamNotification 512 OpenRelayTest 1024 Unknown 2048 SoftBounce 4096 VirusNotification 8192
        ChallengeVerification 16384 BadEmailAddress 100000 SpamComplaint 100001 ManuallyDeactivated 100002 Unconfirmed
        100003 Blocked 100006 SMTPApiError 100007 InboundError 100008 DMARCPolicy 100009"""),
    "ses": words("""Undetermined Permanent/General Permanent/NoEmail Permanent/Suppressed Permanent/OnAccountSuppressionList
        Transient/General Transient/MailboxFull Transient/MessageTooLarge Transient/CustomTimeoutExceeded
        Transient/ContentRejected Transient/AttachmentRejected permanent/noemail PERMANENT/GENERAL"""),
    "sendgrid": ["Content", "Frequency or Volume Too High", "Invalid Address", "Mailbox Unavailable", "Reputation",
                 "Technical Failure", "Unclassified"],
    "mailgun": [f"{severity}/{reason}" for severity in ("permanent", "temporary")
                for reason in ("bounce", "suppress-bounce", "generic", "old")]
    + ["failed", "permanent", "temporary", "bounce", "suppress-bounce", "generic", "old"],
    "mailjet": ["user unknown", "mailbox inactive", "quota exceeded", "blacklisted", "spam reporter", "invalid domain",
                "no mail host", "relay/access denied", "greylisted", "typofix", "sender blocked", "content blocked",
                "policy issue", "preblocked", "duplicate in campaign"],
    "brevo": ["hard_bounce", "soft_bounce", "blocked", "spam", "complaint", "invalid_email", "deferred", "error"],
    "anymail": ["invalid", "bounced", "timed_out", "blocked", "spam", "unsubscribed", "other"],
    "halon": words("""BLOCK_LIST BLOCKED DKIM DMARC DNS_PTR DOMAIN_REPUTATION GRAYLISTING IP_REPUTATION MESSAGE_CONTENT
        MX_ERROR RATE_LIMIT RECIPIENT_ERROR RECIPIENT_NOT_FOUND SPF TEMPORARY_ERROR TLS VIRUS"""),
}  # fmt: skip
NO_REASON = {
    "kumomta": {"Subscribe", "Unsubscribe"},
    "sparkpost": {"Subscribe", "Unsubscribe"},
    "postmark": {
        "Subscribe", "Unsubscribe", "ManuallyDeactivated", "Unconfirmed", "SMTPApiError", "InboundError",
    },
    "mailjet": {"duplicate in campaign"},
}  # fmt: skip


def test_all_vocabularies_are_built_in() -> None:
    assert crosswalk_names() == tuple(sorted(VOCABULARIES))


@pytest.mark.parametrize("name", list(VOCABULARIES))
def test_every_label_is_mapped(name: str) -> None:
    found = crosswalk(name)
    for label in VOCABULARIES[name]:
        mapping = found.to_ours(label)
        assert mapping is not None, label
        assert mapping.label in found.labels
        assert mapping.reason is None or mapping.reason in TAXONOMY
        assert not mapping.lossy or mapping.note, f"{label} loses something and does not say what"
    assert {label for label in found.labels if found.to_ours(label).reason is None} == NO_REASON.get(name, set())  # type: ignore[union-attr]


@pytest.mark.parametrize("name", list(VOCABULARIES))
def test_every_reason_of_ours_has_a_word_there(name: str) -> None:
    found = crosswalk(name)
    for reason in TAXONOMY.reasons:
        there = found.back(reason)
        assert there is not None, reason
        assert found.from_ours(reason) == there.label
        returned = found.to_ours(there.label)
        assert returned is not None
        assert there.lossy or (returned.reason, returned.lossy) == (reason, False)
        assert bool(there.note) == there.lossy
    assert found.from_ours("nope") is None
    assert found.back("nope") is None


@pytest.mark.parametrize("name", list(VOCABULARIES))
def test_reasons_about_the_sender_never_come_from_a_word_for_a_bad_address(name: str) -> None:
    # The direction that costs subscribers: ours -> theirs must not turn a sender's problem into a bad address.
    found = crosswalk(name)
    for info in TAXONOMY:
        if info.action == "fix_sender":
            back = found.to_ours(found.from_ours(info.reason) or "")
            assert back is not None
            assert back.reason is None or not TAXONOMY.is_hard(back.reason), f"{info.reason} -> {back.label}"


@pytest.mark.parametrize(
    ("name", "label", "reason", "lossy"),
    [
        ("sisimai", "userunknown", "invalid_recipient", True),
        ("sisimai", "UserUnknown", "invalid_recipient", True),
        ("sisimai", "mailboxfull", "mailbox_full", False),
        ("sparkpost", "10", "invalid_recipient", True),
        ("sparkpost", "22", "mailbox_full", False),
        ("sparkpost", "Mailbox Full", "mailbox_full", False),
        ("sparkpost", "80", None, True),
        ("postmark", "100000", "address_error", False),
        ("postmark", "bademailaddress", "address_error", False),
        ("ses", "Transient/MailboxFull", "mailbox_full", False),
        ("ses", "Transient MailboxFull", "mailbox_full", False),
        ("ses", "Undetermined/Undetermined", "no_information", False),
        ("mailgun", "Permanent/Old", "delivery_expired", True),
        ("mailjet", "relay/access denied", "relay_denied", True),
        ("halon", "Graylisting", "greylisted", False),
    ],
)
def test_labels(name: str, label: str, reason: str | None, lossy: bool) -> None:
    mapping = crosswalk(name).to_ours(label)
    assert mapping is not None
    assert (mapping.reason, mapping.lossy) == (reason, lossy)


@pytest.mark.parametrize(
    ("name", "label"), [("sisimai", "nope"), ("sparkpost", "11"), ("ses", "Permanent/Nothing"), ("brevo", "")]
)
def test_labels_that_are_not_there(name: str, label: str) -> None:
    assert crosswalk(name).to_ours(label) is None


def test_an_unknown_crosswalk_lists_the_known_ones() -> None:
    with pytest.raises(DataError, match=r"no crosswalk 'nope'; built in are: anymail, .*mapping file \(.toml\)"):
        crosswalk("nope")
    assert crosswalk("SiSiMai") is crosswalk("sisimai") or crosswalk("SiSiMai").name == "sisimai"


def test_a_mapping_file_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        '[labels]\n"No Such User" = "invalid_recipient"\n"box" = {reason = "mailbox_full", lossy = true, note = "n"}\n'
        'hello = {note = "no bounce at all"}\n[aliases]\nU1 = "No Such User"\n',
        "utf-8",
    )
    found = read_crosswalk(path)
    assert found.name == "mine"
    for label in ("no such user", "u1", "no_such_user"):
        mapping = found.to_ours(label)
        assert mapping is not None
        assert (mapping.label, mapping.reason, mapping.lossy) == ("No Such User", "invalid_recipient", False)
    hello = found.to_ours("hello")
    assert hello is not None
    assert (hello.reason, hello.lossy, hello.note) == (None, True, "no bounce at all")
    assert found.from_ours("invalid_recipient") is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read .*check the path"),
        (b"\xff\xfe", "no valid TOML"),
        (b"labels = [", "no valid TOML"),
        (b"", r"no \[labels\]; write lines such as"),
        (b"labels = 3", r"labels must be a table; write \[labels\]"),
        (b'[label]\na = "mailbox_full"', "unknown key 'label'; a mapping has"),
        (b'[labels]\na = "nope"', "'a' leads to 'nope', which is no reason; known: invalid_recipient"),
        (b"[labels]\na = 3", "'a' must be"),
        (b'[labels]\na = {reasons = "mailbox_full"}', "'a' must be"),
        (b'[labels]\na = "mailbox_full"\nA = "greylisted"', "stands there twice"),
        (b'[labels]\na = "mailbox_full"\n[aliases]\nb = "c"', "'b' leads to 'c'"),
        (b'[labels]\na = "mailbox_full"\n[reasons]\nnope = "a"', r"under \[reasons\] write"),
        (b'[labels]\na = "mailbox_full"\n[reasons]\nmailbox_full = "b"', "leads to 'b', which is no label"),
    ],
)
def test_a_mapping_file_that_is_wrong(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "mine.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        read_crosswalk(path)
    assert "mine" in str(caught.value)
