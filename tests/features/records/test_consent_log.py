"""Choices are recorded before they are acknowledged, and a withdrawal takes effect without waiting for the log."""

from __future__ import annotations

import gc
import json
import re
import time
from base64 import b64encode
from collections.abc import Callable
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from harness.asgi import Answer, App, ask, page
from harness.locks import locked
from harness.merkle import root_of
from harness.parts import log_of
from harness.servers import START_SECONDS
from harness.shops import NOW

from cookieguard import CookieGuard, visitor_of
from cookieguard.config.languages import LANGUAGES, day_text, texts_of
from cookieguard.features.records.erasure_journal import erase_subject
from cookieguard.features.records.log_reader import opened
from cookieguard.features.records.store.open import open_stores, place_of
from cookieguard.features.records.values.merkle import leaf_hash
from cookieguard.features.records.values.notes import NoteKey, open_signed
from cookieguard.features.records.values.receipts import verify_receipt
from cookieguard.features.records.values.records import read_document
from cookieguard.stats.anonymize import Client
from cookieguard.web.banner.localized_texts import FSI, LRI

Guard = Callable[..., CookieGuard]
FORM = ("content-type", "application/x-www-form-urlencoded")
OWN = ("sec-fetch-site", "same-origin")
COOKIE = "__Host-cg_consent"
ADDRESS = "203.0.113.77"
HTML = b"<!doctype html><html lang=en><title>x</title><body>x"


def choose(
    app: App, choice: str, cookie: str = "", *, purposes: tuple[str, ...] = (), **options: Any
) -> Answer:
    body = "&".join([f"choice={choice}", *(f"purpose={one}" for one in purposes)])
    cookies = [("cookie", f"{COOKIE}={cookie}")] if cookie else []
    headers = [FORM, OWN, ("accept", "application/json"), *cookies]
    return ask(app, path="/_cg/consent", method="POST", headers=headers, body=body.encode(), **options)


def recorded(app: CookieGuard) -> list[dict[str, Any]]:
    """Return every record of the log, as the store has it now."""
    parts = app._parts
    place = place_of(parts.config, Path(parts.config.state_dir), environ={})
    stores = open_stores(place, make=False)
    rows = [*stores.log.rows(), *stores.log.unnumbered()]
    found = [read_document(opened(stores, row).record) for row in rows]
    stores.close()
    return found


def status(record: dict[str, Any]) -> str:
    return str(record["dpv:hasConsentStatus"]["@type"])


@contextmanager
def store_down(app: CookieGuard) -> Any:
    """Have another process lock the log's file for longer than any writer waits."""
    with locked(Path(app._parts.config.state_dir) / "log.db"):
        yield


def test_a_choice_is_in_the_log_when_it_is_answered(guard: Guard) -> None:
    app = guard(page(HTML))
    answer = choose(app, "save", purposes=("statistics",))

    assert json.loads(answer.body) == {"ok": True, "state": "partly", "granted": ["necessary", "statistics"]}
    (record,) = recorded(app)
    assert record["@type"] == "dpv:ConsentRecord"
    assert record["cg:event"] == "partial"
    assert record["dpv:hasDataController"] == "shop.example"
    by_purpose = {one["dpv:hasPurpose"]: one for one in record["dpv:hasProcess"]}
    assert by_purpose["statistics"]["dpv:hasConsentStatus"] == "dpv:ConsentGiven"
    assert by_purpose["marketing"]["dpv:hasConsentStatus"] == "dpv:ConsentRefused"
    assert by_purpose["marketing"]["dpv:hasRecipient"] == ["Ads"]


def test_a_refusal_says_that_nothing_was_granted_beyond_what_is_necessary(guard: Guard) -> None:
    app = guard(page(HTML))
    choose(app, "reject")

    (record,) = recorded(app)
    by_purpose = {one.pop("dpv:hasPurpose"): one for one in record["dpv:hasProcess"]}
    assert status(record) == "dpv:ConsentRefused"
    assert "ConsentGiven" not in json.dumps(record)
    necessary = by_purpose.pop("necessary")
    assert necessary == {"@type": "dpv:Process", "dpv:hasNecessity": "dpv:Required", "dpv:hasRecipient": []}
    assert {one["dpv:hasConsentStatus"] for one in by_purpose.values()} == {"dpv:ConsentRefused"}


