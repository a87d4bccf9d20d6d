"""Ways that stand in the markup: elements, URL forms, styles, documents in documents, headers."""

from __future__ import annotations

from collections.abc import Iterator

from .vector import CLASSIC, SVG, File, Vector

ELEMENTS = {
    "img-src": '<img src="$U/a.gif" alt="">',
    "img-srcset": '<img srcset="$U/a.gif 1x, $U/b.gif 2x" alt="">',
    "img-srcset-sizes": '<img sizes="100vw" srcset="/own.gif 10w, $U/a.gif 800w" src="/own.gif" alt="">',
    "img-srcset-after-data": '<img srcset="data:image/gif;base64,R0lGODlhAQABAAAAACw= 0.1x, $U/a.gif 1x" alt="">',
    "img-picture": '<picture><source srcset="$U/a.gif"><img src="/own.gif" alt=""></picture>',
    "img-picture-media": '<picture><source media="(min-width:1px)" srcset="$U/a.gif"><img alt=""></picture>',
    "img-lazy": '<p style="margin-top:2000px"><img loading="lazy" width="9" height="9" src="$U/a.gif" alt="">',
    "img-crossorigin": '<img crossorigin src="$U/a.gif" alt="">',
    "img-https": '<img src="$S/a.gif" alt="">',
    "img-as-image": '<image src="$U/a.gif">',
    "img-in-table": '<table><img src="$U/a.gif" alt=""><tr><td>1</table>',
    "img-in-button": '<button type="button"><img src="$U/a.gif" alt=""></button>',
    "img-in-link": '<a href="/"><img src="$U/a.gif" alt=""></a>',
    "img-in-details": '<details><summary>more</summary><img src="$U/a.gif" alt=""></details>',
    "img-in-select": '<select><option>1<img src="$U/a.gif" alt=""></select>',
    "img-in-select-button": '<select><button><img src="$U/a.gif" alt=""></button><option>1</select>',
    "img-in-math": '<math><mtext><img src="$U/a.gif" alt=""></mtext></math>',
    "img-in-dialog": '<dialog open><img src="$U/a.gif" alt=""></dialog>',
    "img-in-popover": '<div popover><img src="$U/a.gif" alt=""></div>',
    "img-hidden": '<img hidden width="1" height="1" style="display:none" src="$U/a.gif" alt="">',
    "input-image": '<form><input type="image" src="$U/a.gif" alt="go"></form>',
    "input-image-upper": '<form><INPUT SRC="$U/a.gif" TYPE=IMAGE></form>',
    "table-background": '<table background="$U/a.gif"><tr><td>1</table>',
    "td-background": '<table><tr><td background="$U/a.gif">1</table>',
    "th-background": '<table><tr><th background="$U/a.gif">1</table>',
    "script-src": '<script src="$U/a.classic"></script>',
    "script-async": '<script async src="$U/a.classic"></script>',
    "script-defer": '<script defer src="$U/a.classic"></script>',
    "script-module": '<script type="module" src="$U/a.js"></script>',
    "script-module-import": '<script type="module">import "$U/a.js";</script>',
    "script-importmap": '<script type="importmap">{"imports":{"x":"$U/a.js"}}</script>'
    '<script type="module">import "x";</script>',
    "script-importmap-prefix": '<script type="importmap">{"imports":{"x/":"$U/"}}</script>'
    '<script type="module" src="$F/uses.js"></script>',
    "svg-script-href": '<svg><script href="$U/a.classic"></script></svg>',
    "svg-script-xlink": '<svg><script xlink:href="$U/a.classic"></script></svg>',
    "svg-script-text": "<svg><script>new Image().src=&#34;$U/a.gif&#34;</script></svg>",
    "link-in-body": '<link rel="stylesheet" href="$U/a.css">',
    "iframe-src": '<iframe src="$U/a.html"></iframe>',
    "iframe-https": '<iframe src="$S/a.html"></iframe>',
    "iframe-lazy": '<iframe loading="lazy" src="$U/a.html"></iframe>',
    "iframe-sandbox": '<iframe sandbox src="$U/a.html"></iframe>',
    "iframe-srcdoc-img": '<iframe srcdoc="<img src=$U/a.gif>"></iframe>',
    "iframe-srcdoc-entities": '<iframe srcdoc="&lt;img src=&quot;$U/a.gif&quot;&gt;"></iframe>',
    "iframe-srcdoc-twice": "<iframe srcdoc=\"<iframe srcdoc='&amp;lt;img src=$U/a.gif&amp;gt;'></iframe>\"></iframe>",
    "iframe-srcdoc-style": '<iframe srcdoc="<style>body{background:url($U/a.gif)}</style>"></iframe>',
    "iframe-data": '<iframe src="data:text/html,<img src=$U/a.gif>"></iframe>',
    "iframe-data-base64": '<iframe src="data:text/html;base64,$DATA"></iframe>',
    "embed-html": '<embed src="$U/a.html" type="text/html">',
    "embed-svg": '<embed src="$U/a.svg">',
    "object-data": '<object data="$U/a.svg" type="image/svg+xml"></object>',
    "object-html": '<object data="$U/a.html" type="text/html"></object>',
    "object-img": '<object data="$U/a.gif"></object>',
    "object-fallback": '<object data="/none.bin" type="x/y"><img src="$U/a.gif" alt=""></object>',
    "video-src": '<video src="$U/a.mp4"></video>',
    "video-poster": '<video poster="$U/a.gif"></video>',
    "video-source": '<video><source src="$U/a.mp4"></video>',
    "video-autoplay": '<video autoplay muted src="$U/a.mp4"></video>',
    "audio-src": '<audio src="$U/a.mp3"></audio>',
    "audio-source": '<audio><source src="$U/a.mp3" type="audio/mpeg"></audio>',
    "track-src": '<video crossorigin src="/own.mp4"><track default kind="captions" src="$U/a.vtt"></video>',
    "svg-image-href": '<svg><image href="$U/a.gif" width="9" height="9"/></svg>',
    "svg-image-xlink": '<svg><image xlink:href="$U/a.gif" width="9" height="9"/></svg>',
    "svg-feimage": '<svg><filter id="f"><feImage href="$U/a.gif"/></filter>'
    '<rect width="9" height="9" filter="url(#f)"/></svg>',
    "svg-foreignobject": '<svg><foreignObject width="9" height="9"><img src="$U/a.gif"></foreignObject></svg>',
    "svg-set-href": '<svg><image width="9" height="9"><set attributeName="href" to="$U/a.gif"/></image></svg>',
    "svg-animate-values": '<svg><image width="9" height="9"><animate attributeName="href" dur="1s" '
    'values="/own.gif;$U/a.gif" fill="freeze"/></image></svg>',
    "svg-style": '<svg><style>rect{mask:url($U/a.svg#a)}</style><rect width="9" height="9"/></svg>',
    "svg-style-entities": '<svg><style>@import "&#104;ttp://$H/a.css";</style></svg>',
    "svg-style-cdata": "<svg><style><![CDATA[@import '$U/a.css';]]></style></svg>",
    "svg-mask": '<svg><rect width="9" height="9" mask="url($U/a.svg#a)"/></svg>',
    "svg-filter": '<svg><rect width="9" height="9" filter="url($U/a.svg#a)"/></svg>',
    "svg-clip-path": '<svg><rect width="9" height="9" clip-path="url($U/a.svg#a)"/></svg>',
    "ping": '<a href="#x" ping="$U/ping" style="position:fixed;top:0;left:0;width:99px;height:99px">on</a>',
    "meta-refresh": '<meta http-equiv="refresh" content="0; url=$U/a.html">',
    "meta-refresh-later": '<meta http-equiv="refresh" content="1; url=$U/a.html">',
    "meta-refresh-quoted": '<meta http-equiv="Refresh" content="0;URL=\'$U/a.html\'">',
    "meta-refresh-bare": '<meta http-equiv="refresh" content="0 $U/a.html">',
    "meta-refresh-comma": '<meta content="0, url = $U/a.html" http-equiv="REFRESH">',
    "shadow-img": '<div><template shadowrootmode="open"><img src="$U/a.gif"></template></div>',
    "shadow-closed-style": '<div><template shadowrootmode="closed"><style>:host{background:url($U/a.gif)}'
    "</style></template></div>",
    "shadow-link": '<div><template shadowrootmode="open"><link rel="stylesheet" href="$U/a.css">'
    "</template></div>",
    "comment-short": '<!--><img src="$U/a.gif" alt="">',
    "comment-dash": '<!---><img src="$U/a.gif" alt="">',
    "comment-bang": '<!-- --!><img src="$U/a.gif" alt="">',
    "comment-bogus": '<?php ?><img src="$U/a.gif" alt="">',
    "comment-bogus-end": '</ x><img src="$U/a.gif" alt="">',
    "comment-cdata": '<![CDATA[ > <img src="$U/a.gif" alt=""> ]]>',
    "tag-slashes": '<img/src="$U/a.gif"/alt="">',
    "tag-unquoted": "<img src=$U/a.gif>",
    "tag-single-quoted": "<img src='$U/a.gif'>",
    "tag-joined": '<img alt="a"src="$U/a.gif"id="b">',
    "tag-upper": '<IMG SRC="$U/a.gif">',
    "tag-lines": '<img\n\n alt\n=\n"a>b"\n src\t=\n"$U/a.gif"\n>',
    "tag-first-of-two": '<img src="$U/a.gif" src="/own.gif" alt="">',
    "tag-quote-in-name": '<img " src="$U/a.gif" alt="">',
    "tag-null": '<img \x00 src="$U/a.gif" alt="">',
    "title-ends": '<textarea></textarea ><img src="$U/a.gif" alt="">',
    "raw-text-ends": '<style>/* </style><img src="$U/a.gif" alt="">',
    "script-escaped-ends": '<script><!-- </script><img src="$U/a.gif" alt="">',
    "foreign-breaks-out": '<svg><p><style><img src="$U/a.gif" alt=""></style></p></svg>'
    "<style>p{background:url($U/b.gif)}</style>",
}

