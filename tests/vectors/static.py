"""Vectors without scripts: markup, documents of the shop inside others, redirects, headers."""

from __future__ import annotations

from collections.abc import Iterator

from .markup import CONNECTIONS, ELEMENTS, HEADS, LOOKUPS, NOSCRIPTS, SCANNED, SHEETS, STYLES, URL_FORMS
from .vector import CLASSIC, SVG, File, Vector

INNER = '<!doctype html><title>inner</title><img src="$U/a.gif" alt="">'
SVG_DOCUMENT = (
    '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">$BODY</svg>'
)
XHTML = '<html xmlns="http://www.w3.org/1999/xhtml"><head><title>x</title></head><body>$BODY</body></html>'
XHTML_TYPE = "application/xhtml+xml"
PREFIXED = '<?xml version="1.0"?><a xmlns:x="http://www.w3.org/1999/xhtml"><x:iframe src="$U/a.html"/></a>'
FRAMESET = (
    '<!doctype html><html><frameset cols="50%,50%"><frame src="$U/a.html"><frame src="/own.html">'
    "</frameset></html>"
)


def _file(kind: str, body: str, wrap: str = "$BODY", **more: str) -> File:
    return File(kind=kind, body=wrap.replace("$BODY", body), **more)


# Documents of the shop's own that run inside of a page, each with the policy of its own response.
DOCUMENTS = {
    "html": _file("text/html", INNER),
    "html-no-type": _file("", INNER),
    "html-latin": _file("text/html; charset=iso-8859-1", INNER),
    "xhtml": _file(XHTML_TYPE, '<img src="$U/a.gif" alt=""/>', XHTML),
    "xhtml-cdata": _file(XHTML_TYPE, "<style><![CDATA[@import '$U/a.css';]]></style>", XHTML),
    "xml": _file("application/xml", '<img src="$U/a.gif" alt=""/>', XHTML),
    "xml-stylesheet": File(kind="text/xml", body='<?xml-stylesheet href="$U/a.css"?><a/>'),
    "svg-image": _file(SVG, '<image href="$U/a.gif" width="9" height="9"/>', SVG_DOCUMENT),
    "svg-script": _file(SVG, "<script>new Image().src='$U/a.gif'</script>", SVG_DOCUMENT),
    "svg-script-href": _file(SVG, '<script xlink:href="$U/a.classic"/>', SVG_DOCUMENT),
    "svg-style": _file(SVG, "<style>@import '$U/a.css';</style>", SVG_DOCUMENT),
}
SCRIPTED_DOCUMENTS = frozenset({"svg-script", "svg-script-href"})

PAGES = {
    "page-body-background": File(body='<!doctype html><html><body background="$U/a.gif"><p>1</body></html>'),
    "page-frameset": File(body=FRAMESET),
    "page-no-doctype": File(body='<p>a<img src="$U/a.gif">'),
    "page-not-found": File(status=404, body='<!doctype html><title>404</title><img src="$U/a.gif">'),
    "page-error": File(status=500, body='<!doctype html><title>500</title><img src="$U/a.gif">'),
    "page-xhtml": File(kind=XHTML_TYPE, body=XHTML.replace("$BODY", '<img src="$U/a.gif" alt=""/>')),
    "page-svg": File(
        kind=SVG, body=SVG_DOCUMENT.replace("$BODY", '<image href="$U/a.gif" width="9" height="9"/>')
    ),
    "page-xsl": File(kind="text/xsl", body=XHTML.replace("$BODY", '<iframe src="$U/a.html"/>')),
    "page-unknown-type": File(kind="application/x-unknown-content-type", body=INNER),
    "page-untyped-xml": File(kind="", body=PREFIXED),
    "page-untyped-xml-cut": File(kind="", body=PREFIXED, cut=3),
    "page-cut-off": File(body='<!doctype html><title>x</title><img src="$U/a.gif"><p title="'),
}

