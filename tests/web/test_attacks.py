"""The table of attacks on our cookies, each through the whole stack, with two workers on one store.

Each ends in a clean start: nobody is known, nothing is held, the page is answered, one event stands in the log,
and no cookie's value does. The unguarded control is the genuine cookie beside it, which counts.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from harness.asgi import Answer, drive, scope_of

from cookieguard import Config, CookieGuard, visitor_of
from cookieguard.config import LogSettings
from cookieguard.errors import ConfigError
from cookieguard.identity import TokenCodec, TokenKind
from cookieguard.keyring import Keyring, KeyState, new_key

START = datetime(2026, 11, 24, 12, tzinfo=UTC)
SESSION, CART = "__Host-cg_session", "__Host-cg_cart"
HOST = "shop.example"
KNOWN = ["17", {"mug": 1}, "seen"]
NOBODY: list[Any] = [None, {}, None]
SHORTEST_SECRET = 12  # of a value: what is shorter stands in a log by chance


async def shop(scope: Any, _: Any, send: Any) -> None:
    """Do what the path says, and say who the visitor is."""
    visitor = visitor_of(scope)
    asked = parse_qs(scope["query_string"].decode())
    if scope["path"] == "/login":
        visitor.login(asked["number"][0])
        visitor.cart["mug"] = visitor.cart.get("mug", 0) + 1
        visitor.session["note"] = "seen"
    if scope["path"] == "/logout":
        visitor.logout()
    seen = [visitor.customer, dict(visitor.cart), visitor.session.get("note")]
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"a/b")]})
    await send({"type": "http.response.body", "body": json.dumps(seen).encode()})


@dataclass
class World:
    """Hold two workers, the time, and the cookies of a customer who has something to lose."""

    workers: list[CookieGuard]
    now: datetime = START
    cookies: dict[str, str] = field(default_factory=dict)

    def send(self, path: str, cookies: dict[str, str] | str, *, worker: int = 0, host: str = HOST) -> Answer:
        """Send one request; it is answered 200, whatever comes with it."""
        header = cookies if isinstance(cookies, str) else joined(cookies)
        path, _, query = path.partition("?")
        headers = [("cookie", header)] if header else []
        answer = Answer(scope=scope_of(path, headers=headers, host=host, query=query))
        asyncio.run(drive(self.workers[worker], answer))
        assert answer.status == 200
        return answer

    def log_in(self, number: str, cookies: dict[str, str] | None = None) -> dict[str, str]:
        """Log in with these cookies, and return what the browser holds then."""
        return {**(cookies or {}), **self.send(f"/login?number={number}", cookies or {}).cookies()}

    def hear(self) -> None:
        """Have both workers read the revocations."""
        for worker in self.workers:
            store_sync = worker._parts.store_sync
            assert store_sync is not None
            store_sync.ask(lambda _: None).result(60)

    @property
    def keyring(self) -> Keyring:
        """The keys in force."""
        return self.workers[0]._parts.keyring


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Start the workers, and log a customer in."""
    config = Config(state_dir=str(tmp_path / "state"), log=LogSettings(enabled=False))
    made = World([])
    made.workers = [CookieGuard(shop, config, clock=lambda: made.now) for _ in range(2)]
    made.cookies = made.log_in("17")
    yield made
    for worker in made.workers:
        worker.close()


def joined(cookies: dict[str, str]) -> str:
    return "; ".join(f"{name}={value}" for name, value in cookies.items())


def with_session(change: Callable[[str], str]) -> Callable[[World], dict[str, str]]:
    """Change the session's text and leave the cart as it is."""
    return lambda world: {**world.cookies, SESSION: change(world.cookies[SESSION])}


def flipped(token: str) -> str:
    return token[:-9] + ("A" if token[-9] != "A" else "B") + token[-8:]


def other_base64(token: str) -> str:
    """Write the same bytes in base64 that is not canonical: other bits where a byte has none."""
    head, _, signature = token.rpartition(".")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    other = signature[:-1] + alphabet[alphabet.index(signature[-1]) ^ 1]
    padding = "=" * (-len(signature) % 4)
    assert base64.urlsafe_b64decode(other + padding) == base64.urlsafe_b64decode(signature + padding)
    return f"{head}.{other}"


