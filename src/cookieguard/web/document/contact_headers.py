"""Remove from response headers whatever makes a browser contact a held host: Link, Refresh, reporting headers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from cookieguard.html.attributes import candidates
from cookieguard.html.contact_points import INERT_RELATIONS
from cookieguard.html.referrer_policy import tighten
from cookieguard.web.http.headers import Headers

Holds = Callable[[str], bool]  # returns whether a URL reference leads to a held host

LINK_VALUE = re.compile(rb'[ \t]*<([^>]*)>((?:[^",<]|"(?:[^"\\]|\\.)*")*)(?:,|$)', re.DOTALL)
NO_TARGET = re.compile(rb"[^<,]*(?:,|$)")
RELATION = re.compile(rb';[ \t]*rel[ \t]*=[ \t]*(?:"([^"]*)"|([^ \t;,"]+))', re.IGNORECASE)
PICTURES = re.compile(rb';[ \t]*imagesrcset[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^ \t;,"]+))', re.IGNORECASE)
# A blank may follow the seconds (HTML, "shared declarative refresh steps"); Chromium skips other text too.
REFRESH_URL = re.compile(
    rb"^[ \t]*(?:[^;, \t]*[ \t]*[;,]|[^;, \t]*[ \t]|[^;,]*[;,])[ \t]*(?:url[ \t]*=)?[ \t]*['\"]?([^'\"]*)",
    re.IGNORECASE | re.DOTALL,
)
OFFER = re.compile(rb'(?:[^",]|"(?:[^"\\]|\\.)*+"?)+', re.DOTALL)
# An unclosed quote extends to the end. Otherwise the search would start again at each quote in it.
QUOTED = re.compile(rb'"((?:[^"\\]|\\.)*+)(?:"|\\?\Z)')
URL = re.compile(rb"(?:https?:)?//[^\s\"'<>,;]+", re.IGNORECASE)
# A comma ends a policy, and another policy follows it.
REPORT_DIRECTIVE = re.compile(rb"(?:^|(?<=[;,]))\s*report-uri\s([^;,]*)(?:;|(?=,)|$)", re.IGNORECASE)


def filter_contacts(headers: Headers, holds: Holds) -> Headers:
    """Return the headers without values that lead to a held host."""
    kept: Headers = []
    refreshes = [value for name, value in headers if name == b"refresh"]
    if len(refreshes) > 1 and not _refresh(b", ".join(refreshes), holds):
        headers = [pair for pair in headers if pair[0] != b"refresh"]  # browsers join them into one value
    for name, value in headers:
        keep = CONTACT_HEADERS.get(name)
        remains = keep(value, holds) if keep and value else value
        if remains or not value:
            kept.append((name, remains))
    return kept


def tighten_referrers(headers: Headers) -> Headers:
    """Return headers whose Referrer-Policy sends other sites no more of an address than browsers do by default."""
    return [
        (name, tighten(value.decode("latin-1")).encode("latin-1") if name == b"referrer-policy" else value)
        for name, value in headers
    ]


def _link(value: bytes, holds: Holds) -> bytes:
    """Return the link-values (RFC 8288) that lead to no held host; one with a target that does not parse is dropped.

    A value without `<` has no target in any browser.
    """
    kept: list[bytes] = []
    dropped = position = 0
    while position < len(value):
        match = LINK_VALUE.match(value, position) or NO_TARGET.match(value, position)
        if match is None:
            dropped += 1
            break
        if match.re is NO_TARGET or _is_inert(match[2]) or not any(map(holds, _targets(match))):
            kept.append(match[0].strip(b" \t,"))
        else:
            dropped += 1
        position = match.end()
    return b", ".join(kept) if dropped else value


def _targets(match: re.Match[bytes]) -> list[str]:
    """Return the URLs of a link-value: its target, and the pictures that may be loaded in its place."""
    sets = [(_plain(quoted) or bare).decode("latin-1") for quoted, bare in PICTURES.findall(match[2])]
    return [match[1].decode("latin-1"), *(url for srcset in sets for url in candidates(srcset))]


def _plain(quoted: bytes) -> bytes:
    """Return the text of a quoted string (RFC 9110 5.6.4)."""
    return re.sub(rb"\\(.)", rb"\1", quoted)


def _is_inert(parameters: bytes) -> bool:
    """Return whether no relation of a link makes a browser fetch it; a link without a relation may be fetched."""
    values = [(quoted or bare).decode("latin-1") for quoted, bare in RELATION.findall(parameters)]
    return bool(values) and INERT_RELATIONS.issuperset(" ".join(values).lower().split())


def _refresh(value: bytes, holds: Holds) -> bytes:
    match = REFRESH_URL.match(value)
    return b"" if match and holds(match[1].decode("latin-1")) else value


def _any_url(value: bytes, holds: Holds) -> bytes:
    return b"" if any(holds(url.decode("latin-1")) for url in URL.findall(value)) else value


def _endpoints(value: bytes, holds: Holds) -> bytes:
    """Return the header; empty if an endpoint leads to a held host in any spelling (such as `/\\host`)."""
    urls = [url.replace(b"\\\\", b"\\") for url in QUOTED.findall(value)]
    return b"" if any(holds(url.decode("latin-1")) for url in urls) else _any_url(value, holds)


def _groups(value: bytes, holds: Holds) -> bytes:
    """Return the groups of endpoints; a group with a held host is replaced by one that ends it.

    A browser keeps a group for its `max_age` unless a later response ends it.
    """
    try:
        groups = json.loads(b"[%s]" % value)
        ended = [_ended(group) if any(map(holds, _endpoints_of(group))) else group for group in groups]
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
        return b"" if b"\\" in value else _endpoints(value, holds)
    return value if ended == groups else json.dumps(ended)[1:-1].encode("ascii")


def _endpoints_of(group: Any) -> list[str]:
    return [str(endpoint["url"]) for endpoint in group.get("endpoints", ())]


def _ended(group: dict[str, object]) -> dict[str, object]:
    return {"group": str(group.get("group", "default")), "max_age": 0}


def _whole_url(value: bytes, holds: Holds) -> bytes:
    return b"" if holds(value.decode("latin-1")) else value


def _policy(value: bytes, holds: Holds) -> bytes:
    """Return the shop's policy without a report-uri that leads to a held host; it allows the same as before."""

    def cut(match: re.Match[bytes]) -> bytes:
        return b"" if any(holds(url.decode("latin-1")) for url in match[1].split()) else match[0]

    return REPORT_DIRECTIVE.sub(cut, value)


