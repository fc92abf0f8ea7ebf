"""Mails over SMTP, by the server of the company or else by the one of the settings.

Without TLS nothing goes out unless the settings say so, and a password never.
Errors never carry what the server said or what was in the mail.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import formataddr, formatdate, make_msgid, parseaddr
from typing import Any

import aiosmtplib

from enlevohub_api.settings import Settings

logger = logging.getLogger(__name__)

STEP_TIMEOUT = 10.0
"""Seconds for one step of the conversation with the server."""
TOTAL_TIMEOUT = 30.0
MAX_AT_ONCE = 8
MAX_WAITING = 200
PAUSES = (2.0, 10.0)
"""Seconds before a mail is tried again in the background."""


class MailError(Exception):
    """The mail was not sent; the text names the kind of failure, nothing else."""


@dataclass(frozen=True)
class MailServer:
    """An SMTP server and the sender it sends for."""

    host: str
    port: int
    security: str
    user: str
    password: str = field(repr=False)
    sender_name: str
    sender: str


def server_of_settings(settings: Settings) -> MailServer | None:
    """Give the server of the SMTP_* settings, if there is one."""
    if not settings.smtp_host:
        return None
    name, address = parseaddr(settings.smtp_from)
    return MailServer(
        settings.smtp_host,
        settings.smtp_port,
        settings.smtp_security,
        settings.smtp_user,
        settings.smtp_password,
        name,
        address,
    )


def server_of_tenant(tenant_settings: Mapping[str, Any]) -> MailServer | None:
    """Give the server of a company's settings; None unless host and user are set."""
    smtp = tenant_settings.get("smtp")
    if not isinstance(smtp, dict) or not smtp.get("host") or not smtp.get("user"):
        return None
    return MailServer(
        str(smtp["host"]),
        int(smtp.get("port", 587)),
        # As in mail clients of the web: `secure` is TLS from the first byte, else STARTTLS.
        "tls" if smtp.get("secure") else "starttls",
        str(smtp["user"]),
        str(smtp.get("password", "")),
        str(smtp.get("fromName", "")),
        str(smtp.get("fromEmail", "")),
    )


class Mailer:
    """Sends mails, a few at a time."""

    def __init__(self, ca_file: str) -> None:
        """Trust the system's authorities and those of ``ca_file``."""
        self._context = ssl.create_default_context()
        self._context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if ca_file:
            self._context.load_verify_locations(ca_file)
        self._slots = asyncio.Semaphore(MAX_AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()

    async def send(self, server: MailServer, to: str, subject: str, text: str) -> None:
        """Send one mail. Raises MailError."""
        message = EmailMessage()
        try:
            message["From"] = formataddr((server.sender_name, server.sender))
            message["To"] = to
            message["Subject"] = subject
            message["Date"] = formatdate()
            message["Message-ID"] = make_msgid(domain=server.sender.rpartition("@")[2] or None)
        except (ValueError, UnicodeError):
            raise MailError("the sender or the recipient is no address") from None
        message.set_content(text)
        if server.user and server.security == "none":
            raise MailError("a password needs TLS")
        try:
            async with self._slots, asyncio.timeout(TOTAL_TIMEOUT):
                await aiosmtplib.send(
                    message,
                    hostname=server.host,
                    port=server.port,
                    username=server.user or None,
                    password=server.password if server.user else None,
                    use_tls=server.security == "tls",
                    start_tls=server.security == "starttls",
                    tls_context=self._context,
                    timeout=STEP_TIMEOUT,
                )
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            raise MailError(type(error).__name__) from None

    def send_later(self, server: MailServer, to: str, subject: str, text: str) -> None:
        """Send one mail after the answer, with a few tries; a failure is logged."""
        if len(self._tasks) >= MAX_WAITING:
            logger.error("mail dropped: too many wait")
            return
        task = asyncio.get_running_loop().create_task(self._send_patiently(server, to, subject, text))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self, limit: float) -> None:
        """Give waiting mails up to ``limit`` seconds, then stop."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=limit)
            for task in late:
                task.cancel()
            if late:
                logger.error("mails dropped: the service stops", extra={"count": len(late)})

    async def _send_patiently(self, server: MailServer, to: str, subject: str, text: str) -> None:
        for pause in (*PAUSES, None):
            try:
                await self.send(server, to, subject, text)
            except MailError as error:
                logger.warning("mail not sent", extra={"reason": str(error), "last_try": pause is None})
                if pause is not None:
                    await asyncio.sleep(pause)
            else:
                return
