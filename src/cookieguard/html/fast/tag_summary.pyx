# cython: language_level=3, wraparound=False, initializedcheck=False
"""Tags that a look at their bytes decides, in C. Whatever is not plain (references, escapes, nested documents) is left
to the full decision (tags.py); `tests/html/test_tag_summary.py` holds the two together."""

from array import array

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_DecodeUTF8, PyUnicode_FromStringAndSize
from libc.string cimport memchr, memcmp, memcpy

from cookieguard.html.css.stylesheet import MOST_EDITS, NO_STRING, NO_URL
from cookieguard.html.element_text import MOST_FOUND
from cookieguard.html.embeds import EMBEDS
from cookieguard.html.fast.answers cimport Names, PyObject_GC_UnTrack, number_of, piece, record, stands, untracked
from cookieguard.html.fast.byte_search import META_WORDS, has_pairs
from cookieguard.html.contact_points import (
    ANYWHERE, ATTENTION, CONTEXT_NAMES, INERT_RELATIONS, LINKS, LOADS, NAMES, SPECIAL_NAMES, TEXT_NAMES, Load,
)
from cookieguard.html.types import JUDGED_TEXTS, NO_TEXT, PASSES, SCRIPT, STYLE, Decision, Held, Text, nobody
from cookieguard.html.referrer_policy import tighten
from cookieguard.html.fast.plain_sheet cimport Walk, begin, step
from cookieguard.html.tags import STOPS_PRELOADS, TEXTS, dull_tag, end_tag, room_of, script_text
from cookieguard.html.tokenizer.character_references import encode_attribute
from cookieguard.html.urls import Url, readings

cdef enum:
    BLANK = 1
    ENDS_NAME = 2
    ENDS_ATTRIBUTE = 4
    LEAVES = 8  # may lead a reference away
    MAY_LOAD = 16  # of a style

    MOST_NAMES = 128
    MOST_KEPT = 512  # answers about the values of one attribute
    LONGEST_HOST = 253  # as byte_search.py has it
    SHORTEST_TOP = 2  # letters of the last label of a plain host
    LONGEST_TOP = 24

    # What a look at a value tells.
    STAYS = 0
    IS_HELD = 1
    UNSURE = 2

    # What an element is.
    IS_UNSURE = 1  # its tags need the full decision
    HAS_TEXT = 2
    IS_LINK = 4
    IS_META = 8
    EMBEDS_SOMETHING = 16
    NEEDS_ATTENTION = 32
    IS_SCRIPT = 64
    IS_BASE = 128

cdef int NOTHING = 0, URL = Load.URL.value, URLS = Load.URLS.value, SRCSET = Load.SRCSET.value, CSS = Load.CSS.value
cdef int LINK = Load.LINK.value, REFRESH = Load.REFRESH.value, BASE = Load.BASE.value, DOCUMENT = Load.DOCUMENT.value
cdef int SRCDOC = Load.SRCDOC.value, CHARSET = Load.CHARSET.value, REFERRER = Load.REFERRER.value, LATER = Load.LATER.value
cdef Names ELEMENTS = Names(), ATTRIBUTES = Names()  # numbers, by the name in lower case
cdef unsigned char KINDS[MOST_NAMES]
cdef unsigned char MEANS[MOST_NAMES][MOST_NAMES]  # of which element which attribute; 0: of any other element
cdef unsigned char KIND[256]
cdef unsigned char SRC, TYPE, LANGUAGE, REL, DATA_CG, HREF, ONERROR
cdef list KEYS = sorted(NAMES)  # the attributes by their number
cdef list WHOLE = [b"", *sorted(SPECIAL_NAMES | LINKS)]  # the elements by theirs; 0: any other
cdef list DULL = [[dull_tag(name, False), dull_tag(name, True)] for name in WHOLE]
cdef list RENAMED = [b"data-cg-" + name.replace(b":", b"-") for name in KEYS]
cdef tuple WORDS = META_WORDS
cdef list SAID = [name.decode("latin-1") for name in KEYS]
cdef dict SOURCES = {element: KEYS.index(source) for element, source in EMBEDS.items()}
cdef dict SCRIPTS = {}, RELATIONS = {}, POLICIES = {}  # by the value of an attribute
cdef bytes NONE = b"", NEUTRAL = b' type="text/plain"', RENAMED_TYPE = b"data-cg-type"
cdef list REFERENCES = [encode_attribute(chr(byte), chr(byte)).encode() for byte in range(128)]  # of the sign itself
cdef object RAW = Text.RAW, DATA = Text.DATA