HEADS = {
    "link-stylesheet": '<link rel="stylesheet" href="$U/a.css">',
    "link-stylesheet-print": '<link rel="stylesheet" media="print" href="$U/a.css">',
    "link-stylesheet-alternate": '<link rel="alternate stylesheet" title="b" href="$U/a.css">',
    "link-icon": '<link rel="shortcut icon" href="$U/a.gif">',
    "link-preload-image": '<link rel="preload" as="image" href="$U/a.gif">',
    "link-preload-srcset": '<link rel="preload" as="image" imagesrcset="$U/a.gif 1x">',
    "link-preload-script": '<link rel="preload" as="script" href="$U/a.classic">',
    "link-preload-style": '<link rel="preload" as="style" href="$U/a.css">',
    "link-preload-font": '<link rel="preload" as="font" crossorigin href="$U/a.woff2">',
    "link-preload-fetch": '<link rel="preload" as="fetch" crossorigin href="$U/a.json">',
    "link-modulepreload": '<link rel="modulepreload" href="$U/a.js">',
    "link-prefetch": '<link rel="prefetch" href="$U/a.html">',
    "link-two-relations": '<link rel="nofollow PREFETCH" href="$U/a.html">',
    "base-img": '<base href="$U/"><img src="a.gif" alt="">',
    "base-entities": '<base href="http:&sol;&sol;$H/"><script src="a.classic"></script>',
    "base-style": '<base href="$U/x/"><style>body{background:url(a.gif)}</style>',
    "noscript-none": '<noscript></noscript><link rel="stylesheet" href="$U/a.css">',
}

