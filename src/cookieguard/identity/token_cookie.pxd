cimport cython

from cookieguard.identity.cookies cimport CookieJar, check_size
from cookieguard.identity.tokens cimport Token, TokenCodec, milliseconds_until


cdef class Presented:
    cdef readonly CookieJar jar
    cdef readonly str host
    cdef readonly object now
    cdef readonly cython.longlong moment
    cdef readonly object on_event
    cdef public object oversized


cdef class Channel:
    cdef TokenCodec _codec
    cdef str _attributes
    cdef bint _dev
    cdef object _kind
    cdef object _spec
    cdef str _shared
    cdef cython.longlong _longest
    cdef readonly str name

    cpdef read(self, Presented presented, parse)
    cpdef peek(self, Presented presented)
    cdef Token _loads(self, str value, Presented presented)
    cpdef bint fits(self, bytes text)
    cpdef bytes write_until(self, bytes text, str host, long long now, long long expires, bint is_oversized)
    cpdef expire(self, Presented presented)
    cpdef bint is_current(self, Token token)
    cdef _report(self, Presented presented, reason)