cdef unsigned char _kind_of(bytes name):
    cdef unsigned char kind = 0
    if name in CONTEXT_NAMES and name != b"meta":
        kind |= IS_UNSURE
    for names, meaning in (
        (TEXT_NAMES, HAS_TEXT), (LINKS, IS_LINK), ((b"meta",), IS_META), (EMBEDS, EMBEDS_SOMETHING),
        (ATTENTION, NEEDS_ATTENTION), ((b"script",), IS_SCRIPT), ((b"base",), IS_BASE),
    ):
        if name in names:
            kind |= meaning
    return kind


cdef void _prepare():
    cdef int byte, number
    for signs, kind in (
        (b"\t\n\f\r ", BLANK), (b"\t\n\f\r />", ENDS_NAME), (b"\t\n\f\r />=", ENDS_ATTRIBUTE), (b":&\\", LEAVES),
        (b"(\\&@", MAY_LOAD),
    ):
        for byte in signs:
            KIND[byte] |= kind
    assert max(len(WHOLE), len(KEYS)) < MOST_NAMES
    for number, name in enumerate(KEYS):
        ATTRIBUTES[name] = number
    for number, name in enumerate(WHOLE):
        ELEMENTS[name], KINDS[number] = number, _kind_of(name)
        for attribute, load in {**ANYWHERE, **LOADS.get(name, {})}.items():
            MEANS[number][<int>KEYS.index(attribute)] = load.value


_prepare()
SRC, TYPE, LANGUAGE, REL, DATA_CG, HREF, ONERROR = map(
    KEYS.index, (b"src", b"type", b"language", b"rel", b"data-cg", b"href", b"onerror")
)


cdef inline bint _may_leave(text_t s, Py_ssize_t p, Py_ssize_t end) noexcept nogil:
    """Return whether a reference may leave the page's own origin (may_reach_others in byte_search.py)."""
    while p < end:
        if KIND[s[p]] & LEAVES:
            return True
        if s[p] == 47 and p + 1 < end and (s[p + 1] == 47 or s[p + 1] == 10 or s[p + 1] == 9 or s[p + 1] == 13):
            return True
        p += 1
    return False


cdef Py_ssize_t _host_end(text_t s, Py_ssize_t p, Py_ssize_t size) noexcept nogil:
    """Return where the plain host ends that begins at `p` (PLAIN in byte_search.py); -1: it is none."""
    cdef Py_ssize_t start = p, label = p, dots = 0
    cdef bint has_letters_only = True
    while p < size:
        if s[p] == 46:
            if p == label:
                return -1
            dots += 1
            label, has_letters_only = p + 1, True
        elif 48 <= s[p] <= 57 or s[p] == 45:
            has_letters_only = False
        elif not 97 <= s[p] <= 122:
            break
        p += 1
    if p - start > LONGEST_HOST:
        return -1
    return p if dots and has_letters_only and SHORTEST_TOP <= p - label <= LONGEST_TOP else -1


cdef inline Py_ssize_t _path_end(text_t s, Py_ssize_t p, Py_ssize_t end) noexcept nogil:
    """Return where the path ends that begins at `p`, behind a host; -1: it takes a closer look."""
    if p < end and s[p] != 47 and s[p] != 63 and s[p] != 35:
        return -1
    while p < end:
        if s[p] == 38:
            return -1
        if s[p] == 63 or s[p] == 35 or s[p] == 92 or s[p] == 37 or s[p] == 9 or s[p] == 10 or s[p] == 13:
            return p
        if s[p] == 46 and s[p - 1] == 47:
            return -1
        p += 1
    return p


