"""Drafted tables load, keep existing ones, name their source, and report what changed."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from cookieguard.config import Config, Entry, Vendor, config_from_mapping, load_catalogue
from cookieguard.errors import ConfigError
from cookieguard.scan.draft import added, draft
from cookieguard.scan.facts import changes, facts_of, report_page
from cookieguard.scan.observations import (
    ACCEPTED,
    ASKED,
    HELD,
    NAMED,
    UNDECIDED,
    Contact,
    Scan,
    StorageEntry,
    VisitedPage,
)
from cookieguard.scan.plan import Parties
from cookieguard.scan.third_parties import Party, guessed, parties_of

NOW = datetime(2026, 11, 28, tzinfo=UTC)
IDS = frozenset({"necessary", "preferences", "statistics", "marketing"})


def entry(**values: Any) -> Entry:
    return Entry(**{"id": "", "category": "", "owner": "", "country": "", **values})


def contact(
    host: str, how: str = ASKED, state: str = ACCEPTED, path: str = "/x", element: str = "script src"
) -> Contact:
    return Contact(host=host, url=f"https://{host}{path}", how=how, element=element, page="/", state=state)


def kept(name: str, by: str) -> StorageEntry:
    return StorageEntry(name=name, kind="cookie", site="shop.example", by=by, page="/", state=ACCEPTED)


def scanned(
    *contacts: Contact, keeps: tuple[StorageEntry, ...] = (), config: Config | None = None
) -> tuple[Scan, list[Party]]:
    looks = (
        VisitedPage(page="/", state=UNDECIDED, status=200),
        VisitedPage(page="/", state=ACCEPTED, status=200),
    )
    scan = Scan(target="t", started=NOW, with_browser=True, looks=looks, contacts=contacts, kept=keeps)
    return scan, parties_of(scan, Parties("https://shop.example/", config or Config()))


def vendors(text: str) -> dict[str, Vendor]:
    return {one.name: one for one in config_from_mapping(tomllib.loads(text)).vendors}


def test_hosts_of_one_domain_are_one_vendor_and_many_are_named_by_the_domain() -> None:
    hosts = ["a.x.example", "b.x.example", "c.x.example", "one.y.example"]
    _, parties = scanned(*map(contact, hosts))

    found = vendors(draft(parties, Config()))

    assert found["x.example"].hosts == ("*.x.example",)
    assert found["y.example"].hosts == ("one.y.example",)


def test_a_host_keeps_a_port_that_is_no_default_one() -> None:
    script = replace(contact("ads.example"), port=8443)
    _, parties = scanned(script, contact("plain.example"), replace(contact("tls.example"), port=443))

    found = vendors(draft(parties, Config()))

    assert [one.hosts for one in found.values()] == [
        ("ads.example:8443",),
        ("plain.example",),
        ("tls.example",),
    ]


def test_cookies_are_declared_without_the_part_that_is_each_visitors_own() -> None:
    keeps = (kept("_ga_1234567", "a.x.example"), kept("_x", "a.x.example"), kept("own", ""))
    _, parties = scanned(contact("a.x.example"), keeps=keeps)

    assert vendors(draft(parties, Config()))["x.example"].cookies == ("_ga_*", "_x")


def test_draft_skips_declared_hosts_and_repeats_no_name() -> None:
    config = Config(vendors=(Vendor(name="x.example", purpose="marketing", hosts=("a.x.example",)),))
    _, parties = scanned(contact("a.x.example"), contact("late.x.example"), config=config)

    text = draft(parties, config)

    assert "a.x.example" not in text
    assert vendors(text)["x.example (2)"].hosts == ("late.x.example",)
    both = added('[[vendors]]\nname = "x.example"\npurpose = "marketing"\nhosts = ["a.x.example"]\n', text)
    assert len(vendors(both)) == 2


def test_what_scripts_only_name_is_a_comment_and_no_table() -> None:
    _, parties = scanned(contact("named.example", how=NAMED), contact("x.example"))

    text = draft(parties, Config())

    assert set(vendors(text)) == {"x.example"}
    assert "# Unknown, and only named by scripts: named.example" in text


def test_an_address_and_hostile_names_leave_a_draft_that_loads() -> None:
    odd = contact("x.example", element='script"\n]]\n[evil')
    _, parties = scanned(contact("203.0.113.7"), odd, keeps=(kept('a"\n[x]', "x.example"),))

    found = vendors(draft(parties, Config()))

    assert set(found) == {"x.example"}
    assert found["x.example"].cookies == ()


TABLES = """# Seen on /.
[[vendors]]
catalogue = "hotjar"

