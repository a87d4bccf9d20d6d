from cookieguard.html.scanner cimport TagEnd, end_of_text


cdef class UnfinishedTag:
    cdef list _pieces
    cdef Py_ssize_t _size
    cdef Py_ssize_t _read
    cdef TagEnd _end
    cdef readonly bint cut

    cpdef take(self, bytes data)


cdef class UnfinishedText:
    cdef list _pieces
    cdef Py_ssize_t _size
    cdef tuple _ends
    cdef object _finder
    cdef object _pattern
    cdef bytes _rest
    cdef bytes _name
    cdef readonly bint is_full

    cpdef take(self, bytes data)
    cdef bint _seek(self, bytes data)
    cdef bint _is_ended(self, bytes window)
