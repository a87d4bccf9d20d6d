# cython: language_level=3, wraparound=False, initializedcheck=False
"""Quick decisions about plain tags, in C. Tags with character references, escapes or `data:` documents are left to the
full judgement in tags.py. `tests/html/test_tag_summary.py` checks that both decide alike."""

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
    LEAVES = 8  # may lead a URL to another origin
    MAY_LOAD = 16  # may load something in a style

    MOST_NAMES = 128
    MOST_KEPT = 512  # cached results for the values of one attribute, and the longest of these values in bytes
    LONGEST_HOST = 253  # the same as in byte_search.py
    SHORTEST_TOP = 2  # letters of the last label of a plain host
    LONGEST_TOP = 24

    # The result for a value.
    STAYS = 0
    IS_HELD = 1
    UNSURE = 2  # the tag has to be judged in full

    # The kinds of an element.
    IS_UNSURE = 1  # its tags have to be judged in full
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
cdef Names ELEMENTS = Names(), ATTRIBUTES = Names()  # the number of each name
cdef unsigned char KINDS[MOST_NAMES]
cdef unsigned char MEANS[MOST_NAMES][MOST_NAMES]  # the Load by element and attribute; element 0 is any other
cdef unsigned char KIND[256]
cdef unsigned char SRC, TYPE, LANGUAGE, REL, DATA_CG, HREF, ONERROR
cdef list KEYS = sorted(NAMES)  # the attributes by their number
cdef list WHOLE = [b"", *sorted(SPECIAL_NAMES | LINKS)]  # the elements by their number; 0 is any other
cdef list DULL = [[dull_tag(name, False), dull_tag(name, True)] for name in WHOLE]
cdef list RENAMED = [b"data-cg-" + name.replace(b":", b"-") for name in KEYS]
cdef tuple WORDS = META_WORDS
cdef list ATTRIBUTE_NAMES = [name.decode("latin-1") for name in KEYS]
cdef dict SOURCES = {element: KEYS.index(source) for element, source in EMBEDS.items()}
cdef dict SCRIPTS = {}, RELATIONS = {}, POLICIES = {}  # cached results, by the value of an attribute
cdef bytes NONE = b"", NEUTRAL = b' type="text/plain"', RENAMED_TYPE = b"data-cg-type"
cdef list REFERENCES = [encode_attribute(chr(byte), chr(byte)).encode() for byte in range(128)]  # by character
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
    """Return whether a URL may lead to another origin (may_reach_others in byte_search.py)."""
    while p < end:
        if KIND[s[p]] & LEAVES:
            return True
        if s[p] == 47 and p + 1 < end and (s[p + 1] == 47 or s[p + 1] == 10 or s[p + 1] == 9 or s[p + 1] == 13):
            return True
        p += 1
    return False


cdef Py_ssize_t _host_end(text_t s, Py_ssize_t p, Py_ssize_t size) noexcept nogil:
    """Return where the plain host at `p` ends (PLAIN in byte_search.py), or -1 if there is none."""
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
    """Return where the path at `p`, after a host, ends, or -1 if the URL has to be parsed in full."""
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
    """Return whether a style may load: by an import, or by a function with an argument other than `#name`."""
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
    """Return a style with `&quot;` decoded; None if it has no quotes, other character references, or other signs."""
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


cdef inline object _cached(dict known, text_t s, ReadAttribute* attribute, object answer_of):
    """Return the cached result of a function for a value, or None if the value has character references."""
    if memchr(s + attribute.value, 38, attribute.end - attribute.value) != NULL:
        return None
    value = PyBytes_FromStringAndSize(<char*>s + attribute.value, attribute.end - attribute.value)
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
    """Return whether a meta element has to be judged in full (meta_counts in byte_search.py)."""
    cdef bytes low = raw.lower(), word
    for word in WORDS:
        if low.find(word) >= 0:
            return True
    return False


