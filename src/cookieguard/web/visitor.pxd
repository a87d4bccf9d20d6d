cdef class Visitor:
    cdef object _source