CONNECTIONS = {
    "preconnect": '<link rel="preconnect" href="$U">',
    "preconnect-tls": '<link rel="preconnect" href="$S" crossorigin>',
    "preconnect-relative": '<link rel=PreConnect href="//$H">',
    "preconnect-in-body": '</head><body><p>text<link rel="preconnect" href="$U">',
}

# As a picture's address. Nobody declared the addresses, and no policy knows a name with its final dot.
URL_FORMS = {
    "relative": "//$H/a.gif",
    "no-slashes": "https:$H/a.gif",
    "one-slash": "https:/$H/a.gif",
    "many-slashes": "http://///$H/a.gif",
    "backslashes": "\\\\$H\\a.gif",
    "slash-backslash": "/\\$H/a.gif",
    "three-slashes": "///$H/a.gif",
    "tab": "/\t/$H/a.gif",
    "newline": "ht\ntp://$H/a.gif",
    "control": "\x01\x1f //$H/a.gif",
    "spaces": "  \n http://$H/a.gif  ",
    "upper": "HTTP://$H/a.gif",
    "dot": "http://$H./a.gif",
    "port": "http://$H:80/a.gif",
    "empty-port": "http://$H:/a.gif",
    "hex-reference": "&#x2f;&#x2F;$H/a.gif",
    "decimal-reference": "&#47&#47$H/a.gif",
    "named-reference": "&sol;&sol;$H/a.gif",
    "colon-reference": "http&colon;//$H/a.gif",
    "tab-reference": "/&Tab;/$H/a.gif",
    "newline-reference": "/&NewLine;/$H/a.gif",
    "ampersands": "http://$H/a.gif?a=1&b=2&amp;c=3&copy=4",
    "percent-host": "http://%76$PCT/a.gif",
    "wide-letters": "http://$WIDE/a.gif",
    "soft-hyphen": "http://$SHY/a.gif",
    "ideographic-dots": "http://$DOTS/a.gif",
    "address": "http://$I:$P/a.gif",
    "address-number": "http://$NUMBER:$P/a.gif",
    "address-hex": "http://$HEX:$P/a.gif",
    "address-octal": "http://$OCTAL:$P/a.gif",
    "address-short": "http://$SHORT:$P/a.gif",
    "query-only-path": "http://$H?a",
    "fragment": "http://$H#a",
    "other-port": "http://$H:$P/a.gif",
}

