"""Officers get the record of processing and the texts for the shop's own policy from the console."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from pathlib import Path

import pytest
from features.people.test_staff_guard import Desk
from harness.asgi import Answer, ask, page
from markdown_it import MarkdownIt

from cookieguard import CookieGuard
from cookieguard.config import Controller, DataKind, LogSettings, StatsSettings, Vendor
from cookieguard.config.languages import LANGUAGES, texts_of
from cookieguard.features.people.journal import read_journal
from cookieguard.office.layout import environment

HOSTILE = "<b>Ads</b> | _x_ [a](javascript:alert(1)) & `Co`"
FULL = Vendor(
    name="Tally",
    purpose="statistics",
    hosts=("tally.example",),
    cookies=("_t*",),
    role="processor",
    data=("pages seen",),
    retention="13 months",
    country="DE",
    privacy_url="https://tally.example/privacy",
)
ADS = Vendor(name=HOSTILE, purpose="marketing", hosts=("ads.example",), cookies=("_a",), country="US")


@pytest.fixture
def desk(guard: Callable[..., CookieGuard], tmp_path: Path) -> Desk:
    settings = {"vendors": (FULL, ADS), "log": LogSettings(keep_days=9), "stats": StatsSettings(hit_days=21)}
    return Desk(guard(page(b"<!doctype html><body>x"), **settings), tmp_path / "state")


def show(desk: Desk, name: str, token: str, query: str = "") -> Answer:
    headers = [("authorization", f"Bearer {token}")] if token else []
    return ask(desk.app, path=f"/_cg/{name}", query=query, headers=headers)


def copied(answer: Answer, kind: str) -> str:
    """Return the text of a box to copy from."""
    box = re.search(rf'<textarea id="{kind}"[^>]*>(.*?)</textarea>', answer.text, re.DOTALL)
    assert box is not None
    return unescape(box[1])


@pytest.mark.parametrize("name", ["processing", "declaration"])
def test_only_officers_and_owners_see_documents_and_the_journal_gets_no_entry(desk: Desk, name: str) -> None:
    tokens = {role: desk.add(role) for role in ("analyst", "support", "officer", "owner")}

    answered = {role: show(desk, name, token).status for role, token in {**tokens, "nobody": ""}.items()}

    assert answered == {"analyst": 403, "support": 403, "officer": 200, "owner": 200, "nobody": 403}
    assert [one for one in read_journal(desk.state) if one["event"] == "looked"] == []  # they name no person


def test_record_of_processing_lists_what_is_kept_with_the_retention_that_is_set(desk: Desk) -> None:
    text = show(desk, "processing", desk.add("officer")).text

    for store in ("Consent log", "Requests of customers", "Access log", "Statistics", "Vault of risk events"):
        assert f'<th scope="row">{store}</th>' in text
    assert "9 days<br/><small>log.keep_days</small>" in text
    assert "visits 21 days" in text
    assert "Truncation:" in text
    assert "Outbox and marketing lists" not in text  # no relay is set


def test_missing_entries_are_marked_with_their_setting_and_declared_ones_are_not(
    guard: Callable[..., CookieGuard], tmp_path: Path, desk: Desk
) -> None:
    text = show(desk, "processing", desk.add("officer")).text
    tally, ads = text.partition("Tally")[2].split("</tr>")[:2]

    marked = {"controller.name", "controller.address", "controller.email", "data"}
    vendors = {
        "vendors.role",
        "vendors.data",
        "vendors.retention",
        "vendors.transfer",
    }  # of a country outside the EEA
    assert set(re.findall(r"missing: ([\w.]+)", text)) == marked | vendors
    assert "8 entries are missing" in text
    assert "missing" not in tally
    assert ads.count("missing: ") == 4

    settings = {
        "vendors": (FULL,),
        "data": (DataKind(id="orders", title="Orders", purpose="To deliver"),),
        "controller": Controller(name="Kiln", address=("Street 1",), email="a@kiln.example"),
        "state_dir": str(tmp_path / "whole"),
    }
    whole = Desk(guard(page(b"x"), **settings), tmp_path / "whole")
    assert "missing:" not in show(whole, "processing", whole.add("officer")).text


def test_texts_hold_cookies_and_recipients_in_each_language_and_hostile_names_as_text(desk: Desk) -> None:
    officer = desk.add("officer")
    answer = show(desk, "declaration", officer, "lang=de")
    html, markdown = copied(answer, "html"), copied(answer, "md")
    parsed = MarkdownIt("commonmark").enable("table").render(markdown)

    for text in (html, parsed):
        assert "<h2>Cookies auf dieser Seite</h2>" in text or texts_of("de")["rights"]["declaration"] in text
        assert "<code>_t*</code>" in text
        assert '<a href="https://tally.example/privacy">Tally</a>' in text
        assert "<b>" not in text
        assert "<em>" not in text
        assert "javascript:alert(1))" not in re.sub(r">[^<]*<", "><", text)  # it is no link
        assert (
            unescape(re.sub(r"<[^>]+>", "", text)).count(HOSTILE) == 2
        )  # who sets a cookie, and a recipient
        assert text.count("<tr>") == html.count("<tr>")
    assert "Ads" in answer.text
    assert "<b>Ads" not in answer.text
    for lang in LANGUAGES:
        assert texts_of(lang)["page"]["vendors"] in unescape(
            copied(show(desk, "declaration", officer, f"lang={lang}"), "html")
        )


@pytest.mark.parametrize("query", ["", "lang=xx", "lang=%3Cscript%3E", "lang=../en", "a=1&" * 9])
def test_unknown_language_gets_the_shops_own(desk: Desk, query: str) -> None:
    answer = show(desk, "declaration", desk.add("owner"), query)

    assert answer.status == 200
    assert "Cookies on this site" in copied(answer, "html")


def test_languages_of_the_texts_are_named_as_their_files_name_them() -> None:
    module = environment().get_template("languages.html").module

    shown = str(module.options([*LANGUAGES], "de"))

    options = re.findall(r'<option value="([^"]+)"(?: selected="")?>([^<]+)</option>', shown)
    assert dict(options) == {one: texts_of(one)["meta"]["english"] for one in LANGUAGES}
    assert [name for _, name in options] == sorted(name for _, name in options)
    assert '<option value="de" selected="">German</option>' in shown
