from cookieguard.html.scanner cimport TagEnd


cdef class UnfinishedTag:
    cdef list _pieces
    cdef Py_ssize_t _size
    cdef Py_ssize_t _read
    cdef TagEnd _end
    cdef readonly bint cut
    cdef readonly Py_ssize_t stop

    cpdef take(self, bytes data)


cdef class UnfinishedText:
    cdef list _pieces
    cdef Py_ssize_t _size
    cdef tuple _ends
    cdef object _finder
    cdef bytes _rest
    cdef bytes _name
    cdef Py_ssize_t _seen
    cdef readonly Py_ssize_t stop

    cpdef take(self, bytes data)
    cdef bint _seek(self, bytes data)
