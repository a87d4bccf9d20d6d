from cookieguard.web.exchange cimport Exchange


cdef class Pages:
    cdef readonly dict _pages
    cdef dict _declared_own
    cdef bint _has_paths
    cdef object _log_folder
    cdef str _policy
    cdef str _prefix

    cpdef find(self, Exchange exchange)
    cdef bint _declares_own(self, Exchange exchange) except -1
    cdef tuple _of_policy(self, str path)
    cdef _own(self, Exchange exchange)
