"""Tokens return what was written; changed, foreign and expired ones are refused."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import string
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import example, given
from hypothesis import strategies as st

from cookieguard.errors import CookieTooLarge
from cookieguard.identity import NotJsonError, Reason, TokenCodec, TokenError, TokenKind
from cookieguard.identity.encoding import canonical_json as jsontext
from cookieguard.identity.encoding.base64url import to_base64url
from cookieguard.keyring import Key, Keyring, KeyState, length_prefixed

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
DAY = timedelta(days=1)
HOST = "shop.example"
NAME = "__Host-cg_cart"
PAYLOAD = {"lines": [{"sku": "lamp", "count": 2}], "who": "17", "note": "Grüße"}


def make_key(key_id: str, state: KeyState = KeyState.VERIFY) -> Key:
    return Key(id=key_id, secret=hashlib.sha256(key_id.encode()).digest(), state=state, created=NOW)


class OneInt(int):
    """A number that JSON writes like one, but whose type is not one of JSON's."""


KEYRING = Keyring([make_key("k1", KeyState.SIGNING)])


def codec(
    keyring: Keyring = KEYRING, *, kind: TokenKind = TokenKind.CART, name: str = NAME, sealed: bool = True
) -> TokenCodec:
    return TokenCodec(keyring, kind=kind, name=name, sealed=sealed)


def write(payload: dict[str, Any] | None = None, *, sealed: bool = True, issued: datetime = NOW) -> str:
    return codec(sealed=sealed).dumps(payload or PAYLOAD, host=HOST, issued=issued, expires=issued + DAY)


def refusal(token: str, reader: TokenCodec | None = None, *, host: str = HOST, now: datetime = NOW) -> Reason:
    with pytest.raises(TokenError) as caught:
        (reader or codec()).loads(token, host=host, now=now)
    assert str(caught.value) == f"token {caught.value.reason}"
    return caught.value.reason


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
moments = st.datetimes(
    min_value=NOW.replace(year=2000, tzinfo=None),
    max_value=NOW.replace(year=2100, tzinfo=None),
    timezones=st.just(UTC),
).map(lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000))


@given(
    payload=st.dictionaries(st.text(max_size=8), json_values, max_size=5),
    issued=moments,
    sealed=st.booleans(),
)
def test_every_payload_and_time_comes_back(payload: dict[str, Any], issued: datetime, sealed: bool) -> None:
    token = write({"p": payload}, sealed=sealed, issued=issued)

    read = codec(sealed=sealed).loads(token, host=HOST, now=issued)

    assert read.payload == {"p": payload}
    assert (read.issued, read.expires) == (issued, issued + DAY)
    assert (read.key_id, read.format) == ("k1", 2)


def test_half_a_surrogate_pair_comes_back() -> None:
    token = write({"text": "\ud83d"})

    assert codec().loads(token, host=HOST, now=NOW).payload == {"text": "\ud83d"}


def test_sealed_token_hides_its_content_and_its_times_and_never_repeats() -> None:
    token = write()
    body = base64.urlsafe_b64decode(token.split(".")[2] + "==")

    assert b"lamp" not in body
    assert int(NOW.timestamp() * 1000).to_bytes(6, "big") not in body
    assert write() != token


@pytest.mark.parametrize(
    "body",
    [b"", bytes(11), bytes(12), b"\xff" * 6 + bytes(6) + b"{}", bytes(6) + b"\xff" * 6 + b"{}"],
    ids=["empty", "cut in its times", "without a payload", "issued after all time", "expires after all time"],
)
def test_genuine_body_without_times_and_payload_is_malformed(body: bytes) -> None:
    writer = codec(sealed=False)
    head = f"2.k1.{to_base64url(body)}"

    token = f"{head}.{writer._use('2', 'k1', HOST).sign(head)}"

    assert refusal(token, writer) is Reason.MALFORMED


@pytest.mark.parametrize("sealed", [True, False])
def test_every_change_of_one_character_is_refused(sealed: bool) -> None:
    token = write({"a": 1}, sealed=sealed)
    reader = codec(sealed=sealed)
    changes = string.ascii_letters + string.digits + "-_.=+/ %\x00\xe4"

    for place in range(len(token)):
        for change in changes:
            if token[place] != change:
                refusal(token[:place] + change + token[place + 1 :], reader)


