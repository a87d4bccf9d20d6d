"""The list of a customer's sessions on {prefix}privacy shows each device once, and can end one of them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from harness.asgi import Answer, ask
from harness.servers import ROOT, wait_until

from cookieguard import CookieGuard, visitor_of
from cookieguard.features.rights.own_data import end_sessions
from cookieguard.storage.store.logins import MOST_LOGINS, Login, forget_login, logins_of, note_login

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
SAFARI = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.0 Mobile/15E148 Safari/604.1"
)
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
OWN = [("sec-fetch-site", "same-origin"), ("content-type", "application/x-www-form-urlencoded")]


async def shop(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    visitor, path = visitor_of(scope), scope["path"]
    if path.startswith("/login"):
        visitor.login(path.rpartition("/")[2], remember="remember" in path)
    elif path == "/renew":
        visitor.session.renew_id()
    elif path == "/logout":
        visitor.logout()
    body = (visitor.customer or "nobody").encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": body})


# A machine so busy that what names browsers is loaded only once the gate is open.
SLOW_START = """
import importlib.abc, sys, threading
from features.rights.test_logins import FIREFOX, Browser, shop
from harness.servers import wait_until
from cookieguard import Config, CookieGuard
from cookieguard.storage.store.logins import logins_of
from cookieguard.web.identity import store_wait

store_wait.TIMEOUT *= 30  # not what is tested: on a busy machine the store itself takes its time
gate = threading.Event()