def test_each_step_of_one_browser_is_recorded_under_one_subject(guard: Guard) -> None:
    app = guard(page(HTML))
    first = choose(app, "accept")
    second = choose(app, "save", first.cookies()[COOKIE], purposes=("statistics",))
    choose(app, "reject", second.cookies()[COOKIE])

    records = recorded(app)
    assert [one["cg:event"] for one in records] == ["grant", "withdrawal", "withdrawal"]
    assert status(records[2]) == "dpv:ConsentWithdrawn"
    assert len({one["dpv:hasDataSubject"]["@id"] for one in records}) == 1


def test_a_customers_choice_is_recorded_under_the_customer_number(guard: Guard) -> None:
    login = page(HTML, act=lambda scope: visitor_of(scope).login("c-4711"))

    app = guard(login)
    session = ask(app).cookies()["__Host-cg_session"]
    headers = [FORM, OWN, ("cookie", f"__Host-cg_session={session}")]
    ask(app, path="/_cg/consent", method="POST", headers=headers, body=b"choice=reject")

    (record,) = recorded(app)
    assert record["dpv:hasDataSubject"]["@id"] == "customer:c-4711"
    assert status(record) == "dpv:ConsentRefused"


def test_the_wording_that_was_shown_is_kept_once_by_its_hash(guard: Guard) -> None:
    app = guard(page(HTML))
    shown = ask(app).text.partition('name="banner" value="')[2].partition('"')[0]
    body = f"choice=accept&banner={shown}".encode()
    for _ in range(2):
        ask(app, path="/_cg/consent", method="POST", headers=[FORM, OWN], body=body)

    first, second = recorded(app)
    digest = first["dpv:hasNotice"]["cg:sha256"]
    assert digest == second["dpv:hasNotice"]["cg:sha256"]
    assert first["dpv:hasNotice"]["dct:language"] == "en"
    place = place_of(app._parts.config, Path(app._parts.config.state_dir), environ={})
    stores = open_stores(place, make=False)
    text = stores.log.text(digest)
    stores.close()
    assert text is not None
    assert b"Your privacy" in text


def test_with_the_store_down_a_refusal_counts_at_once_and_a_grant_once_it_is_recorded(guard: Guard) -> None:
    app = guard(page(HTML))
    choose(app, "reject")
    with store_down(app):
        refused = choose(app, "reject")
        granted = choose(app, "accept")
        waiting = ask(app, headers=[("cookie", f"{COOKIE}={granted.cookies()[COOKIE]}")])

    assert json.loads(refused.body)["state"] == "refused"
    assert json.loads(granted.body) == {
        "ok": True,
        "state": "refused",
        "granted": ["necessary"],
        "pending": True,
        "message": "Your choice is saved. What you agreed to takes effect shortly.",
    }
    assert "ads.example" not in waiting.get("content-security-policy")
    cookie = granted.cookies()[COOKIE]
    ends = time.monotonic() + START_SECONDS
    while COOKIE not in (answer := ask(app, headers=[("cookie", f"{COOKIE}={cookie}")])).cookies():
        assert time.monotonic() < ends
        time.sleep(0.1)
    assert "default-src 'self'" in waiting.get("content-security-policy")
    assert "default-src 'self'" not in answer.get("content-security-policy")
    after = ask(app, headers=[("cookie", f"{COOKIE}={answer.cookies()[COOKIE]}")])
    assert COOKIE not in after.cookies()
    events = [one["cg:event"] for one in recorded(app)]
    assert sorted(events) == ["grant", "refusal", "refusal"]  # each once


def test_with_the_store_down_a_withdrawal_counts_at_once(guard: Guard) -> None:
    app = guard(page(HTML))
    granted = choose(app, "accept").cookies()[COOKIE]
    with store_down(app):
        answer = choose(app, "save", granted, purposes=("statistics",))

    assert json.loads(answer.body)["granted"] == ["necessary", "statistics"]


def test_while_the_store_is_down_no_address_waits_with_a_choice(guard: Guard) -> None:
    app = guard(page(HTML), trusted_proxies=("198.51.100.7",))
    choose(app, "reject")
    with store_down(app):
        headers = [FORM, OWN, ("referer", "https://shop.example/_cg/choices"), ("x-forwarded-for", ADDRESS)]
        ask(app, path="/_cg/consent", method="POST", headers=headers, body=b"choice=accept")
        gc.collect()
        known = [one for one in gc.get_objects() if isinstance(one, Client) and one.address == ADDRESS]
        waiting = log_of(app).writer.waiting

    assert (waiting, known) == (1, [])
    app.close()
    methods = [one["dpv:hasConsentStatus"]["dpv:hasIndicationMethod"] for one in recorded(app)]
    assert sorted(methods) == ["banner", "privacy choices page"]


