"""Differences between engines, as data: contacts that one of them does not make, and leaks that it does not have."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from .markup import SCANNED
from .scripted import NAVIGATES
from .vector import Vector

NO_SPECULATION = "fetches nothing by speculation rules"
NO_REFERENCE = "takes clip paths from the same document only"
NO_OTHER_FILTER = "takes svg filters from the same document only"
KNOWS_THE_TREE = "opens no connection by what its scanner finds in svg"
NO_HTML = "takes a type that Firefox calls unknown for a download"
NO_RELATED = "asks no host whether its passkeys are for others too"
ONLY_CHROMIUM = "reads it as the standard does"
SCANNED_NAMES = " ".join(f"scanned-{name}" for name in SCANNED)
# Engine -> why it is silent there -> which ways. A control that tells all the same fails: it learnt the way.
SILENT: Mapping[str, Mapping[str, str]] = {
    "chromium": {
        NO_OTHER_FILTER: "svg-filter css-filter",
        NO_HTML: "page-unknown-type",
        "looks no host of a plain link up": "link-plain link-plain-tls link-plain-asked-for "
        "js-link-plain-inline js-link-plain-file js-link-plain-inner-html-inline js-link-plain-inner-html-file",
    },
    "firefox": {
        KNOWS_THE_TREE: SCANNED_NAMES,
        ONLY_CHROMIUM: "meta-refresh-odd-blank script-webbundle",
        "embeds by `src` only": "embed-code",
        "shows `text/xsl` as text": "page-xsl",
        NO_OTHER_FILTER: "svg-filter css-filter",
        NO_REFERENCE: "svg-clip-path css-clip-path",
        NO_SPECULATION: "speculation-prefetch speculation-document-rules header-speculation-rules "
        "speculation-no-slashes speculation-one-slash speculation-backslashes speculation-redirected "
        "js-speculation-inline js-speculation-file js-speculation-words-inline js-speculation-words-file",
        "sends no ping unless asked to": "ping js-ping-click-inline js-ping-click-file",
        "knows no fetchLater": "js-fetch-later-inline js-fetch-later-file",
        "knows no cross-fade": "css-cross-fade",
        "reads no Link header of a style sheet": "header-on-sheet-preconnect",
        "asks no STUN server where all networks are loopback": "js-stun-inline js-stun-file js-stun-joined",
        NO_RELATED: "js-passkey-inline js-passkey-file js-passkey-gone-inline js-passkey-gone-file",
    },
    "webkit": {
        NO_HTML: "page-unknown-type",
        KNOWS_THE_TREE: SCANNED_NAMES,
        ONLY_CHROMIUM: "meta-refresh-odd-blank script-webbundle",
        NO_OTHER_FILTER: "svg-filter css-filter",
        NO_REFERENCE: "svg-clip-path css-clip-path",
        NO_SPECULATION: "speculation-prefetch speculation-document-rules header-speculation-rules "
        "speculation-no-slashes speculation-one-slash speculation-backslashes speculation-redirected "
        "js-speculation-inline js-speculation-file js-speculation-words-inline js-speculation-words-file",
        "knows no fetchLater": "js-fetch-later-inline js-fetch-later-file",
        "knows no requestIdleCallback": "js-beacon-idle-inline js-beacon-idle-file",
        "imports no style sheet by module": "js-module-css",
        "prefetches nothing": "link-prefetch link-two-relations header-link-prefetch js-create-prefetch-inline "
        "js-create-prefetch-file js-create-prefetch-hidden",
        "looks no host of a plain link up": "link-plain link-plain-tls link-plain-asked-for "
        "js-link-plain-inline js-link-plain-file js-link-plain-inner-html-inline js-link-plain-inner-html-file",
        "loads captions beside a film that plays, and none is here": "track-src",
        "has no WebRTC as Debian builds it": "js-stun-inline js-stun-file js-stun-joined",
        NO_RELATED: "js-passkey-inline js-passkey-file js-passkey-gone-inline js-passkey-gone-file",
    },
}
SILENT_WITHOUT_SCRIPT: Mapping[str, Mapping[str, str]] = {
    "firefox": {"animates no address": "svg-set-href svg-animate-values svg-animate-mask"},
}
# Hints that an engine forgets more often than not: nothing is asked of it but that it holds its tongue.
UNSTEADY: Mapping[str, frozenset[str]] = {
    "firefox": frozenset({"header-link-prefetch"}),
    "webkit": frozenset(
        "dns-prefetch header-link-dns-prefetch page-utf-16-dns-prefetch page-utf-16-named-dns-prefetch "
        "page-iso-2022-jp-dns-prefetch js-dns-prefetch-inline js-dns-prefetch-file "
        "page-untyped-tag-dns-prefetch page-untyped-blanks-dns-prefetch page-untyped-comment-dns-prefetch "
        "page-untyped-gzip-dns-prefetch".split()
    ),
}
# Chromium leaks what `Vector.leaks` says. These refuse a frame before they connect for it and know no speculation
# rules; Firefox looks nothing up under X-DNS-Prefetch-Control. Beside navigations this remains: pages in an encoding
# that is not read.
UNREAD = frozenset({"page-iso-2022-jp-preconnect", "page-iso-2022-jp-refresh"})
REMAINS: Mapping[str, frozenset[str]] = {
    "firefox": UNREAD,
    "webkit": UNREAD | {"page-iso-2022-jp-dns-prefetch"},
}
NOTHING: frozenset[str] = frozenset()


@cache
def is_silent(engine: str, name: str, *, script: bool) -> bool:
    """Return whether an engine does not go this way, with or without script."""
    reasons = dict(SILENT[engine])
    if not script:
        reasons |= SILENT_WITHOUT_SCRIPT.get(engine, {})
    return any(name in names.split() for names in reasons.values())


def goes(vector: Vector, engine: str, *, script: bool) -> bool:
    """Return whether this way works in an engine, with or without script."""
    return vector.script in ("any", "on" if script else "off") and not is_silent(
        engine, vector.name, script=script
    )


def leaks_of(vector: Vector, engine: str) -> frozenset[str]:
    """Name the kinds of contact that a vector's host may see in an engine before consent."""
    remains = engine not in REMAINS or vector.why == NAVIGATES or vector.name in REMAINS[engine]
    return vector.leaks if remains else NOTHING
