"""Sentences that surround a cause in bounce messages and say nothing about it.

They teach the classifier what to look past.
"""

from __future__ import annotations

BEFORE = (
    "This message was created automatically by mail delivery software. A message that you sent could not be delivered "
    "to one or more of its recipients. The following address failed: {rcpt}",
    "I'm sorry to have to inform you that your message could not be delivered to one or more recipients. {rcpt}:",
    "Hi. This is the mail program at {host}. I'm afraid I wasn't able to deliver your message to the following "
    "addresses. This is a permanent error; I've given up. Sorry it didn't work out. {rcpt}:",
    "Your message did not reach some or all of the intended recipients. Subject: {subject} The following recipient "
    "could not be reached: {rcpt}",
    "----- The following addresses had permanent fatal errors ----- {rcpt} (reason:",
    "----- Transcript of session follows ----- ... while talking to {host}: >>> RCPT To:<{rcpt}> <<<",
    "This Message was undeliverable due to the following reason:",
    "Each of the following recipients was rejected by a remote mail server. Recipient: {rcpt} Reason:",
    "Delivery to the following recipient failed permanently: {rcpt} Technical details of permanent failure:",
    "The following message to {rcpt} was undeliverable. The reason for the problem:",
    "Delivery has failed to these recipients or groups: {rcpt}",
    "Delivery failed for the following reason: Server {host}[{mxip}] failed with:",
    "Connected to {mxip} but could not go on. Remote host said:",
    "{host} [{mxip}] did not like our RCPT TO:",
    "{host} [{mxip}] did not like our DATA:",
    "The response from the remote server was:",
    "Remote server replied:",
    "The mail system <{rcpt}>:",
    "Message from {host}. Unable to deliver message to the following address(es). <{rcpt}>:",
    "An error occurred while sending mail. The mail server responded:",
    "Failed to deliver to '{rcpt}'",
    "to=<{rcpt}>, relay={host}[{mxip}]:25, delay={n}, dsn=, status=bounced",
    "Final-Recipient: rfc822; {rcpt} Action: failed Diagnostic-Code: smtp;",
    "SMTPRecipientsRefused: {rcpt}",
    "Sorry, no SMTP connection got far enough; most progress was RCPT TO response; remote host {mxip} said:",
    "Ihre Nachricht konnte nicht zugestellt werden. Der Server antwortete:",
    "Votre message n'a pas pu être remis au destinataire. Réponse du serveur :",
    "No se pudo entregar su mensaje. Respuesta del servidor:",
    "Não foi possível entregar a sua mensagem. Resposta do servidor:",
    "Non è stato possibile recapitare il messaggio. Risposta del server:",
    "Uw bericht kon niet worden afgeleverd. Antwoord van de server:",
    "Сообщение не может быть доставлено. Ответ сервера:",
    "メールを送信できませんでした。サーバーの応答:",
    "您的邮件无法投递。服务器返回：",
)
AFTER = (
    "I'm not going to try again; this message has been in the queue too long.",
    "Giving up on {mxip}.",
    "This has been a permanent failure. No further delivery attempts will be made.",
    "Please contact your postmaster for further assistance.",
    "For further assistance, please send mail to postmaster.",
    "If you believe this is an error, contact your administrator.",
    "--- Below this line is a copy of the message. Return-Path: <{sender}>",
    "Reporting-MTA: dns; {host}",
    "(Other MXes tried: {mxip} said the same)",
    "Learn more at {url}",
    "For more information see {url}",
    "id={qid}",
    "({id})",
    "[{id}]",
    "The message will not be retried.",
    "Please do not reply to this message.",
    "- {id}",
)