def test_a_pending_receipt_is_recorded_by_a_worker_that_never_saw_the_choice(
    guard: Guard, tmp_path: Path
) -> None:
    first = guard(page(HTML))
    choose(first, "reject")
    with store_down(first):
        cookie = choose(first, "accept").cookies()[COOKIE]
        first.close()
    writer = log_of(first).writer  # type: ignore[union-attr]
    writer._reset()  # the worker ended with what it knew
    second = guard(page(HTML))
    ends = time.monotonic() + START_SECONDS
    while COOKIE not in (answer := ask(second, headers=[("cookie", f"{COOKIE}={cookie}")])).cookies():
        assert time.monotonic() < ends
        time.sleep(0.05)

    late = [one for one in recorded(second) if one.get("cg:recordedLate")]
    assert [one["cg:event"] for one in late] == ["grant"]
    third = ask(first, headers=[("cookie", f"{COOKIE}={cookie}")])  # the same cookie once more, elsewhere
    assert third.status == 200
    assert len(recorded(first)) == 2
    assert answer.status == 200


def test_a_late_record_has_the_wording_though_its_worker_never_spoke_that_language(guard: Guard) -> None:
    html = page(b"<!doctype html><title>x</title><body>x")
    french = ("accept-language", "fr")
    first = guard(html)
    choose(first, "reject")
    shown = ask(first, headers=[french]).text.partition('name="banner" value="')[2].partition('"')[0]
    body = f"choice=accept&banner={shown}".encode()
    with store_down(first):
        answer = ask(first, path="/_cg/consent", method="POST", headers=[FORM, OWN], body=body)
        first.close()
    cookie = answer.cookies()[COOKIE]
    log_of(first).writer._reset()  # type: ignore[union-attr]  # the worker ended with what it knew
    second = guard(html)
    ends = time.monotonic() + START_SECONDS
    while COOKIE not in ask(second, headers=[("cookie", f"{COOKIE}={cookie}")]).cookies():
        assert time.monotonic() < ends
        time.sleep(0.05)
    ask(second, path="/_cg/consent", method="POST", headers=[FORM, OWN, french], body=body)

    late, next_ = (one["dpv:hasNotice"] for one in recorded(second)[1:])
    assert late["dct:language"] == next_["dct:language"] == "fr"
    assert late["cg:sha256"] == next_["cg:sha256"] != sha256(b"").hexdigest()
    stores = open_stores(place_of(second.config, Path(second.config.state_dir), environ={}), make=False)
    assert b"Tout accepter" in (stores.log.text(late["cg:sha256"]) or b"")
    stores.close()


def test_without_the_log_nothing_is_recorded_and_choices_count(guard: Guard) -> None:
    from cookieguard.config.proof import ProofSettings

    app = guard(page(HTML), proof=ProofSettings(enabled=False))

    assert json.loads(choose(app, "accept").body)["state"] == "all"
    assert not (Path(app._parts.config.state_dir) / "log.db").exists()


def test_a_page_that_was_public_stays_public(guard: Guard) -> None:
    app = guard(
        page(b"{}", headers=[("content-type", "application/json"), ("cache-control", "public, max-age=60")])
    )
    cookie = choose(app, "accept").cookies()[COOKIE]

    assert ask(app, headers=[("cookie", f"{COOKIE}={cookie}")]).get("cache-control") == "public, max-age=60"


def test_the_visitors_copy_verifies_without_the_shop_as_page_and_file(guard: Guard, tmp_path: Path) -> None:
    app = guard(page(HTML))
    cookie = ("cookie", f"{COOKIE}={choose(app, 'accept').cookies()[COOKIE]}")
    ends = time.monotonic() + START_SECONDS
    while (file := ask(app, path="/_cg/receipt.json", headers=[cookie])).status == 503:
        assert time.monotonic() < ends
        time.sleep(0.1)
    shown = ask(app, path="/_cg/receipt", headers=[cookie])
    choices = ask(app, path="/_cg/choices", headers=[cookie])
    keys = json.loads(ask(app, path="/_cg/keys.json").body)

    receipt = verify_receipt(file.body, keys=[NoteKey.parse(one) for one in keys["keys"]])
    assert receipt.record["cg:event"] == "grant"
    assert receipt.origin == keys["origin"]
    said, _, frame = unescape(shown.text).partition("<iframe")
    assert said.count("Agreed</p>") == 2  # each purpose that was asked for
    assert "Companies: <bdi>Count</bdi>" in said
    assert "dpv:" not in said + frame.partition("</iframe>")[2]  # the file has them
    sheet = unescape(frame).partition("<style>")[2].partition("</style>")[0]
    assert "#cg{all:initial" in sheet  # the banner as it looked
    assert b64encode(sha256(sheet.encode()).digest()).decode() in shown.get("content-security-policy")
    assert "<p>You agreed to all purposes.<br/>Chosen on \u2066" in said
    assert f'href="/_cg/receipt?lang=en&amp;id={receipt.record["dct:identifier"]}"' in choices.text
    assert "no-store" in file.get("cache-control")
    assert "attachment" in file.get("content-disposition")


