"""Who gets a message: sealed in the outbox, so that it holds neither an address nor a number unencrypted."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta

from cookieguard.errors import AnnouncementRefused
from cookieguard.features.outbox.outbox import Outbox
from cookieguard.identity.tokens import TokenCodec, TokenError, TokenKind
from cookieguard.keyring import Keyring

HOST = "mail"  # what is sealed opens for no host
KEPT = timedelta(days=400)
WHO_BYTES = 16
LONGEST_NUMBER = 200


class Recipients:
    """Seal who gets a message, and open it again. The outbox holds neither an address nor a number in the clear."""

    def __init__(self, keyring: Keyring) -> None:
        self._codec = TokenCodec(keyring, kind=TokenKind.MAIL, name="outbox", sealed=True)

    def seal(self, fields: Mapping[str, str], now: datetime) -> str:
        """Return a text that this shop's keyring opens."""
        return self._codec.dumps(dict(fields), host=HOST, issued=now, expires=now + KEPT)

    def open(self, text: str) -> Mapping[str, str]:
        """Return what was sealed; raises ValueError where no key of ours opens it."""
        try:
            return {
                str(name): str(value) for name, value in self._codec.open(text, host=HOST).payload.items()
            }
        except TokenError as error:
            raise ValueError(f"recipient {error.reason}") from error


def key_of_run(outbox: Outbox, run: str, recipients: Recipients, now: datetime) -> bytes:
    """Return what names who is in a run, made with it; raises AnnouncementRefused where no key of ours opens it."""
    secret = outbox.begin(run, recipients.seal({"secret": secrets.token_hex(32)}, now))
    try:
        return recipients.open(secret)["secret"].encode()
    except ValueError as error:
        raise AnnouncementRefused(
            f"the run {run} was begun with a key that is no longer in the keyring, so its recipients are unknown"
        ) from error


def forget_customer(outbox: Outbox, number: str, recipients: Recipients) -> None:
    """Delete what waits for a customer, in each run whose secret a key of ours opens; raises OutboxDown."""
    for run, secret in outbox.secrets().items():
        with suppress(ValueError):
            outbox.withdraw(run, who_of(recipients.open(secret)["secret"].encode(), number))


def who_of(key: bytes, number: str) -> str:
    """Name a customer within one run: the same each time, and nobody's number without the run's secret."""
    digest = hmac.new(key, number[:LONGEST_NUMBER].encode("utf-8", "surrogatepass"), hashlib.sha256).digest()
    return digest[:WHO_BYTES].hex()