def test_every_flip_of_one_bit_is_refused() -> None:
    token = write({"a": 1}).encode()

    for place in range(len(token)):
        for bit in range(8):
            flipped = bytearray(token)
            flipped[place] ^= 1 << bit
            refusal(flipped.decode("latin-1"))


@given(st.text(max_size=200) | st.from_regex(r"\A[012]{1,2}\.k1\.[\w=-]{0,80}\.[\w=-]{0,50}\Z"))
def test_no_text_makes_anything_but_a_token_error(text: str) -> None:
    refusal(text)


def relatives() -> dict[str, tuple[str, Reason]]:
    """Make tokens that look like a good one, and say why each is refused."""
    token = write()
    version, key_id, body, signature = token.split(".")
    last = signature[-1]
    alphabet = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
    sibling = alphabet[alphabet.index(last) ^ 1]  # same bytes: the last character carries two spare bits
    return {
        "empty": ("", Reason.MALFORMED),
        "one part": ("x", Reason.MALFORMED),
        "truncated": (token[:-5], Reason.FORGED),
        "without signature": (f"{version}.{key_id}.{body}.", Reason.FORGED),
        "two parts short": (f"{version}.{key_id}", Reason.MALFORMED),
        "one part more": (f"{token}.{signature}", Reason.MALFORMED),
        "re-encoded signature": (token[:-1] + sibling, Reason.FORGED),
        "padded signature": (token + "=", Reason.FORGED),
        "padded body": (f"{version}.{key_id}.{body}=.{signature}", Reason.FORGED),
        "blank in signature": (token[:-3] + " " + token[-3:], Reason.FORGED),
        "quoted": (f'"{token}"', Reason.UNKNOWN_FORMAT),
        "no ascii": (token + "\xa0", Reason.MALFORMED),
        "format 1 head": (f"1.{key_id}.{body}.{signature}", Reason.FORGED),
        "format 3": (f"3.{key_id}.{body}.{signature}", Reason.UNKNOWN_FORMAT),
        "format 02": (f"02.{key_id}.{body}.{signature}", Reason.UNKNOWN_FORMAT),
        "other digits": (f"\u0662.{key_id}.{body}.{signature}", Reason.MALFORMED),
        "unknown key": (f"{version}.k9.{body}.{signature}", Reason.UNKNOWN_KEY),
        "no key": (f"{version}..{body}.{signature}", Reason.UNKNOWN_KEY),
        "8 KB": (f"{version}.{key_id}.{'A' * 8192}.{signature}", Reason.TOO_LONG),
        "dots": ("." * 4000, Reason.MALFORMED),
        "swapped body": (f"{version}.{key_id}.{write().split('.')[2]}.{signature}", Reason.FORGED),
    }


@pytest.mark.parametrize("case", relatives())
def test_look_alike_of_a_good_token_is_refused(case: str) -> None:
    token, reason = relatives()[case]

    assert refusal(token) is reason


@pytest.mark.parametrize(
    ("reader", "host"),
    [
        (codec(kind=TokenKind.SESSION), HOST),
        (codec(kind=TokenKind.CONSENT), HOST),
        (codec(name="cg_cart"), HOST),
        (codec(sealed=False), HOST),
        (codec(), "other.example"),
        (codec(), ""),
        (codec(Keyring([Key(id="k1", secret=b"x" * 32, state=KeyState.SIGNING, created=NOW)])), HOST),
    ],
    ids=["kind session", "kind consent", "name", "not sealed", "host", "no host", "other secret, same id"],
)
def test_token_for_another_use_is_forged_here(reader: TokenCodec, host: str) -> None:
    assert refusal(write(), reader, host=host) is Reason.FORGED


def test_name_and_host_cannot_be_shifted_into_each_other() -> None:
    token = codec(name="ab").dumps({"a": 1}, host="c", issued=NOW, expires=NOW + DAY)

    assert refusal(token, codec(name="a"), host="bc") is Reason.FORGED


def test_host_is_compared_without_case() -> None:
    assert codec().loads(write(), host="SHOP.example", now=NOW).payload == PAYLOAD


