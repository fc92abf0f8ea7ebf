"""Mail without TLS: only when the settings say so, and never with a password."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from enlevohub_api.mail import Mailer, MailError, MailServer, server_of_tenant
from service.mail_support import MailReceiver, make_certificate


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[MailReceiver]:
    found = MailReceiver(make_certificate(tmp_path), "none")
    yield found
    found.close()


def send(receiver: MailReceiver, security: str, user: str = "", to: str = "to@obra.com") -> None:
    server = MailServer("localhost", receiver.port, security, user, "pa55", "Obra", "hub@obra.com")
    asyncio.run(Mailer("").send(server, to, "Olá", "Corpo\n.\nfim\n"))


def test_mail_without_tls_goes_when_the_settings_say_so(receiver: MailReceiver) -> None:
    send(receiver, "none")
    (mail,) = receiver.mails
    assert (mail.encrypted, mail.login, mail.to) == (False, None, ["to@obra.com"])
    assert (str(mail.message["Subject"]), mail.text) == ("Olá", "Corpo\r\n.\r\nfim\r\n")


@pytest.mark.parametrize(("security", "user"), [("starttls", ""), ("none", "hub"), ("tls", "")])
def test_mail_is_not_sent_in_clear(receiver: MailReceiver, security: str, user: str) -> None:
    with pytest.raises(MailError):
        send(receiver, security, user)
    assert receiver.mails == []


@pytest.mark.parametrize("to", ["a@b.com\r\nBcc: c@d.com", "a@b.com\nX: y"])
def test_mail_headers_cannot_be_smuggled_in(receiver: MailReceiver, to: str) -> None:
    with pytest.raises(MailError):
        send(receiver, "none", to=to)
    assert receiver.mails == []


@pytest.mark.parametrize("smtp", [None, {}, {"host": "", "user": "a"}, {"host": "a", "user": ""}, "x"])
def test_company_without_host_and_user_has_no_mail_server(smtp: object) -> None:
    assert server_of_tenant({"smtp": smtp}) is None
