"""Builds a mail in plain text to one recipient, with a Message-ID that stays the same if it is sent again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr

from cookieguard.config.mail import ADDRESS
from cookieguard.errors import CookieGuardError

LONGEST_ADDRESS = 254  # RFC 5321, 4.5.3.1.3: 256 including the angle brackets


class AddressError(CookieGuardError):
    """An address to which no mail can be sent. The message does not contain the address."""


def require_address(address: str) -> str:
    """Return a valid mail address; raises AddressError for others, in which a line break could add headers."""
    if len(address) > LONGEST_ADDRESS or not ADDRESS.fullmatch(address):
        raise AddressError("the mail address is not valid; allowed: ASCII, like anna@shop.example")
    return address


def build_message(
    *,
    sender: str,
    recipient: str,
    subject: str,
    lines: Sequence[str],
    language: str,
    name: str,
    now: datetime,
) -> bytes:
    """Return a message as bytes to send. Its Message-ID is `name` and the sender's domain."""
    shown, address = parseaddr(sender)
    local, _, domain = address.rpartition("@")
    message = EmailMessage(policy=SMTP)
    message["From"] = Address(shown, local, domain)
    message["To"] = require_address(recipient)
    message["Subject"] = " ".join(subject.split())
    message["Date"] = format_datetime(now)
    message["Message-ID"] = f"<{name}@{domain}>"
    message["Auto-Submitted"] = "auto-generated"  # prevents absence notices (RFC 3834)
    message.set_content("\n".join(lines) + "\n", charset="utf-8", cte="quoted-printable")
    message["Content-Language"] = language  # set last, because `set_content` removes it
    return message.as_bytes()
