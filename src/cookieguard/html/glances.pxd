cpdef list named_hosts(bytes text)
cpdef bint has_glue(bytes text)
cpdef bint has_sink(bytes code, bytes back)
cpdef bint may_reach_others(bytes raw)
cpdef tuple name_of(bytes raw)
cpdef bint meta_counts(bytes raw)
cpdef tuple plain_parts(str reference)


cdef class openings:
    cdef str _text
    cdef Py_ssize_t _position
