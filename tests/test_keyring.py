"""The keyring: its text form, its states and the keys derived from it."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cookieguard.errors import ConfigError
from cookieguard.keyring import Key, Keyring, KeyState, length_prefixed

NOW = datetime(2026, 11, 24, 15, tzinfo=UTC)
SECRET = bytes(range(200, 232))
TEXT = base64.urlsafe_b64encode(SECRET).decode().rstrip("=")
GOOD = f"k1 signing 2026-11-24T15:00:00Z {TEXT}"


def key(key_id: str = "k1", state: KeyState = KeyState.SIGNING, secret: bytes = SECRET) -> Key:
    return Key(id=key_id, secret=secret, state=state, created=NOW)


def test_generated_keyring_signs_and_survives_its_text_form() -> None:
    made = Keyring.generate(NOW)

    read = Keyring.loads(made.dumps())

    assert read.signing == made.signing
    assert len(read.signing.secret) == 32
    assert Keyring.generate(NOW).signing.secret != made.signing.secret


def test_comments_blank_lines_padding_and_crlf_are_read_over() -> None:
    text = f"\ufeff# ours\r\n\r\n  {GOOD}=\r\nk0 verify 2026-01-01T00:00:00+02:00 {TEXT}\r\n"

    keyring = Keyring.loads(text)

    assert keyring.ids == ("k1", "k0")
    assert keyring.signing.secret == SECRET
    assert keyring.get("k0") is not None
    assert keyring.get("k2") is None


PAIR = f"2026-11-24T15:00:00Z ed25519:{TEXT}"
SHORT = base64.urlsafe_b64encode(SECRET[:31]).decode().rstrip("=")
UNREADABLE = [
    ("", "0 signing keys of 0"),
    ("# only a comment", "0 signing keys of 0"),
    (GOOD.replace("signing", "verify"), "0 signing keys of 1"),
    (f"{GOOD}\n{GOOD.replace('k1', 'k2')}", "2 signing keys of 2"),
    (f"{GOOD}\n{GOOD.replace('signing', 'verify')}", "a key id twice"),
    (GOOD.replace(TEXT, SHORT), "key 'k1' with a secret of 31 bytes"),
    (GOOD.replace(TEXT, ""), "line 1 with 3 fields"),
    (f"\n{GOOD} more", "the time on line 2"),
    (f"\n{GOOD} 2026-11-24T15:00:00Z more", "line 2 with 6 fields"),
    (f"{GOOD} 2026-11-24T15:00:00", "key 'k1' made at a local time"),
    (GOOD.replace("signing", "retired"), "the state on line 1"),
    (GOOD.replace("2026-11-24T15:00:00Z", "yesterday"), "the time on line 1"),
    (GOOD.replace("00Z", "00"), "key 'k1' made at a local time"),
    (GOOD.replace("k1", "k.1"), "a key id"),
    (GOOD.replace("k1", "k" * 17), "a key id"),
    (GOOD.replace(TEXT, "rsa:" + TEXT), "the secret on line 1"),
    (GOOD.replace(TEXT, "ed25519:" + TEXT), "0 signing keys of 0"),
    (GOOD.replace(TEXT, "ed25519:" + TEXT[:20]), "key 'k1' with a private part of 15 bytes"),
    (GOOD.replace(TEXT, "ed25519:!" + TEXT), "the secret on line 1"),
    (f"{GOOD}\nr1 signing {PAIR}\nr2 signing {PAIR}", "2 signing pairs of 2"),
    (f"{GOOD}\nk1 verify {PAIR}", "a key id twice"),
    (GOOD.replace(TEXT, TEXT[:20] + "!" + TEXT[21:]), "the secret on line 1"),
    (GOOD.replace(TEXT, TEXT[:20] + "+" + TEXT[21:]), "the secret on line 1"),
    (GOOD.replace(TEXT, "\u00e4" * 43), "the secret on line 1"),
    (GOOD.replace(TEXT, TEXT[:41]), "the secret on line 1"),
    ("\x00\x01\x02 binary", "line 1 with 2 fields"),
    ("# " + "x" * 300_000, "300002 characters"),
]


@pytest.mark.parametrize(("text", "was"), UNREADABLE, ids=[was for _, was in UNREADABLE])
def test_unreadable_keyring_is_named_by_setting_and_line_never_by_content(text: str, was: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Keyring.loads(text, setting="COOKIEGUARD_KEYS")

    assert (caught.value.setting, caught.value.was) == ("COOKIEGUARD_KEYS", was)
    assert TEXT[:8] not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_repr_shows_a_secret() -> None:
    keyring = Keyring([key()])

    shown = repr(keyring) + repr(keyring.signing)

    assert repr(SECRET)[2:-1] not in shown
    assert TEXT not in shown


@given(parts=st.lists(st.binary(max_size=6), max_size=4), others=st.lists(st.binary(max_size=6), max_size=4))
def test_two_contexts_never_join_to_the_same_bytes(parts: list[bytes], others: list[bytes]) -> None:
    assert (length_prefixed(*parts) == length_prefixed(*others)) == (parts == others)


def test_derived_keys_differ_by_context_key_and_length_and_stay_the_same() -> None:
    keyring = Keyring([key(), key("k0", KeyState.VERIFY, SECRET[::-1])])
    old = keyring.get("k0")
    assert old is not None

    derived = [
        keyring.derive(keyring.signing, b"a", b"bc"),
        keyring.derive(keyring.signing, b"ab", b"c"),
        keyring.derive(keyring.signing, b"abc"),
        keyring.derive(old, b"abc"),
        keyring.derive(keyring.signing, b"abc", length=64)[32:],
    ]

    assert len(set(derived)) == len(derived)
    assert keyring.derive(keyring.signing, b"a", b"bc") == derived[0]


def test_derived_key_is_the_one_of_rfc_5869() -> None:
    """HKDF by hand: extract with a salt of zeros, then the first block of expand."""
    import hashlib
    import hmac

    keyring = Keyring([key()])
    extracted = hmac.digest(bytes(32), SECRET, hashlib.sha256)
    info = b"\x00\x00\x00\x03use\x00\x00\x00\x01x"

    assert keyring.derive(keyring.signing, b"use", b"x") == hmac.digest(
        extracted, info + b"\x01", hashlib.sha256
    )


def test_the_cache_of_derived_keys_is_bounded() -> None:
    keyring = Keyring([key()])
    for number in range(3000):
        keyring.derive(keyring.signing, str(number).encode())

    assert keyring._derive.cache_info().currsize <= 1024


@given(
    secrets=st.lists(st.binary(min_size=32, max_size=70), min_size=1, max_size=5),
    age=st.integers(min_value=0, max_value=10**9),
)
def test_every_keyring_survives_its_text_form(secrets: list[bytes], age: int) -> None:
    keys = [
        Key(
            id=f"k{number}",
            secret=secret,
            state=KeyState.VERIFY if number else KeyState.SIGNING,
            created=NOW - timedelta(seconds=age),
        )
        for number, secret in enumerate(secrets)
    ]

    read = Keyring.loads(Keyring(keys).dumps())

    assert [read.get(one.id) for one in keys] == keys
