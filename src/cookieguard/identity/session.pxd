from cookieguard.identity.session_cookie cimport SessionCookie


cdef class Session(SessionCookie):
    cpdef heed(self)
    cpdef bint is_owed(self, int level)
