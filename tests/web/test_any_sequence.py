"""Random sequences of acts of a browser, a thief, two workers, two clocks and the owner of the keys.

After each of them no stale identity counts, and no change of a cart that the shop confirmed is lost.
`COOKIEGUARD_STEPS=200000 pytest tests/web/test_any_sequence.py` goes further than the usual run.
"""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs

import pytest
from harness.asgi import Answer, drive, scope_of
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from cookieguard import Config, CookieGuard, Visitor, visitor_of
from cookieguard.config import LogSettings
from cookieguard.identity.carts.stored_carts import CARTS_KEPT
from cookieguard.keyring import VERIFY_FIRST, new_key
from cookieguard.storage.keyring_file import WatchedKeyring, change_keyring
from cookieguard.storage.keyring_source import beside

START = datetime(2026, 11, 24, 12, tzinfo=UTC)
STEPS = int(os.environ.get("COOKIEGUARD_STEPS", "2000"))
EACH = 50  # steps of one sequence at most
SESSION, CART = "__Host-cg_session", "__Host-cg_cart"
# No sum of these comes near 14 or 90 days, where two clocks may differ about what is over.
UNIT = timedelta(minutes=425)
SPANS = [UNIT * count for count in (1, 5, 44, 50, 320)]
HEARING = timedelta(seconds=5)
LIFE = timedelta(days=90)
KEPT = CARTS_KEPT

workers = st.integers(0, 1)
customers = st.sampled_from(["10042", "10077"])
articles = st.sampled_from(["mug", "lamp", "tea"])


def add(visitor: Visitor, article: str) -> None:
    visitor.cart[article] = visitor.cart.get(article, 0) + 1


def note(visitor: Visitor, word: str) -> None:
    visitor.session["note"] = word


ACTIONS: dict[str, Callable[[Visitor, str], object]] = {
    "/look": lambda visitor, _: None,
    "/login": lambda visitor, number: visitor.login(number),
    "/logout": lambda visitor, _: visitor.logout(),
    "/everywhere": lambda visitor, _: visitor.logout_everywhere(),
    "/renew": lambda visitor, _: visitor.session.renew_id(),
    "/add": add,
    "/remove": lambda visitor, article: visitor.cart.pop(article, None),
    "/empty": lambda visitor, _: visitor.cart.clear(),
    "/note": note,
}


async def shop(scope: Any, _: Any, send: Any) -> None:
    """Do what the path says, and say who the visitor is now."""
    visitor = visitor_of(scope)
    value = parse_qs(scope["query_string"].decode()).get("value", [""])[0]
    ACTIONS[scope["path"]](visitor, value)
    seen = [visitor.customer, dict(visitor.cart), visitor.session.get("note")]
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(seen).encode()})


@dataclass(eq=False)
class Era:
    """One session id, from its creation to its end; `heard` are the workers that must know of the end."""

    customer: str | None
    is_ended: bool = False
    heard: set[int] = field(default_factory=set)


@dataclass(frozen=True)
class Copy:
    """The cookies that a thief took from the browser at one time."""

    cookies: dict[str, str]
    era: Era
    until: datetime


