"""Kinds of wording that blind sets of real bounces were missed on: texts of our own, in many languages."""

from __future__ import annotations

import pytest

from whybounce.model.diagnostic import parse
from whybounce.model.predictor import BounceClassifier
from whybounce.model.rules import default_rules, load_rules
from whybounce.model.taxonomy import TAXONOMY

HARD = TAXONOMY.hard

KINDS: dict[str, list[tuple[str, str]]] = {
    "who refuses": [
        ("550 5.7.1 the receiver has denied your letter", "policy_rejection"),
        ("553 The user refuses mail from you", "policy_rejection"),
        ("550 this member takes mail only from known senders", "policy_rejection"),
        ("554 failure for one or more recipients (joe@example.com:blocked)", "policy_rejection"),
        ("550 you stand on the reject list of the user", "policy_rejection"),
        ("550 refused at the recipient's request", "policy_rejection"),
        ("550 der Empfänger hat die Annahme Ihrer Mail verweigert, er wünscht keine Nachrichten", "policy_rejection"),
        ("550 l'abonné ne veut pas recevoir votre courrier", "policy_rejection"),
        ("550 il destinatario non desidera ricevere messaggi da lei", "policy_rejection"),
        ("550 el abonado solo acepta correos de su agenda", "policy_rejection"),
        ("550 адресат не желает получать письма от вас", "policy_rejection"),
        ("550 odbiorca nie chce otrzymywać wiadomości", "policy_rejection"),
        ("550 mottagaren vill inte ha brev från denna avsändare", "policy_rejection"),
        ("550 收件人拒绝接收此邮件", "policy_rejection"),
        ("550 受信者が受信を拒否しました", "policy_rejection"),
        ("550 수신자가 메일을 차단하였습니다", "policy_rejection"),
    ],
    "where the sender sits": [
        ("554 Service unavailable; Client host [192.0.2.1] blocked, geographic location refused", "policy_rejection"),
        ("550 mail out of this country is not wanted", "policy_rejection"),
        ("550 Mails aus Ihrem Land nehmen wir nicht an", "policy_rejection"),
        ("550 письма из вашей страны запрещены", "policy_rejection"),
        ("554 해외에서 보낸 메일은 차단됩니다", "policy_rejection"),
    ],
    "the sender is verified": [
        ("550 verification of the mailfrom went wrong, blocked", "sender_rejected"),
        ("553 mailfrom check: no such domain", "sender_rejected"),
        ("550 发信方IP与发件人域名不一致", "sender_rejected"),
        ("550 émetteur incorrect", "sender_rejected"),
    ],
    "names that are none": [
        ("550 there is not one of the recipients that we know", "invalid_recipient"),
        ("450 user name no exist", "invalid_recipient"),
        ("554 this was written to a made-up address", "invalid_recipient"),
        ("553 fictitious user", "invalid_recipient"),
        ("550 no existe ese usuario", "invalid_recipient"),
        ("550 查无此人", "invalid_recipient"),
        ("550 không tìm thấy hộp thư", "invalid_recipient"),
        ("550 존재하지 않는 메일박스: 메일박스가 없습니다", "invalid_recipient"),
    ],
    "accounts that ran out or sleep": [
        ("553 recipient has expired", "account_inactive"),
        ("550 this is an expired mailbox", "account_inactive"),
        ("550 the owner has to sign in to receive letters", "account_inactive"),
        ("554 nothing is delivered until the user logs in", "account_inactive"),
        ("550 casella chiusa temporaneamente per mancato utilizzo", "account_inactive"),
        ("550 buzón bloqueado por desuso", "account_inactive"),
        ("550 compte suspendu pour cause d'inactivité", "account_inactive"),
        ("550 Postfach wegen Nichtbenutzung stillgelegt", "account_inactive"),
        ("550 конта закрыта доступ из-за неактивности", "account_inactive"),
        ("550 postbus geblokkeerd wegens inactiviteit", "account_inactive"),
        ("550 účet pozastaven z důvodu nečinnosti", "account_inactive"),
        ("550 邮箱长期未使用已冻结", "account_inactive"),
        ("550 tài khoản bị tạm ngưng", "account_inactive"),
    ],
    "a failure that quotes a success": [
        ("Your note was not delivered to joe@example.com because: 250 ok", "no_information"),
        ("Undeliverable. The server said: 250 2.0.0 queued as 4XyZ12abCdEf", "no_information"),
        ("Ihre Nachricht wurde nicht zugestellt: 250 OK", "no_information"),
        ("250 2.1.5 message delivered", "not_a_bounce"),
    ],
    "what could not be kept": [
        ("451 the letter came in but could not be filed", "other_receiver_error"),
        ("We could not store your message. Please send it once more.", "other_receiver_error"),
        ("451 impossible: n'a pas pu être enregistré", "other_receiver_error"),
        ("451 не удалось сохранить письмо", "other_receiver_error"),
        ("451 メールを保存できませんでした", "other_receiver_error"),
    ],
    "syntax in other languages": [
        ("501 Empfängeradresse syntaktisch ungültig", "address_error"),
        ("501 le format de l'adresse du destinataire est incorrect", "address_error"),
        ("501 địa chỉ thư sai cú pháp", "address_error"),
        ("501 收件人地址语法错误", "address_error"),
    ],
    "replies of the standard, translated": [
        ("421 Der Service ist nicht verfügbar, Übertragung wird beendet", "server_busy"),
        ("421 tjänsten är för närvarande inte tillgänglig", "server_busy"),
        ("421 サービスを利用できません", "server_busy"),
        ("452 mémoire du système insuffisante", "server_busy"),
        ("452 시스템의 시스템 저장 공간이 충분하지 않음", "server_busy"),
        ("452 onvoldoende systeemopslag op de server", "server_busy"),
        ("550 Vorgang nicht ausgeführt: Mailbox nicht verfügbar", "invalid_recipient"),
        ("450 Vorgang nicht ausgeführt: Mailbox nicht verfügbar", "general_error"),
        ("550 azione annullata: casella postale non disponibile", "invalid_recipient"),
        ("550 操作未完成：邮箱不可用", "invalid_recipient"),
        ("450 操作未完成：邮箱不可用", "general_error"),
        ("550 작업 실패: 사서함을 사용할 수 없음", "invalid_recipient"),
    ],
    "what looks like something else": [
        ("552 hộp thư người nhận đã đầy", "mailbox_full"),  # "hop thu", a mailbox and no hop
        ("421 saluran transmisi ditutup", "server_busy"),  # a channel is closed, no account
        ("550 le compte du destinataire est bloqué", "account_inactive"),  # by nobody who was written to
        ("421 come back later IB101", "server_busy"),
    ],
}
FLAT = [(kind, text, reason) for kind, cases in KINDS.items() for text, reason in cases]


