"""Order confirmations need no list and no consent, because they are part of the contract; the log records each mail."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from features.rights.test_refusals_by_staff import Browser, shop

from cookieguard import Config, CookieGuard, mail, order_mail
from cookieguard.config import DataKind, MailSettings
from cookieguard.config.proof import KeptKind, ProofSettings
from cookieguard.errors import ConfigError
from cookieguard.features.feature import Place
from cookieguard.features.outbox.order_mail import ORDER_MAIL
from cookieguard.features.records.log_reader import read_subject
from cookieguard.features.records.personal import personal_of
from cookieguard.features.records.store.open import open_stores, place_of
from cookieguard.features.records.upkeep.pruning import prune_log
from cookieguard.features.records.values.records import customer, read_document
from cookieguard.mail.headers import MailError
from cookieguard.storage.keyring_source import beside, load_keyring
from cookieguard.storage.state_directory import StateDirectory

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
CUSTOMER = "number-4711"
KIND = DataKind(
    id="order-mail", title="Mail about orders", purpose="To confirm what you bought", retention="10 years"
)
SETTINGS: dict[str, Any] = {
    "data": (KIND,),
    "mail": MailSettings(orders="order-mail", sender="Kiln <orders@shop.example>", lists=("news",)),
    "origins": ("https://shop.example",),
}


@pytest.fixture
def app(guard: Callable[..., CookieGuard]) -> CookieGuard:
    return guard(shop, clock=lambda: NOW, **SETTINGS)


def confirm(order: str = "A-17") -> dict[str, str]:
    headers = mail.order_headers()
    asyncio.run(mail.order_sent(CUSTOMER, order, headers))
    return headers


def records(app: CookieGuard, state: Path) -> list[dict[str, Any]]:
    with closing(open_stores(place_of(app.config, state, environ={}))) as stores:
        return [read_document(one.record) for one in read_subject(stores, customer(CUSTOMER)) if one.record]


def test_confirmation_carries_no_way_to_stop_it_and_names_nobody(app: CookieGuard) -> None:
    headers = confirm()

    assert "List-Unsubscribe" in mail.headers(CUSTOMER, "news")  # the control: what readers may stop
    assert set(headers) == {"Message-ID", "Auto-Submitted"}
    assert headers["Message-ID"].endswith(".order@shop.example>")
    assert not {CUSTOMER, "4711", "A-17"} & set(headers["Message-ID"].split("."))
    assert mail.order_headers()["Message-ID"] != headers["Message-ID"]


def test_what_was_sent_is_in_the_log_and_in_the_customers_copy_and_goes_with_their_key(
    app: CookieGuard, tmp_path: Path
) -> None:
    headers = confirm()

    (record,) = records(app, tmp_path / "state")
    said = {name: record[f"cg:{name}"] for name in ("order", "message", "data", "basis")}
    assert said == {
        "order": "A-17",
        "message": headers["Message-ID"],
        "data": "order-mail",
        "basis": "contract",
    }
    personal = personal_of(Place(app.config, tmp_path / "state", {}))
    assert [values["cg:order"] for _, values in personal.copy(CUSTOMER)] == ["A-17"]
    for _ in range(2):  # the second time does no harm
        personal.erase(CUSTOMER, NOW)
        assert personal.copy(CUSTOMER) == []


def test_confirmation_is_no_consent_and_stands_among_what_is_kept_by_contract(app: CookieGuard) -> None:
    browser = Browser(app)
    browser.get("/login", headers=[("host", "shop.example")])
    confirm()

    page = browser.get("/_cg/privacy", headers=[("host", "shop.example")]).text

    _, _, kept = page.partition("Mail about orders")
    assert "a contract with you" in kept[: kept.index("</dl>")]
    assert "Your choices so far" not in page
    assert "Mail about orders" not in browser.get("/_cg/choices", headers=[("host", "shop.example")]).text


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"data": ()}, r"mail\.orders is 'order-mail'; allowed: the id of a \[\[data\]\] entry"),
        (
            {"data": (DataKind(id="order-mail", title="x", purpose="x", basis="consent"),)},
            "with the basis 'contract'",
        ),
        ({"proof": ProofSettings(enabled=False)}, r"only with proof\.enabled true"),
    ],
)
def test_confirmations_that_rest_on_no_contract_are_refused_by_name(
    settings: dict[str, Any], told: str
) -> None:
    Config(**SETTINGS)

    with pytest.raises(ConfigError, match=told):
        Config(**{**SETTINGS, **settings})


def test_list_that_readers_may_stop_confirms_no_orders() -> None:
    with pytest.raises(ConfigError, match=r"mail\.lists is 'news'; allowed: lists that customers can leave"):
        MailSettings(orders="news", lists=("news",), sender="orders@shop.example")


@pytest.mark.parametrize(("number", "order"), [("", "A-17"), (CUSTOMER, "A\n17"), (CUSTOMER, "A" * 201)])
def test_number_or_order_that_cannot_be_is_refused(app: CookieGuard, number: str, order: str) -> None:
    with pytest.raises(MailError, match="characters; allowed: 1 to 200 printable ones"):
        asyncio.run(mail.order_sent(number, order, mail.order_headers()))


def test_job_of_its_own_writes_into_the_shops_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = Config(state_dir=str(tmp_path / "state"), **SETTINGS)
    load_keyring(StateDirectory(config.state_dir), config.keys, environ={}, now=NOW)

    with closing(order_mail(config)) as orders:
        mail.use_orders(orders)
        confirm("B-18")

    with closing(open_stores(place_of(config, tmp_path / "state", environ={}))) as stores:
        found = [
            json.dumps(read_document(one.record))
            for one in read_subject(stores, customer(CUSTOMER))
            if one.record
        ]
    assert ["B-18" in one for one in found] == [True]


def test_job_of_its_own_makes_no_keyring_where_one_was_lost(tmp_path: Path) -> None:
    config = Config(state_dir=str(tmp_path / "state"), **SETTINGS)

    with pytest.raises(ConfigError, match=r"state_dir is .*no keyring"):
        order_mail(config)

    assert not beside(tmp_path / "state").exists()  # workers would follow it: every session ended


def test_records_of_confirmations_go_as_proof_keep_says_and_not_before(tmp_path: Path) -> None:
    keep = ProofSettings(keep=(KeptKind(kind=ORDER_MAIL, days=3653),))
    config = Config(state_dir=str(tmp_path / "state"), proof=keep, **SETTINGS)
    files, now = StateDirectory(config.state_dir), datetime.now(UTC)
    load_keyring(files, config.keys, environ={}, now=now)
    with closing(order_mail(config)) as orders:
        mail.use_orders(orders)
        confirm()

    gone = [
        prune_log(one, files, environ={}, now=now + timedelta(days=days))
        for one, days in ((config, 3652), (replace(config, proof=ProofSettings()), 9999), (config, 3654))
    ]

    assert gone == [0, 0, 1]
