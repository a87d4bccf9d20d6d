# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""What goes out for one piece of data, in C: what output.py says. What is kept of the data is copied once."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Realloc
from libc.string cimport memcpy


cdef enum:
    FEWEST = 16


cdef class Output:
    """Collect the output of one piece of data. Owns which part of it was written already."""

    def __init__(self, bytes data):
        self._data, self._kept, self._size = data, 0, 0
        self._new = None

    def __dealloc__(self):
        PyMem_Free(self._spans)

    cpdef replace(self, Py_ssize_t start, Py_ssize_t end, bytes new):
        """Write `new` instead of data[start:end]; positions only grow."""
        cdef Py_ssize_t count
        if self._new is None:
            self._new = []
        count = len(self._new)
        if count == self._room:
            self._grow()
        self._spans[count].start, self._spans[count].end = self._kept, start
        self._size += max(start - self._kept, 0) + PyBytes_GET_SIZE(new)
        self._new.append(new)
        self._kept = end

    cpdef insert(self, Py_ssize_t position, bytes new):
        """Write `new` before what stands at `position`."""
        if new:
            self.replace(position, position, new)

    cpdef bytes finish(self):
        """Return the whole; the very same object where nothing was replaced."""
        cdef const char* s = PyBytes_AS_STRING(self._data)
        cdef Py_ssize_t rest = PyBytes_GET_SIZE(self._data) - self._kept, size, index
        cdef bytes whole
        cdef char* out
        if self._new is None:
            return self._data
        whole = PyBytes_FromStringAndSize(NULL, self._size + max(rest, 0))
        out = PyBytes_AS_STRING(whole)
        for index in range(len(self._new)):
            size = self._spans[index].end - self._spans[index].start
            if size > 0:
                memcpy(out, s + self._spans[index].start, size)
                out += size
            new = <bytes>self._new[index]
            size = PyBytes_GET_SIZE(new)
            memcpy(out, PyBytes_AS_STRING(new), size)
            out += size
        if rest > 0:
            memcpy(out, s + self._kept, rest)
        return whole

    cdef _grow(self):
        cdef Py_ssize_t room = 2 * self._room if self._room else FEWEST
        cdef Span* spans = <Span*>PyMem_Realloc(self._spans, room * sizeof(Span))
        if spans == NULL:
            raise MemoryError
        self._spans, self._room = spans, room
