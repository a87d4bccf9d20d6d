# cython: language_level=3, wraparound=False, initializedcheck=False
"""Stretches of pages that were read to their end and have nothing to do: known by their bytes, they are passed over.

A stretch begins in the text between tags and ends at a line's end, in such text again. Every tag in it is dull, or
known to pass: which holds for one origin and one state of consent, as what is known of tags does. It is looked up where
it stands.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.string cimport memchr

from cookieguard.html.fast.answers cimport Known, mark_of, text_t

cdef enum:
    LEAST = 128  # bytes of a stretch: shorter ones are read sooner than looked up
    MOST = 1024  # of a line, where pages have few; then a stretch ends at the next `>`
    FIRST_PAUSE = 256  # bytes that are read without a look after a stretch that was not known
    LONGEST_PAUSE = 4096
    MAX_SIZE = 1024 * 1024  # bytes of all that is kept
    OVERHEAD = 128  # bytes that keeping one takes


cdef Py_ssize_t _stretch_end(text_t s, Py_ssize_t position, Py_ssize_t size) noexcept nogil:
    """Return where the stretch ends that begins at `position`; beyond the data where that ends before."""
    cdef const void* found
    if position + LEAST >= size:
        return size + 1
    found = memchr(s + position + LEAST, 10, min(size - position, MOST) - LEAST)
    if found == NULL and position + MOST < size:
        found = memchr(s + position + MOST, 62, size - position - MOST)
    return size + 1 if found == NULL else <text_t>found - s + 1


cdef class Stretches:
    """Keep the stretches that came again. Owns them, and marks of those that came once (all bounded)."""

    def __init__(self):
        self._kept = Known()

    def __len__(self):
        return len(self._kept)

    cdef bint learn(self, text_t s, Py_ssize_t size) except -1:
        """Take note of a stretch; tell whether it is kept: not before it comes again, much of a page never does."""
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
    """Step over one page. Owns how much is read without a look, and where the stretch begins that is read (-1: none).

    `stop` is where that ends, or where there is to be a look again.
    """

    def __init__(self, Stretches stretches not None):
        self._stretches = stretches
        self._start = -1

    cdef void begin(self, text_t s, Py_ssize_t position, Py_ssize_t size) noexcept:
        """Begin to read."""
        self._start = -1
        self.stop = _stretch_end(s, position + self._wait, size) if self._wait else position

    cdef void end(self, Py_ssize_t position) noexcept:
        """Leave off."""
        if self._start >= 0:
            self._back_off()
            self._wait = self._pause
        else:
            self._wait = max(self.stop - position, 0)

    cdef bint passes(self, text_t s, Py_ssize_t position, Py_ssize_t size) except -1:
        """Return whether a known stretch begins here, at or behind `stop`; where it ends is the new `stop`."""
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
        """Take note of a tag that began before `stop` and ends at `position`, behind it."""
        if self._start >= 0:
            self._start = -1
            self._back_off()
            position += self._pause
        self.stop = position

    cdef void _back_off(self) noexcept:
        self._pause = min(max(2 * self._pause, FIRST_PAUSE), LONGEST_PAUSE)
