"""The table of contact points: which attribute of which element makes a browser contact a host.

Element and attribute names are in lower case. The table joins HTML, SVG and MathML: an element has the
attributes of all three. A visitor has to click before an <a> or a form contacts a host, so neither is held, except a
form that posts to cookieguard's pages.
"""

from __future__ import annotations

from enum import Enum, auto


class Load(Enum):
    """How an attribute's value names the URLs that a browser contacts."""

    URL = auto()
    URLS = auto()  # separated by white space
    SRCSET = auto()
    CSS = auto()
    LINK = auto()  # a URL; whether it is fetched depends on `rel`
    REFRESH = auto()  # the content of a meta element; its meaning depends on `http-equiv` or `name`
    BASE = auto()
    DOCUMENT = auto()  # a URL whose document runs in the page, so documents in data: URLs are judged too
    SRCDOC = auto()
    CHARSET = auto()  # no URL, but it may change how every byte is read
    VALUES = auto()  # an SVG animation's list, separated by `;`: URLs, or style with `url()`
    PING = auto()  # as URLS, but removed for all third parties, even if they are not held
    REFERRER = auto()  # no URL: it sets how much of the page's address other sites get
    LATER = auto()  # as DOCUMENT, after a script has moved it to an attribute that loads
    FORM = auto()  # contacts no host by itself, but a click would act on one of cookieguard's pages


_HREF = {b"href": Load.URL, b"xlink:href": Load.URL}
_SOURCE = {b"src": Load.URL}
_MEDIA = {b"src": Load.URL, b"poster": Load.URL}
_PICTURE = {b"src": Load.URL, b"srcset": Load.SRCSET, b"lowsrc": Load.URL, b"dynsrc": Load.URL}
# Attributes in which lazy loaders keep a frame's address until a script moves it to `src` (lazysizes and most plugins;
# WP Rocket, Jetpack; LiteSpeed; older jQuery ones). The policy refuses such a frame, but Chromium connects to its host
# before that. For a picture Chromium does not, and on other elements a `data-src` may mean anything.
_LAZY_FRAME = dict.fromkeys(
    (b"data-src", b"data-lazy-src", b"data-litespeed-src", b"data-original"), Load.LATER
)
_FRAME = {b"src": Load.DOCUMENT, b"srcdoc": Load.SRCDOC}
_ANIMATION = {
    b"to": Load.VALUES,
    b"from": Load.VALUES,
    b"by": Load.VALUES,
    b"values": Load.VALUES,
    b"href": Load.URL,
    b"xlink:href": Load.URL,
}

LOADS: dict[bytes, dict[bytes, Load]] = {
    b"animate": _ANIMATION,
    b"animatecolor": _ANIMATION,
    b"animatemotion": _ANIMATION,
    b"animatetransform": _ANIMATION,
    b"applet": {b"code": Load.URL, b"codebase": Load.URL, b"archive": Load.URL, b"object": Load.URL},
    b"audio": _MEDIA,
    b"base": {b"href": Load.BASE},
    b"bgsound": _SOURCE,
    b"color-profile": _HREF,
    b"cursor": _HREF,
    b"embed": {b"src": Load.DOCUMENT, b"href": Load.DOCUMENT, b"code": Load.DOCUMENT},
    b"feimage": _HREF,
    b"fencedframe": _SOURCE,
    b"filter": _HREF,
    b"font-face-uri": _HREF,
    b"form": {b"action": Load.FORM},
    b"frame": _FRAME,
    b"html": {b"manifest": Load.URL},
    b"iframe": _FRAME | _LAZY_FRAME,
    b"image": _PICTURE | _HREF,
    b"img": _PICTURE,
    b"input": _PICTURE,
    b"lineargradient": _HREF,
    b"link": {b"href": Load.LINK, b"imagesrcset": Load.SRCSET},
    b"meta": {b"content": Load.REFRESH, b"charset": Load.CHARSET},
    b"mglyph": _SOURCE,
    b"model": _SOURCE,
    b"mpath": _HREF,
    b"object": {b"data": Load.DOCUMENT, b"codebase": Load.URL, b"archive": Load.URLS, b"classid": Load.URL},
    b"param": {b"value": Load.URL},
    b"pattern": _HREF,
    b"portal": _SOURCE,
    b"radialgradient": _HREF,
    b"script": _SOURCE | _HREF,
    b"set": _ANIMATION,
    b"source": _PICTURE,
    b"textpath": _HREF,
    b"track": _SOURCE,
    b"tref": _HREF,
    b"use": _HREF,
    b"video": _MEDIA,
}