def standard_base64(token: str) -> str:
    """Write the body in the other alphabet."""
    return token.translate(str.maketrans("-_", "+/")) + "="


def of_another_keyring(world: World) -> dict[str, str]:
    """Sign with a key of our own under an id that the shop knows."""
    stranger = new_key(world.now, state=KeyState.SIGNING)
    known = world.keyring.signing.id
    forger = Keyring([type(stranger)(**{**_fields(stranger), "id": known})])
    return {**world.cookies, SESSION: _session(forger, world)}


def of_fifty_keys(world: World) -> dict[str, str]:
    """Sign with one of fifty keys that nobody here has."""
    strangers = [new_key(world.now) for _ in range(49)]
    return {
        **world.cookies,
        SESSION: _session(Keyring([new_key(world.now, state=KeyState.SIGNING), *strangers]), world),
    }


def with_a_deep_payload(world: World) -> dict[str, str]:
    """Seal, with the shop's own key, entries nested deeper than any reader should follow."""
    deep: Any = []
    for _ in range(200):
        deep = [deep]
    return {
        **world.cookies,
        SESSION: _sealed(world.keyring, json.dumps(_payload(world, d={"x": deep})), world),
    }


def with_doubled_names_of_keys(world: World) -> dict[str, str]:
    """Name the customer twice."""
    text = json.dumps(_payload(world)).replace('"c": "17"', '"c": "18", "c": "17"', 1)
    return {**world.cookies, SESSION: _sealed(world.keyring, text.replace('"b"', '"b!"'), world)}


def a_thousand_cookies(world: World) -> str:
    return joined(world.cookies | {f"c{number}": "1" for number in range(1000)})


def doubled(world: World) -> str:
    return f"{joined(world.cookies)}; {SESSION}=planted-by-a-neighbour"


def replayed_after_logout(world: World) -> dict[str, str]:
    """Come to the other worker with a copy made before goodbye."""
    world.send("/logout", world.cookies)
    world.hear()
    return world.cookies


def replayed_after_the_idle_time(world: World) -> dict[str, str]:
    world.now += timedelta(days=15)
    return world.cookies


def from_a_clock_far_ahead(world: World) -> dict[str, str]:
    """Log in on a host whose clock is wrong: no clock of these workers ever showed that time."""
    config = world.workers[0]._parts.config
    host = CookieGuard(shop, config, clock=lambda: world.now + timedelta(minutes=5))
    with closing(host):
        return World([host]).log_in("17")


def _fields(key: Any) -> dict[str, Any]:
    return {name: getattr(key, name) for name in ("id", "secret", "state", "created", "since")}


def _payload(world: World, **changes: Any) -> dict[str, Any]:
    at = int(world.now.timestamp() * 1000)
    return {"i": "x" * 24, "c": "17", "b": at, "e": at + 10**9, "a": at, "d": {}} | changes


def _session(keyring: Keyring, world: World) -> str:
    return _sealed(keyring, json.dumps(_payload(world)), world)


def _sealed(keyring: Keyring, text: str, world: World) -> str:
    codec = TokenCodec(keyring, kind=TokenKind.SESSION, name=SESSION, sealed=True)
    return codec.dumps_text(text.encode(), host=HOST, issued=world.now, expires=world.now + timedelta(days=1))


