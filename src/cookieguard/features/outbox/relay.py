"""One connection to the shop's relay, and what its answers mean for a message."""

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
# A mailbox that is not there, or (501) an address that the relay does not read, like a..b@shop.example,
# however often it is tried. With 5.7.x a relay says that it takes no mail from us.
DEAD = frozenset({501, 550, 551, 552, 553})
POLICY = "5.7."


class RelayDown(CookieGuardError):
    """Say that the relay cannot be reached or takes no mail: none of this is about one recipient."""


class Refused(CookieGuardError):
    """Say that the relay refuses one recipient for good."""


class Later(CookieGuardError):
    """Say that the relay does not take a message now; it has not taken it."""


class Uncertain(CookieGuardError):
    """Say that the connection ended between handing over and the answer: nobody knows whether it was taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Relay:
    """Name the relay: where it is, and how it is spoken to."""

    host: str
    port: int
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    is_tls: bool = False
    needs_tls: bool = True


def relay_of(settings: MailSettings, *, environ: Mapping[str, str]) -> Relay:
    """Return the relay that is configured; raises ConfigError, never showing the URL."""
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
    """Return the library that speaks SMTP; raises ConfigError where it is not installed."""
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
        """Ask the relay to take a message; raises RelayDown, Refused or Later. Nothing was handed over yet."""
        library = self._library
        try:
            smtp = await self._connected()
            await smtp.mail(sender)
            await smtp.rcpt(recipient)
        except library.SMTPRecipientRefused as error:
            await self._reset()
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
            await self._reset()
            raise Later(str(error.code)) from error
        except (library.SMTPException, OSError, TimeoutError) as error:
            await self.drop()
            raise Uncertain(type(error).__name__) from error
        return str(reply.code)

    async def withdraw(self) -> None:
        """Take back what was offered."""
        await self._reset()

    async def drop(self) -> None:
        """Let go of the connection, whatever state it is in."""
        smtp, self._smtp = self._smtp, None
        if smtp is not None:
            smtp.close()

    async def end(self) -> None:
        """Say good-bye."""
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
            start_tls=relay.needs_tls or None,  # None: where the relay offers it
            validate_certs=relay.is_tls or relay.needs_tls,  # on this machine nobody is in between
            username=relay.user or None,
            password=relay.password or None,
        )
        await smtp.connect()
        self._smtp = smtp
        return smtp

    async def _reset(self) -> None:
        try:
            await self._smtp.rset()
        except (self._library.SMTPException, OSError, TimeoutError, AttributeError):
            await self.drop()