# Attributes of any element. SVG's presentation attributes load what their `url()` names.
ANYWHERE: dict[bytes, Load] = {
    b"attributionsrc": Load.URLS,
    b"background": Load.URL,
    b"clip-path": Load.CSS,
    b"cursor": Load.CSS,
    b"fill": Load.CSS,
    b"filter": Load.CSS,
    b"formaction": Load.FORM,
    b"marker": Load.CSS,
    b"marker-end": Load.CSS,
    b"marker-mid": Load.CSS,
    b"marker-start": Load.CSS,
    b"mask": Load.CSS,
    b"ping": Load.PING,
    b"referrerpolicy": Load.REFERRER,
    b"stroke": Load.CSS,
    b"style": Load.CSS,
}

# Relations for which no browser fetches the link. A link with any other token is judged: Firefox prefetches `next`,
# Chromium fetches `search`, and browsers may add relations after this table was written.
INERT_RELATIONS = frozenset(
    "acl alternate amphtml appendix archives author authorization_endpoint bookmark canonical category chapter "
    "cite-as contents convertedfrom copyright describedby edit edituri external first glossary help "
    "https://api.w.org/ https://github.com/webmention/ hub image_src index indieauth-metadata last license made me "
    "micropub microsub nofollow noopener noreferrer openid.delegate openid.server openid2.local_id "
    "openid2.provider opener p3pv1 pingback prev previous privacy-policy profile publisher schema.dc schema.dcterms "
    "section self shortlink shorturl sitemap start subsection syndication tag terms-of-service token_endpoint "
    "unapi-server up vcs-git webmention wlwmanifest".split()
)

# Elements whose text the tokenizer reads as raw text in HTML content.
RAW_TEXT = frozenset({b"title", b"textarea", b"xmp", b"iframe", b"noembed", b"noframes", b"style", b"script"})
TEXT_NAMES = RAW_TEXT | {b"noscript"}

JAVASCRIPT_TYPES = frozenset(
    "application/ecmascript application/javascript application/x-ecmascript application/x-javascript "
    "text/ecmascript text/javascript text/javascript1.0 text/javascript1.1 text/javascript1.2 "
    "text/javascript1.3 text/javascript1.4 text/javascript1.5 text/jscript text/livescript "
    "text/x-ecmascript text/x-javascript module".split()
)
RULE_TYPES = frozenset({"importmap", "speculationrules", "webbundle"})

# The names of attributes that are read, and below them the elements whose attributes are always read.
NAMES = frozenset(ANYWHERE).union(*LOADS.values()) | frozenset(
    {b"data-cg", b"type", b"language", b"rel", b"lang", b"xml:lang", b"http-equiv", b"content", b"encoding"}
    | {b"color", b"face", b"size", b"src", b"name", b"href", b"onerror"}
)
CONTEXT_NAMES = frozenset({b"html", b"meta", b"font", b"annotation-xml"})
READ_NAMES = frozenset(LOADS) | TEXT_NAMES | CONTEXT_NAMES
ALWAYS_READ = TEXT_NAMES | CONTEXT_NAMES | {b"base"}
LINKS = frozenset({b"a", b"area"})
# Elements that change the context of the page.
ATTENTION = frozenset(b"html head body base meta svg math select frameset template col plaintext".split())
SPECIAL_NAMES = READ_NAMES | ATTENTION  # all other elements have only the attributes of ANYWHERE
# Encodings in which a byte below 0x80 may be part of another character, so that a scanner of bytes cannot read them:
# the labels of ISO-2022-JP, and those that browsers map to `replacement` (Encoding standard).
SHIFTING_CHARSETS = frozenset(
    b"csiso2022jp csiso2022kr hz-gb-2312 iso-2022-cn iso-2022-cn-ext iso-2022-jp iso-2022-kr replacement".split()
)
