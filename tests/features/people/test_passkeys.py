"""The challenge of a passkey is bound to a time, a browser, a host and a use, and hostile answers fail."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cookieguard.features.people.passkeys import LIFE, Asked, PasskeyRefused, Passkeys
from cookieguard.identity.encoding.base64url import to_base64url
from cookieguard.keyring import Keyring
from cookieguard.storage.store.sqlite import SqliteStore

NOW = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)
ASKED = Asked("browser", "staff.shop.example", ["https://staff.shop.example"], NOW)
KEYRING = Keyring.generate(NOW)


@pytest.fixture
def passkeys(tmp_path: Path) -> Iterator[Passkeys]:
    with closing(SqliteStore(tmp_path / "store.db", KEYRING)) as store:

        def ask(question: Callable[[Any], Any]) -> Future[Any]:
            future: Future[Any] = Future()
            try:
                future.set_result(question(store))
            except PasskeyRefused as error:
                future.set_exception(error)
            return future

        yield Passkeys(KEYRING, ask)


def answer(passkeys: Passkeys, about: str = "sign in") -> str:
    client = json.dumps({"challenge": passkeys.asking(ASKED, about)["challenge"]})
    return json.dumps({"response": {"clientDataJSON": to_base64url(client.encode())}})


def counts(passkeys: Passkeys, given: str, asked: Asked = ASKED, about: str = "sign in") -> bool:
    """Return whether a challenge is taken, where the signature is right."""
    try:
        return bool(passkeys._verified(lambda **_: True, given, asked, about))
    except PasskeyRefused:
        return False


@pytest.mark.parametrize(
    ("waited", "is_taken"),
    [(timedelta(), True), (LIFE - timedelta(seconds=1), True), (LIFE, False), (-timedelta(seconds=1), False)],
)
def test_challenge_counts_for_ten_minutes(passkeys: Passkeys, waited: timedelta, is_taken: bool) -> None:
    assert counts(passkeys, answer(passkeys), ASKED._replace(now=NOW + waited)) is is_taken


def test_challenge_counts_once_for_one_browser_host_and_use(passkeys: Passkeys) -> None:
    given = answer(passkeys)
    others = [ASKED._replace(browser="another"), ASKED._replace(host="shop.example")]

    assert [counts(passkeys, given, one) for one in others] == [False, False]
    assert not counts(passkeys, given, about="rule 5f2c")
    assert not counts(Passkeys(Keyring.generate(NOW), passkeys._ask), given)
    assert [counts(passkeys, given) for _ in range(2)] == [True, False]
    assert counts(passkeys, answer(passkeys, "rule 5f2c"), about="rule 5f2c")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '{"id": 1, "response": null}',
        '{"id": "a", "response": {"userHandle": "_", "clientDataJSON": "é"}}',
        '{"id": "a", "response": {"userHandle": "YQ", "clientDataJSON": "YQ"}}',
        "[" * 20_000,
        "x" * 24_000,
    ],
)
def test_answer_that_is_none_is_refused(passkeys: Passkeys, text: str) -> None:
    pytest.importorskip("webauthn", reason="NO TEST OF PASSKEYS: no webauthn")
    with pytest.raises(PasskeyRefused):
        passkeys.verify(text, ASKED, "sign in")
    assert not counts(passkeys, text)
