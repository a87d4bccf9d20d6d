"""Third parties in a page's source, and the links to the next pages of a scan."""

from __future__ import annotations

import pytest

from cookieguard.config import Config, Vendor, config_from_mapping
from cookieguard.consent import Register, policy_for, site_of
from cookieguard.html import Rewriter, Rules, Ruling, Url
from cookieguard.scan.crawl import Crawl, kind_of, named_in_robots, page_name, read_sitemap
from cookieguard.scan.observations import HELD, NAMED, UNDECIDED, WOULD, Contact
from cookieguard.scan.page_source import PageSource, contacts_in, contacts_of_sheet
from cookieguard.scan.plan import Parties, start_address

SHOP = Parties("https://shop.example/", Config())


def read(text: str, parties: Parties = SHOP) -> list[Contact]:
    source = PageSource("https://shop.example/a/b", text.encode(), "/a/b", UNDECIDED)
    return contacts_in(source, parties.is_foreign)


def hosts(found: list[Contact], how: str) -> set[str]:
    return {one.host for one in found if one.how == how}


@pytest.mark.parametrize(
    ("markup", "element"),
    [
        ("<script src=//x.example/a.js></script>", "script src"),
        ("<img srcset='https://x.example/a.png 2x'>", "img srcset"),
        ("<link rel=preconnect href=https://x.example>", "link href"),
        ("<style>@import url(//x.example/a.css);</style>", "style"),
        ("<iframe src='https://x.example/e'></iframe>", "iframe src"),
        ('<div style="background:url(https://x.example/p)">', "div style"),
    ],
)
def test_an_element_that_would_contact_somebody_is_named_with_its_place(markup: str, element: str) -> None:
    found = read(f"<!doctype html>\n<body>\n{markup}")

    assert [(one.host, one.element, one.how, one.line) for one in found] == [("x.example", element, WOULD, 3)]


def test_the_shops_own_hosts_and_links_are_no_third_parties() -> None:
    assert not read(
        '<img src="//img.shop.example/a.png"><a href="https://x.example/">x</a><img src=/own.png>'
    )


@pytest.mark.parametrize(
    "script",
    [
        "s.src='https://x.example/t.js'",
        r's.src="https:\/\/x.example\/t.js"',
        "s.src='//x.example/t.js'",
        "fetch(`https://x.example/${id}`)",
        "s.src=('https:'==location.protocol?'https://ssl':'http://www')+'.x.example/ga.js'",
    ],
)
def test_a_host_that_an_inline_script_names_is_found(script: str) -> None:
    assert hosts(read(f"<script>{script}</script>"), NAMED) == {"x.example"}


@pytest.mark.parametrize(
    "markup",
    [
        '<script type="application/ld+json">{"@context":"https://x.example/"}</script>',
        "<p>https://x.example/</p>",
        "<script>n='http://www.w3.org/2000/svg'</script>",
        "<!-- <img src=https://x.example/p> -->",
    ],
)
def test_text_that_asks_nobody_names_nobody(markup: str) -> None:
    assert not read(markup)


def test_page_source_separates_held_references_from_live_ones() -> None:
    def judge(url: Url) -> Ruling | None:
        return Ruling("marketing", None) if url.host == "held.example" else None

    rewriter = Rewriter(Rules(judge, "https://shop.example/"), url="https://shop.example/a/b")
    page = (
        b'<script src="https://held.example/a.js"></script><img src="https://live.example/p">'
        b'<iframe title=x src="https://held.example/f"></iframe>'
    )
    found = read((rewriter.feed(page) + rewriter.close()).decode())

    assert hosts(found, HELD) == {"held.example"}
    assert {one.element for one in found if one.how == HELD} == {"script src", "iframe src"}
    assert hosts(found, WOULD) == {"live.example"}


def test_more_held_elements_than_the_rewriter_keeps_are_all_found() -> None:
    found = read("".join(f'<img src="https://x{number}.example/p.png">' for number in range(900)))

    assert len(found) == 900


def test_a_style_sheet_of_the_shop_names_whom_it_contacts() -> None:
    source = PageSource("https://shop.example/", b"", "/", UNDECIDED)
    sheet = b"@font-face{src:url(//fonts.example/a.woff2)} .x{background:url(../own.png)}"

    found = contacts_of_sheet(source, "https://shop.example/css/a.css", sheet, SHOP.is_foreign)

    assert [(one.host, one.by) for one in found] == [("fonts.example", "https://shop.example/css/a.css")]


def test_links_and_sheets_are_resolved_against_the_base() -> None:
    text = b'<base href="/shop/"><link rel=stylesheet href="a.css"><a href="p?x=1&amp;y=2#z">p</a><a href="/q">q</a>'
    source = PageSource("https://shop.example/", text, "/", UNDECIDED)

    assert source.links == ["https://shop.example/shop/p?x=1&y=2", "https://shop.example/q"]
    assert source.sheets == ["https://shop.example/shop/a.css"]


