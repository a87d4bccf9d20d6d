# cython: language_level=3, wraparound=False, initializedcheck=False
"""Stretches of pages that were read once and found to pass. When the same bytes occur again, they are skipped at once.

A stretch begins in the text between tags and ends at the end of a line, in such text too. Every tag in it is dull or
known to pass. Like decisions about tags, it holds for one origin and one state of consent. It is looked up in the page
without a copy.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.string cimport memchr

from cookieguard.html.fast.answers cimport Known, mark_of, text_t

cdef enum:
    LEAST = 128  # bytes of a stretch; reading a shorter one is faster than looking it up
    MOST = 1024  # bytes without a line's end, after which a stretch ends at the next `>`
    FIRST_PAUSE = 256  # bytes that are read without a look-up after an unknown stretch
    LONGEST_PAUSE = 4096
    MAX_SIZE = 1024 * 1024  # bytes of all cached stretches
    OVERHEAD = 128  # bytes that an entry takes in addition to its stretch


cdef Py_ssize_t _stretch_end(text_t s, Py_ssize_t position, Py_ssize_t size) noexcept nogil:
    """Return where the stretch at `position` ends; size + 1 if it is not complete in the data."""
    cdef const void* found
    if position + LEAST >= size:
        return size + 1
    found = memchr(s + position + LEAST, 10, min(size - position, MOST) - LEAST)
    if found == NULL and position + MOST < size:
        found = memchr(s + position + MOST, 62, size - position - MOST)
    return size + 1 if found == NULL else <text_t>found - s + 1


cdef class Stretches:
    """A cache of stretches that occurred twice. Owns them, and the marks of those that occurred once (all bounded)."""

    def __init__(self):
        self._kept = Known()

    def __len__(self):
        return len(self._kept)

    cdef bint learn(self, text_t s, Py_ssize_t size) except -1:
        """Note a stretch; return whether it is cached, which it is when it occurs again: most of a page never does."""
        cdef unsigned long long mark = mark_of(s, size)
        if self._seen[mark & (MARKS - 1)] != mark:
            self._seen[mark & (MARKS - 1)] = mark
            return False
        self._size += size + OVERHEAD
        if self._size > MAX_SIZE:
            self._size = size + OVERHEAD + self._kept.thin()
        self._kept.put(PyBytes_FromStringAndSize(<const char*>s, size), True, size + OVERHEAD)
        return True


cdef class Strides:
    """Skip the known stretches of one page. Owns the start of the stretch being read (-1 if none) and the pause.

    `stop` is where that stretch ends, or where the next look-up takes place.
    """

    def __init__(self, Stretches stretches not None):
        self._stretches = stretches
        self._start = -1

    cdef void begin(self, text_t s, Py_ssize_t position, Py_ssize_t size) noexcept:
        """Start reading data at `position`."""
        self._start = -1
        self.stop = _stretch_end(s, position + self._wait, size) if self._wait else position

    cdef void end(self, Py_ssize_t position) noexcept:
        """Stop reading at `position`."""
        if self._start >= 0:
            self._back_off()
            self._wait = self._pause
        else:
            self._wait = max(self.stop - position, 0)

    cdef bint passes(self, text_t s, Py_ssize_t position, Py_ssize_t size) except -1:
        """Return whether a known stretch begins at `position`, which is not before `stop`; `stop` is then its end."""
        cdef Py_ssize_t start = self._start
        if start >= 0:
            self._start = -1
            if not self._stretches.learn(s + start, self.stop - start):
                self._back_off()
                self.stop = _stretch_end(s, self.stop + self._pause, size)
                if position < self.stop:
                    return False
        self.stop = _stretch_end(s, position, size)
        if self.stop > size:
            return False
        if self._stretches._kept.look_up(s + position, self.stop - position) != NULL:
            self._pause = 0
            return True
        self._start = position
        return False

    cdef void cross(self, Py_ssize_t position) noexcept:
        """Note a tag that began before `stop` and ends after it, at `position`."""
        if self._start >= 0:
            self._start = -1
            self._back_off()
            position += self._pause
        self.stop = position

    cdef void _back_off(self) noexcept:
        self._pause = min(max(2 * self._pause, FIRST_PAUSE), LONGEST_PAUSE)
