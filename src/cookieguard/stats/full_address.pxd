cimport cython

from cookieguard.stats.anonymize cimport packed_address


@cython.locals(packed=bytes, name=bytes)
cpdef visitor_key(str site, str address, bytes agent, bytes day_key)
@cython.locals(packed=bytes, encoded=bytes, text=str)
cpdef tuple spellings_of(str address)
@cython.locals(case_sensitive=tuple, digits=tuple, lower=str, spelling=str)
cpdef bint holds_spelling(str text, tuple spellings)