# Encodings that are not ASCII's: (content type, charset, is it read).
ENCODINGS = {
    "utf-16": ("text/html", "utf-16", True),
    "utf-16-named": ("text/html; charset=utf-16le", "utf-16-le", True),
    "iso-2022-jp": ("text/html; charset=iso-2022-jp", "iso-2022-jp", False),
}
TRANSFORMATION = (
    '<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"><xsl:template match="/"><html>'
    '<body><iframe src="$U/a.html"/></body></html></xsl:template></xsl:stylesheet>'
)
# Characters whose second byte is a backslash: to a reader of bytes it escapes the quote behind it.
BACKSLASHED = {"shift_jis": "\u30bd", "big5": "\u8a31", "gbk": "\u4e57"}
# An XML parser knows this element by its namespace, whatever it is called.
IN_XML = "data:text/xml,<x:iframe xmlns:x='http://www.w3.org/1999/xhtml' src='$U/a.html'/>"
UNREAD = "the rewriter cannot read this encoding, and the policy alone does not cover it"
BLIND = "a page that cannot be read keeps the strict policy until everything is agreed to"
GONE = "a ping tells others of a click and shows nobody anything: it does not come back"
NO_ELEMENT = "it is text to every parser, and nobody meant it to tell anybody"
NOTHING: frozenset[str] = frozenset()
CONNECTS = frozenset({"connection", "lookup"})
# What a page in an encoding that is not read contacts in spite of the policy.
UNREAD_WAYS = {
    "img": ('<img src="$U/a.gif">', "request", NOTHING),
    "frame": ('<iframe src="$U/a.html"></iframe>', "request", CONNECTS),
    "preconnect": ('<link rel="preconnect" href="$U">', "connection", CONNECTS),
    "dns-prefetch": ('<link rel="dns-prefetch" href="$U">', "lookup", CONNECTS),
    "refresh": (
        '<meta http-equiv="refresh" content="0;url=$U/a.html">',
        "request",
        CONNECTS | {"request"},
    ),
}

# Pages without a type, by their first chunk: how they begin, its bytes, the coding, whether it says enough.
UNTYPED = {
    "tag": ("", 1, "", False),
    "blanks": (" " * 400, 300, "", True),
    "comment": ("<!-- a comment -->", 9, "", True),
    "gzip": ("", 10, "gzip", False),
}

HEADERS = {
    "link-preload": ("link", "<$U/a.gif>; rel=preload; as=image"),
    "link-preload-script": (
        "link",
        "</own.css>; rel=preload; as=style, <$U/a.classic>; rel=preload; as=script",
    ),
    "link-modulepreload": ("link", "<$U/a.js>; rel=modulepreload"),
    "link-prefetch": ("link", '<$U/a.html>; rel="prefetch"'),
    "refresh": ("refresh", "0; url=$U/a.html"),
    "refresh-bare": ("refresh", "0;$U/a.html"),
}
HEADER_CONNECTIONS = {"link-preconnect": ("link", "<$U>; rel=preconnect")}
TRIES = 8
BREAKS_POLICY = '<img src="/stopped/own.gif" alt="">'
POLICIES = {
    "report-uri": ("content-security-policy", "img-src 'none'; report-uri $U/report"),
    "report-uri-second": ("content-security-policy", "img-src 'none'; REPORT-URI /own-report $U/report"),
    "report-only": ("content-security-policy-report-only", "img-src 'none'; report-uri $U/report"),
}


def vectors() -> Iterator[Vector]:
    """Yield every way of this module."""
    yield from _elements()
    yield from _forms_and_styles()
    yield from _documents()
    yield from _headers()


SCRIPTS = frozenset(
    "script-src script-async script-defer script-module script-module-import script-importmap "
    "script-importmap-prefix script-webbundle svg-script-href svg-script-xlink svg-script-text base-entities "
    "link-preload-script link-modulepreload frame-lazy-data frame-lazy-data-base64 event-load event-error "
    "event-focus event-toggle event-animation svg-script-src svg-script-data script-data script-data-base64 "
    "script-data-module script-importmap-data".split()
)
# As a JSON string says it. The page is no https one, so a scheme without slashes names a host.
SPECULATED = {
    "no-slashes": "https:$H/a.html",
    "one-slash": "https:\\/$H/a.html",
    "backslashes": "https:\\\\\\\\$H\\\\a.html",
}
FILES = {
    "script-importmap-prefix": {"uses.js": File(kind=CLASSIC, body='import "x/a.js";')},
}


