"""Passkeys of staff: members register, list and remove them, and sign in with them.

A challenge is not stored before it is answered. It contains its own time, and a keyed digest of the browser that asked
and of the purpose of the signature. An answer is accepted once. The methods block, so call them in a thread.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Callable, Sequence
from concurrent.futures import TimeoutError as NoAnswer
from datetime import datetime, timedelta
from importlib.util import find_spec
from typing import Any, NamedTuple

from cookieguard.errors import CookieGuardError
from cookieguard.features.people.journal import digests_of
from cookieguard.features.people.sessions import Ask
from cookieguard.identity.encoding.base64url import from_base64url, to_base64url
from cookieguard.identity.staff_token import MEMBER_ID, Member
from cookieguard.identity.tokens import to_milliseconds
from cookieguard.keyring import Keyring
from cookieguard.storage.store.protocol import Store, StoreDown

NAMESPACE, ANSWERED = "staff-passkey", "staff-challenge"
USE = b"passkey challenge"
LIFE = timedelta(minutes=10)
MOST = 10  # of one member
LONGEST_NAME = 40
TIMEOUT = 5.0  # seconds for the store
SIGN_IN, REGISTER = "sign in", "register"


class PasskeyRefused(CookieGuardError):
    """Say why a browser's answer does not count."""


class Passkey(NamedTuple):
    """Hold one passkey; id and public key are base64url."""

    id: str
    key: str
    used: int
    """How often it was used, as its authenticator counts; always 0 if the authenticator does not count."""
    name: str
    made: str


class Asked(NamedTuple):
    """Describe the browser that is asked for a signature, and the host and possible origins of its page."""

    browser: str
    host: str
    origins: Sequence[str]
    now: datetime