SHEETS = {
    "background": "body{background:url($U/a.gif)}",
    "background-quoted": 'body{background:#fff url( "$U/a.gif" ) no-repeat}',
    "background-upper": "BODY{BACKGROUND-IMAGE:URL($U/a.gif)}",
    "import": "@import '$U/a.css';",
    "import-url": "@import url($U/a.css) screen;",
    "import-upper": '@IMPORT URL("$U/a.css");',
    "import-layer": "@charset 'utf-8';@import '$U/a.css' layer(x) supports(display:grid);",
    "import-escaped": "@\\69mport '$U/a.css';",
    "import-comment": "@import/**/'$U/a.css';",
    "url-escaped": "body{background:u\\72l($U/a.gif)}",
    "address-escaped": "body{background:url(\\68ttp://$H/a.gif)}",
    "address-escaped-slashes": "body{background:url(http:\\2f\\2f$H/a.gif)}",
    "address-broken-line": 'body{background:url("http:\\\n//$H/a.gif")}',
    "image-set": "body{background:image-set(url($U/a.gif) 1x)}",
    "image-set-string": 'body{background:image-set("$U/a.gif" 1x, "/own.gif" 9x)}',
    "image-set-webkit": "body{background:-webkit-image-set(url($U/a.gif) 1x)}",
    "cross-fade": "body{background:-webkit-cross-fade(url($U/a.gif),url(/own.gif),50%)}",
    "font-face": "@font-face{font-family:x;src:url($U/a.woff2)}body{font-family:x}",
    "content": "p::before{content:url($U/a.gif)}",
    "list-style": "p{display:list-item;list-style:url($U/a.gif)}",
    "border-image": "p{border:9px solid;border-image:url($U/a.gif) 9}",
    "cursor": "body{cursor:url($U/a.gif),auto}",
    "mask": "p{mask-image:url($U/a.svg)}",
    "mask-reference": "p{mask:url($U/a.svg#a)}",
    "filter": "p{filter:url($U/a.svg#a)}",
    "clip-path": "p{clip-path:url($U/a.svg#a)}",
    "shape-outside": "p{float:left;shape-outside:url($U/a.gif)}",
    "variable": "body{--x:url($U/a.gif);background:var(--x)}",
    "nested": "body{& p{background:url($U/a.gif)}}",
    "media": "@media screen{@supports (color:red){body{background:url($U/a.gif)}}}",
    "after-broken": "body{color:'\n;}p{background:url($U/a.gif)}",
    "after-comment": "/* ' */body{background:url($U/a.gif)}/* ' */",
    "after-cdo": "<!-- body{background:url($U/a.gif)} -->",
}

STYLES = {
    "url": "background:url($U/a.gif)",
    "quoted": "background:url('$U/a.gif')",
    "entities": "background:url&lpar;&quot;$U/a.gif&quot;)",
    "escaped": "background:\\75 rl($U/a.gif)",
    "image-set": "background:image-set('$U/a.gif' 1x)",
    "variable": "--x:url($U/a.gif);background:var(--x)",
    "comment": "/*;*/background:url($U/a.gif)",
}

