"""Seals the recipients of messages, so that the outbox holds no mail address and no customer number unencrypted."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta

from cookieguard.errors import AnnouncementRefused
from cookieguard.features.outbox.outbox import Outbox
from cookieguard.identity.tokens import TokenCodec, TokenError, TokenKind
from cookieguard.keyring import Keyring
from cookieguard.storage import sealing

HOST = "mail"  # not the name of a host, so that a sealed recipient is valid for no host
KEPT = timedelta(days=400)
LONGEST_NUMBER = 200


class Recipients:
    """Seal and open recipients with the shop's keyring."""

    def __init__(self, keyring: Keyring) -> None:
        self._codec = TokenCodec(keyring, kind=TokenKind.MAIL, name="outbox", sealed=True)

    def seal(self, fields: Mapping[str, str], now: datetime) -> str:
        """Return a text that this shop's keyring opens."""
        return self._codec.dumps(dict(fields), host=HOST, issued=now, expires=now + KEPT)

    def open(self, text: str) -> Mapping[str, str]:
        """Return the sealed fields; raises ValueError if no key of the keyring opens them."""
        try:
            return {
                str(name): str(value) for name, value in self._codec.open(text, host=HOST).payload.items()
            }
        except TokenError as error:
            raise ValueError(f"recipient {error.reason}") from error


def key_of_run(outbox: Outbox, run: str, recipients: Recipients, now: datetime) -> bytes:
    """Return the key for pseudonyms in a run, created with the run; raises AnnouncementRefused if it does not open."""
    secret = outbox.begin(run, recipients.seal({"secret": secrets.token_hex(32)}, now))
    try:
        return recipients.open(secret)["secret"].encode()
    except ValueError as error:
        raise AnnouncementRefused(
            f"the run {run} was begun with a key that is no longer in the keyring, so its recipients are unknown"
        ) from error


def forget_customer(outbox: Outbox, number: str, recipients: Recipients) -> None:
    """Delete a customer's waiting messages, in each run whose secret the keyring opens; raises OutboxDown."""
    for run, secret in outbox.secrets().items():
        with suppress(ValueError):
            outbox.withdraw(run, who_of(recipients.open(secret)["secret"].encode(), number))


def who_of(key: bytes, number: str) -> str:
    """Return a customer's pseudonym within one run, which cannot be linked to the number without the run's secret."""
    return sealing.who_of(key, number[:LONGEST_NUMBER])
