"""`cookieguard staff` shows a token once, stores none, and refuses wrong names, roles and days."""

from __future__ import annotations

import json
import re
import stat
from contextlib import closing

import pytest
from harness.commands import Shop
from harness.stores import SqliteStore

from cookieguard.features.people.journal import read_journal

pytestmark = pytest.mark.shop(has_keys=True)


def test_token_is_shown_once_and_kept_nowhere(shop: Shop) -> None:
    added = json.loads(shop.run("staff", "add", "Anna", "--role", "analyst", "--json").stdout)
    listed = shop.run("staff", "list", "--json")

    token = added["token"]
    assert json.loads(listed.stdout) == {"staff": [added["member"]]}
    assert token not in listed.stdout
    body, signature = token.split(".")[2:]
    written = b"".join(path.read_bytes() for path in shop.state.iterdir())
    assert body.encode() not in written
    assert signature.encode() not in written
    assert added["member"]["id"].encode() in written
    assert stat.S_IMODE((shop.state / "staff.toml").stat().st_mode) == 0o600


@pytest.mark.parametrize("name", ["anna", "ANNA", "ａｎｎａ", "An na"])
def test_one_name_in_another_spelling_is_one_person(shop: Shop, name: str) -> None:
    shop.run("staff", "add", "Anna", "--role", "owner")

    refused = shop.run("staff", "add", name, "--role", "owner")

    assert refused.returncode == 4
    assert "Anna already has a token" in refused.stderr


def test_revoke_takes_a_name_or_an_id(shop: Shop) -> None:
    anna = json.loads(shop.run("staff", "add", "Anna", "--role", "analyst", "--json").stdout)["member"]["id"]
    shop.run("staff", "add", "Bert", "--role", "owner")

    assert shop.run("staff", "revoke", anna).stdout.startswith("revoked Anna: within 5 s")
    assert shop.run("staff", "revoke", "Bert").returncode == 0
    assert json.loads(shop.run("staff", "list", "--json").stdout) == {"staff": []}
    assert shop.run("staff", "list").stdout == "none\n"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (
            ("add", "Anna", "--role", "boss"),
            3,
            "--role is 'boss'; allowed: 'analyst', 'support', 'officer', 'owner'",
        ),
        (("add", "Anna", "--role", "owner", "--days", "0"), 3, "--days is 0; allowed: 1 to 180 days"),
        (("add", 'A"]\n', "--role", "owner"), 3, "NAME is "),
        (("add", "Anna"), 2, "Missing option '--role'"),
        (
            ("add", "Taken", "--role", "owner"),
            4,
            "Taken already has a token; first run: cookieguard staff revoke",
        ),
        (("revoke", "nobody"), 4, "no member is called 'nobody'; see: cookieguard staff list"),
    ],
)
def test_mistake_is_one_line_and_an_exit_code(
    shop: Shop, arguments: tuple[str, ...], code: int, message: str
) -> None:
    if "Taken" in arguments:
        shop.run("staff", "add", "Taken", "--role", "analyst")

    done = shop.run("staff", *arguments)

    (line,) = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (code, "")
    assert line.startswith(f"cookieguard: {message}")


def test_link_is_printed_for_a_member_and_kept_nowhere(shop: Shop) -> None:
    (shop.directory / "cookieguard.toml").write_text('origins = ["https://shop.example"]\n')
    added = json.loads(shop.run("staff", "add", "Anna", "--role", "analyst", "--json").stdout)
    with closing(SqliteStore(shop.state / "store.db")):  # as the shop's first start makes it
        pass

    made = json.loads(shop.run("staff", "link", "Anna", "--json").stdout)

    base, _, secret = made["url"].partition("?link=")
    assert base == "https://shop.example/_cg/staff"
    assert len(secret) == 43
    assert made["member"] == added["member"]
    assert secret.encode() not in b"".join(path.read_bytes() for path in shop.state.glob("*.db*"))
    assert [one["event"] for one in read_journal(shop.state)] == ["link made"]
    told, at = shop.run("staff", "link", "Anna", "--at", "http://localhost:8000").stdout.splitlines()
    assert re.search(r"in, once, until 20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ:$", told)
    assert at.startswith("http://localhost:8000/_cg/staff?link=")
    assert not at.endswith(secret)


@pytest.mark.parametrize(
    ("settings", "arguments", "error"),
    [
        ('origins = ["https://shop.example"]', ("Bert",), "0 members are called 'Bert'"),
        ('origins = ["https://shop.example"]', ("Anna",), "store.db (no such file)"),
        ("", ("Anna",), "origins"),
        ("", ("Anna", "--at", "shop.example"), "--at"),
        ('state_dir = "elsewhere"', ("Anna", "--at", "https://shop.example"), "no such directory"),
    ],
)
def test_link_that_cannot_work_is_an_error(
    shop: Shop, settings: str, arguments: tuple[str, ...], error: str
) -> None:
    assert shop.run("staff", "add", "Anna", "--role", "analyst").returncode == 0
    (shop.directory / "cookieguard.toml").write_text(settings)

    answer = shop.run("staff", "link", *arguments)

    assert answer.returncode != 0
    assert error in answer.stdout + answer.stderr
