"""All inputs that a client controls, as data: where each is sent, and with what it is filled.

tests/web/test_long_inputs.py times them. It also asks the sources which names are read, so that none is missing here.
"""

from __future__ import annotations

from urllib.parse import quote

from cookieguard.stats.anonymize import PROXY_HEADERS
from cookieguard.web.document.contact_headers import CONTACT_HEADERS
from cookieguard.web.request import AHEAD, CONDITION_HEADERS, FRAGMENT_HEADERS, WHOLE_HEADERS

# Thousands of different letters, and of accents on one letter: comparing or encoding a name sorts both.
LETTERS = quote("".join(map(chr, range(0x4E00, 0x4E00 + 4000))))
ACCENTS = quote("a" + "\u0301\u0316" * 3000)
# Each filling is repeated until the input is long enough. The first ones are for each run of the suite: one character,
# which patterns search again from each position, and characters that split an input into as many pieces as bytes.
FILLINGS = (
    *(
        "a",
        "1",
        "a1",
        ".",
        "-",
        "=",
        ";",
        "a=1; ",
        ",",
        "%41",
        '"',
        " ",
        "/a",
        "[",
        ":",
        "a.",
        LETTERS,
        ACCENTS,
    ),
    *(
        "A",
        "_",
        "0",
        "\t",
        "%",
        "%25",
        "a=",
        "a;",
        "a,",
        '""',
        '\\"',
        '"\\',
        "'",
        "/",
        "//",
        "../",
        "?",
        "&",
        "a&",
    ),
    *(
        "a=b&",
        "+",
        "::",
        "1:",
        "1.",
        "1-",
        "a-",
        "a_",
        "@",
        "a@",
        "(at)",
        "<",
        "<a ",
        "[1,",
        '{"a":',
        "{",
        "\xe9",
    ),
    *(
        "\x80",
        "aZ9-_",
        "2.a.",
        "~",
        '"a-cg.',
        'W/"a",',
        "a;q=0.5,",
        "for=a,",
        'for="',
        "a b ",
        " =",
        "xn--",
        "0x",
    ),
    *("*", "$a=", "#", "en-", "\xa0", "a\t", "max-age=", "form-action ", "1/", "a(", ")", "|"),
)
IN_EACH_RUN = 18  # fillings of each input; `-m slow` runs all
COOKIES = ("session", "cart", "consent", "remember")  # our kinds
OTHER_COOKIES = (
    "__Host-cg_staff",
    "basket",
    "_ad",
    "unknown",
    "$Path",
)  # staff's, signed, a vendor's, undeclared
USER, COUNTRY = "x-user", "x-country"  # headers of a proxy, as the shop of the test names them
HEADERS = tuple(
    sorted(
        {
            *(name.decode() for name in PROXY_HEADERS | CONDITION_HEADERS | FRAGMENT_HEADERS),
            *(name.decode() for name in (*AHEAD, *WHOLE_HEADERS)),
            *(
                "accept",
                "accept-encoding",
                "accept-language",
                "authorization",
                "cache-control",
                "content-type",
            ),
            *("cookie", "host", "hx-current-url", "origin", "referer", "sec-fetch-dest", "sec-fetch-mode"),
            *(
                "sec-fetch-site",
                "sec-gpc",
                "upgrade-insecure-requests",
                "user-agent",
                "x-real-ip",
                USER,
                COUNTRY,
            ),
        }
    )
)
# The text before the filling, in headers that are read in parts.
STARTED = (
    ("accept-language", "de,"),
    ("authorization", "Bearer "),
    ("authorization", "Bearer 2.key."),
    ("content-type", "text/html;"),
    ("forwarded", 'for="'),
    ("forwarded", "for=1.1.1.1;host="),
    ("if-none-match", '"a-cg.0123456789ab", "'),
    ("origin", "https://"),
    ("referer", "https://"),
    ("referer", "https://shop.example/"),
    ("referer", "https://shop.example/?cg-once="),
    ("user-agent", "Mozilla/5.0 ("),
    ("user-agent", "Mozilla/5.0 (X11; Linux x86_64) Chrome/"),
    ("x-forwarded-for", "1.1.1.1, "),
)
# Headers of the app's answers, which may repeat a client's input.
ANSWERED = tuple(
    sorted(
        {
            *(name.decode() for name in CONTACT_HEADERS),
            *(
                "cache-control",
                "cdn-cache-control",
                "content-disposition",
                "content-encoding",
                "content-length",
            ),
            *(
                "content-security-policy",
                "content-type",
                "etag",
                "last-modified",
                "location",
                "referrer-policy",
            ),
            *("refresh", "set-cookie", "vary", "x-customer"),
        }
    )
)
# Names of a query by page below the prefix, some with what stands before the filling; the empty page is the shop's.
QUERIES = {
    "": ("cg-once", "cg-once=2.key.", "utm_source", "utm_campaign", "q", "other"),
    "choices": ("lang", "next", "next=/"),
    "cookies": ("lang", "fragment"),
    "declaration": ("lang",),
    "mail/stop": ("t", "t=2.key.", "lang"),
    "permission": ("lang",),
    "staff": ("link",),
    "people": ("id", "who", "event", "day", "before=2026-11-24."),
    "place": (
        "party",
        "party=@host ",
        "url",
        "url=https://",
        "url=https://late.example/",
        "next",
        "next=/",
        "at",
        "lang",
        "title",
        "base",
        "scheme",
    ),
    "policies": ("step", "version"),
    "policy": ("lang",),
    "privacy": ("lang",),
    "receipt": ("lang", "id"),
    "record": ("id", "day", "page", "file"),
    "requests": ("id", "closed"),
    "file": ("id",),
    "seen": ("v", "p", "t", "r", "s"),
    "vendors": ("host", "vendor", "show", "own", "who", "name", "privacy_url", "purpose", "reason", "file"),
    "stats": ("tab", "range", "from", "to", "beside", "table", "goal", "page", "source"),
}
PATHS = ("/{}", "/_cg/{}", "/_cg/policy/{}", "/_cg/log/{}", "/_cg/mail/{}", "/{}/cart")
# Forms: the page, what else its form says, and the fields that are filled one after the other.
LETTER = {
    "act": "add",
    "kind": "export",
    "who": "known",
    "received": "2026-11-24",
    "contact": "a@mail.example",
}
VENDOR = "@vendor Ads"
FORMS: tuple[tuple[str, dict[str, str], tuple[str, ...]], ...] = (
    ("consent", {"choice": "save"}, ("choice", "purpose", "next", "next=/", "banner")),
    (
        "embed",
        {"act": "once", "party": VENDOR, "next": "/"},
        ("act", "party", "party=@host ", "next", "next=/", "at"),
    ),
    ("embed", {"act": "always", "party": VENDOR, "next": "/"}, ("banner",)),
    ("mail/stop", {}, ("t",)),
    ("permission", {}, ("scope",)),
    (
        "policies",
        {"act": "save", "effective": "2026-12-24", "material": "true"},
        ("effective", "material", "at", "text-en", "version"),
    ),
    ("policies", {"act": "add"}, ("add",)),
    ("privacy", {"act": "code"}, ("act", "address", "address=a@", "form")),
    ("privacy", {"act": "open", "address": "a@mail.example"}, ("address", "code", "ticket")),
    ("privacy", {"act": "ask", "kind": "correct"}, ("pass", "pass=2.key.", "kind", "text")),
    ("privacy", {"act": "withdraw"}, ("id",)),
    ("privacy", {"act": "copy"}, ("id",)),
    ("privacy", {"act": "end"}, ("id",)),
    ("people", {}, ("id",)),
    ("record", {"customer": "4711", "code": "AAAA-AAAA"}, ("customer", "code")),
    (
        "record",
        {"customer": "4711", "ground": "legal", "event": "1", "reason": "a", "token": "2"},
        ("customer", "ground", "event", "reason", "token"),
    ),
    ("requests", LETTER, ("act", *LETTER, "customer", "language", "law", "text")),
    ("requests", {"act": "step", "id": "one"}, ("id", "step", "text")),
    ("requests", {"act": "held", "id": "one", "until": "2026-12-24"}, ("until", "text")),
    ("requests", {"act": "note", "id": "one"}, ("text",)),
    ("file", {"id": "one"}, ("id", "code")),
    (
        "file",
        {"id": "one", "ground": "legal", "event": "1", "reason": "a", "token": "2"},
        ("ground", "event", "reason", "token"),
    ),
    ("requests", {"act": "refuse-for", "id": "one", "what": "marketing"}, ("what",)),
    (
        "staff",
        {},
        (
            "token",
            "token=2.key.",
            "next",
            "next=stats?",
            "leave",
            "link",
            "remember",
            "answer",
            "device",
            "remove",
        ),
    ),
    ("stats", {"day": "2026-11-24", "text": "sale"}, ("selection", "day", "text", "remove")),
)
# On the host of staff alone; tests/features/vendors/test_vendor_changes.py times them there.
CHANGE_FIELDS = (
    "act answer cookies country data end form hosts name of privacy_contact privacy_url purpose retention role transfer"
).split()
# Members of a violation report, as browsers post it.
REPORT = {
    "document-uri": "https://shop.example/a",
    "blocked-uri": "https://late.example/x.js",
    "effective-directive": "script-src-elem",
    "violated-directive": "script-src-elem",
    "original-policy": "default-src 'self'; report-uri /_cg/report",
    "disposition": "enforce",
    "source-file": "https://ads.example/x.js",
}


def filled(filling: str, size: int) -> str:
    """Repeat a filling up to exactly this size."""
    return (filling * (size // len(filling) + 1))[:size]
