"""The host that a URL reference reaches, as browsers read it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cookieguard.html import Url, parse_url, resolve
from cookieguard.html.tokenizer.character_references import (
    BLOCK,
    MANY,
    decode_attribute,
    decode_text,
    encode_attribute,
)
from cookieguard.html.urls import readings

BASE = parse_url("https://shop.example/a/b")


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("//ads.example/x", ("https", "ads.example", None, "/x")),
        ("https://ads.example", ("https", "ads.example", None, "/")),
        ("HTTPS://ADS.Example/X", ("https", "ads.example", None, "/X")),
        ("\\\\ads.example/x", ("https", "ads.example", None, "/x")),
        ("/\\ads.example/x", ("https", "ads.example", None, "/x")),
        ("\\/ads.example/x", ("https", "ads.example", None, "/x")),
        ("///ads.example/x", ("https", "ads.example", None, "/x")),
        ("https:///ads.example", ("https", "ads.example", None, "/")),
        ("https:\\\\ads.example", ("https", "ads.example", None, "/")),
        ("http:ads.example", ("http", "ads.example", None, "/")),
        ("http:/ads.example/x", ("http", "ads.example", None, "/x")),
        ("https:x", ("https", "shop.example", None, "/a/x")),
        ("https:/x", ("https", "shop.example", None, "/x")),
        ("\t//ads\n.example/\rx", ("https", "ads.example", None, "/x")),
        ("\x00 \x1f//ads.example ", ("https", "ads.example", None, "/")),
        ("ht\ntps://ads.example", ("https", "ads.example", None, "/")),
        ("//user:pw@ads.example/", ("https", "ads.example", None, "/")),
        ("//shop.example@ads.example/", ("https", "ads.example", None, "/")),
        ("//shop.example\\@ads.example/", ("https", "shop.example", None, "/@ads.example/")),
        ("//ads.example:443/", ("https", "ads.example", None, "/")),
        ("//ads.example:8443/", ("https", "ads.example", 8443, "/")),
        ("http://ads.example:80/", ("http", "ads.example", None, "/")),
        ("//ads.example:/", ("https", "ads.example", None, "/")),
        ("//ads.example:00443/", ("https", "ads.example", None, "/")),
        ("wss://ads.example", ("wss", "ads.example", None, "/")),
        ("ftp://ads.example:21/", ("ftp", "ads.example", None, "/")),
        ("//ads.example./x", ("https", "ads.example", None, "/x")),
        ("//%61ds.example", ("https", "ads.example", None, "/")),
        ("//ads%2Eexample", ("https", "ads.example", None, "/")),
        ("//ads。example", ("https", "ads.example", None, "/")),
        ("//ａds.example", ("https", "ads.example", None, "/")),
        ("//ads\u00ad.example", ("https", "ads.example", None, "/")),
        ("//bücher.example", ("https", "xn--bcher-kva.example", None, "/")),
        ("//b%C3%BCcher.example", ("https", "xn--bcher-kva.example", None, "/")),
        ("//BÜCHER.example", ("https", "xn--bcher-kva.example", None, "/")),
        ('//ads".example', ("https", 'ads".example', None, "/")),
        ("//{ads}.`x`.example", ("https", "{ads}.`x`.example", None, "/")),
        ("//ads%22.example", ("https", 'ads".example', None, "/")),
        ("//0x7f.1/", ("https", "127.0.0.1", None, "/")),
        ("//2130706433/", ("https", "127.0.0.1", None, "/")),
        ("//017700000001/", ("https", "127.0.0.1", None, "/")),
        ("//127.1./", ("https", "127.0.0.1", None, "/")),
        ("//[::1]:8000/x", ("https", "[::1]", 8000, "/x")),
        ("//[0:0::1]/", ("https", "[::1]", None, "/")),
        ("/x/./y/../z?q#f", ("https", "shop.example", None, "/x/z")),
        ("/x/%2e%2E/z", ("https", "shop.example", None, "/z")),
        ("../../../x", ("https", "shop.example", None, "/x")),
        ("x", ("https", "shop.example", None, "/a/x")),
        ("?q", ("https", "shop.example", None, "/a/b")),
        ("#f", ("https", "shop.example", None, "/a/b")),
        ("", ("https", "shop.example", None, "/a/b")),
        ("/matomo/./m.js", ("https", "shop.example", None, "/matomo/m.js")),
        ("\\matomo\\m.js", ("https", "shop.example", None, "/matomo/m.js")),
        ("https://ads.example?x", ("https", "ads.example", None, "/")),
        ("https://ads.example#x", ("https", "ads.example", None, "/")),
    ],
)
def test_a_reference_reaches_the_host_browsers_reach(reference: str, expected: tuple[object, ...]) -> None:
    url = resolve(reference, BASE)

    assert url is not None
    assert (url.scheme, url.host, url.port, url.path) == expected


@pytest.mark.parametrize(
    "reference",
    [
        "data:text/html,<img src=//ads.example>",
        "javascript:void(0)",
        "mailto:a@ads.example",
        "tel:1",
        "about:blank",
        "blob:https://ads.example/1",
        "//",
        "https://",
        "//ads.example:99999/",
        "//ads.example:x/",
        "//ads exam.ple/",
        "//ads<.example/",
        "//[::1/",
        "//[ads]/",
        "//256.1.1.1/",
        "//1.2.3.4.5/",
        "//0x100000000/",
        "//a.1e/".replace("1e", "0x"),
        "//%00/",
        "//%C3%28\udcaa%/",
    ],
)
def test_what_no_browser_looks_up_contacts_nobody(reference: str) -> None:
    assert resolve(reference, BASE) is None


LETTERS = "".join(map(chr, range(0x4E00, 0x4E00 + 8000)))


@pytest.mark.parametrize(
    "name",
    [
        LETTERS,
        "a" + "\u0301\u0316" * 8000,
        "a." * 200 + "ads.example",
        "A" * 250 + ".ads.example",
        LETTERS[:64] + ".ads.example",
        "%E4%B8%80" * 300,
    ],
)
def test_a_name_longer_than_any_in_the_dns_is_a_third_partys(name: str) -> None:
    for start in ("//", "https://", "//user@", "///"):
        found = resolve(f"{start}{name}/a", BASE)

        assert found is not None
        assert (found.host, found.path) == ("overlong.invalid", "/a")


@pytest.mark.parametrize("base", ["https://shop.example/", "http://shop.example/"])
@pytest.mark.parametrize("reference", ["https:ads.example", "http:ads.example", "https:/ads.example"])
def test_both_readings_are_known_where_the_scheme_of_the_page_decides(base: str, reference: str) -> None:
    hosts = {url.host for url in readings(reference, parse_url(base))}

    assert hosts == {"ads.example", "shop.example"}


@given(st.text(max_size=40))
def test_any_text_resolves_to_a_plain_host_or_to_none(text: str) -> None:
    for url in readings(text, BASE):
        assert isinstance(url, Url)
        assert url.host == url.host.lower()
        assert url.host.isascii()
        assert not set(url.host) & set(" /\\?#@\t\n\r")
        assert url.path.startswith("/")


@given(st.text(alphabet="/\\.:hts@a%2e\t\n ?#[]1", max_size=16))
def test_the_short_cuts_agree_with_the_long_way(text: str) -> None:
    # a trailing newline keeps a reference off every short cut and is removed on the long way
    assert readings(text, BASE) == readings(text + "\n", BASE)


@pytest.mark.parametrize("text", ["", "x", "//shop.example", "about:blank", "ftp:"])
def test_a_page_url_is_absolute(text: str) -> None:
    with pytest.raises(ValueError, match="URL"):
        parse_url(text)


@pytest.mark.parametrize(
    ("value", "decoded"),
    [
        ("a&amp;b", "a&b"),
        ("&#x2f;&#47;&sol;h", "///h"),
        ("a?b&copy=1&notit&not;", "a?b&copy=1&notit¬"),
        ("&copy", "©"),
        ("&copyx", "&copyx"),
        ("&#0;&#x110000;&#xd800;", "\ufffd\ufffd\ufffd"),
        ("&#x80;", "€"),
        ("&#99999999999999999999;", "\ufffd"),
        ("&;&#;&#x;&", "&;&#;&#x;&"),
        ("&Tab;&NewLine;", "\t\n"),
    ],
)
def test_references_in_attributes_are_read_by_the_rules_for_attributes(value: str, decoded: str) -> None:
    assert decode_attribute(value) == decoded


def test_references_in_text_need_no_semicolon() -> None:
    assert decode_text("&copyx&notit;&ampamp;") == "©x¬it;&amp;"


@given(st.text("&;#x=amptlcoy19 <é", max_size=20), st.sampled_from([decode_attribute, decode_text]))
def test_many_references_are_decoded_as_few_are(text: str, decode: Callable[[str], str]) -> None:
    few = f"&{text}"
    times = 2 * BLOCK // len(few) + MANY

    assert decode(f"x{few * times}") == f"x{decode(few) * times}"


@given(st.text(max_size=30), st.sampled_from("\"'"))
def test_encoded_attribute_decodes_to_the_same_text(text: str, quote: str) -> None:
    written = encode_attribute(text, quote)

    assert decode_attribute(written) == text
    assert quote not in written