cdef bint _loads_by_style(text_t s, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    """Return whether a style may load: by an import, or by a function with anything else in it than `#name`."""
    cdef Py_ssize_t p = start, after
    while p < end:
        if KIND[s[p]] & MAY_LOAD:
            if s[p] != 40:
                return True
            if (
                (p - start >= 3 and (stands(s, p - 3, b"url", 3) or stands(s, p - 3, b"src", 3) or stands(s, p - 3, b"set", 3)))
                or (p - start >= 1 and stands(s, p - 1, b"x", 1))
                or (p - start >= 4 and (stands(s, p - 4, b"mage", 4) or stands(s, p - 4, b"fade", 4)))
            ):
                if p - start < 3 or not stands(s, p - 3, b"url", 3) or p + 1 >= end or s[p + 1] != 35:
                    return True
        p += 1
    return False


cdef bytes _plain_style(text_t s, Py_ssize_t start, Py_ssize_t end):
    """Return a style as it is read; None: it is in no quotes, or has more than `&quot;` for references and the like."""
    cdef Py_ssize_t p
    if (s[start - 1] != 34 and s[start - 1] != 39) or s[end] != s[start - 1]:
        return None
    for p in range(start, end):
        if s[p] >= 128 or s[p] == 60 or s[p] == 62:
            return None
    text = PyBytes_FromStringAndSize(<char*>s + start, end - start)
    if memchr(s + start, 38, end - start) != NULL:
        text = text.replace(b"&quot;", b'"')
        return None if memchr(PyBytes_AS_STRING(text), 38, PyBytes_GET_SIZE(text)) != NULL else text
    return text


cdef inline object _kept(dict known, text_t s, Value* one, object answer_of):
    """Return what a function says about a value, which has no references in it; None: it has."""
    if memchr(s + one.value, 38, one.end - one.value) != NULL:
        return None
    value = PyBytes_FromStringAndSize(<char*>s + one.value, one.end - one.value)
    answer = known.get(value)
    if answer is None:
        answer = answer_of(value.decode("utf-8", "surrogateescape"))
        if len(known) >= MOST_KEPT:
            known.clear()
        if len(value) <= MOST_KEPT:
            known[value] = answer
    return answer


def _is_inert(str relations):
    return INERT_RELATIONS.issuperset(relations.lower().split())


def _stays(str policy):
    return tighten(policy) == policy


def _script_of_type(str kind):
    return script_text(kind, None)


cdef bint _meta_counts(bytes raw) except -1:
    """Return whether a meta element says more (meta_counts in byte_search.py)."""
    cdef bytes low = raw.lower(), word
    for word in WORDS:
        if low.find(word) >= 0:
            return True
    return False


cdef Tag _made(bytes name, bint is_empty, object text):
    """Return a tag with nothing held."""
    cdef Tag tag = Tag.__new__(Tag)
    PyObject_GC_UnTrack(<void*>tag)  # it holds nothing that could lead back to it
    tag.name, tag.empty, tag.text, tag.drawn, tag.inert, tag.lost = name, is_empty, text, text, NONE, ""
    tag.held = tag.attributes = ()
    tag.has_text = text is not NO_TEXT
    tag.is_judged = text in JUDGED_TEXTS
    tag.plain = not tag.has_text
    return tag


cdef class Summary:
    """Decide about tags by the context of one page. Owns what was read of the tag at hand."""

    def __init__(self, context):
        """Take the context. Where the page's own may be held, and in XML, every tag gets the full decision."""
        self._applies = context.own_is_free and not context.xml
        self._marks_links, self._lifts = context.marks_links, context.is_lifted is not nobody
        self._reads_scripts = context.reads_scripts
        self._ask, self._page, self._acts = context.judge, context.base, context.acts
        self._scheme, self._glance = context.base.scheme, context.glance

    cpdef Tag judge(self, bytes raw):
        """Return what is decided about a tag; None: it needs the full decision."""
        cdef text_t s = <text_t>PyBytes_AS_STRING(raw)
        cdef Py_ssize_t size = PyBytes_GET_SIZE(raw), p = 1
        cdef Value* one
        cdef unsigned char kind
        cdef int index, decision, number
        cdef bint is_held = False
        if not self._applies or size < 3:
            return None
        if s[1] == 47:
            p = 2
            while p < size and not KIND[s[p]] & ENDS_NAME:
                p += 1
            return end_tag(PyBytes_FromStringAndSize(<char*>s + 2, p - 2).lower())
        while p < size and not KIND[s[p]] & ENDS_NAME:
            p += 1
        number = max(number_of(ELEMENTS, s + 1, p - 1), 0)
        kind = KINDS[number]
        if kind & IS_UNSURE or (kind & IS_LINK and self._marks_links) or (kind & IS_META and _meta_counts(raw)):
            return None
        if not self._read(s, p, size - 1, number):
            return None
        element = WHOLE[number] or PyBytes_FromStringAndSize(<char*>s + 1, p - 1).lower()
        self._held = self._written_anew = None
        self._is_near = False
        for index in range(self._count):
            one = &self._values[index]
            if one.load != NOTHING and one.end > one.value:
                if kind & IS_META:
                    if one.load == REFRESH or one.load == CHARSET:
                        continue  # it says nothing that counts (meta_counts)
                    return None
                decision = self._judged(s, one, element)
                if decision == UNSURE:
                    return None
                one.is_held = decision == IS_HELD and not one.is_anew
                is_held = is_held or decision == IS_HELD
        if kind & IS_BASE:
            one = self._first(HREF)
            base = None if one == NULL else piece(raw, one.value, one.end).decode("utf-8", "surrogateescape")
            return None if is_held else untracked(Tag(element, False, self._is_empty, near=True, base=base, plain=False))
        if is_held or kind & HAS_TEXT:
            if is_held and self._first(ONERROR) != NULL and self._first(SRC) != NULL:
                return None  # it has a way on without what is held (FAILS in tags.py)
            return self._whole(raw, p, element, kind, is_held)
        return <Tag>(<list>DULL[number])[self._is_empty] if number else dull_tag(element, self._is_empty)

    cpdef object sheet(self, bytes text):
        """Return what is decided about a style sheet (_style in element_text.py); None: it needs the full decision."""
        cdef list cuts
        if not self._applies or not (text.isascii() or not has_pairs(text)):
            return None
        self._held = None
        cuts = self._cuts(text, "", b"style", True)
        if not cuts:
            return None if cuts is None else PASSES
        return Decision(untracked(tuple(self._held[:MOST_FOUND])), False, tuple(cuts))

    cdef Tag _whole(self, bytes raw, Py_ssize_t name_end, bytes element, unsigned char kind, bint is_held):
        """Return a tag that is held, or has a text."""
        cdef object text = NO_TEXT
        if kind & HAS_TEXT:
            text = self._text(<text_t>PyBytes_AS_STRING(raw)) if kind & IS_SCRIPT else TEXTS.get(element, RAW)
            if text is None:
                return None
            if text is SCRIPT and not self._reads_scripts:
                text = DATA
        cdef bint is_neutral = kind & IS_SCRIPT and self._holds_source()
        cdef object drawn = DATA if is_neutral else text
        if kind & IS_SCRIPT and self._first(SRC) != NULL and text in JUDGED_TEXTS:
            text = DATA
        cdef Tag tag = _made(element, self._is_empty, DATA if is_neutral else text)
        tag.drawn = drawn
        if is_held:
            tag.live, tag.held, tag.plain = _written(raw, self._edits(name_end, is_neutral)), tuple(self._held), False
            tag.near = self._is_near
            PyObject_GC_UnTrack(<void*>tag.held)
            if kind & EMBEDS_SOMETHING:
                tag.room = self._room(raw, name_end, element, tag.held)
        if tag.is_judged:
            tag.inert = _written(raw, self._edits(name_end, True))
            if tag.text is STYLE:
                tag.inert += STOPS_PRELOADS
        return tag

    cdef bint _read(self, text_t s, Py_ssize_t p, Py_ssize_t size, unsigned char element) except -1:
        """Read the attributes from `p` on; tell whether they are plain. `size` is where the tag's `>` stands."""
        cdef Py_ssize_t start, stop, last = -1
        cdef const void* found
        cdef int name
        cdef Value* one
        cdef unsigned char quote
        self._count, self._doubles = 0, None
        while True:
            while p < size and KIND[s[p]] & ENDS_NAME:
                p += 1
            if p >= size:
                break
            start = p
            p += 1
            while p < size and not KIND[s[p]] & ENDS_ATTRIBUTE:
                p += 1
            name = number_of(ATTRIBUTES, s + start, p - start)
            if self._count >= MOST_ATTRIBUTES:
                return False
            one = &self._values[self._count]
            one.start, one.name_end = start, p
            one.value = one.end = last = -1
            one.is_anew = False
            stop = p
            while p < size and KIND[s[p]] & BLANK:
                p += 1
            if p < size and s[p] == 61:
                p += 1
                while p < size and KIND[s[p]] & BLANK:
                    p += 1
                if p < size and (s[p] == 34 or s[p] == 39):
                    quote = s[p]
                    one.value = p + 1
                    found = memchr(s + p + 1, quote, size - p - 1)
                    one.end = size if found == NULL else <text_t>found - s
                    p = one.end + 1
                elif p < size and s[p] != 62:
                    one.value = p
                    while p < size and not KIND[s[p]] & BLANK and s[p] != 62:
                        p += 1
                    one.end = last = p
            else:
                p = stop
            if name < 0:
                continue
            if name == DATA_CG:
                return False
            if self._first(name) != NULL:
                if self._doubles is None:
                    self._doubles = array("q")  # as a list it would take five times the memory
                self._doubles.append(MOST_NAMES * start + name)
                continue
            one.name, one.load, one.is_held = name, MEANS[element][name], False
            self._count += 1
        self._is_empty = s[size - 1] == 47 and last != size
        return True

    cdef bint _holds_source(self) noexcept:
        """Return whether what is held is where the script comes from, and not only what any element may have."""
        cdef int index
        for index in range(self._count):
            if self._values[index].is_held and not MEANS[0][self._values[index].name]:
                return True
        return False

    cdef Value* _first(self, unsigned char name) noexcept:
        """Return the attribute of this name, NULL where there is none."""
        cdef int index
        for index in range(self._count):
            if self._values[index].name == name:
                return &self._values[index]
        return NULL

    cdef int _judged(self, text_t s, Value* one, object element) except -1:
        """Judge a value that is not empty."""
        if one.load == URL:
            return self._reference(s, one.value, one.end, SAID[one.name], element)
        if one.load == CSS:
            return self._style(s, one, element) if _loads_by_style(s, one.value, one.end) else STAYS
        if one.load == SRCSET:
            return self._candidates(s, one, element)
        if one.load == LINK:
            return self._link(s, one, element)
        if one.load == DOCUMENT or one.load == LATER:
            if self._lifts or (one.end - one.value > 4 and not memcmp(s + one.value, b"data:", 5)):
                return UNSURE
            return self._reference(s, one.value, one.end, SAID[one.name], element)
        if one.load == BASE:
            if s[one.end - 1] <= 32 or _path_end(s, one.value, one.end) != one.end or _may_leave(s, one.value, one.end):
                return UNSURE
            path = PyUnicode_DecodeUTF8(<char*>s + one.value, one.end - one.value, "surrogateescape")
            ways = path, path[: path.rfind("/") + 1] + "-"  # as _base in attributes.py asks
            return UNSURE if any([self._acts(record(Url, (*self._page[:3], way))) for way in ways]) else STAYS
        if one.load == SRCDOC:
            return self._document(s, one)
        if one.load == REFERRER:
            return STAYS if _kept(POLICIES, s, one, _stays) else UNSURE
        return STAYS if one.load == URLS and not _may_leave(s, one.value, one.end) else UNSURE

    cdef int _document(self, text_t s, Value* one) except -1:
        """Judge a document inside of the tag, and write it anew where something in it is held."""
        if memchr(s + one.value, 38, one.end - one.value) != NULL:
            return UNSURE
        document = PyBytes_FromStringAndSize(<char*>s + one.value, one.end - one.value)
        cdef tuple found = self._glance(document)
        if found is None:
            return UNSURE
        cdef bytes changed = found[0]
        if changed is document:
            return STAYS
        cdef text_t new = <text_t>PyBytes_AS_STRING(changed)
        cdef unsigned char quote = s[one.value - 1]
        cdef Py_ssize_t p
        cdef list edits = []
        if (quote != 34 and quote != 39) or s[one.end] != quote:
            return UNSURE
        for p in range(PyBytes_GET_SIZE(changed)):
            if new[p] >= 128:
                return UNSURE
            if new[p] == 38 or new[p] == 60 or new[p] == 62 or new[p] == quote:
                edits.append((p, p + 1, REFERENCES[new[p]]))
        self._write_anew(one, _written(changed, edits))
        self._held = [*(self._held or ()), *found[1]]
        self._is_near = True  # as its tags may be
        return IS_HELD

    cdef object _write_anew(self, Value* one, bytes value):
        """Note what a value in quotes becomes."""
        if self._written_anew is None:
            self._written_anew = {}
        self._written_anew[one.name] = value
        one.is_anew = True

    cdef int _reference(self, text_t s, Py_ssize_t p, Py_ssize_t end, str said, object element) except -1:
        """Judge one reference: a plain URL by its host and path, one that stays on the page's own host by that."""
        cdef Py_ssize_t host, path, path_end, size = end - p
        cdef str scheme = self._scheme
        if not size or s[p] == 35:
            return STAYS
        host = p
        if size > 5 and not memcmp(s + p, b"http", 4):
            if s[p + 4] == 58:
                scheme, host = "http", p + 5
            elif s[p + 4] == 115 and s[p + 5] == 58:
                scheme, host = "https", p + 6
        if host + 2 >= end or s[host] != 47 or s[host + 1] != 47:
            if size > 4 and not memcmp(s + p, b"data:", 5):
                return STAYS
            return UNSURE if _may_leave(s, p, end) else STAYS
        host += 2
        path = _host_end(s, host, end)
        if path < 0:
            return UNSURE
        path_end = _path_end(s, path, end)
        if path_end < 0:
            return UNSURE
        name = PyUnicode_FromStringAndSize(<char*>s + host, path - host)
        where = PyUnicode_DecodeUTF8(<char*>s + path, path_end - path, "surrogateescape") if path_end > path else "/"
        return self._asked(record(Url, (scheme, name, None, where)), said, element)

    cdef int _asked(self, object url, str said, object element) except -1:
        """Judge a URL; note it where it is held."""
        ruling = self._ask(url)
        if ruling is None:
            return STAYS
        if self._held is None:
            self._held = []
        name = (<bytes>element).decode("latin-1")
        self._held.append(record(Held, (name, said, url, ruling.purpose, ruling.vendor)))
        return IS_HELD

    cdef int _candidates(self, text_t s, Value* one, object element) except -1:
        """Judge the URLs of a srcset up to the first that is held (candidates in attributes.py)."""
        cdef Py_ssize_t p = one.value, end = one.end, start, stop
        cdef int decision
        cdef const void* found
        while p < end:  # of all references only `&amp;` cannot part or join candidates
            if s[p] == 38 and (end - p < 5 or memcmp(s + p, b"&amp;", 5)):
                return UNSURE
            p += 1
        p = one.value
        while True:
            while p < end and (KIND[s[p]] & BLANK or s[p] == 44):
                p += 1
            if p >= end:
                return STAYS
            start = p
            while p < end and not KIND[s[p]] & BLANK:
                p += 1
            stop = p
            while stop > start and s[stop - 1] == 44:
                stop -= 1
            decision = self._reference(s, start, stop, SAID[one.name], element)
            if decision != STAYS:
                return decision
            while stop == p and p < end and s[p] != 44:
                if s[p] == 40:
                    found = memchr(s + p, 41, end - p)
                    p = end if found == NULL else <text_t>found - s + 1
                else:
                    p += 1
                stop = p

    cdef int _link(self, text_t s, Value* one, object element) except -1:
        """Judge the reference of a link by its relations."""
        cdef Value* relations = self._first(REL)
        if relations == NULL or relations.end <= relations.value:
            return STAYS
        is_inert = _kept(RELATIONS, s, relations, _is_inert)
        if is_inert is None:
            return UNSURE
        return STAYS if is_inert else self._reference(s, one.value, one.end, SAID[one.name], element)

    cdef int _style(self, text_t s, Value* one, object element) except -1:
        """Judge the URLs of a style, and write it without those that are held (_css in attributes.py)."""
        cdef bytes text = _plain_style(s, one.value, one.end)
        cdef list cuts = None if text is None else self._cuts(text, SAID[one.name], element, False)
        if not cuts:
            return UNSURE if cuts is None else STAYS
        text = _written(text, cuts)
        self._write_anew(one, text if s[one.value - 1] == 39 else text.replace(b'"', b"&quot;"))
        return IS_HELD

    cdef list _cuts(self, bytes text, str said, object element, bint is_sheet):
        """List what is cut out of a style, as (start, end, what stands there instead); None: it takes a closer look."""
        cdef text_t style = <text_t>PyBytes_AS_STRING(text)
        cdef Walk walk
        cdef Py_ssize_t start, inside, first = -1, last = 0, done = 0
        cdef int decision, heard = STAYS, told
        cdef dict known = None
        cdef list cuts = []
        if not begin(&walk, text):
            return None
        while True:
            told = step(&walk)
            if told <= 0:
                return None if told < 0 else cuts
            start, inside = walk.start + walk.is_string, walk.end
            if walk.is_string and style[inside - 1] == style[walk.start] and inside > start:
                inside -= 1
            if first < 0:
                decision = heard = self._told(style, start, inside, said, element, is_sheet)
                first, last = start, inside
            else:
                if known is None:
                    known = {piece(text, first, last): heard}
                reference = piece(text, start, inside)
                answer = known.get(reference)
                if answer is None:
                    answer = known[reference] = self._told(style, start, inside, said, element, is_sheet)
                decision = answer
            if decision == UNSURE:
                return None
            # What looks like a URL within another one's quotes goes with that.
            if decision == IS_HELD and walk.start >= done:
                cuts.append((walk.start, walk.end, NO_STRING if walk.is_string else NO_URL))
                done = walk.end
                if len(cuts) > MOST_EDITS:
                    return None

    cdef int _told(
        self, text_t s, Py_ssize_t start, Py_ssize_t end, str said, object element, bint is_sheet
    ) except -1:
        """Judge a reference of a style; of a sheet in all ways that it may be read, where a look does not tell."""
        if not is_sheet:
            return self._reference(s, start, end, said, element)
        reference = PyBytes_FromStringAndSize(<char*>s + start, end - start)
        cdef int decision = self._reference(s, start, end, said, element) if reference.isascii() else UNSURE
        if decision != UNSURE:
            return decision
        for url in readings(reference.decode("latin-1"), self._page):
            if self._asked(url, said, element) == IS_HELD:
                return IS_HELD
        return STAYS

    cdef object _text(self, text_t s):
        """Say how the text of a script is read; None: that takes a closer look."""
        cdef Value* kind = self._first(TYPE)
        if kind == NULL:
            return SCRIPT if self._first(LANGUAGE) == NULL else None
        return script_text("", None) if kind.end <= kind.value else _kept(SCRIPTS, s, kind, _script_of_type)

    cdef list _edits(self, Py_ssize_t name_end, bint is_neutral):
        """List what is written anew, in order: what is held gets other names, what is neutral a type that nobody runs."""
        cdef list edits = [(name_end, name_end, NEUTRAL)] if is_neutral else []
        cdef int index
        cdef Py_ssize_t place, start
        cdef Value* one
        for index in range(self._count):
            one = &self._values[index]
            new_name = _new_name(one, is_neutral)
            if new_name is not None:
                edits.append((one.start, one.name_end, new_name))
            elif one.is_anew:
                edits.append((one.value, one.end, self._written_anew[one.name]))
        if self._doubles is not None:
            for place in self._doubles:
                one = self._first(place % MOST_NAMES)
                new_name = _new_name(one, is_neutral)
                if new_name is not None:
                    start = place // MOST_NAMES
                    edits.append((start, start + one.name_end - one.start, new_name))
            edits.sort()
        return edits

    cdef object _room(self, bytes raw, Py_ssize_t name_end, bytes element, tuple held):
        """Return where a placeholder may stand, where it is the embedded thing that is held (_room in tags.py)."""
        cdef Value* source = self._first(SOURCES[element])
        if source == NULL or not source.is_held:
            return None
        return room_of(raw, element, name_end, self._edits(name_end, False), held, xml=False)


cdef bytes _new_name(Value* one, bint is_neutral):
    """Return what an attribute is called, and all of the same name behind it; None: as it was."""
    if one.is_held:
        return RENAMED[one.name]
    return RENAMED_TYPE if is_neutral and one.name == TYPE else None


cdef bytes _written(bytes text, list edits):
    """Write a text with its edits, which are in order."""
    cdef Py_ssize_t size = PyBytes_GET_SIZE(text), done = 0, start, end
    cdef bytes new
    for start, end, new in edits:
        assert done <= start <= end
        size += PyBytes_GET_SIZE(new) - (end - start)
        done = end
    assert done <= PyBytes_GET_SIZE(text)
    cdef bytes whole = PyBytes_FromStringAndSize(NULL, size)
    cdef char* to = PyBytes_AS_STRING(whole)
    cdef char* at = PyBytes_AS_STRING(text)
    done = 0
    for start, end, new in edits:
        memcpy(to, at + done, start - done)
        memcpy(to + start - done, PyBytes_AS_STRING(new), PyBytes_GET_SIZE(new))
        to += start - done + PyBytes_GET_SIZE(new)
        done = end
    memcpy(to, at + done, PyBytes_GET_SIZE(text) - done)
    return whole