@pytest.mark.parametrize(
    ("moment", "reason"),
    [
        (NOW - timedelta(seconds=50), None),
        (NOW - timedelta(seconds=60), None),
        (NOW - timedelta(seconds=61), Reason.FUTURE),
        (NOW + DAY - timedelta(seconds=1), None),
        (NOW + DAY, Reason.EXPIRED),
        (NOW + 400 * DAY, Reason.EXPIRED),
    ],
)
def test_token_counts_within_its_time_and_a_minute_of_clock_difference(
    moment: datetime, reason: Reason | None
) -> None:
    if reason is None:
        assert codec().loads(write(), host=HOST, now=moment).payload == PAYLOAD
        return
    assert refusal(write(), now=moment) is reason


def test_old_keys_still_read_and_only_the_signing_key_writes() -> None:
    token = write()
    rotated = codec(Keyring([make_key("k1"), make_key("k2", KeyState.SIGNING)]))

    read = rotated.loads(token, host=HOST, now=NOW)

    assert not rotated.is_current(read)
    assert rotated.dumps({}, host=HOST, issued=NOW, expires=NOW + DAY).startswith("2.k2.")
    assert refusal(token, codec(Keyring([make_key("k2", KeyState.SIGNING)]))) is Reason.UNKNOWN_KEY


def test_one_of_fifty_keys_costs_one_signature_and_a_made_up_key_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    many = codec(Keyring([make_key("k1", KeyState.SIGNING), *(make_key(f"old{n}") for n in range(49))]))
    token = write()
    many.loads(token, host=HOST, now=NOW)
    count = many._use.cache_info()

    refusal(token[:-1] + ("A" if token[-1] != "A" else "E"), many)
    refusal(token.replace("k1", "zz", 1), many)

    after = many._use.cache_info()
    assert (after.hits - count.hits, after.misses - count.misses) == (1, 0)


def test_made_up_hosts_do_not_fill_the_memory() -> None:
    reader = codec()
    token = write()

    for number in range(400):
        refusal(token, reader, host=f"{number}." + "x" * 70_000)

    assert reader._use.cache_info().currsize <= 256


# Format 1 and 2 by hand, from the description in the module alone.


def by_hand(version: int, plain: bytes, *, sealed: bool = True) -> str:
    key = KEYRING.signing
    kind_of_seal = b"sealed" if sealed else b"signed"
    context = [str(version).encode(), b"cart", NAME.encode(), HOST.encode(), kind_of_seal]
    if sealed:
        nonce = b"\x07" * 12
        aead = AESGCM(KEYRING.derive(key, b"token seal", *context))
        plain = nonce + aead.encrypt(nonce, plain, length_prefixed(*context, b"k1"))
    head = f"{version}.k1.{base64.urlsafe_b64encode(plain).decode().rstrip('=')}"
    secret = KEYRING.derive(key, b"token sign")
    signing = hmac.digest(secret, length_prefixed(*context), hashlib.sha256)
    signature = (
        base64.urlsafe_b64encode(hmac.digest(signing, head.encode(), hashlib.sha256)).decode().rstrip("=")
    )
    return f"{head}.{signature}"


def times(issued: datetime = NOW, expires: datetime = NOW + DAY) -> bytes:
    return b"".join(int(one.timestamp() * 1000).to_bytes(6, "big") for one in (issued, expires))


def format_1(**changes: object) -> bytes:
    stamp = int(NOW.timestamp())
    return json.dumps({"iat": stamp, "exp": stamp + 86400, "p": PAYLOAD} | changes).encode()


@pytest.mark.parametrize("sealed", [True, False])
@pytest.mark.parametrize("version", [1, 2])
def test_both_formats_are_read_as_described(version: int, sealed: bool) -> None:
    plain = {1: format_1(), 2: times() + json.dumps(PAYLOAD).encode()}[version]

    read = codec(sealed=sealed).loads(by_hand(version, plain, sealed=sealed), host=HOST, now=NOW)

    assert read.payload == PAYLOAD
    assert (read.issued, read.expires, read.format) == (NOW, NOW + DAY, version)
    assert codec().is_current(read) == (version == 2)


