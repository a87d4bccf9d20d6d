from cookieguard.html.fast.answers cimport Known, text_t

cdef enum:
    MARKS = 4096


cdef class Stretches:
    cdef Known _kept
    cdef Py_ssize_t _size
    cdef unsigned long long _seen[MARKS]

    cdef bint learn(self, text_t s, Py_ssize_t size) except -1


cdef class Strides:
    cdef Stretches _stretches
    cdef Py_ssize_t _start
    cdef Py_ssize_t stop
    cdef Py_ssize_t _pause
    cdef Py_ssize_t _wait

    cdef void begin(self, text_t s, Py_ssize_t position, Py_ssize_t size) noexcept
    cdef void end(self, Py_ssize_t position) noexcept
    cdef bint passes(self, text_t s, Py_ssize_t position, Py_ssize_t size) except -1
    cdef void cross(self, Py_ssize_t position) noexcept
    cdef void _back_off(self) noexcept
