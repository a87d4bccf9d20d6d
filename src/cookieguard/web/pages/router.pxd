from cookieguard.web.exchange cimport Exchange


cdef class Pages:
    cdef readonly dict _pages
    cdef dict _declared_own
    cdef dict _folders
    cdef set _of_staff
    cdef str _console
    cdef bint _has_paths
    cdef str _prefix

    cpdef find(self, Exchange exchange)
    cdef object _folder(self, str path)
    cdef object _stray(self, Exchange exchange)
    cdef bint _declares_own(self, Exchange exchange) except -1
