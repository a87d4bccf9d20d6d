"""`cookieguard policy` announces and sends each version once, and releases none without notice."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import chdir, closing, redirect_stdout
from datetime import UTC, date, datetime, timedelta
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path
from typing import Any

import psycopg
import pytest
from harness.commands import Shop
from harness.policies import NEW, OLD, put_version
from harness.postgres import postgres

from cookieguard.cli.app import run
from cookieguard.features.outbox.sending import Sender

REFUSED, UNUSABLE = 4, 3
FIRST = "2026-01-01"


CONFIG = """origins = ["https://shop.example"]
[policy]
folder = "policy"
[mail]
url = "{relay}"
sender = "Shop <privacy@shop.example>"
customers = "demo_site.shop.customers:active"
"""


class PolicyShop(Shop):
    """Run the commands of a shop with a version in force and one to announce."""

    def __init__(self, directory: Path, config: str) -> None:
        super().__init__(directory, config)
        self.staff: list[str] = []
        self.today = datetime.now(UTC).date()
        self.next = str(self.day(14))
        put_version(directory / "policy", FIRST, OLD)
        self.put(NEW)

    def day(self, days: int) -> date:
        return self.today + timedelta(days=days)

    def put(self, text: str, *, announced: int = 0, effective: int = 14) -> None:
        put_version(
            self.directory / "policy",
            self.next,
            text,
            announced=str(self.day(announced)),
            effective=str(self.day(effective)),
        )

    def release(self, reason: str, *, role: str = "officer") -> subprocess.CompletedProcess[str]:
        """Release the next version, as a member of the staff who is added for it."""
        name = f"{role.title()} {len(self.staff)}"
        token = self.ask("staff", "add", name, "--role", role)["token"]
        self.staff.append(name)
        return self.run("policy", "release", self.next, "--reason", reason, stdin=token)

    def run_bytes(self, *arguments: str) -> bytes:
        """Run a command as an officer, and return what it writes."""
        token = self.ask("staff", "add", "Exporter", "--role", "officer")["token"]
        out = TextIOWrapper(BytesIO())
        with (
            chdir(self.directory),
            redirect_stdout(out),
            pytest.MonkeyPatch.context() as patch,
        ):
            patch.setattr(sys, "stdin", StringIO(token))
            assert int(run(arguments)) == 0
        return out.buffer.getvalue()  # type: ignore[attr-defined]


pytestmark = pytest.mark.shop(kind=PolicyShop, config=CONFIG, customers=12, has_keys=True)


def test_version_is_announced_sent_and_told(shop: PolicyShop) -> None:
    announced = shop.run("policy", "announce", shop.next)
    with shop.relay.up():
        sent = shop.run("policy", "send", "--json")
        again = [shop.run("policy", "announce", shop.next), shop.run("policy", "send")]
    status = json.loads(shop.run("policy", "status", "--json").stdout)
    doctor = shop.run("doctor")

    assert "notices: 12 new" in announced.stdout
    assert json.loads(sent.stdout)["runs"][shop.next]["is_complete"]
    assert [one.returncode for one in again] == [0, 0]
    assert sorted(shop.relay.counts.values()) == [1] * 12
    first, second = status["versions"]
    assert (first["state"], second["state"]) == ("in force", "announced")
    assert (second["sent"], second["waiting"]) == (12, 0)
    assert f"{shop.next} takes effect on {shop.next}; notices: 12 of 12 sent" in doctor.stdout


@pytest.mark.parametrize(
    ("announced", "effective", "code"),
    [(0, 13, UNUSABLE), (-1, 13, REFUSED), (1, 15, REFUSED)],
)
def test_version_without_its_notice_is_not_announced(
    shop: PolicyShop, announced: int, effective: int, code: int
) -> None:
    shop.put(NEW, announced=announced, effective=effective)

    refused = shop.run("policy", "announce", shop.next)

    assert refused.returncode == code
    assert "14 days" in refused.stderr or "announce it on that day" in refused.stderr
    assert refused.stderr.count("\n") == 1
    if code == REFUSED:
        status = json.loads(shop.run("policy", "status", "--json").stdout)
        assert status["versions"][1]["state"] == "draft"


def test_text_changed_after_its_announcement_is_refused_by_every_command(shop: PolicyShop) -> None:
    shop.run("policy", "announce", shop.next)
    shop.put(NEW + "\nA slip.\n")

    again, status, doctor = (
        shop.run("policy", "announce", shop.next),
        shop.run("policy", "status"),
        shop.run("doctor"),
    )

    assert (again.returncode, status.returncode, doctor.returncode) == (UNUSABLE, 1, 1)
    for told in (again.stderr, status.stdout, doctor.stdout):
        assert f"{shop.next}/en.md" in told


def test_difference_is_shown_word_by_word(shop: PolicyShop) -> None:
    shown = shop.run("policy", "diff", shop.next).stdout

    assert "[-ten-]{+six+}" in shown
    assert "{+Post tells nobody else.+}" in shown


def test_version_is_released_for_a_reason_that_is_shown(shop: PolicyShop) -> None:
    assert shop.run("policy", "release", shop.next).returncode == 2
    draft = shop.release("told by letter")
    shop.run("policy", "announce", shop.next)
    refused = shop.release("told by letter", role="support")
    assert refused.returncode == REFUSED
    assert "the role officer" in refused.stderr
    assert "released" not in shop.run("policy", "status").stdout
    released = shop.release("told by letter")

    assert draft.returncode == REFUSED
    assert f"{shop.next} was not announced" in draft.stderr
    assert released.returncode == 0
    assert "released: told by letter" in shop.run("policy", "status", "--json").stdout


def test_each_act_about_the_policy_is_a_record_of_the_log(shop: PolicyShop) -> None:
    shop.run("policy", "announce", shop.next)
    with shop.relay.up():
        shop.run("policy", "send")
    shop.release("told by <b>letter</b>")
    again = [shop.run("policy", "announce", shop.next), shop.release("told by letter")]

    lines = shop.run_bytes("log", "export").splitlines()
    records = [json.loads(line)["record"] for line in lines]

    assert [one.returncode for one in again] == [0, 0]
    assert [one["cg:kind"] for one in records] == [
        "policy-announced",
        "policy-told",
        *["policy-released"] * 2,
    ]
    assert {one["cg:version"] for one in records} == {shop.next}
    announced, told, released, _ = records
    assert (announced["cg:text"], announced["cg:effective"]) == (released["cg:text"], shop.next)
    assert (told["cg:total"], told["cg:sent"]) == (12, 12)
    assert released["cg:reason"] == "told by <b>letter</b>"
    assert (released["cg:by"], released["cg:role"]) == ("Officer 0", "officer")
    assert "whole: 4 entries" in shop.run("log", "verify").stdout


@pytest.mark.parametrize("act", ["announce", "release"])
def test_act_that_the_log_does_not_take_is_not_done(shop: PolicyShop, act: str) -> None:
    def do() -> subprocess.CompletedProcess[str]:
        return shop.release("told by letter") if act == "release" else shop.run("policy", act, shop.next)

    log = shop.directory / ".cookieguard" / "log.db"
    kept = log.with_name("kept")
    if act == "release":
        shop.run("policy", "announce", shop.next)
        log.rename(kept)
    before = json.loads(shop.run("policy", "status", "--json").stdout)
    log.mkdir()  # no file can be made there

    refused = do()
    status = json.loads(shop.run("policy", "status", "--json").stdout)

    assert refused.returncode == UNUSABLE
    assert "nothing was done" in refused.stderr
    assert status == before
    log.rmdir()
    if kept.exists():
        kept.rename(log)
    assert do().returncode == 0


def test_shop_without_a_log_announces_all_the_same(shop: PolicyShop) -> None:
    toml = shop.directory / "cookieguard.toml"
    toml.write_text(toml.read_text() + "[proof]\nenabled = false\n")

    assert shop.run("policy", "announce", shop.next).returncode == 0
    assert not (shop.directory / ".cookieguard" / "log.db").exists()


def test_what_is_missing_is_named(shop: PolicyShop) -> None:
    toml = shop.directory / "cookieguard.toml"
    whole = toml.read_text()
    for line, told in (("origins", "origins"), ("sender", "mail.sender"), ("customers", "mail.customers")):
        toml.write_text("\n".join(one for one in whole.split("\n") if not one.startswith(line)))
        refused = shop.run("policy", "announce", shop.next)
        assert (refused.returncode, told in refused.stderr) == (UNUSABLE, True)
    toml.write_text(whole.replace(shop.relay.url, ""))
    assert "mail.url" in shop.run("policy", "send").stderr
    assert "there are: 2026-01-01" in shop.run("policy", "diff", "x").stderr


def test_day_of_announcement_is_told_by_doctor_and_is_wrong_once_it_is_over(shop: PolicyShop) -> None:
    on_the_day = shop.run("doctor")
    shop.put(NEW, announced=-1)
    a_day_late = shop.run("doctor")

    assert (on_the_day.returncode, a_day_late.returncode) == (0, 1)
    assert f"warn  unannounced policy: {shop.next} is to be announced today; run: " in on_the_day.stdout
    assert (
        f"WRONG unannounced policy: {shop.next} was not announced on {shop.day(-1)}; run: "
        in a_day_late.stdout
    )
    assert f"cookieguard policy announce {shop.next}" in a_day_late.stdout


def test_customers_who_came_since_are_sent_their_notice_though_the_run_was_complete(shop: PolicyShop) -> None:
    shop.run("policy", "announce", shop.next)
    with shop.relay.up():
        shop.run("policy", "send")
        with closing(sqlite3.connect(shop.directory / "shop.sqlite3")) as database, database:
            row = ("00099", "Bob", "bob@mail.example", "", "", "", "", "")
            database.execute("INSERT INTO customer VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
        again = shop.run("policy", "announce", shop.next)
        shop.run("policy", "send")

    assert "notices: 1 new" in again.stdout
    assert shop.relay.counts["bob@mail.example"] == 1
    assert sum(shop.relay.counts.values()) == 13


def test_run_is_completed_though_postgresql_restarted_while_it_was_sent(
    shop: PolicyShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Sender.run

    async def run_over_a_restart(self: Sender, *arguments: Any, **options: Any) -> None:
        with psycopg.connect(server.url, autocommit=True) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            )
        await run(self, *arguments, **options)

    monkeypatch.setattr(Sender, "run", run_over_a_restart)
    with postgres() as server, shop.relay.up():
        monkeypatch.setenv("COOKIEGUARD_STORE", server.url)
        assert shop.run("policy", "announce", shop.next).returncode == 0

        sent = shop.run("policy", "send")

    assert (sent.returncode, sent.stdout) == (0, f"{shop.next}: 12 of 12 sent\n")
