"""Connects to the shop's mail relay by SMTP, and turns its answers into errors that say what to do with a message."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

from cookieguard.config.mail import MailSettings, require_mail_url
from cookieguard.errors import ConfigError, CookieGuardError

LOCAL = ("localhost", "127.0.0.1", "::1")
PORTS = {"smtp": 587, "smtps": 465}
LOCAL_PORT = 25
MISSING_EXTRA = "empty, or with its library: pip install '.[mail]' in cookieguard's checkout"
# Replies that end all attempts: the mailbox does not exist, or (501) the relay refuses the form of the address, such as
# a..b@shop.example. A reply with 5.7.x is about us, not about the recipient (RFC 3463), so it does not count here.
DEAD = frozenset({501, 550, 551, 552, 553})
POLICY = "5.7."


class RelayDown(CookieGuardError):
    """Report that the relay cannot be reached, or refuses mail to every recipient."""


class Refused(CookieGuardError):
    """Say that the relay refuses one recipient for good."""


class Later(CookieGuardError):
    """Say that the relay does not accept a message now, and did not take it."""


class Uncertain(CookieGuardError):
    """Say that the connection ended after a message was handed over, before the relay said whether it took it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Relay:
    """Hold the relay's address, login and use of TLS."""

    host: str
    port: int
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    is_tls: bool = False
    needs_tls: bool = True


def relay_of(settings: MailSettings, *, environ: Mapping[str, str]) -> Relay:
    """Return the configured relay. Raises ConfigError, which never shows the URL because it may hold a password."""
    setting, url = "mail.url", settings.url
    if settings.environment in environ:
        setting, url = f"mail.environment ({settings.environment})", environ[settings.environment]
        require_mail_url(setting, url)
    if not url:
        raise ConfigError(
            setting, was="empty", allowed="the relay, such as 'smtp://user:password@relay.example:587'"
        )
    parts = urlsplit(url)
    host = parts.hostname or ""
    is_local = host in LOCAL
    return Relay(
        host=host,
        port=parts.port or (LOCAL_PORT if is_local and parts.scheme == "smtp" else PORTS[parts.scheme]),
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        is_tls=parts.scheme == "smtps",
        needs_tls=parts.scheme == "smtp" and not is_local,
    )


def smtp_library() -> Any:
    """Return the SMTP library; raises ConfigError if it is not installed."""
    try:
        import aiosmtplib
    except ImportError as error:
        was = "set without aiosmtplib, the library that speaks SMTP"
        raise ConfigError("mail.url", was=was, allowed=MISSING_EXTRA) from error
    return aiosmtplib


class Connection:
    """Hand messages to the relay, one after the other."""

    def __init__(self, relay: Relay, *, timeout: float) -> None:
        self._relay = relay
        self._timeout = timeout
        self._smtp: Any = None
        self._library = smtp_library()

    async def offer(self, sender: str, recipient: str) -> None:
        """Send the relay a message's sender and recipient, before `hand_over`; raises RelayDown, Refused or Later."""
        library = self._library
        try:
            smtp = await self._connected()
            await smtp.mail(sender)
            await smtp.rcpt(recipient)
        except library.SMTPRecipientRefused as error:
            await self.withdraw()
            if error.code in DEAD and POLICY not in error.message:
                raise Refused(str(error.code)) from error
            raise Later(str(error.code)) from error
        except library.SMTPResponseException as error:
            await self.drop()
            raise RelayDown(f"relay: {error.code}") from error
        except (library.SMTPException, OSError, TimeoutError) as error:
            await self.drop()
            raise RelayDown(f"relay: {type(error).__name__}") from error

    async def hand_over(self, message: bytes) -> str:
        """Hand over the message that was offered, and return the reply; raises Later or Uncertain."""
        library = self._library
        try:
            reply = await self._smtp.data(message)
        except library.SMTPServerDisconnected as error:
            await self.drop()
            raise Uncertain(type(error).__name__) from error
        except library.SMTPResponseException as error:
            await self.withdraw()
            raise Later(str(error.code)) from error
        except (library.SMTPException, OSError, TimeoutError) as error:
            await self.drop()
            raise Uncertain(type(error).__name__) from error
        return str(reply.code)

    async def withdraw(self) -> None:
        """Cancel the message that was offered."""
        try:
            await self._smtp.rset()
        except (self._library.SMTPException, OSError, TimeoutError, AttributeError):
            await self.drop()

    async def drop(self) -> None:
        """Close the connection at once, whatever its state."""
        smtp, self._smtp = self._smtp, None
        if smtp is not None:
            smtp.close()

    async def end(self) -> None:
        """Close the connection with QUIT."""
        smtp, self._smtp = self._smtp, None
        if smtp is not None:
            try:
                await smtp.quit()
            except (self._library.SMTPException, OSError, TimeoutError):
                smtp.close()

    async def _connected(self) -> Any:
        if self._smtp is not None and self._smtp.is_connected:
            return self._smtp
        relay = self._relay
        smtp = self._library.SMTP(
            hostname=relay.host,
            port=relay.port,
            timeout=self._timeout,
            use_tls=relay.is_tls,
            start_tls=relay.needs_tls or None,  # None means: if the relay offers it
            validate_certs=relay.is_tls or relay.needs_tls,  # not needed for a relay on this machine
            username=relay.user or None,
            password=relay.password or None,
        )
        await smtp.connect()
        self._smtp = smtp
        return smtp
