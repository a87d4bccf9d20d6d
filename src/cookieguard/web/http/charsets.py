"""Find out in which encoding a browser reads a document, as far as the scanner has to know it.

The scanner reads bytes below 0x80 as ASCII, which is right in all encodings of the web (Encoding standard) except
three. UTF-16 is transcoded to UTF-8. Browsers send forms and queries of such pages in UTF-8 anyway, so the shop notices
no change. Pages in ISO-2022-JP (which would send their forms in another encoding then), or in an encoding that browsers
map to `replacement` (HZ, ISO-2022-KR) or refuse (UTF-32), are sent unchanged, under the strict policy.
"""

from __future__ import annotations

import re
from enum import Enum
from functools import lru_cache

from cookieguard.html.contact_points import SHIFTING_CHARSETS
from cookieguard.web.http.headers import Headers


class Charset(Enum):
    """How the scanner reads a document; a value may be the Python codec that has to decode it first."""

    PLAIN = ""  # without decoding
    WIDE_LITTLE = "utf-16-le"
    WIDE_BIG = "utf-16-be"
    UNREAD = "-"  # not at all


# Labels that browsers no longer know, but older ones decoded.
_REFUSED = frozenset(b"utf-7 utf-32 utf-32be utf-32le".split())
_WIDE_LITTLE = b"csunicode iso-10646-ucs-2 ucs-2 unicode unicodefeff utf-16 utf-16le".split()
_WIDE_BIG = b"unicodefffe utf-16be".split()
# With these labels the page's own declarations do not matter. The list is not complete: a page with a rarer label is
# searched for declarations, like a page without a label.
_SETTLED = (
    b"utf-8 utf8 ascii us-ascii latin1 iso8859-1 big5 euc-jp euc-kr gb18030 gb2312 gbk koi8-r koi8-u ks_c_5601-1987 "
    b"macintosh shift-jis shift_jis sjis tis-620 windows-31j x-sjis x-user-defined"
).split()
_FAMILIES = [
    *(b"iso-8859-%d" % part for part in range(1, 17) if part != 12),
    *(b"windows-125%d" % page for page in range(9)),
]

LABELS: dict[bytes, Charset] = (
    dict.fromkeys([*_SETTLED, *_FAMILIES], Charset.PLAIN)
    | dict.fromkeys(_WIDE_LITTLE, Charset.WIDE_LITTLE)
    | dict.fromkeys(_WIDE_BIG, Charset.WIDE_BIG)
    | dict.fromkeys([*SHIFTING_CHARSETS, *_REFUSED], Charset.UNREAD)
)

# A byte order mark overrides every label. Browsers read `FF FE 00 00` as UTF-16, but older ones read it as UTF-32.
Starts = tuple[tuple[bytes, Charset], ...]
MARKS: Starts = (
    (b"\xff\xfe\x00\x00", Charset.UNREAD),
    (b"\x00\x00\xfe\xff", Charset.UNREAD),
    (b"\xef\xbb\xbf", Charset.PLAIN),
    (b"\xff\xfe", Charset.WIDE_LITTLE),
    (b"\xfe\xff", Charset.WIDE_BIG),
)
# Without a mark and a label, the first bytes of an XML declaration decide (HTML standard, the prescan).
XML_STARTS: Starts = ((b"<\x00?\x00", Charset.WIDE_LITTLE), (b"\x00<\x00?", Charset.WIDE_BIG))
STARTS = tuple(start for start, _ in (*MARKS, *XML_STARTS))
MARKED = frozenset(start[0] for start, _ in MARKS)  # hardly any page begins with one of these bytes
LONGEST_START = max(map(len, STARTS))
LONGEST_DECLARATION = 1024  # bytes in which a declaration is searched, as in the prescan of the HTML standard

NAMED = re.compile(rb"charset[ \t]*=[ \t]*\"?([^ \t\";,(]+)\"?", re.IGNORECASE)
# In this form all browsers read the same label.
CLEARLY_NAMED = re.compile(rb"[^;,\"']*;[ \t]*charset=(\"?)[^ \t\"';,()]+\1[ \t]*", re.IGNORECASE)
# A page's own declaration of an encoding. One in a comment or a script counts too, since some browsers may read it.
DECLARED = re.compile(
    rb"<(?:meta|\?xml)[\t\n\f\r /][^<>]*?(?:charset|encoding)[\t\n\f\r ]*=[\t\n\f\r \"']*(?:"
    + b"|".join(map(re.escape, sorted(SHIFTING_CHARSETS)))
    + rb")(?![0-9a-z-])",
    re.IGNORECASE,
)
SUSPECT = (b"2022", b"-2312", b"eplacement")  # each such name contains one of these: a quick test first
# Escapes of ISO-2022-JP in a page without a declaration: browsers used to guess it (Chromium 156 does not).
SHIFTS = re.compile(rb"\x1b[$(]")
HEADERS_KEPT = 512  # the same limit as in content_type.py


def is_part_of_start(start: bytes) -> bool:
    """Return whether more bytes are needed, since these may begin a mark, or an XML declaration that has not ended."""
    if len(start) < LONGEST_START and any(mark.startswith(start) and mark != start for mark in STARTS):
        return True
    begins = start.removeprefix(b"\xef\xbb\xbf").startswith(b"<?xml")
    return begins and b">" not in start and len(start) < LONGEST_DECLARATION


def is_undeclared(content_type: bytes, start: bytes) -> bool:
    """Return whether more bytes are needed, as in browsers, since only the page itself may name its encoding."""
    if len(start) >= LONGEST_DECLARATION or NAMED.search(content_type):
        return False
    text = start.lower()
    return not any(end in text for end in (b"charset", b"</head", b"<body"))


def charset_of(content_type: bytes, start: bytes) -> Charset:
    """Return how to read a document that begins with `start`; several Content-Types are joined by commas."""
    charset = _begun(start, MARKS) if start and start[0] in MARKED else None
    charset = charset or _charset_of_header(content_type) or _begun(start, XML_STARTS)
    if charset is not None:
        return charset
    return Charset.UNREAD if _shifts(start) else Charset.PLAIN


def as_utf_8(headers: Headers) -> Headers:
    """Return the headers with utf-8 as the charset, for a document that was transcoded."""
    return [(name, _relabelled(value) if name == b"content-type" else value) for name, value in headers]


@lru_cache(maxsize=HEADERS_KEPT)
def _charset_of_header(content_type: bytes) -> Charset | None:
    """Return the charset that the header decides, else None; if browsers may read several, an unreadable one wins."""
    names = [name.lower() for name in NAMED.findall(content_type)]
    labels = {*names, *(name.strip(b"'") for name in names)}
    readings = {LABELS.get(label) for label in labels}
    if len(labels) != 1 or not CLEARLY_NAMED.fullmatch(content_type):
        readings.add(None)
    if len(readings) == 1:
        return readings.pop()
    return None if readings <= {None, Charset.PLAIN} else Charset.UNREAD


def _begun(start: bytes, starts: Starts) -> Charset | None:
    return next((charset for mark, charset in starts if start.startswith(mark)), None)


def _shifts(start: bytes) -> bool:
    if any(part in start for part in SUSPECT) and DECLARED.search(start):
        return True
    return b"\x1b" in start and SHIFTS.search(start) is not None


def _relabelled(content_type: bytes) -> bytes:
    if NAMED.search(content_type):
        return NAMED.sub(b"charset=utf-8", content_type)
    return content_type + b"; charset=utf-8" if content_type.strip() else content_type