NOSCRIPTS = {
    "img": '<noscript><img src="$U/a.gif" alt=""></noscript>',
    "iframe": '<noscript><iframe src="$U/a.html"></iframe></noscript>',
    "style": "<noscript><style>body{background:url($U/a.gif)}</style></noscript>",
    "nested-div": '<noscript><div><img src="/own.gif"><p><img src="$U/a.gif"></p></div></noscript>',
    "comment": '<noscript><!-- --><img src="$U/a.gif"><!-- --></noscript>',
    "video": '<noscript><video poster="$U/a.gif"></video></noscript>',
    "object": '<noscript><object data="$U/a.svg"></object></noscript>',
    "style-attribute": '<noscript><p style="background:url($U/a.gif)">1</p></noscript>',
    "meta-refresh": '<noscript><meta http-equiv="refresh" content="0;url=$U/a.html"></noscript>',
}

INNER = '<!doctype html><title>inner</title><img src="$U/a.gif" alt="">'
SVG_DOCUMENT = (
    '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">$BODY</svg>'
)
XHTML = '<html xmlns="http://www.w3.org/1999/xhtml"><head><title>x</title></head><body>$BODY</body></html>'
XHTML_TYPE = "application/xhtml+xml"
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
    "page-cut-off": File(body='<!doctype html><title>x</title><img src="$U/a.gif"><p title="'),
}

UNREADABLE = {
    "utf-16": ("text/html", "utf-16"),
    "utf-16-named": ("text/html; charset=utf-16le", "utf-16-le"),
    "iso-2022-jp": ("text/html; charset=iso-2022-jp", "iso-2022-jp"),
}
UNREAD = "the rewriter cannot read this encoding, and the policy alone does not cover it"
BLIND = "a page that cannot be read keeps the strict policy, whatever was agreed to"
CONNECTS = frozenset({"connection", "lookup"})
# What a page in such an encoding contacts in spite of the policy.
UNREAD_WAYS = {
    "img": ('<img src="$U/a.gif">', "request", frozenset[str]()),
    "frame": ('<iframe src="$U/a.html"></iframe>', "request", CONNECTS),
    "preconnect": ('<link rel="preconnect" href="$U">', "connection", CONNECTS),
    "dns-prefetch": ('<link rel="dns-prefetch" href="$U">', "lookup", CONNECTS),
    "refresh": (
        '<meta http-equiv="refresh" content="0;url=$U/a.html">',
        "request",
        CONNECTS | {"request"},
    ),
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
    "script-importmap-prefix svg-script-href svg-script-xlink svg-script-text base-entities link-preload-script "
    "link-modulepreload".split()
)
SILENT = {"svg-filter": frozenset({"chromium"}), "filter": frozenset({"chromium"})}
NO_SILENCE: frozenset[str] = frozenset()
FILES = {
    "script-importmap-prefix": {"uses.js": File(kind=CLASSIC, body='import "x/a.js";')},
}


def _elements() -> Iterator[Vector]:
    for name, body in ELEMENTS.items():
        script = "on" if name in SCRIPTS else "any"
        silent = SILENT.get(name, NO_SILENCE)
        yield Vector(name=name, body=body, script=script, files=FILES.get(name, {}), silent=silent)
    for name, head in HEADS.items():
        yield Vector(name=name, head=head, script="on" if name in SCRIPTS else "any")
    for name, head in CONNECTIONS.items():
        yield Vector(name=name, head=head, tells="connection")
    yield Vector(name="dns-prefetch", head='<link rel="dns-prefetch" href="//$H">', tells="lookup")
    yield Vector(
        name="speculation-prefetch",
        body='<script type="speculationrules">{"prefetch":[{"source":"list","urls":["$S/a.html"]}]}</script>',
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
        silent = SILENT.get(name, NO_SILENCE)
        yield Vector(name=f"css-{name}", head=f"<style>{sheet}</style>", silent=silent)
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
    yield from _unreadable()
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


def _unreadable() -> Iterator[Vector]:
    for encoding, (kind, charset) in UNREADABLE.items():
        ways = UNREAD_WAYS if encoding == "utf-16" else {"img": UNREAD_WAYS["img"]}
        for name, (body, tells, leaks) in ways.items():
            page = File(body=f"<!doctype html><title>\u65e5\u672c</title>{body}", kind=kind, charset=charset)
            yield Vector(
                name=f"page-{encoding}-{name}",
                page=page,
                tells=tells,
                leaks=leaks,
                why=UNREAD if leaks else "",
                lost="" if "request" in leaks else BLIND,
            )


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
