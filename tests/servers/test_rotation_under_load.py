"""Keys change and their file is damaged while two workers serve: customers stay logged in, and no request fails."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from harness.quick import some_of
from harness.servers import Process, spawned

from cookieguard.cli.app import run as command
from cookieguard.keyring import Keyring
from cookieguard.storage.keyring_source import beside
from servers.clients import Reply, ask
from servers.shop import STATE
from servers.test_rotation import key_of, make_older, run

CONSENT, SESSION = "__Host-cg_consent", "__Host-cg_session"
CUSTOMERS = 4
NOTICED = 5.0  # seconds, as promised
COPIES = 40
PAUSE = 0.2  # seconds: commands need some of the machine as well


class Customers:
    """Customers who visit all the time and keep their cookies; `wrong` lists those who were logged out."""

    def __init__(self, server: Process) -> None:
        self.server = server
        self.statuses: Counter[int] = Counter()
        self.keys: Counter[str] = Counter()
        self.workers: Counter[int] = Counter()
        self.wrong: list[str] = []
        self.copies: dict[str, list[dict[str, str]]] = {}
        """By the id of a key, some cookies that it signed."""

    @contextmanager
    def coming(self) -> Iterator[None]:
        stop = threading.Event()
        with ThreadPoolExecutor(CUSTOMERS + 1) as pool:
            roles = [pool.submit(self._stay, number, stop) for number in range(CUSTOMERS)]
            roles.append(pool.submit(self._come_and_go, stop))
            try:
                yield
            finally:
                stop.set()
            for one in roles:
                one.result()

    def _stay(self, number: int, stop: threading.Event) -> None:
        """Log in once, and look and buy from then on."""
        name, cookies, lines = f"customer-{number}", agreed(self.server), 0
        self._send("POST", f"/keep?name={name}", cookies)
        while not stop.is_set():
            facts = json.loads(self._send("GET", "/state", cookies).text)
            lines += 1
            if (facts["name"], facts["customer"], facts["lines"]) != (name, f"C-{name}", [[name, 2]]):
                self.wrong.append(f"{name} after {lines}: {facts}")
                self._send("POST", f"/keep?name={name}", cookies)
            # A choice is signed once: a key that goes before its time takes it along.
            if "marketing" not in facts["granted"]:
                cookies |= agreed(self.server)
            time.sleep(PAUSE)

    def _come_and_go(self, stop: threading.Event) -> None:
        """Log in, look twice on whichever worker, and leave."""
        chance = random.Random(1)
        while not stop.is_set():
            name, cookies = f"guest-{chance.random()}", agreed(self.server)
            self._send("POST", f"/keep?name={name}", cookies)
            for _ in range(2):
                facts = json.loads(self._send("GET", "/state", cookies).text)
                if facts["customer"] != f"C-{name}":
                    self.wrong.append(f"{name}, just logged in: {facts}")
                time.sleep(PAUSE)

    def _send(self, method: str, path: str, cookies: dict[str, str]) -> Reply:
        reply = ask(self.server.port, path, method=method, cookies=cookies)
        self.statuses[reply.status] += 1
        self.workers[reply.pid] += 1
        cookies |= reply.cookies
        if SESSION in reply.cookies:
            key = key_of(cookies)
            self.keys[key] += 1
            kept = self.copies.setdefault(key, [])
            if len(kept) < COPIES:
                kept.append({one: value for one, value in cookies.items() if value.split(".")[1] == key})
        return reply


def agreed(server: Process) -> dict[str, str]:
    """Agree to everything."""
    headers = {"Sec-Fetch-Site": "same-origin", "Content-Type": "application/json"}
    reply = ask(server.port, "/_cg/consent", method="POST", headers=headers, body='{"choice": "accept"}')
    return {CONSENT: reply.cookies[CONSENT]}


@contextmanager
def shop(directory: Path) -> Iterator[Customers]:
    arguments = ("--factory", "--workers", "2", "--no-access-log")
    with spawned(
        "servers.shop:make_app", *arguments, cwd=directory, log_file=directory / "server.log"
    ) as server:
        yield Customers(server)


def run_here(directory: Path, *arguments: str) -> dict[str, Any]:
    """Run `cookieguard keys ...` in this process: the start of another one takes most of its time."""
    written = StringIO()
    with redirect_stdout(written):
        code = command(("keys", *arguments, "--json", "--keyring", str(beside(directory / STATE))))
    assert code == 0, written.getvalue()
    found: dict[str, Any] = json.loads(written.getvalue())
    return found


def signing(directory: Path) -> str:
    return Keyring.loads(beside(directory / STATE).read_text()).signing.id


def accepted(customers: Customers, key: str) -> list[object]:
    """Return what is still believed of cookies that a key signed, on both workers."""
    believed: list[object] = []
    for cookies in customers.copies[key]:
        for _ in range(3):
            facts = json.loads(ask(customers.server.port, "/state", cookies=cookies).text)
            if facts["customer"] or facts["name"] or facts["lines"] or facts["granted"] != ["necessary"]:
                believed.append(facts)
    return believed


@pytest.mark.parametrize("times", some_of([2, 3], 2))
def test_rotation_under_load_logs_nobody_out_and_a_retired_key_counts_for_nothing(
    tmp_path: Path, times: int
) -> None:
    with shop(tmp_path) as customers:
        keys = [signing(tmp_path)]
        with customers.coming():
            time.sleep(2)
            for _ in range(times):
                keys.append(run_here(tmp_path, "add")["key"]["id"])
                time.sleep(1)
                make_older(tmp_path, keys[-1], minutes=11)
                run_here(tmp_path, "promote", keys[-1])
                time.sleep(NOTICED)
                gone = keys[-3] if len(keys) > 2 else None
                if gone is not None:  # the customers have cookies of the newer one
                    run_here(tmp_path, "retire", gone, "--force")
            time.sleep(NOTICED)
            believed = [one for key in keys[:-2] for one in accepted(customers, key)]
            control = accepted(customers, keys[-1])
        print(dict(customers.statuses), dict(customers.keys), f"{len(customers.workers)} workers")

    assert believed == []
    assert len(control) > 0
    assert customers.wrong == []
    assert set(customers.statuses) == {200}
    assert set(customers.keys) == set(keys)
    assert len(customers.workers) == 2


SPOILERS: dict[str, Callable[[Path, str], object]] = {
    "cut off": lambda file, text: file.write_text(text[: len(text) // 2]),
    "empty": lambda file, _: file.write_text(""),
    "gone": lambda file, _: file.unlink(),
    "open to all": lambda file, _: file.chmod(0o644),
    "directory": lambda file, _: (file.unlink(), file.mkdir()),
    "huge": lambda file, _: file.write_bytes(b"#\n" * 300_000),
}


@pytest.mark.slow
def test_damaged_keyring_logs_no_customer_out_and_causes_no_500(tmp_path: Path) -> None:
    file = beside(tmp_path / STATE)
    with shop(tmp_path) as customers, customers.coming():
        time.sleep(2)
        run(tmp_path, "add")
        text = file.read_text()
        for name, spoil in SPOILERS.items():
            spoil(file, text)
            time.sleep(4.5)  # one that was written in place is read at the second look
            if file.is_dir():
                file.rmdir()
            draft = file.with_name("draft")
            draft.touch(mode=0o600)
            draft.write_text(text)
            draft.rename(file)
            time.sleep(0.3)
            assert customers.wrong == [], name
        print(dict(customers.statuses))

    assert set(customers.statuses) == {200}
    told = (tmp_path / "shop.log").read_text().count("stay in force until this is fixed")
    assert told >= 2 * len(SPOILERS) - 1  # what is spoiled alike twice is told once


@pytest.mark.slow
def test_keys_that_are_promoted_at_once_with_force_throw_nobody_out_who_logs_in_now(tmp_path: Path) -> None:
    """A leaked key is replaced without the ten minutes: a worker meets cookies of a key that it has not read yet."""
    with shop(tmp_path) as customers:
        with customers.coming():
            time.sleep(2)
            for _ in range(3):
                new = str(run(tmp_path, "add")["key"]["id"])  # type: ignore[index]
                time.sleep(0.3)
                run(tmp_path, "promote", new, "--force")
                time.sleep(2.5)
        print(dict(customers.statuses), dict(customers.keys))

    assert customers.wrong == []
    assert set(customers.statuses) == {200}
    assert len(customers.keys) == 4


@pytest.mark.slow
def test_no_session_of_a_stolen_key_outlives_it_however_often_it_is_used(tmp_path: Path) -> None:
    with shop(tmp_path) as customers:
        thief = agreed(customers.server)
        customers._send("POST", "/keep?name=thief", thief)
        stolen = key_of(thief)
        new = run_here(tmp_path, "add")["key"]["id"]
        seen: list[object] = []
        ends = time.monotonic() + 2 * NOTICED
        run_here(tmp_path, "promote", new, "--instead")
        while time.monotonic() < ends:
            reply = ask(customers.server.port, "/state", cookies=thief)
            thief |= {
                name: value for name, value in reply.cookies.items() if value
            }  # what is removed he keeps
            seen.append(json.loads(reply.text)["customer"])
            time.sleep(PAUSE / 4)

    assert stolen != new
    assert seen[0] == "C-thief"  # control: it was one, and it came before a worker noticed
    assert set(seen[-20:]) == {None}


@pytest.mark.slow
def test_two_operators_at_once_leave_a_keyring_that_holds_what_both_did(tmp_path: Path) -> None:
    added: list[str] = []
    failed: list[str] = []

    def operate(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(4):
            new = str(run(tmp_path, "add")["key"]["id"])  # type: ignore[index]
            added.append(new)
            if chance.random() < 0.6:
                command = [sys.executable, "-m", "cookieguard.cli", "keys", "promote", new, "--force"]
                command += ["--keyring", f"{STATE}-keys/keyring"]
                done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
                failed.extend([done.stderr] if done.returncode else [])

    with shop(tmp_path) as customers, customers.coming():
        first = signing(tmp_path)
        with ThreadPoolExecutor(2) as pool:
            for one in [pool.submit(operate, seed) for seed in range(2)]:
                one.result()
        time.sleep(3)
        print(dict(customers.statuses), dict(customers.keys))

    keyring = Keyring.loads(beside(tmp_path / STATE).read_text())
    assert failed == []
    assert set(keyring.ids) == {first, *added}
    assert len(added) == 8
    assert customers.wrong == []
    assert set(customers.statuses) == {200}