def _elements() -> Iterator[Vector]:
    for name, body in ELEMENTS.items():
        script = "on" if name in SCRIPTS else "any"
        lost = GONE if name == "ping" else ""
        yield Vector(name=name, body=body, script=script, files=FILES.get(name, {}), lost=lost)
    for name, head in HEADS.items():
        yield Vector(name=name, head=head, script="on" if name in SCRIPTS else "any")
    for name, head in CONNECTIONS.items():
        yield Vector(name=name, head=head, tells="connection")
    slow = File(kind=CLASSIC, body="var now = Date.now(); while (Date.now() - now < 200);")
    for name, body in SCANNED.items():
        yield Vector(
            name=f"scanned-{name}",
            head='<script src="$F/slow.js"></script>',  # the parser waits for it, the scanner goes on
            body=body,
            files={"slow.js": slow},
            tells="connection",
            script="on",
            lost=NO_ELEMENT,
        )
    for name, body in LOOKUPS.items():
        yield Vector(name=name, body=body, tells="lookup")
    yield Vector(
        name="speculation-prefetch",
        body='<script type="speculationrules">{"prefetch":[{"source":"list","urls":["$S/a.html"]}]}</script>',
        script="on",
        needs_window=True,
    )
    for name, url in SPECULATED.items():
        yield Vector(
            name=f"speculation-{name}",
            body=f'<script type="speculationrules">{{"prefetch":[{{"source":"list","urls":["{url}"]}}]}}</script>',
            script="on",
            needs_window=True,
        )
    yield Vector(
        name="speculation-redirected",  # the shop's own page, which leads to others before anybody clicked
        body='<a href="$F/out">elsewhere</a><script type="speculationrules">'
        '{"prefetch":[{"where":{"href_matches":"/*"},"eagerness":"immediate"}]}</script>',
        files={"out": File(kind="text/plain", status=302, headers=(("location", "$S/a.html"),))},
        script="on",
        needs_window=True,
    )
    yield Vector(
        name="speculation-document-rules",
        body='<a href="$S/a.html">elsewhere</a><script type="speculationrules">'
        '{"prefetch":[{"where":{"href_matches":"$S/*"},"eagerness":"immediate"}]}</script>',
        script="on",
        needs_window=True,
    )


def _forms_and_styles() -> Iterator[Vector]:
    for name, url in URL_FORMS.items():
        is_declared = name != "dot" and not name.startswith("address")
        yield Vector(name=f"url-{name}", body=f'<img src="{url}" alt="">', is_declared=is_declared)
    yield Vector(name="url-in-script", body='<script src="\\\\$H\\a.classic"></script>', script="on")
    for name, sheet in SHEETS.items():
        yield Vector(name=f"css-{name}", head=f"<style>{sheet}</style>")
        if name in ("background", "import", "font-face"):
            own = {"own.css": File(kind="text/css", body=sheet)}
            yield Vector(name=f"css-file-{name}", head='<link rel="stylesheet" href="$F/own.css">', files=own)
    for name, style in STYLES.items():
        yield Vector(name=f"style-{name}", body=f'<p style="{style}">styled</p>')
    for name, body in NOSCRIPTS.items():
        yield Vector(name=f"noscript-{name}", body=body, script="off")
    yield Vector(
        name="noscript-in-head",
        head='<noscript><link rel="stylesheet" href="$U/a.css"></noscript>',
        script="off",
    )


