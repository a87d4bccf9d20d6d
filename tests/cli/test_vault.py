"""The vault from the app to the reveal: who can open an address, who cannot, and when it is gone for good."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from harness.asgi import ask
from harness.commands import Shop
from harness.parts import part_of
from servers.traces import Written, check_nothing_found, draw
from starlette.requests import Request
from starlette.responses import PlainTextResponse

from cookieguard import Config, CookieGuard, visitor_of
from cookieguard.features.vault.part import RisksPart

CLIENTS = draw(200, seed=71)
CONTROLS = draw(200, seed=72)


class VaultShop(Shop):
    """Run the commands of a shop whose private keys are in a folder of their own."""

    def __init__(self, directory: Path, config: str) -> None:
        super().__init__(directory, config)
        self.now = datetime.now(UTC)  # of all its events: a test may begin just before midnight
        self.today = self.now.date()
        self.private = directory / "private"
        (directory / "cookieguard.toml").write_text(f'[vault]\nprivate_dir = "{self.private}"\n')

    def serve(self, clients: list[Any]) -> CookieGuard:
        """Let each client log in."""

        async def app(scope: Any, receive: Any, send: Any) -> None:
            visitor = visitor_of(Request(scope))
            visitor.login("10042")
            visitor.risk("login", detail="third try")
            await PlainTextResponse("welcome")(scope, receive, send)

        guard = CookieGuard(app, Config(state_dir=str(self.state)), clock=lambda: self.now)
        for client in clients:
            assert ask(guard, client=(str(client), 4711)).text == "welcome"
        guard.close()
        return guard


pytestmark = pytest.mark.shop(kind=VaultShop, has_keys=True)


@pytest.fixture
def owners(shop: VaultShop) -> Callable[[str], str]:
    made: dict[str, str] = {}

    def token(name: str) -> str:
        if name not in made:
            role = "analyst" if name == "Carl" else "owner"
            made[name] = shop.ask("staff", "add", name, "--role", role)["token"]
        return made[name]

    return token


def test_no_address_is_readable_without_the_private_key_and_each_is_with_it(shop: VaultShop) -> None:
    from cookieguard.features.vault.sealed_events import private_key, read_events
    from cookieguard.features.vault.vault_records import open_box
    from cookieguard.storage.state_directory import StateDirectory

    shop.ask("vault", "init", "--days", "2")
    guard = shop.serve(CLIENTS)

    check_nothing_found(Written(shop.state), CLIENTS, CONTROLS)
    events = read_events(StateDirectory(shop.state), shop.today)
    key = private_key(StateDirectory(shop.private), shop.today)
    assert key is not None
    assert part_of(guard, RisksPart).writer.without_key == 0
    assert [open_box(event, key)["address"] for event in events] == [str(client) for client in CLIENTS]
    assert {open_box(event, key)["customer"] for event in events} == {"10042"}
    assert {path.name for path in shop.state.rglob("vault*")} == {"vault", "vault-keys"}
    (shop.state / "planted").write_bytes(CLIENTS[1].packed + str(CLIENTS[0]).encode())
    assert Written(shop.state).traces_of(CLIENTS)["text"] == 1


def test_without_a_key_of_the_day_events_are_dropped_and_counted(
    shop: VaultShop, caplog: pytest.LogCaptureFixture
) -> None:
    guard = shop.serve(CLIENTS[:5])

    assert part_of(guard, RisksPart).writer.without_key == 5
    assert caplog.text.count("vault: no key for") == 1
    assert "access log" not in caplog.text
    assert not (shop.state / "vault").exists() or not list((shop.state / "vault").iterdir())


def test_reveal_takes_two_owners_and_a_reason_and_is_logged_first(
    shop: VaultShop, owners: Callable[[str], str]
) -> None:
    shop.ask("vault", "init", "--days", "1")
    shop.serve(CLIENTS[:1])
    day = ("reveal", "--day", str(shop.today))
    (event,) = shop.ask(*day)["events"]
    assert set(event) == {"id", "hour", "event"}
    case = (*day, "--event", event["id"], "--reason", "fraud case 7")
    anna, bert = owners("Anna"), owners("Bert")

    for tokens in ([], [anna], [anna, anna], [anna, owners("Carl")], [anna, bert[:-2]], [anna, bert, anna]):
        line = shop.refuse(*case, stdin="\n".join(tokens))
        assert "two different members with the role owner, one a line on standard input" in line
    both = f"{anna}\n{bert}\n"
    assert "--reason is" in shop.refuse(*day, "--event", event["id"], code=3, stdin=both)
    assert shop.ask("reveal", "--log")["entries"] == []

    assert shop.ask(*case, stdin=both)["address"] == str(CLIENTS[0])

    (entry,) = shop.ask("reveal", "--log")["entries"]
    assert (entry["by"], entry["with"], entry["reason"]) == ("Anna", "Bert", "fraud case 7")
    assert str(CLIENTS[0]) not in (shop.private / "reveal-log").read_text()
    (look,) = shop.ask("access", "list")["looks"]  # the customer is to be told of it
    assert (look["kind"], look["state"]) == ("reveal", "customer not told for 0 days")
    (shop.private / "reveal-log").write_text("")
    assert "end of the reveal log" in shop.refuse("reveal", "--log", code=3)
    assert str(CLIENTS[0]) not in shop.run(*case, stdin=both).stdout  # what cannot be recorded stays closed


def test_tokens_are_not_taken_from_arguments_which_others_can_read(
    shop: VaultShop, owners: Callable[[str], str]
) -> None:
    tokens = ("--token", owners("Anna"), "--token", owners("Bert"))

    line = shop.refuse("reveal", "--day", str(shop.today), "--event", "x", "--reason", "case 7", *tokens)

    assert "tokens are read from standard input, one a line" in line
    assert owners("Anna") not in line
    assert "--token" not in shop.run("reveal", "--help").stdout


def test_two_spellings_of_one_name_in_an_older_list_are_not_two_persons(
    shop: VaultShop, owners: Callable[[str], str]
) -> None:
    shop.ask("vault", "init", "--days", "1")
    shop.serve(CLIENTS[:1])
    (event,) = shop.ask("reveal", "--day", str(shop.today))["events"]
    both = f"{owners('Anna')}\n{owners('Bert')}"
    staff = shop.state / "staff.toml"
    staff.write_text(staff.read_text().replace('"Bert"', '"anna"'))

    case = ("reveal", "--day", str(shop.today), "--event", event["id"], "--reason", "case 9")
    assert "two different members" in shop.refuse(*case, stdin=both)


def test_a_line_that_was_cut_hides_no_other_event_of_its_day(
    shop: VaultShop, owners: Callable[[str], str]
) -> None:
    shop.ask("vault", "init", "--days", "1")
    shop.serve(CLIENTS[:2])
    path = shop.state / "vault" / f"{shop.today}.jsonl"
    first, second = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(first[:60] + first + b'junk\n[1]\n{"day": 1}\n' + second[:-40] + b"\n" + second)

    events = shop.ask("reveal", "--day", str(shop.today))["events"]

    assert [event["id"] for event in events] == [json.loads(first)["id"], json.loads(second)["id"]]
    case = ("reveal", "--day", str(shop.today), "--event", events[0]["id"], "--reason", "fraud case 8")
    assert shop.ask(*case, stdin=f"{owners('Anna')}\n{owners('Bert')}")["address"] == str(CLIENTS[0])


def test_destroyed_key_opens_nothing(shop: VaultShop, owners: Callable[[str], str]) -> None:
    from cookieguard.features.vault.sealed_events import expire_keys, make_keys
    from cookieguard.storage.state_directory import StateDirectory

    state, private = StateDirectory(shop.state), StateDirectory(shop.private)
    make_keys(state, private, today=shop.today, days=1)
    key = (shop.private / f"vault-{shop.today}").read_bytes()
    shop.serve(CLIENTS[:1])
    (event,) = shop.ask("reveal", "--day", str(shop.today))["events"]
    sealed = (shop.state / "vault" / f"{shop.today}.jsonl").read_bytes()

    assert expire_keys(state, private, today=shop.today + timedelta(days=7), keep_days=7) == []
    assert expire_keys(state, private, today=shop.today + timedelta(days=8), keep_days=7) == [shop.today]

    written = b"".join(path.read_bytes() for path in shop.directory.rglob("*") if path.is_file())
    assert key not in written
    assert not (shop.state / "vault" / f"{shop.today}.jsonl").exists()
    (shop.state / "vault" / f"{shop.today}.jsonl").write_bytes(sealed)  # a copy of it from elsewhere
    case = ("reveal", "--day", str(shop.today), "--event", event["id"], "--reason", "late")
    assert "there is no private key" in shop.refuse(*case, stdin=f"{owners('Anna')}\n{owners('Bert')}")


def test_private_directory_is_away_from_the_state(shop: VaultShop) -> None:
    (shop.directory / "cookieguard.toml").write_text('[vault]\nprivate_dir = ".cookieguard/private"\n')

    assert "overlaps with state_dir" in shop.refuse("vault", "init", code=3)


def test_unknown_event_is_a_mistake_of_the_app(shop: VaultShop) -> None:
    guard = CookieGuard(lambda *_: None, Config(state_dir=str(shop.state)))  # type: ignore[arg-type, return-value]

    with pytest.raises(ValueError, match="allowed: login, checkout, payment_failure, abuse"):
        guard._parts.risks.put("visit", "", address="203.0.113.7", customer=None, time=datetime.now(UTC))
