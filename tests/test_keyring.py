"""The keyring: its text form, its states and the keys derived from it."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from cookieguard.errors import ConfigError, KeyRefused
from cookieguard.keyring import (
    VERIFY_FIRST,
    Key,
    KeyPair,
    Keyring,
    KeyState,
    length_prefixed,
    new_key,
    new_pair,
    retires_from,
)

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
    ("", "unusable: 0 of its 0 keys sign"),
    ("# only a comment", "unusable: 0 of its 0 keys sign"),
    (GOOD.replace("signing", "verify"), "unusable: 0 of its 1 keys sign"),
    (f"{GOOD}\n{GOOD.replace('k1', 'k2')}", "unusable: 2 of its 2 keys sign"),
    (f"{GOOD}\n{GOOD.replace('signing', 'verify')}", "unusable: a key id occurs twice"),
    (GOOD.replace(TEXT, SHORT), "unusable: key 'k1' has a secret of 31 bytes"),
    (GOOD.replace(TEXT, ""), "unusable: line 1 has 3 fields"),
    (f"\n{GOOD} more", "unusable: the time on line 2 is malformed"),
    (f"\n{GOOD} 2026-11-24T15:00:00Z more", "unusable: line 2 has 6 fields"),
    (f"{GOOD} 2026-11-24T15:00:00", "unusable: a time of key 'k1' has no zone"),
    (GOOD.replace("signing", "retired"), "unusable: the state on line 1 is unknown"),
    (GOOD.replace("2026-11-24T15:00:00Z", "yesterday"), "unusable: the time on line 1 is malformed"),
    (GOOD.replace("00Z", "00"), "unusable: a time of key 'k1' has no zone"),
    (GOOD.replace("k1", "k.1"), "unusable: a malformed key id"),
    (GOOD.replace("k1", "k" * 17), "unusable: a malformed key id"),
    (GOOD.replace(TEXT, "rsa:" + TEXT), "unusable: the secret on line 1 is malformed"),
    (GOOD.replace(TEXT, "ed25519:" + TEXT), "unusable: 0 of its 0 keys sign"),
    (GOOD.replace(TEXT, "ed25519:" + TEXT[:20]), "unusable: key 'k1' has a private part of 15 bytes"),
    (GOOD.replace(TEXT, "ed25519:!" + TEXT), "unusable: the secret on line 1 is malformed"),
    (f"{GOOD}\nr1 signing {PAIR}\nr2 signing {PAIR}", "unusable: 2 of its 2 Ed25519 pairs sign"),
    (f"{GOOD}\nk1 verify {PAIR}", "unusable: a key id occurs twice"),
    (GOOD.replace(TEXT, TEXT[:20] + "!" + TEXT[21:]), "unusable: the secret on line 1 is malformed"),
    (GOOD.replace(TEXT, TEXT[:20] + "+" + TEXT[21:]), "unusable: the secret on line 1 is malformed"),
    (GOOD.replace(TEXT, "\u00e4" * 43), "unusable: the secret on line 1 is malformed"),
    (GOOD.replace(TEXT, TEXT[:41]), "unusable: the secret on line 1 is malformed"),
    ("\x00\x01\x02 binary", "unusable: line 1 has 2 fields"),
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


@given(
    seeds=st.lists(st.binary(min_size=32, max_size=32), max_size=3),
    since=st.none() | st.integers(min_value=0, max_value=10**9),
)
def test_pairs_survive_the_text_form_beside_secrets(seeds: list[bytes], since: int | None) -> None:
    moment = None if since is None else NOW + timedelta(seconds=since)
    pairs = [
        KeyPair(
            id=f"r{number}",
            seed=seed,
            state=KeyState.VERIFY if number else KeyState.SIGNING,
            created=NOW,
            since=moment,
        )
        for number, seed in enumerate(seeds)
    ]
    keyring = Keyring(
        [*pairs, Key(id="k1", secret=SECRET, state=KeyState.SIGNING, created=NOW, since=moment)]
    )

    read = Keyring.loads(keyring.dumps())

    assert read.every == keyring.every
    assert read.signing_pair == (pairs[0] if pairs else None)


def test_public_part_of_a_pair_verifies_what_the_pair_signs() -> None:
    read = Keyring.loads(Keyring([key(), new_pair(NOW)]).dumps()).every[1]
    assert isinstance(read, KeyPair)

    signature = Ed25519PrivateKey.from_private_bytes(read.seed).sign(b"receipt")

    Ed25519PublicKey.from_public_bytes(read.public).verify(signature, b"receipt")


def test_pair_of_rfc_8032_has_its_public_part() -> None:
    seed = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    pair = KeyPair(id="r1", seed=seed, state=KeyState.VERIFY, created=NOW)

    assert pair.public.hex() == "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"


def test_pair_passes_for_no_secret_and_shows_no_private_part() -> None:
    pair = new_pair(NOW)
    keyring = Keyring([key(), pair])

    assert (keyring.get(pair.id), keyring.pair(pair.id), keyring.pair("k1")) == (None, pair, None)
    assert keyring.ids == ("k1", pair.id)
    assert repr(pair.seed) not in repr(pair) + repr(keyring)


def test_secrets_and_pairs_are_promoted_apart() -> None:
    pair = new_pair(NOW)
    keyring = Keyring([key(), new_key(NOW), pair]).promoted(pair.id, now=NOW + VERIFY_FIRST)

    assert keyring.signing.id == "k1"
    assert keyring.signing_pair is not None
    assert keyring.signing_pair.id == pair.id


def test_key_is_promoted_from_the_tenth_minute_on() -> None:
    fresh = new_key(NOW)
    keyring = Keyring([key(), fresh])

    with pytest.raises(KeyRefused):
        keyring.promoted(fresh.id, now=NOW + VERIFY_FIRST - timedelta(microseconds=1))

    assert timedelta(minutes=10) <= VERIFY_FIRST
    assert keyring.promoted(fresh.id, now=NOW + VERIFY_FIRST).signing.id == fresh.id


def test_key_that_never_signed_is_needed_by_nobody_and_one_that_did_for_a_life() -> None:
    life, fresh = timedelta(days=180), new_key(NOW)
    at_once = (
        Keyring([key(), fresh]).promoted(fresh.id, now=NOW, force=True).promoted("k1", now=NOW, force=True)
    )
    signed = at_once.get(fresh.id)
    assert signed is not None

    assert retires_from(fresh, life=life) == NOW
    assert retires_from(signed, life=life) == NOW + timedelta(seconds=1) + life
    assert retires_from(key("k3", KeyState.VERIFY), life=life) is None


@given(order=st.permutations(["k1", "k2", "r1"]), crlf=st.booleans())
def test_text_written_over_an_older_one_gives_the_keyring_and_keeps_its_comments(
    order: list[str], crlf: bool
) -> None:
    lines = {"k1": GOOD, "k2": GOOD.replace("k1 signing", "k2 verify"), "r1": f"r1 verify {PAIR}"}
    text = "\n".join(["\ufeff# ours", *(lines[one] for one in order), "# end"])
    after = Keyring.loads(text).promoted("k2", now=NOW + VERIFY_FIRST).with_key(new_pair(NOW))

    written = after.dumps_into(text.replace("\n", "\r\n") if crlf else text)

    assert Keyring.loads(written).every == after.every
    assert lines["r1"] in written
    assert written.startswith("\ufeff# ours\n")
    assert "\n# end\n" in written
