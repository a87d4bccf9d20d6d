from cookieguard.identity.token_cookie cimport Channel
from cookieguard.identity.session cimport Session


cdef class Identity:
    cdef readonly Channel cart_channel
    cdef readonly object revocations
    cdef readonly object keeping
    cdef readonly object life
    cdef readonly Channel remember_channel
    cdef readonly Channel session_channel

    cpdef Session session(self, present)


cdef class Visit:
    cdef object _cart
    cdef object _elsewhere
    cdef bint _has_asked
    cdef bint _has_cleared
    cdef bint _is_ahead
    cdef Identity _identity
    cdef readonly Session session

    cdef bint _is_at_rest(self, now)
    cdef bint _needs_session(self, now)
