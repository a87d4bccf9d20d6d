cdef class Request:
    cdef object _is_fragment
    cdef object _origin
    cdef str _full_path
    cdef object _via
    cdef readonly dict headers
    cdef readonly str path
    cdef readonly str root_path
    cdef readonly dict scope


cdef frozenset MARKED
cdef dict MARKS

cpdef bint is_ours(origin, bint dev, tuple domains, authorities)
cpdef int marks_of(dict names)
cpdef bint asks_for_html(dict headers, int marks)
