from cookieguard.html.types cimport Tag


cdef class Context:
    cdef list _foreign
    cdef list _namespaces
    cdef list _both
    cdef list _scanned
    cdef readonly tuple ends
    cdef bint _may_be_closed
    cdef bint _unsure
    cdef bint _in_select
    cdef bint _lasting_script
    cdef readonly bint is_plain_text
    cdef Py_ssize_t _templates

    cpdef bint is_careful(self)
    cpdef bint is_foreign(self)
    cpdef bint is_unsure(self)
    cpdef bint is_aside(self)
    cpdef bytes closers(self)
    cpdef bint is_scanned(self)
    cpdef bint is_read_twice(self)
    cpdef bytes end_for_scanner(self, Tag tag)
    cpdef bytes settle(self)
    cpdef start(self, Tag tag)
    cdef _start_in_foreign(self, Tag tag)
    cdef bint _takes_html(self)
    cdef _start_in_html(self, Tag tag)
    cdef _open(self, bytes name, int namespace)
    cdef _close(self, Py_ssize_t index=*)
    cdef _break_out(self)
    cdef _stop_tracking(self)
    cdef _read_scanned_both_ways(self)
    cpdef end(self, bytes name)
    cdef _end_in_foreign(self, bytes name)
    cdef _end_around(self, bytes name, bint has_point)
    cpdef reading(self, bytes name)
    cpdef open_both(self, bytes name)


cdef class XmlContext(Context):
    pass