class Slow(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "ua_parser":
            gate.wait()

sys.meta_path.insert(0, Slow())
app = CookieGuard(shop, Config(state_dir=sys.argv[1]))
desk = Browser(FIREFOX, app)
assert "ua_parser" not in sys.modules
assert desk.get("/login/10001").text == "10001"
assert app._parts.store_sync.ask(lambda store: logins_of(store, "10001")).result(30) == []
assert desk.get("/").text == "10001"
gate.set()
wait_until(lambda: desk.devices() == ["Firefox, Linux"], "it is in the list")
app.close()
print("done")
"""


class Browser:
    """A browser with its cookies."""

    def __init__(self, agent: str, *workers: CookieGuard) -> None:
        self.agent = agent
        self.workers = workers
        self.jar: dict[str, str] = {}

    def get(self, path: str, worker: int = 0, **values: Any) -> Answer:
        cookie = "; ".join(f"{name}={value}" for name, value in self.jar.items() if value)
        headers = [("cookie", cookie), ("user-agent", self.agent), *values.pop("headers", [])]
        answer = ask(self.workers[worker], path=path, headers=headers, **values)
        self.jar |= answer.cookies()
        return answer

    def devices(self) -> list[str]:
        text = self.get("/_cg/privacy").text.partition('id="devices"')[2].partition("</ul>")[0]
        return re.findall(r"<bdi>(.*?)</bdi>", text)

    def handles(self) -> list[str]:
        return re.findall(r'name="id" value="([0-9a-f]{16})"', self.get("/_cg/privacy").text)

    def end(self, handle: str, headers: list[tuple[str, str]] | None = None) -> Answer:
        body = f"act=end&id={handle}".encode()
        return self.get("/_cg/privacy", method="POST", headers=OWN if headers is None else headers, body=body)


@pytest.fixture
def workers(guard: Callable[..., CookieGuard]) -> tuple[CookieGuard, CookieGuard]:
    return guard(shop), guard(shop)


def test_customer_sees_each_device_and_logs_one_of_them_out_alone(
    workers: tuple[CookieGuard, CookieGuard],
) -> None:
    desk, phone, other = (Browser(one, *workers) for one in (FIREFOX, SAFARI, FIREFOX))
    desk.get("/login/10001")
    phone.get("/login/remember/10001")
    other.get("/login/10002")
    wait_until(lambda: len(desk.devices()) == 2, "both are listed")
    assert desk.devices() == ["Mobile Safari, iOS", "Firefox, Linux"]
    (handle,) = desk.handles()  # one's own is ended by logging out
    assert len(other.devices()) == 1

    assert other.end(handle).status == 404
    assert desk.end(handle, headers=[("sec-fetch-site", "cross-site"), OWN[1]]).status == 403
    assert phone.get("/").text == "10001"
    copy = Browser(SAFARI, *workers)
    copy.jar = dict(phone.jar)
    assert desk.end(handle).status == 200

    assert phone.get("/").text == "nobody"  # though this browser was remembered
    wait_until(lambda: copy.get("/", 1).text == "nobody", "the other worker obeys")
    assert desk.get("/").text == "10001"
    assert desk.devices() == ["Firefox, Linux"]


def test_list_of_logins_names_no_browser_that_did_not_identify_itself(
    workers: tuple[CookieGuard, CookieGuard],
) -> None:
    told, untold = (Browser(one, *workers) for one in ("Shop/1.0 (X11; Linux x86_64)", "Tin Can"))
    told.get("/login/10001")
    untold.get("/login/10001")

    wait_until(lambda: untold.devices() == ["not stated", "Linux"], "both are listed")


def test_a_session_that_gets_a_new_id_stands_in_the_list_once_and_one_that_ended_no_more(
    workers: tuple[CookieGuard, CookieGuard],
) -> None:
    desk, phone = (Browser(one, *workers) for one in (FIREFOX, "<b>\u00e9</b>"))
    desk.get("/login/10001")
    desk.get("/renew")
    phone.get("/login/10001")
    wait_until(lambda: len(desk.devices()) == 2, "both are listed")
    assert "<b>\u00e9" not in desk.get("/_cg/privacy").text

    phone.get("/logout")
    assert desk.devices() == ["Firefox, Linux"]
    sync, config = workers[0]._parts.store_sync, workers[0].config
    assert sync is not None
    sync.ask(lambda store: end_sessions(store, "10001", config, now=NOW)).result(60)
    assert sync.ask(lambda store: logins_of(store, "10001")).result(60) == []


def test_loading_the_names_of_browsers_blocks_no_caller_of_the_store(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SLOW_START, str(tmp_path / "state")]
    path = os.pathsep.join(map(str, (ROOT / "tests", ROOT)))

    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=os.environ | {"PYTHONPATH": path},
    )

    assert (done.stdout, done.stderr) == ("done\n", "")


def test_list_of_one_customer_is_bounded_and_what_is_none_is_nobodys(
    workers: tuple[CookieGuard, CookieGuard],
) -> None:
    sync, identity = workers[0]._parts.store_sync, workers[0]._parts.identity
    assert sync is not None
    assert identity is not None

    def fill(store: Any) -> list[Login]:
        for at in range(MOST_LOGINS + 5):
            login = Login(session=f"s{at}", at=at, agent="")
            note_login(store, "1", login, before="", header=b"\xff" * 9000, longest=identity.life.longest)
        forget_login(store, "1", logins_of(store, "1")[0].session)
        store.write("logins", "2", b'{"x": 1}', until=2**60)
        return logins_of(store, "1") + logins_of(store, "2") + logins_of(store, "3")

    found = sync.ask(fill).result(60)

    assert [one.session for one in found] == [f"s{at}" for at in range(6, MOST_LOGINS + 5)]


def test_a_login_made_while_the_last_one_leaves_the_list_stays_in_it(
    workers: tuple[CookieGuard, CookieGuard],
) -> None:
    sync, identity = workers[0]._parts.store_sync, workers[0]._parts.identity
    assert sync is not None
    assert identity is not None

    def note(store: Any, session: str) -> None:
        login = Login(session=session, at=int(NOW.timestamp() * 1000), agent="")
        note_login(store, "4", login, before="", header=b"", longest=identity.life.longest)

    def leave(store: Any) -> list[str]:
        note(store, "old")
        erase = store.erase

        def erasing(*place: Any, **options: Any) -> Any:
            store.erase = erase
            note(store, "new")  # as another worker does in this moment
            return erase(*place, **options)

        store.erase = erasing
        forget_login(store, "4", "old")
        return [one.session for one in logins_of(store, "4")]

    assert sync.ask(leave).result(60) == ["new"]


def test_last_logout_of_a_customer_leaves_no_row_in_the_list_of_logins(
    workers: tuple[CookieGuard, CookieGuard],
) -> None:
    sync, identity = workers[0]._parts.store_sync, workers[0]._parts.identity
    assert sync is not None
    assert identity is not None

    def leave(store: Any) -> Any:
        login = Login(session="only", at=int(NOW.timestamp() * 1000), agent="")
        note_login(store, "5", login, before="", header=b"", longest=identity.life.longest)
        forget_login(store, "5", "only")
        return store.read("logins", "5")

    assert sync.ask(leave).result(60) is None