def test_a_link_that_a_template_is_yet_to_fill_leads_nowhere() -> None:
    text = b'<script>a.innerHTML = `<a href="/tea/${t.slug}">`</script><a href="/{{ slug }}">t</a><a href=/tea>t</a>'

    assert PageSource("https://shop.example/", text, "/", UNDECIDED).links == ["https://shop.example/tea"]


def test_pages_of_a_new_kind_come_before_more_of_a_known_one_and_the_basket_first() -> None:
    crawl = Crawl("https://shop.example/")
    crawl.add(f"https://shop.example/product/{number}" for number in range(50))
    crawl.add(["https://shop.example/about", "https://shop.example/cart"])

    order = [crawl.next() for _ in range(5)]

    assert [page_name(str(one)) for one in order] == ["/", "/cart", "/product/0", "/about", "/product/1"]


@pytest.mark.parametrize(
    "address",
    [
        "https://other.example/",
        "https://shop.example:8443/",
        "https://shop.example/logout",
        "https://shop.example/cart/add?sku=1",
        "https://shop.example/account/delete",
        "https://shop.example/doLogoutUser",
        "https://shop.example/index.php?route=account/logout",
        "https://shop.example/?add-to-cart=12",
        "https://shop.example/?remove_item=7&x=1",
        "https://shop.example/manual.pdf",
        "mailto:a@shop.example",
    ],
)
def test_crawl_opens_no_other_site_and_no_address_that_changes_something(address: str) -> None:
    crawl = Crawl("https://shop.example/")
    crawl.add([address])

    assert (crawl.next(), crawl.next()) == ("https://shop.example/", None)


@pytest.mark.parametrize(
    "paths",
    [
        ["/catalog-outlet", "/makeup-remover", "/dialog-outside"],
        ["/index.php?route=checkout/cart", "/index.php?route=account/login", "/?page_id=7", "/?page_id=8"],
    ],
)
def test_each_page_is_opened_also_where_its_name_is_in_the_query_or_only_looks_like_leaving(
    paths: list[str],
) -> None:
    crawl = Crawl("https://shop.example/about")
    crawl.add(f"https://shop.example{path}" for path in paths)

    crawl.next()
    found = {crawl.next() for _ in paths}

    assert found == {f"https://shop.example{path}" for path in paths}
    assert crawl.next() is None


def test_a_page_is_named_without_what_its_query_says() -> None:
    assert page_name("https://shop.example/p?mail=ada@shop.invalid&x=1") == "/p?mail&x"
    assert kind_of("https://shop.example/a/b/c/d/e?x=1") == "/a/b/c/*?"


def test_a_sitemap_and_an_index_of_sitemaps_are_read() -> None:
    index = "<sitemapindex><sitemap><loc>https://shop.example/s1.xml</loc></sitemap></sitemapindex>"

    assert read_sitemap(index) == ([], ["https://shop.example/s1.xml"])
    assert named_in_robots("User-agent: *\nSitemap: https://shop.example/s.xml\n") == [
        "https://shop.example/s.xml"
    ]


@pytest.mark.parametrize(
    ("typed", "address"),
    [
        ("shop.example", "https://shop.example/"),
        ("localhost:8000", "http://localhost:8000/"),
        ("127.0.0.1:8000/de", "http://127.0.0.1:8000/de"),
        ("localhost.example", "https://localhost.example/"),
        ("http://Shop.Example:8000/de", "http://shop.example:8000/de"),
        ("http://[::1]:80/", "http://[::1]/"),
    ],
)
def test_an_address_is_taken_as_owners_type_it(typed: str, address: str) -> None:
    assert start_address(typed) == address


@pytest.mark.parametrize("typed", ["ftp://shop.example/", "https://", "javascript:alert(1)", ""])
def test_what_is_no_web_address_is_refused(typed: str) -> None:
    with pytest.raises(ValueError, match="http"):
        start_address(typed)


def test_a_draft_of_what_a_page_shows_lets_the_same_hosts_in() -> None:
    from cookieguard.config.catalogue import StoredName
    from cookieguard.scan.draft import draft
    from cookieguard.scan.observations import Scan
    from cookieguard.scan.third_parties import parties_of
    from tests.scan.test_draft import NOW, entry

    page = (
        '<script src=//analytics.x.example/a.js></script><iframe src="https://player.y.example/v"></iframe>'
    )
    scan = Scan(target="t", started=NOW, with_browser=False, contacts=tuple(read(page)))
    known = entry(
        name="Y", purpose="marketing", hosts=("*.y.example",), cookies=(StoredName(name="_y*", use="ads"),)
    )
    look_up = lambda host, _: known if host.endswith("y.example") else None  # noqa: E731

    import tomllib

    config = config_from_mapping(tomllib.loads(draft(parties_of(scan, SHOP, look_up), Config())))

    assert {(one.name, one.purpose, one.hosts) for one in config.vendors} == {
        ("x.example", "statistics", ("analytics.x.example",)),
        ("Y", "marketing", ("*.y.example",)),
    }
    register = Register(purposes=config.purposes, vendors=config.vendors)
    policy = policy_for(register, frozenset({"statistics"}), shop=site_of("shop.example"))
    assert b"analytics.x.example" in policy
    assert isinstance(config.vendors[0], Vendor)