def receipt_links(answer: Answer) -> list[str]:
    return re.findall(r'href="(/_cg/receipt[^"]*)"', unescape(answer.text))


def sealed(app: CookieGuard, link: str, cookie: tuple[str, str]) -> Answer:
    """Return a receipt's page once its record is sealed."""
    path, _, query = link.partition("?")
    ends = time.monotonic() + START_SECONDS
    while (shown := ask(app, path=path, query=query, headers=[cookie])).status == 202:
        assert time.monotonic() < ends
        time.sleep(0.1)
    return shown


def test_receipt_of_an_earlier_choice_shows_that_choice_and_leads_to_the_newer_one(guard: Guard) -> None:
    now = [NOW]
    app = guard(page(HTML), clock=lambda: now[0])
    first = choose(app, "accept").cookies()[COOKIE]
    (link,) = receipt_links(ask(app, path="/_cg/choices", headers=[("cookie", f"{COOKIE}={first}")]))
    now[0] += timedelta(minutes=1)
    cookie = ("cookie", f"{COOKIE}={choose(app, 'reject', first).cookies()[COOKIE]}")

    earlier = sealed(app, link, cookie)

    number = parse_qs(link.partition("?")[2])["id"][0]
    assert earlier.status == 200
    said = unescape(earlier.text)
    assert f"Receipt \u2066{number}\u2069" in said
    assert "<p>You agreed to all purposes.<br/>Chosen on \u2066" in said
    assert "You have made a newer choice since then." in said
    (file, newest) = sorted(receipt_links(earlier), key=lambda one: "json" not in one)
    path, _, query = file.partition("?")
    document = json.loads(ask(app, path=path, query=query, headers=[cookie]).body)
    assert (document["record"]["dct:identifier"], document["record"]["cg:event"]) == (number, "grant")
    assert f'href="?lang=de&id={number}"' in said  # the same receipt in another language
    newer = unescape(sealed(app, newest, cookie).text)
    assert "You refused everything" in newer
    assert "newer choice" not in newer
    privacy = ask(app, path="/_cg/privacy", query="lang=en", headers=[cookie])
    assert link in receipt_links(privacy)  # among the choices so far


def test_receipt_by_its_id_is_for_the_browser_or_customer_who_made_the_choice(guard: Guard) -> None:
    app = guard(page(HTML, act=lambda scope: visitor_of(scope).login("c-4711")))
    mine = choose(app, "accept").cookies()[COOKIE]
    other = ("cookie", f"{COOKIE}={choose(app, 'accept').cookies()[COOKIE]}")
    session = ask(app).cookies()["__Host-cg_session"]
    logged_in = ("cookie", f"__Host-cg_session={session}")
    ask(app, path="/_cg/consent", method="POST", headers=[FORM, OWN, logged_in], body=b"choice=reject")
    ids = {one["dpv:hasDataSubject"]["@id"].partition(":")[0]: one["dct:identifier"] for one in recorded(app)}
    (link,) = receipt_links(ask(app, path="/_cg/choices", headers=[("cookie", f"{COOKIE}={mine}")]))
    of_customer = f"/_cg/receipt?lang=en&id={ids['customer']}"

    assert sealed(app, link, ("cookie", f"{COOKIE}={mine}")).status == 200
    assert sealed(app, of_customer, logged_in).status == 200
    for headers in (other, logged_in, ("accept", "*/*")):
        assert sealed(app, link, headers).status == 404
        assert "page does not exist" in sealed(app, link, headers).text
    assert sealed(app, of_customer, other).status == 404
    for wrong in ("%ff", "x", "../../keyring", "a" * 5000):
        answer = sealed(app, f"/_cg/receipt?id={wrong}", other)
        assert (answer.status, "page does not exist" in answer.text) == (404, True)
        assert len(answer.text) < 6_000


