from cookieguard.html.known cimport text_t


cdef class Places:
    cdef bytes _name
    cdef Py_ssize_t _at
    cdef Py_ssize_t _end

    cdef Py_ssize_t next(self, text_t s, Py_ssize_t size) noexcept


cdef class Names:
    cdef bytes _code
    cdef set _queued
    cdef dict _members
    cdef set _seen
    cdef list _queue
    cdef set _marked
    cdef readonly bint is_open
    cdef public bint in_markup

    cpdef take(self)
    cdef Py_ssize_t next(self) except -2
    cpdef suspect(self, bytes name, Py_ssize_t start=*, end=*, bytes member=*)
    cdef bint _is_marked_now(self, bytes name) except -1
    cpdef suspect_all(self, bytes header)
    cdef bint _is_defined_at(self, Py_ssize_t place)
    cdef bint _is_of_another(self, Py_ssize_t place)