DEEP = b'{"a":' + b"[" * 40 + b"]" * 40 + b"}"
BOTTOMLESS = b'{"a":' + b"[" * 1400 + b"]" * 1400 + b"}"
GENUINE_BUT_UNREADABLE = {
    "no body": (2, b""),
    "no payload": (2, times()),
    "a list": (2, times() + b"[1]"),
    "two values": (2, times() + b"{}{}"),
    "NaN": (2, times() + b'{"a":NaN}'),
    "no UTF-8": (2, times() + b'{"a":"\xff"}'),
    "40 deep": (2, times() + DEEP),
    "1,400 deep": (2, times() + BOTTOMLESS),
    "year 10,000 and more": (2, b"\xff" * 12 + b"{}"),
    "format 1 without times": (1, b'{"p":{}}'),
    "format 1 with text times": (1, format_1(iat="now")),
    "format 1 with endless times": (1, format_1(exp=10**300)),
    "format 1 with a list": (1, format_1(p=[])),
    "format 1 is a list": (1, b"[]"),
}


@pytest.mark.parametrize("case", GENUINE_BUT_UNREADABLE)
def test_genuine_token_with_unreadable_content_is_malformed(case: str) -> None:
    version, plain = GENUINE_BUT_UNREADABLE[case]

    assert refusal(by_hand(version, plain, sealed=False), codec(sealed=False)) is Reason.MALFORMED


def test_content_sealed_for_another_use_is_forged_though_signed_for_this_one() -> None:
    context = length_prefixed(b"2", b"cart", NAME.encode(), HOST.encode(), b"sealed")
    head = "2.k1." + base64.urlsafe_b64encode(b"n" * 60).decode().rstrip("=")
    signing = hmac.digest(KEYRING.derive(KEYRING.signing, b"token sign"), context, hashlib.sha256)
    signature = (
        base64.urlsafe_b64encode(hmac.digest(signing, head.encode(), hashlib.sha256)).decode().rstrip("=")
    )

    assert refusal(f"{head}.{signature}") is Reason.FORGED


def test_value_too_large_for_a_cookie_is_refused_when_it_is_written() -> None:
    with pytest.raises(CookieTooLarge, match=r"^cookie __Host-cg_cart: 1\d{4} bytes of name and value"):
        write({"a": "x" * 8192})


def nested(depth: int) -> dict[str, Any]:
    value: Any = 1
    for _ in range(depth - 1):
        value = [value]
    return {"a": value}


circle: dict[str, Any] = {}
circle["a"] = circle


@pytest.mark.parametrize(
    ("payload", "told"),
    [
        ({"since": NOW}, "not datetime"),
        ({"a": [{"b": {1, 2}}]}, "not set"),
        ({"a": b"bytes"}, "not bytes"),
        ({"a": float("nan")}, "can only hold JSON; writing"),
        ({"a": {(1, 2): 3}}, "can only hold JSON; writing"),
        (circle, "can only hold JSON; writing"),
        (nested(33), "nested too deep; allowed: 32 levels"),
        (nested(100_000), "can only hold JSON; writing"),
    ],
)
def test_what_is_no_json_is_named_by_its_type_never_by_its_value(payload: dict[str, Any], told: str) -> None:
    with pytest.raises(NotJsonError, match=told) as caught:
        write(payload)

    assert "2026" not in str(caught.value)


def test_nesting_up_to_the_limit_comes_back_and_wide_values_are_not_deep() -> None:
    for payload in (nested(32), {"lines": [{"n": [number]} for number in range(100)]}):
        assert codec().loads(write(payload), host=HOST, now=NOW).payload == payload


# What tells that nothing changed


@given(json_values, json_values)
@example(1, True)
@example(1, 1.0)
@example(0.0, -0.0)
@example({"a": 1, "b": 2}, {"b": 2, "a": 1})
@example("a", ["a"])
def test_values_have_one_image_just_where_they_have_one_text(one: Any, other: Any) -> None:
    texts = jsontext.encode({"v": one}), jsontext.encode({"v": other})
    images = jsontext.image({"v": one}), jsontext.image({"v": other})

    assert (images[0] == images[1]) == (texts[0] == texts[1])


@pytest.mark.parametrize("value", [(1,), Reason.FORGED, OneInt(1), {"a": (1,)}])
def test_value_that_json_returns_as_another_type_has_another_image(
    value: object,
) -> None:
    back = jsontext.decode(jsontext.encode({"v": value}))

    assert jsontext.image({"v": value}) != jsontext.image(back)