def test_receipt_without_a_choice_says_so_in_the_visitors_language(guard: Guard) -> None:
    app = guard(page(HTML))

    answer = ask(app, path="/_cg/receipt", headers=[("accept-language", "de")])

    assert answer.status == 404
    assert "Sie haben noch nicht gewählt." in unescape(answer.text)
    assert "<h1>Privatsphäre-Einstellungen</h1>" in unescape(answer.text)  # no receipt, and no number of one
    assert 'href="/_cg/choices?lang=de"' in answer.text
    assert ask(app, path="/_cg/receipt.json").get("content-type").startswith("text/plain")


def test_a_receipt_that_is_being_sealed_is_told_in_every_language_and_its_page_reloads_by_itself(
    guard: Guard,
) -> None:
    app = guard(page(HTML))
    cookie = ("cookie", f"{COOKIE}={choose(app, 'accept').cookies()[COOKIE]}")
    with store_down(app):  # nothing is numbered meanwhile
        answers = {
            lang: ask(app, path="/_cg/receipt", query=f"lang={lang}", headers=[cookie]) for lang in LANGUAGES
        }
    ends = time.monotonic() + START_SECONDS
    while (answer := ask(app, path="/_cg/receipt", headers=[cookie])).status == 202:
        assert time.monotonic() < ends
        time.sleep(0.1)

    assert {(one.status, one.get("refresh")) for one in answers.values()} == {(202, "3")}
    number = f"\u2066{recorded(app)[0]['dct:identifier']}\u2069"
    for lang, one in answers.items():
        texts, said = texts_of(lang)["page"], unescape(one.text)
        assert texts["sealing"] in said
        later = texts_of(lang)["receipt"]["later"].partition("{choices}")[0]
        assert f"{later}\u2068" in said or f"{later}\u2066" in said  # how to come back without waiting
        assert f"<p>{texts['receipt'].format(id=number)}</p>" in said
        day = f"\u2068{day_text(NOW, lang)}\u2069"
        assert f"<h1>{texts_of(lang)['receipt']['title'].format(date=day)}</h1>" in said.replace(LRI, FSI)
        assert f"<p>{texts['all']}<br/>" in said
    assert len({texts_of(lang)["page"]["sealing"] for lang in answers}) == len(answers)
    assert (answer.status, answer.get("refresh")) == (200, "")


@pytest.mark.parametrize("languages", [(), ("de", "en", "fr"), ("de",)])
def test_receipt_links_to_itself_in_each_language_of_the_banner(
    guard: Guard, languages: tuple[str, ...]
) -> None:
    app = guard(page(HTML), languages=languages)
    cookie = ("cookie", f"{COOKIE}={choose(app, 'accept').cookies()[COOKIE]}")

    shown = unescape(ask(app, path="/_cg/receipt", query="lang=de", headers=[cookie]).text)

    links = dict(re.findall(r'<a href="\?lang=([^"&]+)&id=[^"]+"[^>]*>([^<]+)</a>', shown))
    spoken = languages or LANGUAGES
    assert links == ({one: texts_of(one)["meta"]["name"] for one in spoken} if len(spoken) > 1 else {})
    assert 'aria-current="true">Deutsch</a>' in shown or not links


def test_receipt_is_answered_with_503_while_the_log_cannot_be_read(guard: Guard) -> None:
    app = guard(page(HTML))
    cookie = ("cookie", f"{COOKIE}={choose(app, 'accept').cookies()[COOKIE]}")
    app.close()
    (Path(app._parts.config.state_dir) / "log.db").write_bytes(b"x" * 8192)

    answer = ask(app, path="/_cg/receipt", query="lang=fr", headers=[cookie])

    assert answer.status == 503
    assert "Impossible pour le moment." in unescape(answer.text)
    assert answer.get("retry-after") == "2"


def test_the_privacy_page_links_to_a_receipt_by_its_id_and_to_none_without_one(guard: Guard) -> None:
    app = guard(page(HTML))
    cookie = choose(app, "accept").cookies()[COOKIE]
    record_id = recorded(app)[0]["dct:identifier"]

    chosen = unescape(ask(app, path="/_cg/privacy", headers=[("cookie", f"{COOKIE}={cookie}")]).text)
    undecided = unescape(ask(app, path="/_cg/privacy").text)

    assert f">Receipt \u2066{record_id}\u2069</a>" in chosen
    assert "/_cg/receipt" not in undecided


