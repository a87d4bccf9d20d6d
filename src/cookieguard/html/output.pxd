cdef struct Span:
    Py_ssize_t start
    Py_ssize_t end


cdef class Output:
    cdef bytes _data
    cdef Py_ssize_t _kept
    cdef Py_ssize_t _size
    cdef Py_ssize_t _room
    cdef Span* _spans
    cdef list _new

    cpdef replace(self, Py_ssize_t start, Py_ssize_t end, bytes new)
    cpdef insert(self, Py_ssize_t position, bytes new)
    cpdef bytes finish(self)
    cdef _grow(self)
