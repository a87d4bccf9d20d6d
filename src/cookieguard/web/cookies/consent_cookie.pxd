from cookieguard.identity.tokens cimport Token, TokenCodec


cdef class Consents:
    cdef readonly str cookie_name
    cdef object _config
    cdef str _shared
    cdef TokenCodec _codec
    cdef object _policy
    cdef object _purposes
    cdef object _all
    cdef object _matters
    cdef object _news
    cdef dict _known
    cdef dict _undecided

    cpdef undecided(self, bint gpc)
