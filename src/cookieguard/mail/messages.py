"""Build a message: plain text, one recipient, a Message-ID that stays the same however often it is sent."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr

from cookieguard.config.mail import ADDRESS
from cookieguard.errors import CookieGuardError

LONGEST_ADDRESS = 254  # RFC 5321, 4.5.3.1.3 with the brackets


class AddressError(CookieGuardError):
    """Say that an address cannot be mailed; never which."""


def require_address(address: str) -> str:
    """Return an address that is plain enough to be mailed; raises AddressError (line breaks would be headers)."""
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
    """Return a message as it goes over the wire. `name` is what makes its Message-ID, within the sender's domain."""
    shown, address = parseaddr(sender)
    local, _, domain = address.rpartition("@")
    message = EmailMessage(policy=SMTP)
    message["From"] = Address(shown, local, domain)
    message["To"] = require_address(recipient)
    message["Subject"] = " ".join(subject.split())
    message["Date"] = format_datetime(now)
    message["Message-ID"] = f"<{name}@{domain}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no absence notice answers it
    message.set_content("\n".join(lines) + "\n", charset="utf-8", cte="quoted-printable")
    message["Content-Language"] = language  # `set_content` takes it away
    return message.as_bytes()