class Passkeys:
    """Manage the passkeys of all members. `ask` calls a function with the store, in the store's thread."""

    def __init__(self, keyring: Keyring, ask: Ask) -> None:
        self._keyring = keyring
        self._ask = ask

    def asking(self, asked: Asked, about: str) -> dict[str, Any]:
        """Return what static/src/passkeys.js needs to get a signature for this purpose."""
        begun = f"{to_milliseconds(asked.now)}.{secrets.token_urlsafe(16)}"
        challenge = to_base64url(f"{begun}.{self._marks(begun, asked, about)[0]}".encode())
        return {"challenge": challenge, "rpId": asked.host}

    def registering(self, asked: Asked, member: Member) -> dict[str, Any]:
        """Return what the script needs to register a passkey of this member, with the passkeys that exist."""
        user = {"id": to_base64url(member.id.encode()), "name": member.name, "displayName": member.name}
        known = [passkey._asdict() for passkey in self.of(member.id)]
        return {**self.asking(asked, f"{REGISTER} {member.id}"), "user": user, "known": known}

    def of(self, member: str) -> list[Passkey]:
        """Return the passkeys of a member."""
        found = self._told(lambda store: store.read(NAMESPACE, member))
        return _loads(None if found is None else found.value)

    def register(self, answer: str, asked: Asked, member: Member, name: str) -> None:
        """Store a new passkey of a member until their token expires; raises PasskeyRefused."""
        from webauthn import verify_registration_response

        done = self._verified(verify_registration_response, answer, asked, f"{REGISTER} {member.id}")
        id_, key = to_base64url(done.credential_id), to_base64url(done.credential_public_key)
        name = name.strip()[:LONGEST_NAME] or "Passkey"
        new = Passkey(id_, key, done.sign_count, name, f"{asked.now:%Y-%m-%d}")

        def add(before: list[Passkey]) -> list[Passkey]:
            if len(before) >= MOST:
                raise PasskeyRefused(f"A member has at most {MOST} passkeys. Remove one first.")
            return [*before, new]

        self._change(member.id, add, until=to_milliseconds(member.expires))

    def verify(self, answer: str, asked: Asked, about: str) -> str:
        """Return the id of the member whose passkey signed, with user verification; raises PasskeyRefused."""
        from webauthn import verify_authentication_response

        try:
            given = json.loads(answer)
            id_, member = str(given["id"]), from_base64url(given["response"]["userHandle"]).decode()
        except (ValueError, TypeError, LookupError, RecursionError) as error:
            raise PasskeyRefused("the answer does not come from a passkey") from error
        passkeys = self.of(member) if MEMBER_ID.fullmatch(member) else []
        known = next((passkey for passkey in passkeys if passkey.id == id_), None)
        if known is None:
            raise PasskeyRefused("the passkey is not known, or was removed")
        key, count = from_base64url(known.key), known.used
        of_key = {"credential_public_key": key, "credential_current_sign_count": count}
        done = self._verified(verify_authentication_response, answer, asked, about, **of_key)

        def counted(before: list[Passkey]) -> list[Passkey]:
            current = next((passkey for passkey in before if passkey.id == id_), None)
            if current is None or current.used != count:
                raise PasskeyRefused("the passkey was removed, or used elsewhere at the same time")
            return [kept._replace(used=done.new_sign_count) if kept is current else kept for kept in before]

        self._change(member, counted)
        return member

    def remove(self, member: str, id_: str) -> None:
        """Remove a passkey of a member, so that it can no longer be used to sign in."""
        self._change(member, lambda before: [passkey for passkey in before if passkey.id != id_])

    def _verified(
        self, verify: Callable[..., Any], answer: str, asked: Asked, about: str, **of_key: Any
    ) -> Any:
        """Verify an answer, use its challenge up, and return the library's result; raises PasskeyRefused."""
        try:
            given = json.loads(answer)
            client = json.loads(from_base64url(given["response"]["clientDataJSON"]))
            challenge = from_base64url(client["challenge"])
            begun, _, mark = challenge.decode("ascii").rpartition(".")
            age = to_milliseconds(asked.now) - int(begun.partition(".")[0])
            is_ours = any(hmac.compare_digest(mark, ours) for ours in self._marks(begun, asked, about))
            if not is_ours or not 0 <= age < LIFE.total_seconds() * 1000:
                raise PasskeyRefused("the page was out of date, or of another browser")
            done = verify(
                credential=given,
                expected_challenge=challenge,
                expected_rp_id=asked.host,
                expected_origin=list(asked.origins),
                require_user_verification=True,
                **of_key,
            )
        except CookieGuardError:
            raise
        except Exception as error:  # decoders raise anything for a hostile answer
            raise PasskeyRefused(str(error)) from error
        digest = hashlib.sha256(challenge).hexdigest()
        until = to_milliseconds(asked.now + LIFE)
        if not self._told(lambda store: store.write(ANSWERED, digest, b"1", until=until, after=0)):
            raise PasskeyRefused("the answer was used before")
        return done

    def _change(self, member: str, change: Callable[[list[Passkey]], list[Passkey]], until: int = 0) -> None:
        def write(store: Store) -> bool:
            kept = store.read(NAMESPACE, member)
            end = until or (0 if kept is None else kept.until)
            return store.change(NAMESPACE, member, lambda value: (_dumps(change(_loads(value))), end))

        if not self._told(write):
            raise PasskeyRefused("others changed the passkeys at the same time; try again")

    def _told(self, question: Callable[[Store], Any]) -> Any:
        try:
            return self._ask(question).result(TIMEOUT)
        except (StoreDown, NoAnswer) as error:
            raise PasskeyRefused("the store does not answer; try again in a minute") from error

    def _marks(self, begun: str, asked: Asked, about: str) -> list[str]:
        return digests_of(self._keyring, "\0".join((begun, asked.browser, asked.host, about)), USE)


def can_verify() -> bool:
    """Return whether the extra `passkeys` is installed."""
    return find_spec("webauthn") is not None


def _dumps(passkeys: list[Passkey]) -> bytes:
    return json.dumps(passkeys).encode()


def _loads(value: bytes | None) -> list[Passkey]:
    return [Passkey(*fields) for fields in json.loads(value or b"[]")]
