cimport cython


cdef class CookieJar:
    cdef str _header
    cdef dict _values
    cdef object _doubled
    cdef bint _is_plain
    cdef readonly bint is_over_limit

    cpdef get(self, str name)
    cpdef bint has(self, str name)
    cpdef bint is_doubled(self, str name)
    cpdef bint has_only(self, names)
    cdef dict _split(self)


cpdef parse_cookies(header_values)
@cython.locals(values=dict, doubled=set, pair=str, name=str, value=str, at=cython.Py_ssize_t, spaces=cython.Py_ssize_t, is_plain=bint, is_usual=bint)
cdef tuple _pairs_of(str header)
cpdef check_size(str name, str value)