def test_anybody_can_read_checkpoint_tiles_and_entries_and_rebuild_the_tree(guard: Guard) -> None:
    app = guard(page(HTML))
    assert ask(app, path="/_cg/log/checkpoint").status == 404
    for _ in range(3):
        choose(app, "reject")
    ends = time.monotonic() + START_SECONDS
    while ask(app, path="/_cg/log/checkpoint").text.split("\n")[1:2] != ["3"]:
        assert time.monotonic() < ends
        time.sleep(0.1)
    key = NoteKey.parse(json.loads(ask(app, path="/_cg/keys.json").body)["keys"][0])
    signed, _ = open_signed(ask(app, path="/_cg/log/checkpoint").text, [key])
    tile = ask(app, path="/_cg/log/tile/0/000.p/3")
    bundle = ask(app, path="/_cg/log/tile/entries/000.p/3").body

    entries = [bundle[at + 2 : at + 66] for at in range(0, len(bundle), 66)]
    assert [len(one) for one in entries] == [64] * 3
    leaves = [leaf_hash(one) for one in entries]
    assert b"".join(leaves) == tile.body
    assert root_of(leaves) == signed.root
    assert "immutable" in tile.get("cache-control")
    for path in ("tile/0/000", "tile/0/000.p/4", "tile/1/000", "tile/0/x", "../keyring", ""):
        assert ask(app, path=f"/_cg/log/{path}").status == 404
    assert ask(app, path="/_cg/log/checkpoint", method="POST").status == 405


def test_a_box_of_a_form_is_recorded_with_its_wording_before_the_page_goes_out(guard: Guard) -> None:
    listed: list[Any] = []

    async def form(scope: Any, receive: Any, send: Any) -> None:
        visitor = visitor_of(scope)
        if scope["path"] == "/ticked":
            made = visitor.agree("newsletter", text="Yes, send it", given=True, who="anna@shop.example")
            assert made.given
        elif scope["path"] == "/withdrawn":
            visitor.agree("newsletter", text="Unsubscribe", given=False, who="anna@shop.example")
        else:
            listed.extend(await visitor.agreements("anna@shop.example"))
        await page(b"{}", headers=[("content-type", "application/json")])(scope, receive, send)

    app = guard(form)
    assert ask(app, path="/ticked", method="POST").status == 200
    (record,) = recorded(app)  # at once: the response waited for it
    assert (record["cg:topic"], record["cg:given"]) == ("newsletter", True)
    assert record["dpv:hasDataSubject"]["@id"] == "named:anna@shop.example"
    ask(app, path="/")
    ask(app, path="/withdrawn", method="POST")
    ask(app, path="/")
    assert [(one.topic, one.given) for one in listed] == [("newsletter", True), ("newsletter", False)]
    digest = record["dpv:hasNotice"]["cg:sha256"]
    assert digest == sha256(b"Yes, send it").hexdigest()
    directory = Path(app._parts.config.state_dir)
    assert (
        b"anna@shop.example"
        not in (directory / "log.db").read_bytes() + (directory / "log.db-wal").read_bytes()
    )


def test_an_agreement_makes_no_answer_private(guard: Guard) -> None:
    form = page(
        b"{}",
        headers=[("content-type", "application/json"), ("cache-control", "public")],
        act=lambda scope: visitor_of(scope).agree("terms", text="I accept the terms", given=True, who="x"),
    )

    answer = ask(guard(form), path="/", method="POST")
    assert answer.get("cache-control") == "public"
    assert not answer.all("set-cookie")


def test_copy_of_a_choice_whose_person_was_erased_is_gone_and_not_about_to_come(guard: Guard) -> None:
    app = guard(page(HTML))
    cookie = ("cookie", f"{COOKIE}={choose(app, 'accept').cookies()[COOKIE]}")
    while ask(app, path="/_cg/receipt.json", headers=[cookie]).status == 503:
        time.sleep(0.1)
    (record,) = recorded(app)
    place = place_of(app._parts.config, Path(app._parts.config.state_dir), environ={})
    with closing(open_stores(place, make=False)) as stores:
        subject = record["dpv:hasDataSubject"]["@id"]
        assert erase_subject(stores, subject, erasures=place.erasures, now=datetime.now(UTC)) == 1

    file, shown = (ask(app, path=f"/_cg/{name}", headers=[cookie]) for name in ("receipt.json", "receipt"))

    assert (file.status, shown.status) == (410, 410)
    assert "was erased" in file.text
    assert "Your data is erased" in shown.text