# Each takes the session, and with it all that belongs to it.
ATTACKS: dict[str, tuple[Callable[[World], dict[str, str] | str], str]] = {
    "forged": (with_session(flipped), "session cookie refused (forged)"),
    "forged under a known key id": (of_another_keyring, "session cookie refused (forged)"),
    "truncated": (with_session(lambda token: token[:-9]), "session cookie refused (forged)"),
    "re-encoded base64": (with_session(other_base64), "session cookie refused (forged)"),
    "the other base64 alphabet": (with_session(standard_base64), "session cookie refused (forged)"),
    "not ASCII": (with_session(lambda _: "\xff\x00\x80"), "session cookie refused (malformed)"),
    "another kind": (
        lambda world: world.cookies | {SESSION: world.cookies[CART]},
        "session cookie refused (forged)",
    ),
    "8 KB": (with_session(lambda token: token + "A" * 8192), "session cookie refused (too long)"),
    "fifty unknown keys": (of_fifty_keys, "session cookie refused (signed with an unknown key)"),
    "a depth bomb": (with_a_deep_payload, "session cookie refused (malformed)"),
    "a payload with doubled keys": (with_doubled_names_of_keys, "session cookie refused (malformed)"),
    "a planted double": (doubled, "session cookie refused (sent twice)"),
    "a thousand cookies": (a_thousand_cookies, "cookie header over the limit"),
    "replayed after logout, on another worker": (replayed_after_logout, "session cookie refused (ended)"),
    "replayed after the idle time": (replayed_after_the_idle_time, "session cookie refused (expired)"),
    "from a clock 5 minutes ahead": (from_a_clock_far_ahead, "session cookie refused (from the future)"),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_it_ends_in_a_clean_start_with_one_event_and_no_value(
    world: World, caplog: pytest.LogCaptureFixture, attack: str
) -> None:
    assert json.loads(world.send("/", world.cookies, worker=1).body) == KNOWN
    make, told = ATTACKS[attack]
    sent = make(world)
    caplog.clear()

    answer = world.send("/", sent, worker=1)

    assert json.loads(answer.body) == NOBODY
    events = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert [event.partition(":")[0] for event in events] == [told]
    assert not [value for value in _values(sent) if value in caplog.text]


def test_a_cookie_of_another_host_ends_in_a_clean_start(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    answer = world.send("/", world.cookies, host="other.example")

    assert json.loads(answer.body) == NOBODY
    assert _events(caplog) == ["session cookie refused (forged)"]


@pytest.mark.parametrize(
    ("number", "told"), [("18", "from another customer"), ("17", "from another session")]
)
def test_a_cart_of_somebody_else_ends_in_an_empty_cart(
    world: World, caplog: pytest.LogCaptureFixture, number: str, told: str
) -> None:
    other = world.log_in(number)

    answer = world.send("/", other | {CART: world.cookies[CART]})

    assert json.loads(answer.body) == [number, {}, "seen"]
    assert _events(caplog) == [f"cart cookie refused ({told})"]


def test_a_name_behind_a_no_break_space_is_no_cookie_of_ours(world: World) -> None:
    other = world.log_in("18")
    planted = f"\xa0{SESSION}={other[SESSION]}"

    assert json.loads(world.send("/", planted).body) == NOBODY
    assert json.loads(world.send("/", f"{planted}; {joined(world.cookies)}").body) == KNOWN


@pytest.mark.parametrize("seconds", [-50, 50])
def test_a_clock_that_is_50_s_off_logs_nobody_out(world: World, seconds: int) -> None:
    world.now += timedelta(seconds=seconds)

    assert json.loads(world.send("/", world.cookies, worker=1).body) == KNOWN


@pytest.mark.parametrize("name", ["a\r\nb", "a\nSet-Cookie: b", "a;b", "a=b", ""])
def test_a_cookie_name_that_would_leave_its_header_is_no_configuration(name: str, tmp_path: Path) -> None:
    path = tmp_path / "cookieguard.toml"
    path.write_text(f"[cookies.session]\nname = {json.dumps(name)}\n")

    with pytest.raises(ConfigError, match=r"^cookies\.") as caught:
        CookieGuard(shop, path)
    assert "\n" not in str(caught.value)


def _values(sent: dict[str, str] | str) -> list[str]:
    pairs = sent.items() if isinstance(sent, dict) else [one.split("=", 1) for one in sent.split("; ")]
    return [value for _, value in pairs if len(value) >= SHORTEST_SECRET]


def _events(caplog: pytest.LogCaptureFixture) -> list[str]:
    records = [record for record in caplog.records if record.levelno >= logging.WARNING]
    return [record.getMessage().partition(":")[0] for record in records]
