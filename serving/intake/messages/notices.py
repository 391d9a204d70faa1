"""What programs answer for people: auto-replies, and challenges that a sender is asked to pass."""

from __future__ import annotations

import re2

from whybounce.serving.intake.messages.failure import Failure, all_addresses, first_address, one_line
from whybounce.serving.intake.messages.header import Fields
from whybounce.serving.intake.messages.mime import Mail
from whybounce.serving.intake.record import Outcome

_MAX_REPLY = 2000  # characters of an auto-reply: what it says stands at the beginning

_CHALLENGES = re2.compile(
    r"(?i)(confirm|verify|validate|authenticate|prove).{0,60}(you are (a |not )|your (e-?mail|message|address|identity)"
    r"|human|sender)|challenge[- /]response|to (complete|finish) (the )?delivery|awaiting (your )?(confirm|approv)"
    r"|request (from|to) .{0,40}approved sender|whitelist(ed)? (yourself|your address)"
    r"|(your|the) address (is|will be|gets) (added to|put on) (the|my|our) (whitelist|approved)"
    r"|(has|have|needs?|requires?) (to be |that you )?(verif(y|ied|ication)|confirm(ed|ation)?)\b"
    r"|(requires|remote|sender) (verification|confirmation)( request)?"
    r"|(list of|only from) (approved senders|senders (whom |that |who )?I have approved)"
    r"|click.{0,40}link.{0,60}(so that I|to (receive|deliver|complete|verify))"
    r"|anti-?spam (confirmation|verification)"
    r"|(bitte )?best(ä|ae)tigen sie ihre (nachricht|absender|e-?mail)|pending (your )?(confirmation|verification)"
    r"|vous demande de (vous authentifier|confirmer)|authentifi(ez|er)-vous"
    r"|confirm(e|ar|ação).{0,20}(o seu|seu|do seu) (envio|e-?mail|endereço)"
    r"|confirm(e|ar) (su|tu) (mensaje|direcci(ó|o)n|correo)|conferm(a|i) (il tuo|la tua|il suo)"
)
# Header fields of programs that do nothing else
_CHALLENGERS = ("X-Boxtrapper", "X-AskVersion")
_AWAY = re2.compile(
    r"(?i)out of (the )?office|auto(matic|mated|-)?[ -]?(repl|respon|answer)|vacation|on (annual )?leave|on holiday"
    r"|away from (my|the) (desk|office|e-?mail)|abwesen|automatische antwort|nicht im (b(ü|ue)ro|haus)|absence"
    r"|r(é|e)ponse automatique|fuera de (la )?oficina|respuesta autom(á|a)tica|ausente|fuori (sede|ufficio)"
    r"|risposta automatica|afwezig|automatisch antwoord|frånvar|fraværende|poissa|自動(返信|応答)|不在|自动(回复|答复)"
    r"|no longer (with|work|employed|at)|has left|\booo\b|thank you for (your (e-?mail|message)|contacting)"
)
_CODE = re2.compile(r"(?:^|\s)(?:[45]\d\d[ -]|[45]\.\d{1,3}\.\d{1,3}\b)")
_SERVICE = re2.compile(r"(?i)^(?:.*[._+-])?(?:no-?reply|(?:anti-?)?spam|challenge|verif\w*|confirm\w*)(?:[._+-].*)?@")


def automatic(mail: Mail) -> list[Failure]:
    """Recognise auto-replies and challenges: by what their header says, or by their words."""
    fields = mail.fields
    if "X-Failed-Recipients" in fields:
        return []
    subject = fields.get("Subject")
    body = mail.text[:_MAX_REPLY]
    marked = _is_marked(fields)
    if any(name in fields for name in _CHALLENGERS) or (
        _CHALLENGES.search(f"{subject}\n{' '.join(body.split())}")
        and (marked or _CHALLENGES.search(subject) or _without_return(fields, body))
    ):
        return [_notice(mail, "challenge", f"Challenge-response: {subject}; {body}")]
    if marked or (_AWAY.search(subject) and not _from_daemon(fields)):
        return [_notice(mail, "vacation", f"Automatic reply: {subject}; {body}")]
    return []


def _is_marked(fields: Fields) -> bool:
    # RFC 3834 lets parameters and comments follow: "auto-replied (vacation)"
    submitted = fields.get("Auto-Submitted").partition(";")[0].partition("(")[0].strip().lower()
    if submitted == "auto-replied" and not _from_daemon(fields):
        return True
    if any(
        name in fields for name in ("X-Autoreply", "X-Autorespond", "X-Autoresponder", "X-Vacation", "X-AutoReply-From")
    ):
        return True
    if fields.get("Precedence").strip().lower() == "auto_reply" or fields.get("X-Precedence").lower() == "auto_reply":
        return True
    return submitted == "auto-generated" and bool(_AWAY.search(fields.get("Subject"))) and not _from_daemon(fields)


def _without_return(fields: Fields, body: str) -> bool:
    """Whether a program sent it that wants no answer, and that tells of no failed delivery."""
    return (
        fields.get("Return-Path").replace(" ", "") == "<>" and not _from_daemon(fields) and not _CODE.search(body)
    )  # fmt: skip


def _from_daemon(fields: Fields) -> bool:
    sender = fields.get("From").lower()
    return "mailer-daemon" in sender or "postmaster" in sender or "mail delivery s" in sender


def _notice(mail: Mail, kind: str, text: str) -> Failure:
    who = first_address(mail.fields.get("From"))  # a name alone is nobody's address
    if kind == "challenge" and who and _SERVICE.match(who):  # it writes for somebody, whom it names
        ours = {who.lower(), *(address.lower() for address in all_addresses(mail.fields.get("To")))}
        named = all_addresses(f"{mail.fields.get('Subject')} {mail.text[:_MAX_REPLY]}")
        who = next((address for address in named if address.lower() not in ours), who)
    return Failure(who, one_line(text), Outcome.NOT_A_BOUNCE, kind=kind)
