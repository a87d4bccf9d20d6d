"""The Content-Security-Policy in each state of consent."""

from __future__ import annotations

import time
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cookieguard.config import DEFAULT_PURPOSES, Vendor
from cookieguard.consent import Register, Site, policy_for, site_of, strict_policy
from cookieguard.consent.csp import OPEN

SHOP = site_of("www.shop.example")
VENDORS = (
    Vendor(name="Ads", purpose="marketing", hosts=("*.ads.example",)),
    Vendor(name="Demo", purpose="marketing", hosts=("ads.localhost:8001",)),
    Vendor(name="Count", purpose="statistics", hosts=("count.example/a;b,c/",)),
    Vendor(name="Pay", purpose="necessary", hosts=("pay.example",)),
)
NOTHING = frozenset({"necessary"})


def register(*vendors: Vendor, undeclared: str = "marketing", own: tuple[str, ...] = ()) -> Register:
    return Register(
        purposes=DEFAULT_PURPOSES,
        vendors=vendors or VENDORS,
        undeclared=undeclared,
        first_party_hosts=own,
    )


def sources(policy: bytes, directive: str = "default-src") -> set[str]:
    directives = dict(part.strip().split(" ", 1) for part in policy.decode().split(";"))
    return set(directives[directive].split())


def test_undecided_visitor_gets_the_shop_and_its_necessary_vendors() -> None:
    found = sources(policy_for(register(own=("cdn.shopcdn.net",)), frozenset(), shop=SHOP))

    assert found == {
        "'self'",
        "ws://www.shop.example",
        "wss://www.shop.example",
        *("shop.example:*", "ws://shop.example:*", "*.shop.example:*", "ws://*.shop.example:*"),
        *("pay.example:*", "ws://pay.example:*", "cdn.shopcdn.net:*", "ws://cdn.shopcdn.net:*"),
        *("'unsafe-inline'", "'unsafe-eval'", "blob:", "data:"),
    }


def test_granted_purposes_add_their_vendors_with_port_path_and_wildcard() -> None:
    policy = policy_for(
        register(), frozenset({"statistics", "marketing"}), shop=site_of("shop.localhost", 80)
    )
    partly = sources(policy_for(register(undeclared="block"), frozenset({"marketing"}), shop=SHOP))

    assert {"ads.example:*", "*.ads.example:*", "ads.localhost:8001", "ws://ads.localhost:8001"} <= partly
    assert not any("count" in source for source in partly)
    assert policy == OPEN


def test_path_cannot_end_a_directive_or_the_policy() -> None:
    policy = policy_for(register(undeclared="block"), frozenset({"statistics"}), shop=SHOP)

    assert "count.example:*/a%3Bb%2Cc/" in sources(policy)
    assert b"," not in policy


@pytest.mark.parametrize(
    ("undeclared", "granted", "is_open"),
    [
        ("marketing", {"preferences", "statistics", "marketing"}, True),
        ("marketing", {"statistics", "marketing"}, True),
        ("marketing", {"marketing"}, False),
        ("marketing", {"statistics"}, False),
        ("block", {"preferences", "statistics", "marketing"}, False),
        ("report", set(), True),
    ],
)
def test_policy_opens_only_where_every_host_may_be_contacted(
    undeclared: str, granted: set[str], is_open: bool
) -> None:
    policy = policy_for(register(undeclared=undeclared), frozenset(granted), shop=SHOP)

    assert (policy == OPEN) is is_open


def test_page_that_cannot_be_read_is_strict_even_where_undeclared_hosts_pass() -> None:
    found = sources(strict_policy(register(undeclared="report"), shop=SHOP))

    assert "pay.example:*" in found
    assert not any("ads" in source for source in found)


def test_held_sibling_closes_the_wildcard_until_it_is_granted() -> None:
    stats = Vendor(name="S", purpose="statistics", hosts=("stats.shop.example",))
    judge = register(stats, own=("cdn.shop.example",), undeclared="block")

    held = sources(policy_for(judge, NOTHING, shop=SHOP))
    granted = sources(policy_for(judge, frozenset({"statistics"}), shop=SHOP))

    assert "*.shop.example:*" not in held
    assert {"shop.example:*", "cdn.shop.example:*"} <= held
    assert {"*.shop.example:*", "shop.example:*"} <= granted


def test_held_host_inside_a_granted_wildcard_is_not_let_through() -> None:
    maps = Vendor(name="Maps", purpose="preferences", hosts=("*.big.example",))
    ads = Vendor(name="Ads", purpose="marketing", hosts=("ads.big.example", "big.example"))
    judge = register(maps, ads)

    found = sources(policy_for(judge, frozenset({"preferences"}), shop=SHOP))

    assert not any("big.example" in source for source in found)


