from cookieguard.html.fast.answers cimport piece


cdef class Output:
    cdef bytes _data
    cdef Py_ssize_t _kept
    cdef list _pieces

    cpdef replace(self, Py_ssize_t start, Py_ssize_t end, bytes new)
    cpdef insert(self, Py_ssize_t position, bytes new)
    cpdef bytes finish(self)