@pytest.mark.parametrize(("kind", "text", "reason"), FLAT)
def test_kinds(kind: str, text: str, reason: str) -> None:
    found = default_rules().decide(parse(text))
    assert found is not None, kind
    assert found.reason == reason, (kind, found.rule_id)


EITHER_OR = [
    "550 the user is unknown or the mailbox is full",
    "550 mailbox over quota or not found",
    "550 invalid or suspended recipient",
    "550 account locked or removed",
    "550 Adressat nicht bekannt oder Speicher voll",
    "550 Konto gesperrt oder nicht vorhanden",
    "550 destinataire inexistant ou compte bloqué",
    "550 boîte pleine ou inexistante",
    "550 buzón lleno o inexistente",
    "550 la cuenta no existe o está suspendida",
    "550 casella piena o inesistente",
    "550 indirizzo inesistente o disattivato",
    "550 caixa cheia ou usuário desconhecido",
    "550 usuário inexistente ou bloqueado",
    "550 utilizator inexistent sau blocat, cont suspendat",
    "550 gebruiker bestaat niet of account is geblokkeerd",
    "550 mailbox vol of bestaat niet",
    "550 okänd mottagare eller avstängt konto: okänd eller avstängd",
    "550 brukeren finnes ikke eller er sperret",
    "550 ukendt eller spærret modtager",
    "550 vastaanottaja tuntematon tai tili lukittu",
    "550 konto nie istnieje albo zostało zablokowane",
    "550 skrzynka pełna lub nieznany adresat",
    "550 schránka neexistuje nebo je zablokována",
    "550 používateľ neexistuje alebo je schránka plná",
    "550 адрес не существует или заблокирован",
    "550 ящик переполнен или не существует",
    "550 адреса не існує або скринька вимкнена",
    "550 a fiók nem létezik vagy letiltva",
    "550 kullanıcı bulunamadı veya hesap askıya alındı",
    "550 άγνωστος χρήστης ή ανενεργός λογαριασμός",
    "550 korisnik ne postoji ili je blokiran",
    "550 ユーザーが存在しないか、容量を超過しています",
    "550 宛先不明または利用停止中",
    "550 邮箱不存在或者已满",
    "550 帐号不存在或被冻结",
    "550 계정이 없거나 정지되었습니다",
    "550 tài khoản không tồn tại hoặc bị khóa",
    "550 akun tidak ditemukan atau tidak aktif",
]


