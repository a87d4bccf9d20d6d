from cookieguard.identity.visit cimport Identity
from cookieguard.web.cookies.consent_cookie cimport Consents
from cookieguard.web.document.page_cache cimport Repeats


cdef class Services:
    cdef readonly object config, register, walls, judges_until, renderer, records, agreements, policy, risks
    cdef readonly Identity identity
    cdef readonly object store_sync, remembering, keyring
    cdef readonly Consents consents
    cdef readonly object variants, grants, shop_cookies, signed_cookies, customers, hour_keys, recorder, counting
    cdef readonly object findings, proxied, undeclared_loads
    cdef readonly Repeats repeats
    cdef readonly object files, strict, trusted, truncate
    cdef readonly bint cuts_to_24, logs_in_cipher
    cdef readonly frozenset authorities
    cdef readonly str console
    cdef readonly tuple domains
    cdef readonly bint follows
    cdef readonly str fingerprint
    cdef readonly object listed, helpers, declaration

    cpdef bint is_console(self, origin)
    cpdef tuple look(self, now)