# Not in the catalogue.
[[vendors]]
name = "x.example"
purpose = "marketing"
hosts = ["x.example", "y.example"]
"""


@pytest.mark.parametrize(
    "before",
    [
        "vendors = []\n",
        'vendors = ["stripe"]\n[policy]\nversion = "2"\n',
        'vendors = [\n  # "youtube",\n  "stripe", # pays ]\n]\n',
        'vendors = [\n  { name = "A ] #", purpose = "marketing", hosts = ["a.example"] }\n  # the last\n]\n',
    ],
)
def test_tables_become_entries_where_a_configuration_lists_its_vendors(before: str) -> None:
    text = added(before, TABLES)

    names = list(vendors(text))
    assert names[-2:] == ["Hotjar", "x.example"]
    assert len(names) == 2 + len(tomllib.loads(before)["vendors"])
    assert tomllib.loads(text).get("policy") == tomllib.loads(before).get("policy")
    assert "# Not in the catalogue." in text


def test_drafted_tables_fit_into_the_file_that_init_writes() -> None:
    from cookieguard.cli.init import TEXT

    assert list(vendors(added(TEXT, TABLES))) == ["Hotjar", "x.example"]


def test_a_configuration_of_another_form_is_said_and_left() -> None:
    with pytest.raises(ConfigError, match="--draft"):
        added("[vendors]\nx = 1\n", TABLES)


PICTURES = (
    contact("images.mugcdn.example", path="/mug.jpg", element="img src"),
    contact("images.mugcdn.example", path="/a.woff2", element="font"),
    contact("images.mugcdn.example", path="/a.css", element="link href"),
)


@pytest.mark.parametrize("before", ["", 'origins = ["https://shop.example"]\nvendors = ["stripe"]\n'])
def test_draft_asks_whether_a_host_of_pictures_is_the_shops_and_declares_none(
    before: str,
) -> None:
    scan, parties = scanned(*PICTURES)
    text = added(before, draft(parties, Config()))
    own, vendor = (
        next(line for line in text.splitlines() if start in line).partition(": ")[2]
        for start in ("If it is the shop's own", "If it is a vendor")
    )

    assert [one.name for one in config_from_mapping(tomllib.loads(text)).vendors] == ["Stripe"] * bool(before)
    assert "serves only pictures, styles or fonts" in text
    assert "images.mugcdn.example" in config_from_mapping(tomllib.loads(f"{own}\n{before}")).first_party_hosts
    assert vendors(f"vendors = [{vendor}]")["mugcdn.example"].hosts == ("images.mugcdn.example",)
    assert facts_of(scan, parties, "")["parties"][0]["may_be_own"]


@pytest.mark.parametrize(
    ("more", "keeps"),
    [
        (contact("js.mugcdn.example", path="/a.js"), ()),
        (contact("images.mugcdn.example", element="fetch"), ()),
        (contact("pixel.mugcdn.example", path="/p.gif", element="img src"), ()),
        (PICTURES[0], (kept("_id", "images.mugcdn.example"),)),
        (replace(PICTURES[0], told=("the page's path",)), ()),
        (replace(PICTURES[0], by="https://tags.adnet.example/t.js"), ()),
    ],
)
def test_host_that_runs_scripts_stores_data_or_gets_addresses_is_drafted_as_a_vendor(
    more: Contact, keeps: tuple[StorageEntry, ...]
) -> None:
    _, parties = scanned(*PICTURES, more, keeps=keeps)

    assert set(vendors(draft(parties, Config()))) == {"mugcdn.example"}


def test_a_host_that_is_called_like_the_shop_is_asked_about_whatever_it_serves() -> None:
    _, parties = scanned(contact("cdn.shop-static.example", path="/a.js"))

    text = draft(parties, Config())

    assert vendors(text) == {}
    assert "Not in the catalogue; its name resembles the shop's." in text


@pytest.mark.parametrize(
    ("host", "path", "element", "purpose"),
    [
        ("metrics.x.example", "/collect", "fetch", "statistics"),
        ("cdn.x.example", "/analytics.js", "script src", "statistics"),
        ("x.example", "/embed/7", "iframe src", "preferences"),
        ("x.example", "/a.woff2", "font", "preferences"),
        ("ads.x.example", "/embed/sync", "script src", "marketing"),
        ("statics.x.example", "/a.js", "script src", "marketing"),
    ],
)
def test_a_purpose_is_guessed_by_name_and_element_and_is_marketing_in_doubt(
    host: str, path: str, element: str, purpose: str
) -> None:
    assert guessed([contact(host, path=path, element=element)], IDS)[0] == purpose


def test_a_leak_is_what_is_reached_without_consent_and_not_declared_necessary() -> None:
    config = Config(vendors=(Vendor(name="Pay", purpose="necessary", hosts=("pay.example",)),))
    seen = [
        contact("late.example", state=UNDECIDED),
        contact("held.example", how=HELD, state=UNDECIDED),
        contact("fine.example", state=ACCEPTED),
        contact("pay.example", state=UNDECIDED),
    ]
    scan, parties = scanned(*seen, config=config)

    assert [one.name for one in parties if one.leaks] == ["late.example"]
    assert facts_of(scan, parties, "")["leaks"] == 1


def test_what_is_new_and_gone_since_the_last_scan_is_told() -> None:
    before, now = scanned(contact("old.example")), scanned(contact("new.example", state=UNDECIDED))

    found = changes(facts_of(*before, ""), facts_of(*now, ""))

    assert [one.line for one in found] == [
        "new host: new.example (new.example)",
        "gone host: old.example (old.example)",
        "new host reached without consent: new.example",
    ]
    assert changes(facts_of(*now, ""), facts_of(*now, "")) == []


def test_a_report_escapes_what_pages_name_and_asks_nobody() -> None:
    evil = contact("x.example", element="<script>alert(1)</script>")
    scan, parties = scanned(evil, keeps=(kept("<img src=//evil.example>", "x.example"),))

    page = report_page(scan, facts_of(scan, parties, draft(parties, Config())), []).decode("ascii")

    assert "&lt;script&gt;" in page
    for way_out in ("<script", "<link", "<form", "href=", "url(", "<img"):
        assert way_out not in page


def test_the_catalogues_words_are_taken_where_it_knows_a_host() -> None:
    known = entry(
        name="Pay", purpose="marketing", hosts=("*.pay.example",), necessary_when="customers pay with it"
    )
    scan, _ = scanned(contact("js.pay.example"))

    text = draft(parties_of(scan, Parties("https://shop.example/", Config()), lambda *_: known), Config())

    assert vendors(text)["Pay"].hosts == ("*.pay.example",)
    assert 'purpose = "necessary" is right where customers pay with it' in text


def test_a_vendor_of_the_catalogue_is_drafted_by_its_name_and_more_hosts_are_added() -> None:
    known = entry(id="hotjar", name="Hotjar", purpose="statistics", hosts=("*.hotjar.com",))
    look_up = lambda host, _: known if "hotjar" in host else None  # noqa: E731

    scan, _ = scanned(contact("static.hotjar.com"))
    text = draft(parties_of(scan, Parties("https://shop.example/", Config()), look_up), Config())
    scan, _ = scanned(contact("static.hotjar.com"), contact("cdn.hotjar-late.example"))
    more = draft(parties_of(scan, Parties("https://shop.example/", Config()), look_up), Config())

    assert 'catalogue = "hotjar"' in text
    assert "hosts" not in text.split("[[vendors]]")[1]
    assert '"cdn.hotjar-late.example"' in more


def test_a_draft_says_whom_it_lets_in_unasked() -> None:
    known = entry(
        id="jsdelivr",
        name="jsDelivr",
        purpose="necessary",
        hosts=("*.jsdelivr.net",),
        necessary_when="it must",
    )
    scan, _ = scanned(contact("cdn.jsdelivr.net"))

    text = draft(parties_of(scan, Parties("https://shop.example/", Config()), lambda *_: known), Config())

    assert "It is let in without asking, which is right where it must; otherwise change its purpose." in text


def test_what_the_shop_keeps_itself_is_not_its_vendors() -> None:
    config = Config(vendors=(Vendor(name="Stats", purpose="statistics", hosts=("stats.shop.example",)),))
    keeps = (kept("session", ""), kept("_va_id", "stats.shop.example"))
    scan, parties = scanned(contact("stats.shop.example"), keeps=keeps, config=config)

    assert parties[0].names == ("_va_id",)
    assert [one["name"] for one in facts_of(scan, parties, "")["own"]] == ["session"]


@pytest.mark.parametrize("ids", [("necessary",), ("necessary", "statistics")])
def test_a_shop_that_asks_for_less_is_scanned_and_its_draft_loads(ids: tuple[str, ...]) -> None:
    table = {
        "undeclared": "block",
        "cookies": {"undeclared": "block"},
        "purposes": [{"id": one} for one in ids],
    }
    known = entry(id="youtube", name="YouTube", purpose="preferences", hosts=("www.youtube.com",))
    scan, _ = scanned(contact("x.example"), contact("www.youtube.com"))
    config = config_from_mapping(table)
    found = parties_of(
        scan, Parties("https://shop.example/", config), lambda host, _: known if "youtube" in host else None
    )

    drafted = tomllib.loads(draft(found, config)).get("vendors", [])

    purposes = {one.purpose for one in config_from_mapping({**table, "vendors": drafted}).vendors}
    assert purposes == set(ids[1:])


def test_vendor_declared_since_the_last_scan_is_not_reported_as_new() -> None:
    seen = (contact("a.x.example"),), (kept("_x", "a.x.example"),)
    declared = Config(vendors=(Vendor(name="X Ltd", purpose="statistics", hosts=("a.x.example",)),))
    before, now = (
        facts_of(*scanned(*seen[0], keeps=seen[1], config=config), "") for config in (Config(), declared)
    )

    assert changes(before, now) == []


def test_a_draft_sorts_the_catalogues_vendors_by_the_shops_preset() -> None:
    config = Config(purpose_preset="shop")
    scan, _ = scanned(contact("widget.intercom.io"), contact("embed.typeform.com"), config=config)

    parties = parties_of(scan, Parties("https://shop.example/", config), load_catalogue().in_preset("shop"))
    text = added('purpose_preset = "shop"\n', draft(parties, config))

    assert {one.name: one.purpose for one in parties} == {"Intercom": "relations", "Typeform": "surveys"}
    assert "The catalogue lists Intercom under relations." in text
    assert {one.name: one.purpose for one in vendors(text).values()} == {
        "Intercom": "relations",
        "Typeform": "surveys",
    }
