"""`cookieguard letter` previews the letter, and mails it to each recipient once a week."""

from __future__ import annotations

import json

import pytest
from harness.commands import Shop
from harness.relays import Relay

CONFIG = """origins = ["https://shop.example"]
[staff]
letter = ["owner@shop.example", "officer@shop.example"]
[mail]
url = "{relay}"
sender = "Shop <privacy@shop.example>"
[[vendors]]
name = "Old Ads"
purpose = "marketing"
hosts = ["ads.example"]
contract_end = 2026-01-01
"""
pytestmark = pytest.mark.shop(config=CONFIG, has_keys=True)


@pytest.fixture
def relay(shop: Shop) -> Relay:
    return shop.relay


def test_preview_shows_the_letter_and_sends_nothing(shop: Shop, relay: Relay) -> None:
    with relay.up():
        shown = shop.run("letter", "--preview")
        parts = json.loads(shop.run("letter", "--preview", "--json").stdout)["parts"]

    assert shown.stdout.startswith("Privacy of shop.example, ")
    assert "\nOverdue\n- Renew or end the contract with Old Ads (" in shown.stdout
    assert " days late): https://shop.example/_cg/vendors?vendor=Old+Ads\n" in shown.stdout
    assert shown.stdout.endswith("\nEverything that is due\n- https://shop.example/_cg/due\n")
    assert shown.stdout.count("\n") < 12
    assert [one["title"] for one in parts if one["due"]] == ["Overdue"]
    assert not relay.accepted


def test_letter_links_to_the_host_of_staff(shop: Shop) -> None:
    toml = shop.directory / "cookieguard.toml"
    toml.write_text(toml.read_text().replace("[staff]", '[staff]\norigin = "https://staff.shop.example"'))

    shown = shop.run("letter", "--preview").stdout

    assert shown.endswith("\n- https://staff.shop.example/_cg/due\n")


def test_letter_goes_to_each_once_a_week_however_often_cron_asks(shop: Shop, relay: Relay) -> None:
    with relay.up():
        sent = [shop.run("letter"), shop.run("letter")]

    assert [one.returncode for one in sent] == [0, 0]
    assert relay.counts == {"owner@shop.example": 1, "officer@shop.example": 1}
    assert "Old Ads" in relay.messages[0].get_payload(decode=True).decode()  # type: ignore[union-attr]
    assert relay.messages[0]["List-Unsubscribe"] is None


def test_shop_that_names_nobody_is_told_which_setting_is_missing(shop: Shop) -> None:
    toml = shop.directory / "cookieguard.toml"
    toml.write_text(toml.read_text().replace('letter = ["owner@shop.example", "officer@shop.example"]', ""))

    assert "staff.letter" in shop.run("letter").stderr


def test_a_store_that_does_not_answer_is_said_in_one_line(shop: Shop, relay: Relay) -> None:
    toml = shop.directory / "cookieguard.toml"
    toml.write_text(f'{toml.read_text()}[store]\nurl = "sqlite:///{shop.directory}/nowhere/store.db"\n')

    with relay.up():
        said = shop.run("letter")

    assert (said.returncode, said.stderr.count("\n")) == (3, 1)
    assert "store.url" in said.stderr
    assert not relay.accepted


@pytest.mark.parametrize("is_up", [True, False])
def test_a_relay_that_takes_nothing_ends_the_command_and_the_next_call_sends_the_letter(
    shop: Shop, relay: Relay, monkeypatch: pytest.MonkeyPatch, *, is_up: bool
) -> None:
    monkeypatch.setattr("cookieguard.features.outbox.sending.PATIENCE", 2.0)
    if is_up:
        relay.refuse = dict.fromkeys(("owner@shop.example", "officer@shop.example"), "451 later")
        with relay.up():
            failed = shop.run("letter")
    else:
        failed = shop.run("letter")

    assert failed.returncode == 1
    assert "0 of 2 letters" in failed.stdout
    assert not relay.accepted


def test_a_letter_begun_with_a_key_that_is_gone_gets_one_line(shop: Shop, relay: Relay) -> None:
    with relay.up():
        assert shop.run("letter").returncode == 0
    (before,) = [one["id"] for one in json.loads(shop.run("keys", "list", "--json").stdout)["keys"]]
    shop.run("keys", "add")
    keys = json.loads(shop.run("keys", "list", "--json").stdout)["keys"]
    (new,) = [one["id"] for one in keys if one["id"] != before]
    assert shop.run("keys", "promote", new, "--force").returncode == 0
    assert shop.run("keys", "retire", before, "--force").returncode == 0

    said = shop.run("letter")

    assert (said.returncode, said.stderr.count("\n")) == (4, 1)