@pytest.mark.parametrize(
    ("shop", "own"),
    [
        (site_of("127.0.0.1", 8000), {"ws://127.0.0.1:8000", "wss://127.0.0.1:8000"}),
        (site_of("localhost", 8000), {"ws://localhost:8000", "wss://localhost:8000"}),
        (site_of("[::1]", 8000), set()),
        (site_of("evil.example; script-src *", None), set()),
        (site_of("a.example,b.example", None), set()),
        (site_of("", None), set()),
    ],
)
def test_host_header_that_is_no_name_adds_nothing(shop: Site, own: set[str]) -> None:
    judge = Register(purposes=DEFAULT_PURPOSES)

    found = sources(policy_for(judge, NOTHING, shop=shop))

    assert found == {"'self'", *own, "'unsafe-inline'", "'unsafe-eval'", "blob:", "data:"}


def test_form_action_is_left_out_unless_strict() -> None:
    judge = register()

    assert b"form-action" not in policy_for(judge, NOTHING, shop=SHOP)
    assert {"'self'", "pay.example:*"} <= sources(
        policy_for(judge, NOTHING, shop=SHOP, form_action="strict"), "form-action"
    )
    assert b"form-action" in policy_for(judge, judge.ids, shop=SHOP, form_action="strict")


def test_no_state_carries_what_would_switch_the_shops_own_scripts_off() -> None:
    judge = register()
    states = [frozenset(some) for size in range(5) for some in combinations(judge.ids, size)]

    for policy in (policy_for(judge, state, shop=SHOP) for state in states):
        assert not any(word in policy for word in (b"nonce-", b"sha256-", b"'strict-dynamic'", b"'none'"))
        assert policy == OPEN or {"'self'", "'unsafe-inline'", "blob:", "data:"} <= sources(policy)


@given(st.text(max_size=50), st.integers(0, 65535) | st.none())
def test_no_host_header_can_add_a_directive(host: str, port: int | None) -> None:
    policy = policy_for(register(), NOTHING, shop=site_of(host, port)).decode("ascii")

    assert policy.startswith("default-src 'self' ")
    assert not set(policy) & set(';,\r\n"')
    assert "*" not in policy.split()


def test_vendor_loaded_once_is_alone_added_to_the_policy_of_that_document() -> None:
    plain = sources(policy_for(register(), NOTHING, shop=SHOP))
    vendor = sources(policy_for(register(), NOTHING | {"@vendor Demo"}, shop=SHOP))
    host = sources(policy_for(register(), NOTHING | {"@host maps.example"}, shop=SHOP))

    assert vendor - plain == {"ads.localhost:8001", "ws://ads.localhost:8001"}
    assert host - plain == {"maps.example:*", "ws://maps.example:*"}
    assert not plain - vendor - host


def test_vendor_loaded_once_allows_no_other_vendor_below_its_wildcard() -> None:
    inside = (
        Vendor(name="Wide", purpose="statistics", hosts=("*.wide.example",)),
        Vendor(name="Narrow", purpose="marketing", hosts=("ads.wide.example",)),
    )

    found = sources(policy_for(register(*inside), NOTHING | {"@vendor Wide"}, shop=SHOP))

    assert "wide.example:*" in found
    assert not {one for one in found if "ads.wide" in one or "*.wide" in one}


def many(count: int) -> tuple[Vendor, ...]:
    """Declare vendors of usual names, each with a host of its own, and one that is refused."""
    named = [
        Vendor(name=f"V{number}", purpose="marketing", hosts=(f"cdn.vendor{number:04}.example",))
        for number in range(count)
    ]
    return (*named, Vendor(name="Count", purpose="statistics", hosts=("count.example",)))


def test_policies_of_a_thousand_vendors_are_written_soon() -> None:
    start = time.process_time()

    lengths = [
        len(
            policy_for(
                register(*many(count)),
                frozenset({"marketing", "preferences"}),
                shop=SHOP,
                report="/_cg/report",
            )
        )
        for count in (10, 100, 1000)
    ]

    assert lengths[0] < 1000 < lengths[1] < 6000 < lengths[2] < 60_000
    assert time.process_time() - start < 2


def test_a_host_inside_of_a_wildcard_that_is_listed_is_not_listed_again() -> None:
    hosts = tuple(f"s{number}.ads.example" for number in range(50))
    folded = Vendor(
        name="Ads",
        purpose="marketing",
        hosts=("*.ads.example", *hosts, "*.eu.ads.example", "x.ads.example:81"),
    )
    refused = Vendor(name="Count", purpose="statistics", hosts=("count.example",))
    inside = Vendor(name="Count", purpose="statistics", hosts=("count.ads.example",))

    short = sources(policy_for(register(folded, refused), frozenset({"marketing"}), shop=SHOP))
    long = sources(policy_for(register(folded, inside), frozenset({"marketing"}), shop=SHOP))

    assert {source for source in short if "ads.example" in source} == {
        *("ads.example:*", "ws://ads.example:*", "*.ads.example:*", "ws://*.ads.example:*")
    }
    assert {"s7.ads.example:*", "*.eu.ads.example:*", "x.ads.example:81"} <= long  # no wildcard lets them in
    assert "*.ads.example:*" not in long


def test_no_form_is_sent_to_a_socket() -> None:
    policy = policy_for(register(), frozenset({"marketing"}), shop=SHOP, form_action="strict")

    assert "ws" not in "".join(sources(policy, "form-action")).replace("www", "")
    assert "*.ads.example:*" in sources(policy, "form-action")
