"""`cookieguard explain` names the vendor of an address, the rule that decides, and the settings that change it."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from harness.commands import run_in

from cookieguard.config import config_from_mapping

SHOP = """origins = ["https://shop.example"]
first_party_hosts = ["cdn.other.example"]
[[vendors]]
name = "Chat"
purpose = "preferences"
hosts = ["*.chat.example", "shop.example/matomo/"]
[[vendors]]
name = "Till"
purpose = "necessary"
hosts = ["pay.example"]
"""


def explained(directory: Path, *arguments: str) -> tuple[int, str, str]:
    (directory / "cookieguard.toml").write_text(SHOP)
    done = run_in(directory, "explain", *arguments)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (
            "https://js.chat.example/x.js",
            ("held until the visitor agrees", "preferences", "Chat", '"*.chat.example"'),
        ),
        (
            "https://shop.example/matomo/m.js",
            ("held until the visitor agrees", "preferences", "Chat", '/matomo/"'),
        ),
        ("/matomo/m.js", ("held until the visitor agrees", "preferences", "Chat", '/matomo/"')),
        ("/tea", ("passes", "necessary", "", "own site, shop.example")),
        ("//pay.example/x", ("passes", "necessary", "Till", '"pay.example"')),
        ("https://img.shop.example/a.png", ("passes", "necessary", "", "own site, shop.example")),
        ("cdn.other.example", ("passes", "necessary", "", 'first_party_hosts has "cdn.other.example"')),
        ("https://late.example/x", ("held until the visitor agrees", "", "", 'undeclared = "marketing"')),
    ],
)
def test_an_address_is_explained_by_its_vendor_purpose_and_rule(
    tmp_path: Path, url: str, expected: tuple[str, str, str, str]
) -> None:
    code, out, _ = explained(tmp_path, url, "--json")

    found: dict[str, Any] = json.loads(out)
    assert code == 0
    assert (found["outcome"], found["purpose"], found["vendor"]) == expected[:3]
    assert expected[3] in found["rule"]


def test_the_lines_that_declare_an_address_load_and_the_catalogue_is_asked(tmp_path: Path) -> None:
    for url, name in (
        ("https://late.example/x", "late.example"),
        ("https://static.hotjar.com/h.js", "Hotjar"),
    ):
        found = json.loads(explained(tmp_path, url, "--json")[1])

        lines = found["changes"][0][1]
        assert [one.name for one in config_from_mapping(tomllib.loads(lines)).vendors] == [name]
    assert "because no declaration says" in explained(tmp_path, "https://late.example/x")[1]


def test_beside_a_list_of_names_the_lines_are_the_list_with_the_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(globals(), "SHOP", 'origins = ["https://shop.example"]\nvendors = ["stripe"]\n')

    for url, name in (
        ("https://late.example/x", "late.example"),
        ("https://static.hotjar.com/h.js", "Hotjar"),
    ):
        lines = json.loads(explained(tmp_path, url, "--json")[1])["changes"][0][1]
        assert [one.name for one in config_from_mapping(tomllib.loads(lines)).vendors] == ["Stripe", name]


def test_what_looks_like_the_shops_own_is_said_to_be_so_first(tmp_path: Path) -> None:
    out = explained(tmp_path, "https://shop-cdn.example/x.js")[1]

    assert out.index("first_party_hosts") < out.index("[[vendors]]")


def test_a_name_of_the_catalogue_is_no_address_and_gets_the_line_that_declares_it(tmp_path: Path) -> None:
    code, out, err = explained(tmp_path, "google-analytics")

    assert (code, out) == (3, "")
    assert "URL is 'google-analytics', a name of the catalogue" in err
    assert 'vendors = ["google-analytics"]' in err
    assert explained(tmp_path, "intranet")[0] == 0  # a host of one word is an address


def test_what_is_no_address_is_one_line(tmp_path: Path) -> None:
    code, _, err = explained(tmp_path, "javascript:alert(1)")

    assert (code, err.count("\n")) == (3, 1)


def test_explain_shows_a_vendor_with_an_ended_contract_as_always_held(tmp_path: Path) -> None:
    ended = SHOP.replace('hosts = ["pay.example"]', 'hosts = ["pay.example"]\ncontract_end = 2026-01-01')
    (tmp_path / "ended.toml").write_text(ended)
    code, out, _ = explained(tmp_path, "https://pay.example/x.js", "--config", "ended.toml")

    assert code == 0
    assert out.startswith("https://pay.example/x.js: held always\nwhose: Till\n")
    assert "contract_end was 2026-01-01" in out


def test_the_lines_beside_a_list_keep_what_is_said_of_a_vendor(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(
        'vendors = ["stripe", { catalogue = "youtube", contract_end = 2099-01-01 }]'
    )

    _, out, _ = explained(tmp_path, "https://new.example/x.js", "--config", "own.toml")

    assert "vendors = [" not in out  # which would put the list in its place, without the contract's end
    assert "[[vendors]]" in out


def test_a_shop_that_asks_for_nothing_gets_an_answer(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(
        'vendors = ["stripe"]\nundeclared = "block"\n[cookies]\nundeclared = "block"\n[[purposes]]\nid = "necessary"\n'
    )

    code, out, _ = explained(tmp_path, "https://js.stripe.com/v3", "--config", "own.toml")

    assert (code, "to hold it for all visitors, remove it from vendors" in out) == (0, True)


@pytest.mark.parametrize("dev", ["false", "true"])
def test_a_server_of_assets_is_the_developers_own(tmp_path: Path, dev: str) -> None:
    (tmp_path / "own.toml").write_text(f"dev = {dev}\n")

    _, out, _ = explained(
        tmp_path, "http://localhost:5173/main.js", "--config", "own.toml", "--shop", "http://localhost:8000"
    )

    assert ("localhost:5173/main.js: passes" in out) is (dev == "true")


@pytest.mark.parametrize(
    ("url", "hosts"),
    [("/gtm.js", '["shop.example/gtm.js"]'), ("https://shop.example/stats/s.js", '["shop.example/stats/"]')],
)
def test_draft_for_a_path_of_the_shop_names_that_path_only(tmp_path: Path, url: str, hosts: str) -> None:
    _, out, _ = explained(tmp_path, url)

    assert f"hosts = {hosts}" in out
    assert "hosts" not in explained(tmp_path, "/")[1]


def test_the_lines_keep_a_port_that_is_no_default_one(tmp_path: Path) -> None:
    _, out, _ = explained(tmp_path, "https://late.example:8443/x")

    assert 'hosts = ["late.example:8443"]' in out
    assert 'first_party_hosts = ["late.example:8443"]' in out
