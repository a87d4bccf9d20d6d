"""The vendor of a host, and whether it is held."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from publicsuffixlist import PSLFILE, PublicSuffixList

from cookieguard.config import DEFAULT_PURPOSES, Vendor
from cookieguard.consent import Register, Site, Verdict, first_party_line, look_alike, site_of
from cookieguard.consent.declarations import unknown
from cookieguard.consent.vendors import BLOCKED, REPORTED, VERDICTS_KEPT
from cookieguard.errors import ConfigError

VENDORS = (
    Vendor(name="Ads", purpose="marketing", hosts=("ads.localhost:8001", "*.ads.example")),
    Vendor(name="Count", purpose="statistics", hosts=("shop.example/matomo/", "stats.shop.example")),
    Vendor(name="Pixel", purpose="marketing", hosts=("shop.example/px.js",)),
    Vendor(name="Pay", purpose="necessary", hosts=("pay.example",)),
    Vendor(name="Maps", purpose="preferences", hosts=("maps.ads.example", "*.tiles.ads.example")),
    Vendor(name="Mail", purpose="marketing", hosts=("pay.example/mail/",)),
)
SHOP = site_of("www.shop.example")


def register(undeclared: str = "marketing") -> Register:
    return Register(
        purposes=DEFAULT_PURPOSES,
        vendors=VENDORS,
        undeclared=undeclared,
        first_party_hosts=("cdn.shopcdn.net", "*.own.net"),
    )


@pytest.mark.parametrize(
    ("host", "port", "path", "owner"),
    [
        ("www.shop.example", None, "/", "own"),
        ("www.shop.example", 8443, "/", "own"),
        ("img.shop.example", None, "/", "own"),
        ("SHOP.example.", None, "/a", "own"),
        ("shop.example", None, "/matomo/m.js", "Count"),
        ("shop.example", 443, "/%6datomo/m.js", "Count"),
        ("shop.example", None, "/matomo", "own"),
        ("shop.example", None, "/px.js", "Pixel"),
        ("shop.example", None, "/px.jsx", "own"),
        ("stats.shop.example", None, "/", "Count"),
        ("x.stats.shop.example", None, "/", "own"),
        ("ads.example", None, "/", "Ads"),
        ("a.b.ADS.example.", 9000, "/", "Ads"),
        ("bads.example", None, "/", None),
        ("maps.ads.example", None, "/", "Maps"),
        ("x.maps.ads.example", None, "/", "Ads"),
        ("x.tiles.ads.example", None, "/", "Maps"),
        ("ads.localhost", 8001, "/", "Ads"),
        ("ads.localhost", 8002, "/", None),
        ("ads.localhost", None, "/", None),
        ("pay.example", None, "/", "Pay"),
        ("pay.example", None, "/mail/x", "Mail"),
        ("www.pay.example", None, "/", None),
        ("cdn.shopcdn.net", None, "/", "own"),
        ("shopcdn.net", None, "/", None),
        ("own.net", None, "/", "own"),
        ("a.own.net", None, "/", "own"),
        ("shop.example.evil.net", None, "/", None),
        ("evilshop.example", None, "/", None),
        ("127.0.0.1", None, "/", None),
        ("", None, "/", None),
    ],
)
def test_most_specific_declaration_says_whose_a_host_is(
    host: str, port: int | None, path: str, owner: str | None
) -> None:
    judge = register()

    first = judge.judge(host, port, path, shop=SHOP)
    again = judge.judge(host, port, path, shop=SHOP)

    assert first == again
    assert ("own" if first.is_first_party else first.vendor) == owner


@pytest.mark.parametrize(
    "path",
    [
        *(
            "//matomo/x.js",
            "/%2fmatomo/x.js",
            "/%2Fmatomo%2fx.js",
            "/Matomo/x.js",
            "/MATOMO/",
            "/matomo//x.js",
        ),
        *(
            "/./matomo/x.js",
            "/shop%2f..%2fmatomo/x.js",
            "/%2e/matomo/x.js",
            "/x/..//matomo/x.js",
            "/%5cmatomo/x.js",
        ),
        *("//px.js", "/PX.js", "/a/%2e%2e/px.js", "/%70x.js"),
    ],
)
def test_a_party_on_the_shops_own_path_is_held_however_a_backend_may_be_asked_for_it(path: str) -> None:
    judge = register()

    verdict = judge.judge("shop.example", None, path, shop=SHOP)

    assert verdict.vendor == ("Pixel" if path.lower().endswith(("px.js", "%70x.js")) else "Count")
    assert judge.holds(verdict, frozenset())
    assert not judge.holds(verdict, frozenset({"marketing", "statistics"}))


@pytest.mark.parametrize(
    "path",
    [
        *("/matomo", "/matomo.js", "/matomo-help/", "/shop/matomo/", "/shop//matomo/x.js"),
        *("/%252fmatomo/", "/px.jsx", "/px.js/", "/a/px.js", "/amatomo/", "/", "//", "/.."),
    ],
)
def test_other_paths_of_the_shop_are_its_own(path: str) -> None:
    assert register().judge("shop.example", None, path, shop=SHOP).is_first_party is (
        path != "/matomo/../shop"
    )


def test_only_who_is_held_is_told_by_what_a_backend_may_read() -> None:
    """What is agreed to by nature must be spelled as it is declared: else more would pass."""
    judge = Register(
        purposes=DEFAULT_PURPOSES,
        vendors=(
            Vendor(name="Shop", purpose="necessary", hosts=("cdn.example/shop/",)),
            Vendor(name="A", purpose="marketing", hosts=("shop.example/ads/",)),
            Vendor(name="B", purpose="statistics", hosts=("shop.example/ADS/",)),
        ),
    )

    assert judge.judge("cdn.example", None, "/shop/x", shop=SHOP).vendor == "Shop"
    assert judge.judge("cdn.example", None, "//Shop/x", shop=SHOP).vendor is None
    assert judge.judge("shop.example", None, "/ads/x", shop=SHOP).vendor == "A"
    assert judge.judge("shop.example", None, "/ADS/x", shop=SHOP).vendor == "B"


def test_path_dependent_answers_are_not_mixed_up_by_the_cache() -> None:
    judge = register()

    answers = [
        judge.judge("shop.example", None, path, shop=SHOP).vendor for path in ("/", "/matomo/", "/px.js", "/")
    ]

    assert answers == [None, "Count", "Pixel", None]


def test_shops_own_host_is_not_given_to_a_vendor_by_a_wildcard() -> None:
    judge = Register(
        purposes=DEFAULT_PURPOSES,
        vendors=(Vendor(name="V", purpose="marketing", hosts=("*.shop.example",)),),
    )

    assert judge.judge("www.shop.example", None, "/", shop=SHOP).is_first_party
    assert judge.judge("stats.shop.example", None, "/", shop=SHOP).vendor == "V"


@pytest.mark.parametrize(
    ("page", "other", "same"),
    [
        (("shop.localhost", 8000), ("ads.localhost", 8000), False),
        (("shop.localhost", 8000), ("img.shop.localhost", 8001), True),
        (("localhost", 8000), ("localhost", 8000), True),
        (("localhost", 8000), ("localhost", 8001), False),
        (("localhost", 80), ("localhost", None), True),
        (("127.0.0.1", 8000), ("127.0.0.1", 8001), False),
        (("127.0.0.1", 8000), ("127.0.0.1", 8000), True),
        (("10.1.0.1", None), ("192.168.0.1", None), False),
        (("[::1]", 8000), ("::1", 8000), True),
        (("[::1]", 8000), ("::1", 8001), False),
        (("a.github.io", None), ("b.github.io", None), False),
        (("shop.co.uk", None), ("other.co.uk", None), False),
        (("www.shop.co.uk", None), ("shop.co.uk", 8443), True),
        (("co.uk", None), ("shop.co.uk", None), False),
        (("intranet", None), ("intranet.", None), True),
    ],
)
def test_site_follows_the_public_suffix_list_and_ports_where_there_is_no_domain(
    page: tuple[str, int | None], other: tuple[str, int | None], same: bool
) -> None:
    verdict = Register(purposes=DEFAULT_PURPOSES).judge(*other, "/", shop=site_of(*page))

    assert verdict.is_first_party is same


def test_each_rule_of_the_public_suffix_list_counts_as_the_list_itself_says() -> None:
    """Rules beyond ASCII are turned into Punycode by us, and there alone hosts of theirs are written so."""
    listed, lines = PublicSuffixList(), Path(PSLFILE).read_text("utf-8").splitlines()
    rules = [line.lstrip("!*.") for line in lines if line and not line.startswith("//")]
    hosts = [f"a.b.{rule.encode('idna').decode()}" for rule in rules]

    assert sum("xn--" in host for host in hosts) > 400
    assert [host for host in hosts if site_of(host).domain != listed.privatesuffix(host)] == []


@pytest.mark.parametrize(
    ("undeclared", "purpose", "held"),
    [
        ("marketing", "marketing", (True, False)),
        ("block", BLOCKED, (True, True)),
        ("report", REPORTED, (False, False)),
    ],
)
def test_undeclared_host_counts_as_configured(undeclared: str, purpose: str, held: tuple[bool, bool]) -> None:
    judge = register(undeclared)

    verdict = judge.judge("unknown.net", None, "/", shop=SHOP)

    assert verdict.is_undeclared
    assert verdict.purpose == purpose
    assert (judge.holds(verdict, frozenset()), judge.holds(verdict, judge.ids)) == held


def test_vendor_is_held_until_its_purpose_is_granted() -> None:
    judge = register()
    ads = judge.judge("ads.example", None, "/", shop=SHOP)
    pay = judge.judge("pay.example", None, "/", shop=SHOP)

    assert judge.holds(ads, frozenset({"necessary", "statistics"}))
    assert not judge.holds(ads, frozenset({"necessary", "marketing"}))
    assert not judge.holds(pay, frozenset())


@pytest.mark.parametrize(
    ("undeclared", "granted", "is_nobody"),
    [
        ("marketing", set(), False),
        ("marketing", {"marketing"}, False),  # what is declared for other purposes is still held
        ("marketing", {"preferences", "statistics", "marketing"}, True),
        ("block", {"preferences", "statistics", "marketing"}, False),
        ("report", {"marketing"}, False),
        ("report", {"preferences", "statistics", "marketing"}, True),
    ],
)
def test_register_holds_no_vendor_only_if_every_purpose_is_granted(
    undeclared: str, granted: set[str], is_nobody: bool
) -> None:
    holds_nobody = register(undeclared).holds_nobody(frozenset({"necessary", *granted}))

    assert holds_nobody is is_nobody


def test_host_declared_twice_is_refused_by_name() -> None:
    twice = (*VENDORS, Vendor(name="Other", purpose="statistics", hosts=("pay.example",)))

    with pytest.raises(ConfigError, match=r"vendors\.Other\.hosts .*'pay\.example'.* vendors\.Pay\.hosts"):
        Register(purposes=DEFAULT_PURPOSES, vendors=twice)


def test_verdicts_are_bounded_against_endless_hosts() -> None:
    judge = register()

    for number in range(VERDICTS_KEPT + 5):
        judge.judge(f"h{number}.net", None, "/", shop=SHOP)

    assert len(judge._verdicts) <= VERDICTS_KEPT


LABEL = st.from_regex(r"[a-z0-9]{1,8}", fullmatch=True)


@given(st.lists(LABEL, min_size=1, max_size=5), st.sampled_from([None, 80, 443, 8001]))
def test_wildcard_covers_exactly_a_name_and_what_is_under_it(labels: list[str], port: int | None) -> None:
    host = ".".join(labels)
    judge = Register(
        purposes=DEFAULT_PURPOSES, vendors=(Vendor(name="V", purpose="marketing", hosts=("*.v.example",)),)
    )

    assert judge.judge(f"{host}.v.example", port, "/", shop=SHOP).vendor == "V"
    assert judge.judge(f"{host}v.example", port, "/", shop=SHOP).vendor is None
    assert judge.judge(f"v.example.{host}", port, "/", shop=SHOP).vendor is None


@given(st.text(max_size=60), st.integers(0, 65535) | st.none(), st.text(max_size=40))
def test_judge_answers_any_text(host: str, port: int | None, path: str) -> None:
    verdict = register().judge(host, port, path, shop=SHOP)

    assert verdict.purpose


@pytest.mark.parametrize(
    ("host", "is_alike"),
    [
        ("shop-cdn.net", True),
        ("cdn.shopstatic.com", True),
        ("cdn-shop.de", True),
        ("www.shop.de", True),
        ("shop.b-cdn.net", True),
        ("img.shop.example", False),
        ("shopify.com", False),
        ("workshop.net", False),
        ("shop.tracker.com", False),
        ("cdn.tracker.com", False),
        ("127.0.0.1", False),
    ],
)
def test_look_alike_of_the_shops_own_cdn_is_found(host: str, is_alike: bool) -> None:
    assert look_alike(host, SHOP) is is_alike


def test_page_on_an_address_has_no_look_alikes() -> None:
    assert not look_alike("shop-cdn.net", site_of("127.0.0.1", 8000))


@given(st.text(st.characters(codec="ascii"), min_size=1, max_size=40))
def test_declaration_is_toml_whatever_the_host(host: str) -> None:
    verdict = Verdict(host, "marketing")

    declared = tomllib.loads(unknown(verdict.host))
    own = tomllib.loads(first_party_line(verdict.pattern))

    assert declared == {"vendors": [{"name": host, "purpose": "marketing", "hosts": [host]}]}
    assert own == {"first_party_hosts": [host]}


def test_site_is_a_cheap_value() -> None:
    assert site_of("WWW.Shop.example.", 443) == Site("www.shop.example", None, "shop.example", "")
