"""Pages in charsets other than ASCII are converted to UTF-8, or sent under the strict policy."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable

import pytest
from harness.asgi import HTML, ask, page

from cookieguard import CookieGuard
from cookieguard.web.http.charsets import Charset, charset_of, is_part_of_start

Guard = Callable[..., CookieGuard]
PLAIN_HTML = [("content-type", "text/html")]
OWN_POST = [("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "same-origin")]
TEXT = (
    "<!doctype html><html><head><title>Käse 東京 \U0001f375</title></head><body>"
    '<h1>Shop</h1><img src="https://ads.example/p.gif"></body></html>'
)
HELD = '<img data-cg-src="https://ads.example/p.gif">'
DOCUMENT = "<!doctype html>%s<p>\x1b$B6e\x1b(B<img src=//ads.example/p>"
LITTLE, BIG, PLAIN, UNREAD = Charset.WIDE_LITTLE, Charset.WIDE_BIG, Charset.PLAIN, Charset.UNREAD


def typed(content_type: str) -> list[tuple[str, str]]:
    return [("content-type", content_type)]


# (headers, how the page begins, how a browser reads the rest)
WIDE = {
    "mark, little": (PLAIN_HTML, "\ufeff", "utf-16-le"),
    "mark, big": (PLAIN_HTML, "\ufeff", "utf-16-be"),
    "mark against the header": (HTML, "\ufeff", "utf-16-be"),
    "mark against the label's order": (typed("text/html; charset=utf-16le"), "\ufeff", "utf-16-be"),
    "header": (typed("text/html; charset=utf-16"), "", "utf-16-le"),
    "header, quoted": (typed('text/html;charset="UTF-16LE"'), "", "utf-16-le"),
    "header, big": (typed("Text/HTML; Charset=UTF-16BE"), "", "utf-16-be"),
    "an alias": (typed("text/html; charset=ucs-2"), "", "utf-16-le"),
    "another alias": (typed("text/html; charset=unicodeFFFE"), "", "utf-16-be"),
    "XML's declaration": (PLAIN_HTML, '<?xml version="1.0"?>', "utf-16-le"),
    "XML's declaration, big": (PLAIN_HTML, '<?xml version="1.0"?>', "utf-16-be"),
}


@pytest.mark.parametrize("case", WIDE)
@pytest.mark.parametrize("size", [1, 3, 4096])
def test_utf_16_becomes_utf_8_and_is_rewritten(guard: Guard, case: str, size: int) -> None:
    headers, start, codec = WIDE[case]
    body = (start + TEXT).encode(codec)
    chunks = [body[index : index + size] for index in range(0, len(body), size)]

    answer = ask(guard(page(*chunks, headers=headers)))

    assert answer.get("content-type").lower() == "text/html; charset=utf-8".replace(
        "; ", ";" if '"' in headers[0][1] else "; "
    )
    text = answer.body.decode()
    assert text.startswith(start + "<!doctype html>")
    assert "<title>Käse 東京 \U0001f375</title>" in text
    assert HELD in text
    assert 'id="cg"' in text


def test_a_wide_page_is_rewritten_inside_its_coding(guard: Guard) -> None:
    coded = gzip.compress(("\ufeff" + TEXT).encode("utf-16-le"))

    answer = ask(guard(page(coded, headers=[*PLAIN_HTML, ("content-encoding", "gzip")])))

    assert HELD in gzip.decompress(answer.body).decode()


def test_wide_xml_is_rewritten_too(guard: Guard) -> None:
    svg = '<?xml version="1.0" encoding="UTF-16"?><svg xmlns="http://www.w3.org/2000/svg"><image href="https://ads.example/i"/></svg>'
    app = guard(page(("\ufeff" + svg).encode("utf-16-be"), headers=typed("image/svg+xml")))

    answer = ask(app, headers=[("sec-fetch-dest", "document")])

    assert answer.get("content-type") == "image/svg+xml; charset=utf-8"
    assert b" href=" not in answer.body


def test_what_is_no_character_is_replaced(guard: Guard) -> None:
    # Half a pair, half a unit
    body = "<p>".encode("utf-16-le") + b"\x00\xd8" + "x".encode("utf-16-le") + b"\x3c"

    answer = ask(guard(page(body, headers=typed("text/html; charset=utf-16"))))

    assert answer.body.decode() == "<p>\ufffdx\ufffd"


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (typed("text/html; charset=iso-2022-jp"), DOCUMENT % ""),
        (typed("text/html; charset=csISO2022JP"), DOCUMENT % ""),
        (typed("text/html; charset=hz-gb-2312"), DOCUMENT % ""),
        (typed("text/html; charset=iso-2022-kr"), DOCUMENT % ""),
        (typed("text/html; charset=replacement"), DOCUMENT % ""),
        (typed("text/html; charset=utf-32"), DOCUMENT % ""),
        (typed("text/html; charset=utf-7"), DOCUMENT % ""),
        (typed("text/html; charset='utf-16'"), DOCUMENT % ""),  # some browsers take the quotes off
        (typed("text/html charset=utf-16"), DOCUMENT % ""),
        (typed("text/html; charset=utf-8, text/html; charset=utf-16le"), DOCUMENT % ""),
        (PLAIN_HTML, DOCUMENT % "<meta charset=iso-2022-jp>"),
        (PLAIN_HTML, DOCUMENT % "<META/CHARSET='ISO-2022-JP'>"),
        (PLAIN_HTML, DOCUMENT % "<meta charset=iso-2022-cn-ext>"),
        (PLAIN_HTML, DOCUMENT % '<meta http-equiv=content-type content="text/html; charset=iso-2022-jp">'),
        (PLAIN_HTML, DOCUMENT % "<meta charset=utf-8><meta charset=iso-2022-jp>"),
        (PLAIN_HTML, DOCUMENT % "<meta charset=iso-2022-jp><meta charset=utf-8>"),
        (PLAIN_HTML, DOCUMENT % ("<title>%s</title><meta charset=iso-2022-jp>" % ("x" * 2000))),
        (PLAIN_HTML, '<?xml version="1.0" encoding="iso-2022-jp"?>' + DOCUMENT % ""),
        (typed("text/html; charset=klingon"), DOCUMENT % "<meta charset=iso-2022-jp>"),
        (PLAIN_HTML, DOCUMENT % ""),  # it shifts without saying so
    ],
)  # fmt: skip
def test_page_in_an_unreadable_charset_has_the_strict_policy_until_everything_is_accepted(
    guard: Guard, headers: list[tuple[str, str]], body: str, caplog: pytest.LogCaptureFixture
) -> None:
    app = guard(page(body.encode("latin-1"), headers=headers))

    def answered(choice: str) -> tuple[bytes, str]:
        posted = ask(
            app, path="/_cg/consent", method="POST", headers=OWN_POST, body=f"choice={choice}".encode()
        )
        cookie = "; ".join(f"{name}={value}" for name, value in posted.cookies().items())
        answer = ask(app, headers=[("cookie", cookie)])
        return answer.body, answer.get("content-security-policy")

    for choice in ("reject", "save&purpose=statistics"):
        sent, policy = answered(choice)
        assert sent == body.encode("latin-1")
        assert "default-src 'self'" in policy
        assert "count.example" not in policy
    sent, policy = answered("accept")
    assert sent == body.encode("latin-1")
    assert "'self'" not in policy
    assert caplog.text.count("sent under the strict policy: a charset that does not contain ASCII") == 1


@pytest.mark.parametrize("mark", [b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff"])
def test_a_mark_of_utf_32_is_not_read(mark: bytes) -> None:
    assert charset_of(b"text/html", mark + b"<\x00\x00\x00") is UNREAD


@pytest.mark.parametrize(
    ("content_type", "start"),
    [
        (b"text/html; charset=utf-8", b"<meta charset=iso-2022-jp>"),  # the header wins
        (b"text/html; charset=Shift_JIS", b"<meta charset=iso-2022-jp>"),
        (b"text/html; charset=utf-16", b"\xef\xbb\xbf<p>"),  # the mark wins
        (b"text/html; charset=iso-2022-jp", b"\xef\xbb\xbf<p>"),
        (b"text/html", b"<meta charset=utf-16>"),  # UTF-8 in disguise, since ASCII was read to get here
        (b"text/html", b"<meta charset=x-user-defined>"),
        (b"text/html; charset=x-user-defined", b"<p>"),
        (b"text/html", b"<meta charset=klingon>"),
        (b"text/html; charset=klingon", b"<meta charset=euc-jp>"),
        (b"text/html", b"<p>ISO-2022-JP, in 2022"),
        (b"text/html", b"<meta charset=iso-2022-jp-2>"),  # no label of any browser
        (b"", b"<p>\x1b[1m"),
        (b"text/html", b"<\x00p\x00>\x00"),  # without a mark browsers read no UTF-16 into it either
    ],
)
def test_charset_that_is_a_superset_of_ascii_is_read_as_it_is(content_type: bytes, start: bytes) -> None:
    assert charset_of(content_type, start) is PLAIN


@pytest.mark.parametrize(
    "start", [b"", b"\xef", b"\xef\xbb", b"\xff", b"\xff\xfe", b"\x00", b"<", b"<\x00?", b"<?xml versi"]
)
def test_a_start_that_says_nothing_yet_is_waited_for(start: bytes) -> None:
    assert is_part_of_start(start)


@pytest.mark.parametrize(
    "start",
    [b"<p", b"<!doctype html>", b"\xef\xbb\xbf", b"\xfe\xff\x00<", b"<?xml?>", b"<?xml" + b" " * 2000, b"x"],
)
def test_a_start_that_says_enough_is_not_waited_for(start: bytes) -> None:
    assert not is_part_of_start(start)


@pytest.mark.parametrize(
    "meta",
    [
        "<meta charset=iso-2022-jp>",
        "<meta charset='iso&#45;2022-jp'>",
        "<meta CHARSET=\"ISO-2022-JP\">",
        "<meta charset=\" iso-2022-jp \">",
        "<meta http-equiv=Content-Type content='text/html; charset=iso-2022-jp'>",
        "<meta content='text/html; charset=&quot;iso-2022-jp&quot;' http-equiv=Content-Type>",
        "<meta charset=hz-gb-2312>",
    ],
)  # fmt: skip
def test_a_late_word_about_the_charset_changes_nothing_any_more(
    guard: Guard, meta: str, caplog: pytest.LogCaptureFixture
) -> None:
    first = b"<!doctype html><html><head><title>x</title>" + b" " * 1024
    app = guard(page(first, meta.encode(), b"</head><body><p>\x1b$B<", headers=PLAIN_HTML))

    answer = ask(app)

    renamed = re.sub(r" (charset|content)=", r" data-cg-\1=", meta.lower(), count=1)
    assert renamed.encode() in answer.body.lower()
    assert "the encoding in a page's meta element was not used" in caplog.text


def test_a_short_first_chunk_decides_nothing_while_the_page_may_name_its_encoding(guard: Guard) -> None:
    chunks = (b"<!doctype html>", b"<head><meta charset=iso-2022-jp></head><body>", b"<p>\x1b$B<", b"\x1b(B")

    answer = ask(guard(page(*chunks, headers=PLAIN_HTML)))

    assert answer.body == b"".join(chunks)  # unread, as where the first chunk says so
    assert "default-src" in dict(answer.headers)["content-security-policy"]


@pytest.mark.parametrize(("mode", "waits"), [("cors", False), ("same-origin", True), ("navigate", True)])
def test_stream_that_a_script_reads_is_sent_without_waiting(guard: Guard, mode: str, waits: bool) -> None:
    asked = [("sec-fetch-dest", "empty"), ("sec-fetch-mode", mode), ("accept", "text/html")]

    answer = ask(guard(page(b"<p>first", b"<p>later", headers=PLAIN_HTML)), headers=asked)

    assert (b"later" in answer.bodies[0]["body"]) == waits


@pytest.mark.parametrize(
    "first", [b"<head><meta charset=utf-8>", b"<html><body>", b"<title>x</title></head>", b"x" * 1024]
)
def test_first_chunk_that_shows_its_type_is_sent_at_once(guard: Guard, first: bytes) -> None:
    answer = ask(guard(page(first, b"<p>later", headers=PLAIN_HTML)))
    sent = [message["body"] for message in answer.bodies]

    assert first[:5] in sent[0]
    assert b"later" not in sent[0]


@pytest.mark.parametrize(
    "meta",
    [
        "<meta charset=utf-8>",
        "<meta charset=shift_jis>",
        "<meta name=description content='charset=iso-2022-jp'>",
    ],
)
def test_other_words_about_the_charset_stay(guard: Guard, meta: str) -> None:
    answer = ask(guard(page(b"<!doctype html><head>", meta.encode(), headers=PLAIN_HTML)))

    assert meta.encode() in answer.body
