from cookieguard.html.scanner cimport end_of_text, pass_markup


cdef class MarkupEnd:
    cdef bytes _name
    cdef bint _xml
    cdef Py_ssize_t _depth
    cdef object _inside
    cdef bint _counts
    cdef bytes _start
    cdef Py_ssize_t _rest

    cpdef tuple find(self, bytes data, Py_ssize_t position, tuple ends=*)
    cpdef Py_ssize_t carried(self, bytes data, Py_ssize_t position)
    cdef Py_ssize_t _leave(self, bytes data, Py_ssize_t position) except -2