def _alternatives(value: bytes, holds: Holds) -> bytes:
    """Return the alternative services (RFC 7838) on hosts that are not held; "clear" ends earlier ones."""
    offers = [offer for found in OFFER.findall(value) if (offer := found.strip(b" \t"))]
    kept = [offer for offer in offers if not _leads_away(offer, holds)]
    return value if len(kept) == len(offers) else b", ".join(kept) or b"clear"


def _leads_away(offer: bytes, holds: Holds) -> bool:
    quoted = QUOTED.search(offer)
    authority = _plain(quoted[1]) if quoted else offer.partition(b"=")[2].partition(b";")[0]
    return not authority.startswith(b":") and holds("//" + authority.strip().decode("latin-1") + "/")


CONTACT_HEADERS: dict[bytes, Callable[[bytes, Holds], bytes]] = {
    b"alt-svc": _alternatives,
    b"content-security-policy": _policy,
    b"content-security-policy-report-only": _policy,
    b"link": _link,
    b"nel": _any_url,
    b"refresh": _refresh,
    b"report-to": _groups,
    b"reporting-endpoints": _endpoints,
    b"sourcemap": _whole_url,
    b"speculation-rules": _any_url,
    b"x-sourcemap": _whole_url,
}
CONTACT_NAMES = frozenset(CONTACT_HEADERS)