@pytest.mark.parametrize("text", EITHER_OR)
def test_either_or_vetoes_a_hard_reason(text: str) -> None:
    judgement = default_rules().judge(parse(text))
    assert judgement.verdict is not None
    assert judgement.veto in {"mailbox_full", "account_inactive"}
    assert judgement.verdict.reason == judgement.veto


@pytest.mark.parametrize("text", EITHER_OR)
def test_either_or_is_no_reason_to_give_an_address_up(classifier: BounceClassifier, text: str) -> None:
    prediction = classifier.predict_one(text)
    assert prediction.reason not in HARD
    assert prediction.action != "suppress"


NOT_EITHER_OR = [
    ("550 user unknown", "invalid_recipient"),
    ("550 Die Adresse wurde nicht gefunden oder kann keine E-Mails empfangen", "invalid_recipient"),
    ("550 the address couldn't be found or is unable to receive mail", "invalid_recipient"),
    ("550 unknown user, or so it seems", "invalid_recipient"),
]


@pytest.mark.parametrize(("text", "reason"), NOT_EITHER_OR)
def test_an_or_alone_leaves_nothing_open(text: str, reason: str) -> None:
    judgement = default_rules().judge(parse(text))
    assert judgement.verdict is not None
    assert (judgement.verdict.reason, judgement.veto) == (reason, None)


def test_every_either_or_rule_is_a_soft_one() -> None:
    rules = [rule for rule in load_rules() if rule.either_or]
    assert len(rules) >= 10
    assert all(rule.reason not in HARD for rule in rules)


BARE = [
    "550 recipient rejected", "550 not accepted", "550 rejected", "554 refused", "550 message rejected",
    "recipient rejected", "550 Empfänger abgelehnt", "550 destinatario rifiutato", "550 destinataire refusé",
    "550 Mail abgewiesen", "550 收件人被拒绝",
]  # fmt: skip


@pytest.mark.parametrize("text", BARE)
def test_a_bare_refusal_is_not_sure(classifier: BounceClassifier, text: str) -> None:
    assert classifier.predict_one(text).confidence < 0.95


def test_no_answer_has_a_confidence_of_nothing(classifier: BounceClassifier) -> None:
    texts = [text for rule in load_rules() for text in (*rule.examples, *rule.counter)]
    # What the model takes for a bad address while a rule hears of the sender.
    texts += [f"550 5.1.1 user unknown: {text}" for rule in load_rules() for text in rule.examples]
    answers = classifier.predict(texts)
    assert min(answer.confidence for answer in answers) > 0.05


