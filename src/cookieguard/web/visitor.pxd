cdef class Visitor:
    cdef readonly object _source
