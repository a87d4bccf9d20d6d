"""Which encoding a browser reads a document in, as far as the scanner must know it.

The scanner reads bytes below 0x80 as ASCII. That is right in every encoding of the web (Encoding standard) but
three. UTF-16 is transcoded to UTF-8: forms and queries of its pages are UTF-8 already, so the shop notices
nothing. ISO-2022-JP is not, since the shop would get its forms in another encoding; and nothing decodes what
browsers map to `replacement` (HZ, ISO-2022-KR) or refuse (UTF-32). These go out as they are, under the strict
policy.
"""

from __future__ import annotations

import re
from enum import Enum
from functools import lru_cache

from cookieguard.html.contact_points import SHIFTING_CHARSETS
from cookieguard.web.http.headers import Headers


class Charset(Enum):
    """Say how the scanner gets at a document; the value names Python's codec where it is decoded first."""

    PLAIN = ""  # as it is
    WIDE_LITTLE = "utf-16-le"
    WIDE_BIG = "utf-16-be"
    UNREAD = "-"  # not at all


# What browsers give no meaning to any more; older ones decoded it.
_REFUSED = frozenset(b"utf-7 utf-32 utf-32be utf-32le".split())
_WIDE_LITTLE = b"csunicode iso-10646-ucs-2 ucs-2 unicode unicodefeff utf-16 utf-16le".split()
_WIDE_BIG = b"unicodefffe utf-16be".split()
# Labels that settle it whatever the page says of itself. Not all that browsers know: a page with a rarer one is
# looked at, as one without any.
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

# A byte order mark wins over every label. `FF FE 00 00` is UTF-16 to today's browsers and was UTF-32 to older ones.
Starts = tuple[tuple[bytes, Charset], ...]
MARKS: Starts = (
    (b"\xff\xfe\x00\x00", Charset.UNREAD),
    (b"\x00\x00\xfe\xff", Charset.UNREAD),
    (b"\xef\xbb\xbf", Charset.PLAIN),
    (b"\xff\xfe", Charset.WIDE_LITTLE),
    (b"\xfe\xff", Charset.WIDE_BIG),
)
# Without a mark and a label, the first characters of an XML declaration tell (HTML standard, the prescan).
XML_STARTS: Starts = ((b"<\x00?\x00", Charset.WIDE_LITTLE), (b"\x00<\x00?", Charset.WIDE_BIG))
STARTS = tuple(start for start, _ in (*MARKS, *XML_STARTS))
MARKED = frozenset(start[0] for start, _ in MARKS)  # the first byte of hardly any page
LONGEST_START = max(map(len, STARTS))
LONGEST_DECLARATION = 1024  # bytes that are waited for, as the prescan does

NAMED = re.compile(rb"charset[ \t]*=[ \t]*\"?([^ \t\";,(]+)\"?", re.IGNORECASE)
# Only so do all browsers read the same label.
CLEARLY_NAMED = re.compile(rb"[^;,\"']*;[ \t]*charset=(\"?)[^ \t\"';,()]+\1[ \t]*", re.IGNORECASE)
# Where a page names an encoding itself. One in a comment or a script counts too: either may be read by some.
DECLARED = re.compile(
    rb"<(?:meta|\?xml)[\t\n\f\r /][^<>]*?(?:charset|encoding)[\t\n\f\r ]*=[\t\n\f\r \"']*(?:"
    + b"|".join(map(re.escape, sorted(SHIFTING_CHARSETS)))
    + rb")(?![0-9a-z-])",
    re.IGNORECASE,
)
SUSPECT = (b"2022", b"-2312", b"eplacement")  # one of these is in each of them: a quick look first
# Nobody says which encoding, but it shifts: browsers used to guess ISO-2022-JP (Chromium 156 does not).
SHIFTS = re.compile(rb"\x1b[$(]")
HEADERS_KEPT = 512  # as many as content_type.py keeps


def is_part_of_start(start: bytes) -> bool:
    """Return whether more bytes must be seen: these may begin a mark, or an XML declaration that is not over."""
    if len(start) < LONGEST_START and any(one.startswith(start) and one != start for one in STARTS):
        return True
    begins = start.removeprefix(b"\xef\xbb\xbf").startswith(b"<?xml")
    return begins and b">" not in start and len(start) < LONGEST_DECLARATION


def is_undeclared(content_type: bytes, start: bytes) -> bool:
    """Return whether more bytes must be seen, as browsers do: the page may name an encoding, and nothing else does."""
    if len(start) >= LONGEST_DECLARATION or NAMED.search(content_type):
        return False
    text = start.lower()
    return not any(one in text for one in (b"charset", b"</head", b"<body"))


def charset_of(content_type: bytes, start: bytes) -> Charset:
    """Return how to read a document with this Content-Type (several joined by commas) that begins with `start`."""
    charset = _begun(start, MARKS) if start and start[0] in MARKED else None
    charset = charset or _charset_of_header(content_type) or _begun(start, XML_STARTS)
    if charset is not None:
        return charset
    return Charset.UNREAD if _shifts(start) else Charset.PLAIN


def as_utf_8(headers: Headers) -> Headers:
    """Return the headers of a document that was transcoded."""
    return [(name, _relabelled(value) if name == b"content-type" else value) for name, value in headers]


@lru_cache(maxsize=HEADERS_KEPT)
def _charset_of_header(content_type: bytes) -> Charset | None:
    """Return what the header settles. Where browsers differ about the label, one that cannot be read wins."""
    names = [one.lower() for one in NAMED.findall(content_type)]
    labels = {*names, *(one.strip(b"'") for one in names)}
    readings = {LABELS.get(label) for label in labels}
    if len(labels) != 1 or not CLEARLY_NAMED.fullmatch(content_type):
        readings.add(None)
    if len(readings) == 1:
        return readings.pop()
    return None if readings <= {None, Charset.PLAIN} else Charset.UNREAD


def _begun(start: bytes, starts: Starts) -> Charset | None:
    return next((charset for one, charset in starts if start.startswith(one)), None)


def _shifts(start: bytes) -> bool:
    if any(one in start for one in SUSPECT) and DECLARED.search(start):
        return True
    return b"\x1b" in start and SHIFTS.search(start) is not None


def _relabelled(content_type: bytes) -> bytes:
    if NAMED.search(content_type):
        return NAMED.sub(b"charset=utf-8", content_type)
    return content_type + b"; charset=utf-8" if content_type.strip() else content_type
