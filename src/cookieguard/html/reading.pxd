from cookieguard.html.known cimport text_t


cdef class Reading:
    cdef bytes _joined
    cdef readonly bytes code
    cdef text_t _s
    cdef readonly Py_ssize_t size
    cdef public Py_ssize_t steps
    cdef dict _closing
    cdef Py_ssize_t _unclosed
    cdef object _words
    cdef Py_ssize_t _count
    cdef Py_ssize_t* _marks
    cdef Py_ssize_t* _starts

    cdef _find_marks(self)
    cdef Py_ssize_t _number(self, Py_ssize_t place)
    cdef bytes _literal(self, Py_ssize_t number)
    cpdef Py_ssize_t mark(self, Py_ssize_t number) except -1
    cpdef bytes literal_at(self, Py_ssize_t place)
    cpdef bytes literal_before(self, Py_ssize_t place)
    cpdef list literals_in(self, Py_ssize_t start, Py_ssize_t end)
    cpdef Py_ssize_t closing(self, Py_ssize_t at)
    cdef Py_ssize_t _partner(self, Py_ssize_t start)
    cpdef Py_ssize_t opening(self, Py_ssize_t at)
    cdef Py_ssize_t _partner_before(self, Py_ssize_t at)
    cpdef Py_ssize_t enclosing(self, Py_ssize_t at)
    cpdef Py_ssize_t arguments_end(self, Py_ssize_t start)
    cpdef Py_ssize_t expression_end(self, Py_ssize_t start)
    cpdef Py_ssize_t argument_number(self, Py_ssize_t opened, Py_ssize_t place)
    cpdef Py_ssize_t stretch_end(self, Py_ssize_t here, Py_ssize_t floor, bint is_plain)
