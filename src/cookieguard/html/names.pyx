# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""The names of a script that became suspect, in C: what names.py says in regular expressions. The same tests run over both."""

import re

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.string cimport memchr, memcmp, memset

from cookieguard.html.known cimport text_t
from cookieguard.html.words cimport blanks_end, word_end

cdef enum:
    PARTS = 4  # what stands beside a name has none of these: letters of other alphabets count
    ENDS_CONDITION = 8  # `;` and braces
    FIRST = 16  # of a name

    MAX_NAMES = 60
    MAX_PLACES = 300  # where suspect names stand, looked at in one script
    LONGEST_DEFINITION = 160  # bytes looked at to tell a key from a branch

NO_NAMES = frozenset(b"this window document self var let const return new typeof true false null".split())
IDENTIFIER = re.compile(rb"[A-Za-z_$][\w$]*+")
cdef unsigned char KIND[256]


cdef void _prepare():
    cdef int byte
    memset(KIND, 0, sizeof(KIND))
    for byte in range(256):
        if chr(byte).isalnum() or byte == 95 or byte == 36:
            KIND[byte] = PARTS
            if byte < 128 and not 48 <= byte <= 57:
                KIND[byte] |= FIRST
    for byte in b";{}":
        KIND[byte] |= ENDS_CONDITION


_prepare()


cdef class Places:
    """Find where a name stands as a whole word. Owns how far it was looked for."""

    def __init__(self, bytes name, Py_ssize_t start, Py_ssize_t end):
        self._name, self._at, self._end = name, start, end

    cdef Py_ssize_t next(self, text_t s, Py_ssize_t size) noexcept:
        """Return the next place; -1: there is none."""
        cdef text_t name = <text_t>PyBytes_AS_STRING(self._name)
        cdef Py_ssize_t length = PyBytes_GET_SIZE(self._name), p = self._at, last = min(self._end, size) - length
        cdef const void* found
        while p <= last:
            found = memchr(s + p, name[0], last + 1 - p)
            if found == NULL:
                break
            p = <text_t>found - s
            if p and KIND[s[p - 1]] & PARTS:
                p += 1
            elif memcmp(s + p, name, length) or (p + length < size and KIND[s[p + length]] & PARTS):
                p += 1
            else:
                self._at = p + length + 1
                return p
        self._at = size + 1
        return -1


cdef class Names:
    """Queue the places where suspect names stand. Owns which names those are."""

    def __init__(self, bytes code):
        self._code = code
        self._queue = None  # and all the sets: most sinks are found without a name
        self.is_open = False
        self.in_markup = False  # whether what is followed now is, or is part of, markup that no policy stops

    cpdef take(self):
        """Take the next place to follow; None where there is none, or too many were taken."""
        cdef Py_ssize_t place = self.next()
        return None if place < 0 else place

    cdef Py_ssize_t next(self) except -2:
        """Take the next place to follow; -1 where there is none."""
        cdef text_t s = <text_t>PyBytes_AS_STRING(self._code)
        cdef Py_ssize_t size = PyBytes_GET_SIZE(self._code), place
        cdef Places places
        cdef bint is_marked
        self.is_open = True
        while self._queue and len(self._seen) < MAX_PLACES:
            places = self._queue[len(self._queue) - 1]
            place = places.next(s, size)
            if place < 0:
                self._queue.pop()
                continue
            is_marked = places._name in self._marked
            seen = ~place if is_marked else place
            if seen not in self._seen and not self._is_defined_at(place) and not self._is_of_another(place):
                self.in_markup = is_marked
                self._seen.add(seen)
                return place
        return -1

    cpdef suspect(self, bytes name, Py_ssize_t start=0, end=None, bytes member=b""):
        """Take a name, or only what it has at `member`, as suspect, from `start` to `end`: queue its places."""
        if not name or name in NO_NAMES:
            return
        if self._queue is None:
            self._queued, self._members, self._seen, self._queue = set(), {}, set(), []
            self._marked = set()  # the names that hold markup
        cdef set members = self._members.setdefault(name, set())
        cdef bint is_new = self._is_marked_now(name) or (member not in members and b"" not in members)
        members.add(member)
        cdef bint is_queued = (name, start) in self._queued or (name, 0) in self._queued
        if is_queued and not (is_new and self.is_open):
            return
        if not is_queued and len(self._queued) >= MAX_NAMES:
            return
        self._queued.add((name, start))
        self._queue.append(Places(name, start, PyBytes_GET_SIZE(self._code) if end is None else end))

    cdef bint _is_marked_now(self, bytes name) except -1:
        """Note that a name holds markup, where it does; tell whether that is new."""
        if not self.in_markup or name in self._marked:
            return False
        self._marked.add(name)
        return True

    cpdef suspect_all(self, bytes header):
        """Take the parameters of a function that is called for each item as suspect: the item and its number."""
        if header:
            for name in IDENTIFIER.findall(header)[:2]:
                self.suspect(name)

    cdef bint _is_defined_at(self, Py_ssize_t place):
        """Tell whether the name at `place` is only given a value there, or is a parameter's or key's name."""
        cdef text_t s = <text_t>PyBytes_AS_STRING(self._code)
        cdef Py_ssize_t size = PyBytes_GET_SIZE(self._code), p, stop
        if not KIND[s[place]] & FIRST:
            return False
        stop = min(size, place + LONGEST_DEFINITION)
        p = blanks_end(s, word_end(s, place, size), stop)
        if p >= stop:
            return False
        if s[p] == 61:
            return p + 1 >= stop or s[p + 1] != 61
        if s[p] != 58:
            return False
        p += 1
        while p < stop and not KIND[s[p]] & ENDS_CONDITION:
            if s[p] == 63:
                return False
            p += 1
        return True

    cdef bint _is_of_another(self, Py_ssize_t place):
        """Tell whether only a member of the name at `place` is taken, and one that is not suspect."""
        cdef text_t s = <text_t>PyBytes_AS_STRING(self._code)
        cdef Py_ssize_t size = PyBytes_GET_SIZE(self._code), p, start
        if not KIND[s[place]] & FIRST:
            return False
        p = word_end(s, place, size)
        members = self._members.get(PyBytes_FromStringAndSize(<char*>s + place, p - place))
        if not members or b"" in members:
            return False
        p = blanks_end(s, p, size)
        if p < size and s[p] == 63:
            p += 1
        if p >= size or s[p] != 46:
            return False
        start = blanks_end(s, p + 1, size)
        p = word_end(s, start, size)
        if p == start:
            return False
        taken = PyBytes_FromStringAndSize(<char*>s + start, p - start)
        p = blanks_end(s, p, size)
        return not (p < size and s[p] == 40) and taken not in members