cdef Tag _new_tag(bytes name, bint is_empty, object text):
    """Return the decision about a tag without held URLs."""
    cdef Tag tag = Tag.__new__(Tag)
    PyObject_GC_UnTrack(<void*>tag)  # it is in no reference cycle
    tag.name, tag.empty, tag.text, tag.drawn, tag.inert, tag.lost = name, is_empty, text, text, NONE, ""
    tag.held = tag.attributes = ()
    tag.has_text = text is not NO_TEXT
    tag.is_judged = text in JUDGED_TEXTS
    tag.plain = not tag.has_text
    return tag


cdef class Summary:
    """Decide about plain tags in the context of one page. Owns the attributes read from the current tag."""

    def __init__(self, context):
        """Take the context. If the page's own origin may be held, or in XML, every tag is judged in full."""
        self._applies = context.own_is_free and not context.xml
        self._marks_links, self._lifts = context.marks_links, context.is_lifted is not nobody
        self._reads_scripts = context.reads_scripts
        self._ask, self._page, self._acts = context.judge, context.base, context.acts
        self._scheme, self._glance = context.base.scheme, context.glance

    cpdef Tag judge(self, bytes raw):
        """Return the decision about a tag, or None if it has to be judged in full."""
        cdef text_t s = <text_t>PyBytes_AS_STRING(raw)
        cdef Py_ssize_t size = PyBytes_GET_SIZE(raw), p = 1
        cdef ReadAttribute* attribute
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
        self._held = self._new_values = None
        self._is_near = False
        for index in range(self._count):
            attribute = &self._values[index]
            if attribute.load != NOTHING and attribute.end > attribute.value:
                if kind & IS_META:
                    if attribute.load == REFRESH or attribute.load == CHARSET:
                        continue  # meta_counts found nothing in it to judge
                    return None
                decision = self._judge_value(s, attribute, element)
                if decision == UNSURE:
                    return None
                attribute.is_held = decision == IS_HELD and not attribute.is_replaced
                is_held = is_held or decision == IS_HELD
        if kind & IS_BASE:
            attribute = self._first(HREF)
            base = (
                None if attribute == NULL
                else piece(raw, attribute.value, attribute.end).decode("utf-8", "surrogateescape")
            )
            return None if is_held else untracked(Tag(element, False, self._is_empty, near=True, base=base, plain=False))
        if is_held or kind & HAS_TEXT:
            if is_held and self._first(ONERROR) != NULL and self._first(SRC) != NULL:
                return None  # its `onerror` needs the address to fail (FAILS in attributes.py)
            return self._whole(raw, p, element, kind, is_held)
        return <Tag>(<list>DULL[number])[self._is_empty] if number else dull_tag(element, self._is_empty)

    cpdef object sheet(self, bytes text):
        """Return the decision about a style sheet, as _style in element_text.py would, or None for the full judgement."""
        cdef list cuts
        if not self._applies or not (text.isascii() or not has_pairs(text)):
            return None
        self._held = None
        cuts = self._cuts(text, "", b"style", True)
        if not cuts:
            return None if cuts is None else PASSES
        return Decision(untracked(tuple(self._held[:MOST_FOUND])), False, tuple(cuts))

    cdef Tag _whole(self, bytes raw, Py_ssize_t name_end, bytes element, unsigned char kind, bint is_held):
        """Return the decision about a tag that is held, or whose element has text to be judged."""
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
        cdef Tag tag = _new_tag(element, self._is_empty, DATA if is_neutral else text)
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
        """Read the attributes from `p` to `size`, the position of the tag's `>`; return whether they are plain."""
        cdef Py_ssize_t start, stop, last = -1
        cdef const void* found
        cdef int name
        cdef ReadAttribute* attribute
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
            attribute = &self._values[self._count]
            attribute.start, attribute.name_end = start, p
            attribute.value = attribute.end = last = -1
            attribute.is_replaced = False
            stop = p
            while p < size and KIND[s[p]] & BLANK:
                p += 1
            if p < size and s[p] == 61:
                p += 1
                while p < size and KIND[s[p]] & BLANK:
                    p += 1
                if p < size and (s[p] == 34 or s[p] == 39):
                    quote = s[p]
                    attribute.value = p + 1
                    found = memchr(s + p + 1, quote, size - p - 1)
                    attribute.end = size if found == NULL else <text_t>found - s
                    p = attribute.end + 1
                elif p < size and s[p] != 62:
                    attribute.value = p
                    while p < size and not KIND[s[p]] & BLANK and s[p] != 62:
                        p += 1
                    attribute.end = last = p
            else:
                p = stop
            if name < 0:
                continue
            if name == DATA_CG:
                return False
            if self._first(name) != NULL:
                if self._doubles is None:
                    self._doubles = array("q")  # a list would take five times the memory
                self._doubles.append(MOST_NAMES * start + name)
                continue
            attribute.name, attribute.load, attribute.is_held = name, MEANS[element][name], False
            self._count += 1
        self._is_empty = s[size - 1] == 47 and last != size
        return True

    cdef bint _holds_source(self) noexcept:
        """Return whether the script's own URL is held, and not only an attribute that any element may have."""
        cdef int index
        for index in range(self._count):
            if self._values[index].is_held and not MEANS[0][self._values[index].name]:
                return True
        return False

    cdef ReadAttribute* _first(self, unsigned char name) noexcept:
        """Return the attribute of this name, or NULL if there is none."""
        cdef int index
        for index in range(self._count):
            if self._values[index].name == name:
                return &self._values[index]
        return NULL

    cdef int _judge_value(self, text_t s, ReadAttribute* attribute, object element) except -1:
        """Return the result for a value that is not empty."""
        if attribute.load == URL:
            return self._reference(s, attribute.value, attribute.end, ATTRIBUTE_NAMES[attribute.name], element)
        if attribute.load == CSS:
            return self._style(s, attribute, element) if _loads_by_style(s, attribute.value, attribute.end) else STAYS
        if attribute.load == SRCSET:
            return self._candidates(s, attribute, element)
        if attribute.load == LINK:
            return self._link(s, attribute, element)
        if attribute.load == DOCUMENT or attribute.load == LATER:
            if self._lifts or (attribute.end - attribute.value > 4 and not memcmp(s + attribute.value, b"data:", 5)):
                return UNSURE
            return self._reference(s, attribute.value, attribute.end, ATTRIBUTE_NAMES[attribute.name], element)
        if attribute.load == BASE:
            if (
                s[attribute.end - 1] <= 32
                or _path_end(s, attribute.value, attribute.end) != attribute.end
                or _may_leave(s, attribute.value, attribute.end)
            ):
                return UNSURE
            path = PyUnicode_DecodeUTF8(<char*>s + attribute.value, attribute.end - attribute.value, "surrogateescape")
            paths = path, path[: path.rfind("/") + 1] + "-"  # the same two as in _base in attributes.py
            return UNSURE if any([self._acts(record(Url, (*self._page[:3], each))) for each in paths]) else STAYS
        if attribute.load == SRCDOC:
            return self._document(s, attribute)
        if attribute.load == REFERRER:
            return STAYS if _cached(POLICIES, s, attribute, _stays) else UNSURE
        return STAYS if attribute.load == URLS and not _may_leave(s, attribute.value, attribute.end) else UNSURE

    cdef int _document(self, text_t s, ReadAttribute* attribute) except -1:
        """Judge a document in the value of `srcdoc`, and replace the value if something in it is held."""
        if memchr(s + attribute.value, 38, attribute.end - attribute.value) != NULL:
            return UNSURE
        document = PyBytes_FromStringAndSize(<char*>s + attribute.value, attribute.end - attribute.value)
        cdef tuple found = self._glance(document)
        if found is None:
            return UNSURE
        cdef bytes changed = found[0]
        if changed is document:
            return STAYS
        cdef text_t new = <text_t>PyBytes_AS_STRING(changed)
        cdef unsigned char quote = s[attribute.value - 1]
        cdef Py_ssize_t p
        cdef list edits = []
        if (quote != 34 and quote != 39) or s[attribute.end] != quote:
            return UNSURE
        for p in range(PyBytes_GET_SIZE(changed)):
            if new[p] >= 128:
                return UNSURE
            if new[p] == 38 or new[p] == 60 or new[p] == 62 or new[p] == quote:
                edits.append((p, p + 1, REFERENCES[new[p]]))
        self._replace_value(attribute, _written(changed, edits))
        self._held = [*(self._held or ()), *found[1]]
        self._is_near = True  # the decisions about its tags may depend on the page's path
        return IS_HELD

    cdef object _replace_value(self, ReadAttribute* attribute, bytes value):
        """Note the new value of an attribute in quotes."""
        if self._new_values is None:
            self._new_values = {}
        self._new_values[attribute.name] = value
        attribute.is_replaced = True

    cdef int _reference(self, text_t s, Py_ssize_t p, Py_ssize_t end, str attribute_name, object element) except -1:
        """Return the result for one reference: a plain URL is judged, one on the page's own origin stays."""
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
        return self._judge_url(record(Url, (scheme, name, None, where)), attribute_name, element)

    cdef int _judge_url(self, object url, str attribute_name, object element) except -1:
        """Return whether a URL is held or stays, and record it if it is held."""
        ruling = self._ask(url)
        if ruling is None:
            return STAYS
        if self._held is None:
            self._held = []
        name = (<bytes>element).decode("latin-1")
        self._held.append(record(Held, (name, attribute_name, url, ruling.purpose, ruling.vendor)))
        return IS_HELD

    cdef int _candidates(self, text_t s, ReadAttribute* attribute, object element) except -1:
        """Judge the URLs of a srcset, up to the first one that is held (candidates in attributes.py)."""
        cdef Py_ssize_t p = attribute.value, end = attribute.end, start, stop
        cdef int decision
        cdef const void* found
        while p < end:  # `&amp;` is the only character reference that cannot separate or join URLs
            if s[p] == 38 and (end - p < 5 or memcmp(s + p, b"&amp;", 5)):
                return UNSURE
            p += 1
        p = attribute.value
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
            decision = self._reference(s, start, stop, ATTRIBUTE_NAMES[attribute.name], element)
            if decision != STAYS:
                return decision
            while stop == p and p < end and s[p] != 44:
                if s[p] == 40:
                    found = memchr(s + p, 41, end - p)
                    p = end if found == NULL else <text_t>found - s + 1
                else:
                    p += 1
                stop = p

    cdef int _link(self, text_t s, ReadAttribute* attribute, object element) except -1:
        """Judge the URL of a link, unless no browser fetches it for these relations."""
        cdef ReadAttribute* relations = self._first(REL)
        if relations == NULL or relations.end <= relations.value:
            return STAYS
        is_inert = _cached(RELATIONS, s, relations, _is_inert)
        if is_inert is None:
            return UNSURE
        return STAYS if is_inert else self._reference(
            s, attribute.value, attribute.end, ATTRIBUTE_NAMES[attribute.name], element
        )

    cdef int _style(self, text_t s, ReadAttribute* attribute, object element) except -1:
        """Judge the URLs of a style, and replace its value by one without the held URLs (_css in attributes.py)."""
        cdef bytes text = _plain_style(s, attribute.value, attribute.end)
        cdef list cuts = None if text is None else self._cuts(text, ATTRIBUTE_NAMES[attribute.name], element, False)
        if not cuts:
            return UNSURE if cuts is None else STAYS
        text = _written(text, cuts)
        self._replace_value(attribute, text if s[attribute.value - 1] == 39 else text.replace(b'"', b"&quot;"))
        return IS_HELD

    cdef list _cuts(self, bytes text, str attribute_name, object element, bint is_sheet):
        """Return the edits that cut the held URLs out of a style, or None if it has to be judged in full."""
        cdef text_t style = <text_t>PyBytes_AS_STRING(text)
        cdef Walk walk
        cdef Py_ssize_t start, inside, first = -1, last = 0, done = 0
        cdef int decision, first_decision = STAYS, found_url
        cdef dict known = None
        cdef list cuts = []
        if not begin(&walk, text):
            return None
        while True:
            found_url = step(&walk)
            if found_url <= 0:
                return None if found_url < 0 else cuts
            start, inside = walk.start + walk.is_string, walk.end
            if walk.is_string and style[inside - 1] == style[walk.start] and inside > start:
                inside -= 1
            if first < 0:
                decision = first_decision = self._judge_style_url(
                    style, start, inside, attribute_name, element, is_sheet
                )
                first, last = start, inside
            else:
                if known is None:
                    known = {piece(text, first, last): first_decision}
                reference = piece(text, start, inside)
                answer = known.get(reference)
                if answer is None:
                    answer = known[reference] = self._judge_style_url(
                        style, start, inside, attribute_name, element, is_sheet
                    )
                decision = answer
            if decision == UNSURE:
                return None
            # A URL inside the quotes of one that was cut is gone already.
            if decision == IS_HELD and walk.start >= done:
                cuts.append((walk.start, walk.end, NO_STRING if walk.is_string else NO_URL))
                done = walk.end
                if len(cuts) > MOST_EDITS:
                    return None

    cdef int _judge_style_url(
        self, text_t s, Py_ssize_t start, Py_ssize_t end, str attribute_name, object element, bint is_sheet
    ) except -1:
        """Judge a URL in a style. In a style sheet, an unclear one is judged in all ways that browsers may read it."""
        if not is_sheet:
            return self._reference(s, start, end, attribute_name, element)
        reference = PyBytes_FromStringAndSize(<char*>s + start, end - start)
        cdef int decision = self._reference(s, start, end, attribute_name, element) if reference.isascii() else UNSURE
        if decision != UNSURE:
            return decision
        for url in readings(reference.decode("latin-1"), self._page):
            if self._judge_url(url, attribute_name, element) == IS_HELD:
                return IS_HELD
        return STAYS

    cdef object _text(self, text_t s):
        """Return how the text of a script is read, or None if the tag has to be judged in full."""
        cdef ReadAttribute* kind = self._first(TYPE)
        if kind == NULL:
            return SCRIPT if self._first(LANGUAGE) == NULL else None
        return script_text("", None) if kind.end <= kind.value else _cached(SCRIPTS, s, kind, _script_of_type)

    cdef list _edits(self, Py_ssize_t name_end, bint is_neutral):
        """Return the edits of the tag, in order: held attributes are renamed, and a neutral tag gets an inert type."""
        cdef list edits = [(name_end, name_end, NEUTRAL)] if is_neutral else []
        cdef int index
        cdef Py_ssize_t place, start
        cdef ReadAttribute* attribute
        for index in range(self._count):
            attribute = &self._values[index]
            new_name = _new_name(attribute, is_neutral)
            if new_name is not None:
                edits.append((attribute.start, attribute.name_end, new_name))
            elif attribute.is_replaced:
                edits.append((attribute.value, attribute.end, self._new_values[attribute.name]))
        if self._doubles is not None:
            for place in self._doubles:
                attribute = self._first(place % MOST_NAMES)
                new_name = _new_name(attribute, is_neutral)
                if new_name is not None:
                    start = place // MOST_NAMES
                    edits.append((start, start + attribute.name_end - attribute.start, new_name))
            edits.sort()
        return edits

    cdef object _room(self, bytes raw, Py_ssize_t name_end, bytes element, tuple held):
        """Return how a placeholder may replace the element; None unless the embedded URL is held (_room in tags.py)."""
        cdef ReadAttribute* source = self._first(SOURCES[element])
        if source == NULL or not source.is_held:
            return None
        return room_of(raw, element, name_end, self._edits(name_end, False), held, xml=False)


cdef bytes _new_name(ReadAttribute* attribute, bint is_neutral):
    """Return the new name of an attribute and of its duplicates, or None if it is not renamed."""
    if attribute.is_held:
        return RENAMED[attribute.name]
    return RENAMED_TYPE if is_neutral and attribute.name == TYPE else None


cdef bytes _written(bytes text, list edits):
    """Return a text with edits applied, which must be in order."""
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