class World(RuleBasedStateMachine):
    """Hold a browser, its model, two workers on one store, and the time."""

    done: ClassVar[Counter[str]] = Counter()
    copies = Bundle("copies")

    @initialize(skew=st.sampled_from([-50, 0, 50]))
    def open(self, skew: int) -> None:
        """Start the workers, one with a clock that is off."""
        self.now = START
        self.directory = tempfile.TemporaryDirectory(dir=FAST)
        state = str(Path(self.directory.name) / "state")
        config = Config(state_dir=state, log=LogSettings(enabled=False))
        self.skews = [timedelta(0), timedelta(seconds=skew)]
        clocks = [lambda one=one: self.now + one for one in self.skews]
        self.workers = [CookieGuard(shop, config, clock=clock) for clock in clocks]
        self.keyring = beside(Path(state))
        self.runner = asyncio.Runner()
        self.jar: dict[str, tuple[str, datetime]] = {}
        self.eras: list[Era] = []
        # What each customer's cart was, and until when
        self.kept: dict[str, tuple[dict[str, int], datetime]] = {}
        self.become_guest()

    def teardown(self) -> None:
        """Stop the workers."""
        for worker in self.workers:
            worker.close()
        self.runner.close()
        self.directory.cleanup()

    # What happens

    @rule(worker=workers, article=articles)
    def add_to_cart(self, worker: int, article: str) -> None:
        self.arrive()
        self.cart[article] = self.cart.get(article, 0) + 1
        self.browse(worker, "/add", article)
        self.keep()

    @rule(worker=workers, article=articles)
    def remove_from_cart(self, worker: int, article: str) -> None:
        self.arrive()
        self.cart.pop(article, None)
        self.browse(worker, "/remove", article)
        self.keep()

    @rule(worker=workers)
    def empty_cart(self, worker: int) -> None:
        self.arrive()
        self.cart.clear()
        self.browse(worker, "/empty")
        self.keep()

    @rule(worker=workers, word=st.sampled_from(["a", "b"]))
    def write_note(self, worker: int, word: str) -> None:
        self.arrive()
        self.note = word
        self.browse(worker, "/note", word)

    @rule(worker=workers)
    def look(self, worker: int) -> None:
        self.arrive()
        self.browse(worker, "/look")

    @rule(worker=workers, customer=customers)
    def log_in(self, worker: int, customer: str) -> None:
        self.arrive()
        if self.customer not in (None, customer):
            self.become_guest(worker)
        self.end(self.era, worker)
        self.customer, self.era = customer, None
        self.browse(worker, "/login", customer)
        kept, until = self.kept.get(customer, ({}, self.now))
        if until > self.now:  # from the next page on what the customer left elsewhere is there
            self.cart = {one: max(self.cart.get(one, 0), kept.get(one, 0)) for one in {*self.cart, *kept}}
        self.keep()

    @rule(worker=workers)
    def log_out(self, worker: int) -> None:
        self.arrive()
        self.become_guest(worker)
        self.browse(worker, "/logout")

    @rule(worker=workers)
    def log_out_everywhere(self, worker: int) -> None:
        self.arrive()
        for era in self.eras:
            if self.customer is not None and era.customer == self.customer:
                self.end(era, worker)
        self.become_guest(worker)
        self.browse(worker, "/everywhere")

    @rule(worker=workers)
    def renew(self, worker: int) -> None:
        self.arrive()
        self.end(self.era, worker)
        self.era = None
        self.browse(worker, "/renew")

    @rule(span=st.sampled_from(SPANS))
    def wait(self, span: timedelta) -> None:
        self.done["wait"] += 1
        self.now += span

    @rule()
    def hear(self) -> None:
        """Let the seconds pass in which every worker hears what was ended elsewhere."""
        self.done["hear"] += 1
        self.now += HEARING
        for worker in self.workers:
            store_sync = worker._parts.store_sync
            assert store_sync is not None
            store_sync.ask(lambda _: None).result(60)
        for era in self.eras:
            if era.is_ended:
                era.heard |= {0, 1}

    @rule()
    def rotate(self) -> None:
        """Add a key, and let it sign when every worker knows it."""
        self.done["rotate"] += 1
        key = new_key(self.now)
        change_keyring(self.keyring, "keys", lambda before: _given(before).with_key(key))
        self.look_at_keys()
        self.now += VERIFY_FIRST
        change_keyring(self.keyring, "keys", lambda before: _given(before).promoted(key.id, now=self.now))
        self.look_at_keys()

    @precondition(lambda self: len(self.key_ids) > 1)
    @rule()
    def retire(self) -> None:
        """Take a key away at once, as after a leak: what it signed is over."""
        self.done["retire"] += 1
        old = self.key_ids[0]
        change_keyring(
            self.keyring,
            "keys",
            lambda before: _given(before).retired(old, now=self.now, life=LIFE, force=True),
        )
        self.look_at_keys()

    @precondition(lambda self: SESSION in self.cookies)
    @rule(target=copies)
    def copy(self) -> Copy:
        """Take a copy of what the browser has."""
        self.done["copy"] += 1
        era = self.era or Era(None, is_ended=True, heard={0, 1})  # without one it is a cookie that is over
        return Copy(self.cookies, era, self.jar[SESSION][1])

    @rule(copy=copies, worker=workers)
    def replay(self, copy: Copy, worker: int) -> None:
        """Come with a copy: it is what it was while that lasts, and nobody when it must be over."""
        answer = self.send(worker, "/look", cookies=copy.cookies)
        customer, cart, note = json.loads(answer.body)

        assert customer in (None, copy.era.customer)
        if self.is_over(copy, worker):
            assert (customer, cart, note) == (None, {}, None)
        elif not copy.era.is_ended:
            assert customer == copy.era.customer

    @rule(copy=copies, worker=workers)
    def thief_logs_out(self, copy: Copy, worker: int) -> None:
        """Log out with a copy, which logs the browser out too; no signature could prevent that."""
        self.hear()
        is_over = self.is_over(copy, worker)
        self.send(worker, "/logout", cookies=copy.cookies)
        if not is_over:
            self.end(copy.era, worker)
        self.hear()

    # What should be

    def arrive(self) -> None:
        """Predict the visitor of the browser's next request: the session's, or a new guest if that ended."""
        value = self.cookies.get(SESSION)
        is_alive = value is not None and key_of(value) in self.key_ids
        if not is_alive or self.era is None or self.era.is_ended:
            self.become_guest()

    def browse(self, worker: int, path: str, value: str = "") -> None:
        """Send a request of the browser, and find everything as it should be."""
        before = self.cookies.get(SESSION)
        answer = self.send(worker, path, value, cookies=self.cookies)
        for line in answer.all("set-cookie"):
            self.take(line)
        # A cookie that is over stays in the browser until there is something to write, and begins nothing.
        if self.era is None and self.cookies.get(SESSION) not in (None, before):
            self.era = Era(self.customer)
            self.eras.append(self.era)

        assert json.loads(answer.body) == [self.customer, self.cart, self.note]
        assert self.customer is None or SESSION in self.cookies

    def keep(self) -> None:
        """Predict the cart that the store keeps for a customer."""
        if self.customer is not None:
            self.kept[self.customer] = (dict(self.cart), self.now + KEPT)

    def is_over(self, copy: Copy, worker: int) -> bool:
        is_heard = copy.era.is_ended and worker in copy.era.heard
        return is_heard or copy.until <= self.now or key_of(copy.cookies[SESSION]) not in self.key_ids

    def become_guest(self, worker: int | None = None) -> None:
        """Become a guest without cart; with `worker`, the session was ended there."""
        if worker is not None:
            self.end(self.era, worker)
        self.era: Era | None = None
        self.customer: str | None = None
        self.cart: dict[str, int] = {}
        self.note: str | None = None

    def end(self, era: Era | None, worker: int) -> None:
        if era is not None:
            era.is_ended = True
            era.heard.add(worker)

    # What it takes

    @property
    def cookies(self) -> dict[str, str]:
        """What the browser sends now."""
        return {name: value for name, (value, until) in self.jar.items() if until > self.now}

    @property
    def key_ids(self) -> tuple[str, ...]:
        """The ids of the keys in force; the last one signs."""
        return _keyring_of(self.workers[0]).ids

    def take(self, line: str) -> None:
        pair, *attributes = line.split("; ")
        name, _, value = pair.partition("=")
        ages = [int(one.removeprefix("Max-Age=")) for one in attributes if one.startswith("Max-Age=")]
        self.jar[name] = (value, self.now + timedelta(seconds=ages[0]))

    def send(self, worker: int, path: str, value: str = "", *, cookies: dict[str, str]) -> Answer:
        """Send one request; it is answered 200, whatever comes with it."""
        self.done[path] += 1
        header = "; ".join(f"{name}={text}" for name, text in cookies.items())
        headers = [("cookie", header)] if header else []
        answer = Answer(scope=scope_of(path, headers=headers, query=f"value={value}"))
        self.runner.run(drive(self.workers[worker], answer))
        assert answer.status == 200
        return answer

    def look_at_keys(self) -> None:
        """Have every worker reread the keyring now instead of within 2 s."""
        for worker in self.workers:
            _keyring_of(worker)._look()


def key_of(token: str) -> str:
    return token.split(".")[1]


def _keyring_of(worker: CookieGuard) -> WatchedKeyring:
    keyring = worker._parts.keyring
    assert isinstance(keyring, WatchedKeyring)
    return keyring


def _given(keyring: Any) -> Any:
    assert keyring is not None
    return keyring


# Every change is synced to the disk: in memory where there is such a place.
FAST = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def test_after_any_sequence_no_stale_identity_counts_and_no_cart_change_is_lost(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("CRITICAL")  # thousands of events
    World.done.clear()
    examples = 0
    while (left := STEPS - World.done.total()) > 0:
        examples += 1
        chosen = settings(
            max_examples=max(left // EACH, 10),
            stateful_step_count=EACH,
            deadline=None,
            phases=[Phase.generate],  # each try starts two workers: shrinking takes longer than reading
            suppress_health_check=list(HealthCheck),
        )
        run_state_machine_as_test(World, settings=chosen)  # type: ignore[no-untyped-call]

    print(f"{World.done.total()} steps: {dict(World.done.most_common())}")
    assert World.done.total() >= STEPS
    assert min(World.done[one] for one in ("/login", "/everywhere", "rotate", "retire", "copy")) > 0
