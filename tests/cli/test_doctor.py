"""`cookieguard doctor` finds a healthy shop fine, and names each fault with its remedy."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from harness.asgi import ask
from harness.commands import Shop
from harness.servers import serving
from starlette.requests import Request
from starlette.responses import HTMLResponse
from stats.traffic import PLAIN

from cookieguard import Config, CookieGuard, visitor_of
from cookieguard.config.languages import LANGUAGES
from cookieguard.features.rights.queue import Row
from cookieguard.features.rights.requests import Requests, requests_opener
from cookieguard.features.rights.values import requests as rights
from cookieguard.features.rights.values.rules import Law, RequestKind
from cookieguard.features.statistics.engines.sqlite.writer import SqliteHits
from cookieguard.keyring import Keyring, KeyState, new_key
from cookieguard.stats.hits import Batch
from cookieguard.storage.keyring_source import beside
from cookieguard.storage.runtime_directory import runtime_place
from cookieguard.storage.sealing import Seal
from cookieguard.storage.state_directory import StateDirectory

NOW = datetime.now(UTC)
LONG_AGO = NOW.replace(microsecond=0) - timedelta(days=400)
CLIENT = "203.0.113.77"
FORM = [("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "same-origin")]
SETTINGS = """
origins = ["https://shop.example"]
trusted_proxies = ["10.0.0.0/8"]
[policy]
privacy_url = "/privacy"
[rights]
journal = "journal-elsewhere"
"""


class Served(Shop):
    """Run the commands of a shop that one visitor has logged in to."""

    def __init__(self, directory: Path, config: str) -> None:
        super().__init__(directory, config)
        guard = CookieGuard(welcome, Config(state_dir=str(self.state)))
        assert ask(guard, client=(CLIENT, 4711)).status == 200
        guard.close()

    def doctor(self) -> tuple[int, dict[str, Any]]:
        done = self.run("doctor", "--json")
        assert done.stderr == ""
        found = json.loads(done.stdout)
        wrong = {one["check"]: one for one in found["checks"] if not one["is_fine"]}
        assert found["is_fine"] == (not wrong) == (done.returncode == 0)
        assert all(one["mend"] for one in wrong.values())
        return done.returncode, wrong

    @property
    def runtime(self) -> Path:
        return runtime_place("", self.state)

    def change_keys(self, change: Callable[[Keyring], list[Any]]) -> None:
        path = beside(self.state)
        path.write_text(Keyring(change(Keyring.loads(path.read_text()))).dumps())

    def count(self, at: datetime, *, key: int = 0, lost: int = 0) -> None:
        engine = SqliteHits(self.state / "stats.db")
        hits = [PLAIN._replace(time=int(at.timestamp()), key=key)]
        engine.write(Batch("planted", hits, {}, {"queue full": lost} if lost else {}))
        engine.sum_up()
        engine.close()


async def welcome(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "http":
        visitor_of(Request(scope)).login("10042")
        await HTMLResponse("<p>welcome")(scope, receive, send)


pytestmark = pytest.mark.shop(kind=Served, config=SETTINGS)


def test_doctor_reports_a_clock_that_leapt_and_the_owner_decides(shop: Served) -> None:
    assert shop.run("retention", "run").returncode == 0
    record = shop.state / "retention"
    facts = json.loads(record.read_text())
    facts |= {"at": "2024-01-01T00:00:00Z", "boot": "another"}  # as if it were years ago
    record.write_text(json.dumps(facts))

    held = shop.run("retention", "run")
    _, wrong = shop.doctor()

    assert held.returncode == 1
    assert "HELD BACK: the clock jumped from 2024-01-01T00:00:00Z to" in held.stdout
    assert wrong["retention"]["mend"].endswith("cookieguard retention run --believe-clock")
    assert shop.run("retention", "run", "--believe-clock").returncode == 0
    assert shop.doctor() == (0, {})


def test_healthy_shop_is_fine_and_nothing_private_is_shown(shop: Served) -> None:
    assert shop.run("retention", "run").returncode == 0
    done = shop.run("doctor")

    assert (done.returncode, done.stderr) == (0, "")
    *lines, summary = done.stdout.splitlines()
    assert all(line.startswith("ok ") for line in lines)
    assert summary == "0 warnings, nothing wrong"
    for told in (
        "oldest hit from",
        "kept for 30 days",
        "kept for 760 days",
        "kept for 48 hours",
        "has signed since",
        "MB free",
    ):
        assert told in done.stdout
    secret = Keyring.loads(beside(shop.state).read_text()).signing.secret
    assert secret.hex() not in done.stdout
    assert beside(shop.state).read_text().split()[-2] not in done.stdout
    assert "203.0.113" not in done.stdout
    assert "10042" not in done.stdout


def old_log(shop: Served) -> None:
    path = next((shop.state / "logs").iterdir())
    path.rename(path.with_name(f"access-{NOW - timedelta(days=20):%Y-%m-%d}-7.log"))


def old_vault(shop: Served) -> None:
    directory = shop.state / "vault"
    directory.mkdir(0o700)
    (directory / f"{(NOW - timedelta(days=9)).date()}.jsonl").touch(0o600)


def missing_store(shop: Served) -> None:
    shop.change_keys(lambda ring: [replace(ring.signing, created=LONG_AGO)])
    (shop.state / "store.db").unlink()


def queue_of(shop: Served, keyring: Keyring) -> Requests:
    return requests_opener(Config(), keyring, StateDirectory(shop.state), environ={})()


def lost_queue(shop: Served) -> None:
    queue_of(shop, Keyring.generate(NOW)).close()


def lost_request(shop: Served) -> None:
    sealed = Seal(Keyring.generate(NOW)).close(b"{}", about="a")
    with closing(queue_of(shop, Keyring.loads(beside(shop.state).read_text()))) as queue:
        queue.queue.add(Row("a", "", True, sealed), work_in=None)


def late_request(shop: Served) -> None:
    made = rights.Request(
        id="a" * 16,
        kind=RequestKind.ERASE,
        law=Law.GDPR,
        customer="10001",
        received=NOW - timedelta(days=89),
        via=rights.Via.LOGIN,
    )
    with closing(queue_of(shop, Keyring.loads(beside(shop.state).read_text()))) as queue:
        queue.add(made, has_work=True)


BROKEN: dict[str, tuple[Callable[[Served], object], str, str]] = {
    "state directory": (lambda shop: shop.state.chmod(0o755), "state directory", "chmod 700"),
    "file": (lambda shop: (shop.state / "store.db").chmod(0o640), "state directory", "chmod -R go-rwx"),
    "no store": (missing_store, "store", "restart the shop's workers"),
    "store": (
        lambda shop: (shop.state / "store.db").write_bytes(b"rubbish" * 999),
        "store",
        "follow the message",
    ),
    "emptied store": (
        lambda shop: (shop.state / "store.db").write_bytes(b""),
        "databases",
        "store.db is empty",
    ),
    "emptied keys": (
        lambda shop: (shop.state / "subjects.db").write_bytes(b""),
        "databases",
        "subjects.db is empty",
    ),
    "queue of requests": (lost_queue, "requests", "move "),
    "request": (lost_request, "requests", "restore the keyring"),
    "late request": (late_request, "requests", "cookieguard requests list"),
    "no keyring": (lambda shop: beside(shop.state).unlink(), "keys", "follow the message"),
    "old key": (
        lambda shop: shop.change_keys(lambda r: [replace(r.signing, created=LONG_AGO, since=LONG_AGO)]),
        "signing key",
        "keys add",
    ),
    "unneeded key": (
        lambda shop: shop.change_keys(
            lambda r: [
                r.signing,
                replace(new_key(LONG_AGO, state=KeyState.VERIFY), since=LONG_AGO + timedelta(days=9)),
            ]
        ),
        "retired keys",
        "keys retire",
    ),
    "old log": (old_log, "access log", "retention run"),
    "old hit": (lambda shop: shop.count(NOW - timedelta(days=40)), "hits", "retention run"),
    "old sum": (lambda shop: shop.count(NOW - timedelta(days=800)), "sums", "retention run"),
    "old visitor key": (
        lambda shop: shop.count(NOW - timedelta(days=3), key=7),
        "visitor keys in hits",
        "retention run",
    ),
    "lost hits": (lambda shop: shop.count(NOW, lost=3), "dropped hits", "log"),
    "old day key": (
        lambda shop: (shop.runtime / f"visitor-day-{NOW - timedelta(days=3):%Y%m%d}").touch(0o600),
        "day keys",
        "retention run",
    ),
    "old hour key": (lambda shop: (shop.runtime / "hour-400000").touch(0o600), "hour keys", "retention run"),
    "key on the disk": (
        lambda shop: (shop.state / f"visitor-day-{NOW:%Y%m%d}").touch(0o600),
        "place of keys",
        "retention run",
    ),
    "old events": (old_vault, "sealed events", "retention run"),
    "clock": (lambda shop: shop.count(NOW + timedelta(hours=2)), "newest hit", "NTP"),
    "key of tomorrow": (
        lambda shop: shop.change_keys(
            lambda r: [replace(r.signing, since=NOW.replace(microsecond=0) + timedelta(days=1))]
        ),
        "clock",
        "NTP",
    ),
    "statistics": (
        lambda shop: (shop.state / "stats.db").write_bytes(b"rubbish" * 999),
        "statistics",
        "follow the message",
    ),
    "configuration": (
        lambda shop: (shop.directory / "cookieguard.toml").write_text("stats = 7\n"),
        "configuration",
        "correct this setting",
    ),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_broken_thing_is_named_with_what_mends_it(shop: Served, broken: str) -> None:
    do, check, mend = BROKEN[broken]

    do(shop)
    code, wrong = shop.doctor()

    assert code == 1
    assert check in wrong, wrong
    assert mend in wrong[check]["mend"] + wrong[check]["found"]


def test_doctor_names_a_store_that_was_replaced_until_the_workers_go_on_with_it(shop: Served) -> None:
    (shop.state / "store.db").write_bytes(b"")
    shop.doctor()  # makes its tables again

    code, wrong = shop.doctor()

    assert (code, wrong["store"]["found"]) == (1, "it is a new one, although the shop has kept another")
    guard = CookieGuard(welcome, Config(state_dir=str(shop.state)))
    ask(guard)
    guard.close()
    assert "store" not in shop.doctor()[1]


def test_doctor_warns_of_a_log_whose_keys_were_replaced(shop: Served) -> None:
    guard = CookieGuard(welcome, Config(state_dir=str(shop.state)))
    ask(guard, path="/_cg/consent", method="POST", headers=FORM, body=b"choice=reject")
    guard.close()
    assert "subjects' keys" not in told(shop)
    (shop.state / "subjects.db").write_bytes(b"")
    shop.run("doctor")  # makes its tables again

    _, found, advice = told(shop)["subjects' keys"]

    assert found.startswith("there are none, but the log has ")
    assert "restore subjects.db" in advice


def test_what_the_doctor_finds_old_the_retention_command_mends(shop: Served) -> None:
    for name in ("old log", "old hit", "old day key", "old hour key", "key on the disk", "old events"):
        BROKEN[name][0](shop)
    assert shop.doctor()[0] == 1

    done = shop.run("retention", "run", "--json")

    assert done.returncode == 0
    assert json.loads(done.stdout)["failed"] == {}
    assert shop.doctor() == (0, {})


def test_failed_step_is_an_exit_code_and_the_doctor_knows(shop: Served) -> None:
    (shop.state / "stats.db").write_bytes(b"rubbish" * 999)

    done = shop.run("retention", "run")

    assert done.returncode == 1
    assert "statistics: FAILED, SQLite: " in done.stdout
    assert "access log: done" in done.stdout
    assert "statistics failed" in shop.doctor()[1]["retention"]["found"]


def test_vault_keys_are_destroyed_and_their_end_is_seen_coming(shop: Served) -> None:
    private = shop.directory / "private"
    (shop.directory / "cookieguard.toml").write_text(f'{SETTINGS}[vault]\nprivate_dir = "{private}"\n')
    assert "vault init" in shop.doctor()[1]["vault keys ahead"]["mend"]
    assert shop.run("vault", "init").returncode == 0
    old = private / f"vault-{(NOW - timedelta(days=9)).date()}"
    old.write_bytes(b"k" * 32)
    assert "vault expire" in shop.doctor()[1]["vault keys"]["mend"]

    assert shop.run("retention", "run").returncode == 0

    assert not old.exists()
    assert shop.doctor() == (0, {})


# Settings


def told(shop: Served, *options: str) -> dict[str, tuple[bool, str, str]]:
    found = json.loads(shop.run("doctor", "--json", *options).stdout)["checks"]
    return {one["check"]: (one["is_fine"], one["found"], one["mend"] or one["advice"]) for one in found}


def test_it_says_which_configuration_it_read(shop: Served) -> None:
    file = shop.directory / "cookieguard.toml"
    assert told(shop)["configuration"][1] == f"{file} loads"

    file.rename(shop.directory / "other.toml")

    named = told(shop, "--config", "other.toml")["configuration"][1]
    assert named.endswith("/other.toml loads; add --config other.toml to the commands below")
    assert told(shop)["configuration"][1].startswith("default settings, since /")


def test_doctor_warns_about_empty_settings_without_failing(shop: Served) -> None:
    (shop.directory / "cookieguard.toml").unlink()

    done = shop.run("doctor")

    assert done.returncode == 0
    warned = [line.partition(":")[0] for line in done.stdout.splitlines() if line.startswith("warn ")]
    assert warned == ["warn  origins", "warn  proxies", "warn  privacy policy", "warn  journal of erasures"]
    assert done.stdout.endswith("\n4 warnings, nothing wrong\n")
    assert 'set origins = ["https://shop.example"]' in done.stdout


def test_a_file_in_place_of_the_state_directory_is_one_line(shop: Served) -> None:
    shutil.rmtree(shop.state)
    (shop.state).touch()

    done = shop.run("doctor")

    assert done.returncode == 1
    (wrong,) = [line for line in done.stdout.splitlines() if line.startswith("WRONG")]
    assert "not a directory" in wrong


def test_a_proxy_that_is_everybody_is_wrong(shop: Served) -> None:
    (shop.directory / "cookieguard.toml").write_text('trusted_proxies = ["10.0.0.0/8", "::/0"]')

    assert told(shop)["proxies"][0] is False


def test_it_says_what_the_banner_speaks_and_where_one_text_stands_for_all(shop: Served) -> None:
    assert told(shop)["banner"] == (True, f"speaks all {len(LANGUAGES)} languages, by default en", "")

    (shop.directory / "cookieguard.toml").write_text('[[purposes]]\nid = "chat"\ntitle = "Chat"\n')

    assert "the text of chat has no translations" in told(shop)["banner"][2]


@pytest.mark.parametrize(
    ("url", "is_fine", "found"),
    [
        ("/privacy", True, "answers 200"),
        ("/moved", True, "answers 200"),
        ("/bots", True, "answers 403"),
        ("/gone", False, "answers 404"),
    ],
)
def test_the_policy_is_opened_when_that_is_asked_for(
    shop: Served, url: str, is_fine: bool, found: str
) -> None:
    asked: list[str] = []

    async def pages(scope: Any, _: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        asked.append(scope["path"])
        answers = {"/privacy": (200, []), "/moved": (302, [(b"location", b"/privacy")]), "/bots": (403, [])}
        status, headers = answers.get(scope["path"], (404, []))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"x" * 10})

    with serving(pages, lifespan="off") as server:
        text = SETTINGS.replace("https://shop.example", server.url).replace("/privacy", url)
        (shop.directory / "cookieguard.toml").write_text(text)
        before = told(shop)["links"]
        unseen = "1 to privacy policies; cookieguard doctor --urls opens them"
        assert (before, asked) == ((True, unseen, ""), [])

        after = told(shop, "--urls")["privacy policy"]

    assert (after[0], after[1]) == (is_fine, f"{server.url}{url} {found}")
    assert told(shop, "--urls")["privacy policy"][1] == f"{server.url}{url} cannot be opened (ConnectError)"


def keyring_line(shop: Served) -> str:
    lines = shop.run("doctor").stdout.splitlines()
    return next(line for line in lines if line.split()[1] == "keyring:")


def test_keyring_in_the_state_directory_is_warned_of_with_the_command_that_moves_it(shop: Served) -> None:
    inside, outside = shop.state / "keyring", beside(shop.state)
    before = keyring_line(shop)
    outside.rename(inside)  # as earlier releases made it
    shutil.rmtree(outside.parent)

    warned = keyring_line(shop)
    assert warned.startswith(f"warn  keyring: {inside} is in the state directory")
    command = warned.partition("run: ")[2].partition("; then restart")[0]
    subprocess.run(command, shell=True, check=True)

    assert keyring_line(shop) == before
    assert (
        before == f"ok    keyring: {outside}; it needs a backup of its own: nothing else opens what is sealed"
    )
    assert (outside.parent / ".gitignore").exists()
    assert outside.parent.stat().st_mode & 0o777 == 0o700
    shutil.copy(outside, inside)
    assert f"{inside} is not used: remove it" in keyring_line(shop)


def test_keyring_in_the_environment_is_named_by_its_variable(
    shop: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    keyring = beside(shop.state).read_text()
    shutil.rmtree(beside(shop.state).parent)

    monkeypatch.setenv("COOKIEGUARD_KEYS", keyring)

    assert keyring_line(shop).startswith("ok    keyring: COOKIEGUARD_KEYS; it needs a backup")


def test_a_tag_manager_on_the_shops_own_host_is_warned_of(shop: Served) -> None:
    guard = CookieGuard(welcome, Config(state_dir=str(shop.state)))
    for path in ("/gtm.js", "/js/gtm.css", "/stats/matomo.php"):
        assert ask(guard, path=path, query="id=GTM-A&idsite=1").status == 200
    guard.close()

    done = shop.run("doctor")

    assert done.returncode == 0
    assert "warn  own hosts: Google Tag Manager is served at /gtm.js; " in done.stdout
    assert "warn  own hosts: Matomo is served at /stats/matomo.php; " in done.stdout


def test_a_tag_manager_that_is_declared_by_its_path_is_not_warned_of(shop: Served) -> None:
    (shop.directory / "cookieguard.toml").write_text(
        SETTINGS
        + '[[vendors]]\ncatalogue = "google-tag-manager"\nhosts = ["*.googletagmanager.com", "shop.example/gtm.js"]\n'
    )
    guard = CookieGuard(welcome, Config(state_dir=str(shop.state)))
    assert ask(guard, path="/gtm.js", query="id=GTM-A").status == 200
    guard.close()

    assert "own hosts: the access log shows no tracker" in shop.run("doctor").stdout


def test_what_runs_in_another_folder_deletes_nothing_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "cookieguard.toml").write_text("")

    done = Shop(tmp_path / "home").run("retention", "run", "--config", "../cookieguard.toml")

    assert done.returncode == 3
    assert f"state_dir is {tmp_path}/home/.cookieguard (no such directory)" in done.stderr
    assert list((tmp_path / "home").iterdir()) == []