KIND_OF_MODEL = [
    ("553 The user refuses to get mail", {"policy_rejection"}),
    ("554 5.7.1 Client host [192.0.2.1] blocked using list.example.net; rejected for its geographic location", {"policy_rejection"}),
    ("554 there are no valid addressees", {"invalid_recipient"}),
    ("550 wrong addressees", {"invalid_recipient"}),
    ("Delivery failure. Your paper was not delivered to joe@example.com because: 250 accepted", {"no_information", "general_error"}),
    ("550 the user has to sign in again to receive mail", {"account_inactive"}),
    ("550 the person at this address turned you down", {"policy_rejection"}),
    ("We have got your mail, but storing it did not work. Please send it again.", {"other_receiver_error"}),
    ("Postfach des Empfängers ausgeschöpft, Kapazität erreicht", {"mailbox_full"}),
    ("Mất kết nối tới máy chủ nhận", {"network_error"}),
    ("エラーが発生したため、次の宛先に送信できませんでした", {"no_information", "general_hard_bounce", "general_error"}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "reasons"), KIND_OF_MODEL)
def test_the_model_learned_them_as_well(classifier: BounceClassifier, text: str, reasons: set[str]) -> None:
    assert classifier.predict_one(text).reason in reasons


@pytest.mark.parametrize(
    "text",
    [
        "The mail couldn't be delivered.", "Delivery to joe@example.com failed", "Unable to deliver your mail",
        "Diese Nachricht wurde leider nicht zugestellt", "Le courriel n'a pas été distribué", "El correo no ha sido entregado",
        "Impossibile consegnare il messaggio", "A mensagem não foi entregue", "Het bericht is niet bezorgd",
        "Wiadomość nie mogła być dostarczona", "Письмо не доставлено", "メールを送信できませんでした", "该邮件无法送达",
    ],
)  # fmt: skip
def test_what_says_only_that_it_failed_is_no_information(classifier: BounceClassifier, text: str) -> None:
    answer = classifier.predict_one(text)
    assert (answer.reason, answer.action) == ("no_information", "review")
    assert answer.evidence[0].id == "words.only-failed"
    # A status says why, where there is one.
    assert classifier.predict_one(f"552 5.2.2 {text}").reason == "mailbox_full"


@pytest.mark.parametrize("text", ["mailbox is full, message could not be delivered", "user unknown, delivery failed"])
def test_a_cause_beside_it_is_heard(classifier: BounceClassifier, text: str) -> None:
    assert classifier.predict_one(text).reason in {"mailbox_full", "invalid_recipient"}


ABOUT_THE_SENDER = [
    "550 Su dominio no existe", "550 Votre domaine n'existe pas", "550 Il tuo dominio non esiste", "550 Seu domínio não existe",
    "550 Ваш домен не существует", "550 您的域名不存在", "550 Domaine d'envoi inexistant", "550 Dominio de envío no encontrado",
    "550 发送方域名不存在", "550 送信元のユーザーが見つかりません", "550 La cuenta del remitente ha sido eliminada",
    "550 5.1.1 Sending account does not exist", "550 Das Konto des Absenders existiert nicht", "550 نطاق المرسل غير موجود",
    "550 Получатель не принимает почту с этого адреса", "450 4.1.1 Empfängeradresse kann derzeit nicht geprüft werden",
]  # fmt: skip


@pytest.mark.parametrize("text", ABOUT_THE_SENDER)
def test_what_is_missing_at_the_sender_makes_no_address_bad(classifier: BounceClassifier, text: str) -> None:
    assert classifier.predict_one(text).reason not in HARD


@pytest.mark.parametrize(
    "text",
    ["550 Le domaine du destinataire n'existe pas", "550 El dominio del destinatario no existe", "550 收件人不存在"],
)
def test_what_is_missing_at_the_recipient_does(classifier: BounceClassifier, text: str) -> None:
    assert classifier.predict_one(text).reason in HARD