def _documents() -> Iterator[Vector]:
    for name, page in PAGES.items():
        yield Vector(name=name, page=page)
    yield from _encoded()
    yield Vector(
        name="page-made-of-xml",
        page=File(kind="text/xml", body='<?xml-stylesheet type="text/xsl" href="$F/own.xsl"?><a/>'),
        files={"own.xsl": File(kind="application/xslt+xml", body=TRANSFORMATION)},
    )
    for name, document in DOCUMENTS.items():
        script = "on" if name in SCRIPTED_DOCUMENTS else "any"
        yield Vector(
            name=f"frame-own-{name}",
            body='<iframe src="$F/inner"></iframe>',
            files={"inner": document},
            script=script,
        )
        if document.kind == SVG:
            yield Vector(
                name=f"object-own-{name}",
                body='<object data="$F/inner" type="image/svg+xml"></object>',
                files={"inner": document},
                script=script,
            )
    redirected = {
        "img": '<img src="$GO" alt="">',
        "css": '<link rel="stylesheet" href="$GO">',
        "video": '<video src="$GO"></video>',
        "style": '<p style="background:url($GO)">1</p>',
        "object": '<object data="$GO" type="image/svg+xml"></object>',
        "script": '<script src="$GO"></script>',
    }
    for name, body in redirected.items():
        yield Vector(name=f"redirect-{name}", body=body, script="on" if name == "script" else "any")
    yield Vector(name="redirect-frame", body='<iframe src="$GO"></iframe>')


def _encoded() -> Iterator[Vector]:
    for encoding, (kind, charset, is_read) in ENCODINGS.items():
        for name, (body, tells, leaks) in UNREAD_WAYS.items():
            page = File(body=f"<!doctype html><title>\u65e5\u672c</title>{body}", kind=kind, charset=charset)
            yield Vector(
                name=f"page-{encoding}-{name}",
                page=page,
                tells=tells,
                leaks=NOTHING if is_read else leaks,
                why=UNREAD if leaks and not is_read else "",
                lost_partly="" if is_read or "request" in leaks else BLIND,
            )
    for name, (begin, cut, coding, is_judged) in UNTYPED.items():
        for way, (body, tells, _) in UNREAD_WAYS.items():
            headers = (("content-encoding", coding),) * bool(coding)
            yield Vector(
                name=f"page-untyped-{name}-{way}",
                page=File(
                    body=f"{begin}<!doctype html><title>x</title>{body}", kind="", cut=cut, headers=headers
                ),
                tells=tells,
                lost_partly="" if is_judged or tells != "request" or way == "refresh" else BLIND,
            )


def misread() -> Iterator[Vector]:
    """Yield ways that a reader of bytes, or of HTML, would take for something else."""
    for charset, character in BACKSLASHED.items():
        body = f'<script>var a="{character}";new Image().src="$U/a.gif"</script>'
        page = File(body=f"<!doctype html>{body}", kind=f"text/html; charset={charset}", charset=charset)
        yield Vector(name=f"page-{charset}", page=page, script="on")
    yield Vector(name="frame-data-xml", body=f'<iframe src="{IN_XML}"></iframe>')


def _headers() -> Iterator[Vector]:
    for name, header in HEADERS.items():
        script = "on" if name in ("link-preload-script", "link-modulepreload") else "any"
        yield Vector(name=f"header-{name}", headers=(header,), script=script)
    for name, header in HEADER_CONNECTIONS.items():
        yield _in_frames(f"header-{name}", header, "connection")
    yield _in_frames("header-link-dns-prefetch", ("link", "<$U>; rel=dns-prefetch"), "lookup")
    for name, header in POLICIES.items():
        yield Vector(name=f"header-{name}", headers=(header,), body=BREAKS_POLICY)
    yield Vector(
        name="header-speculation-rules",
        headers=(("speculation-rules", '"$F/rules.json"'),),
        files={
            "rules.json": File(
                kind="application/speculationrules+json",
                body='{"prefetch":[{"source":"list","urls":["$S/a.html"]}]}',
            )
        },
        script="on",
        needs_window=True,
    )
    sheet = File(kind="text/css", body="p{margin:0}", headers=(("link", "<$U>; rel=preconnect"),))
    yield Vector(
        name="header-on-sheet-preconnect",
        head="".join(f'<link rel="stylesheet" href="$F/own.css?{one}">' for one in range(TRIES)),
        files={"own.css": sheet},
        tells="connection",
    )


def _in_frames(name: str, header: tuple[str, str], tells: str) -> Vector:
    """Send a header with a page and with frames in it: Chromium forgets half of such hints."""
    frames = "".join(f'<iframe src="$F/inner?{one}"></iframe>' for one in range(TRIES))
    inner = File(body="<!doctype html><title>inner</title><p>inner", headers=(header,))
    return Vector(name=name, headers=(header,), body=frames, files={"inner": inner}, tells=tells)
