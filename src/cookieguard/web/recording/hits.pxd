from cookieguard.stats.full_address cimport holds_spelling, spellings_of, visitor_key
from cookieguard.web.exchange cimport Exchange


cdef _note(counting, Exchange exchange, bint is_document, ended)
cdef _raw_hit(counting, Exchange exchange, consent, kind, ended=*, str route=*, str event=*, tuple held=*)
cdef bint _counts(counting, consent)
cdef bint _is_seen_again(counting, Exchange exchange, consent)
cdef bint _has_just_agreed(counting, Exchange exchange, consent)
cdef bint _is_since_choice(Exchange exchange, consent, limit)
cdef str _state(consent)
cdef tuple _without_own(str path, bytes query, bytes agent, bytes referrer, tuple own)
cdef _kind(counting, Exchange exchange, bint is_document)
cdef bint _is_shown(Exchange exchange)
cdef bint _is_ahead(Exchange exchange)
cdef tuple _keys(counting, Exchange exchange, consent, str site, bytes agent)
cdef str _country(counting, Exchange exchange)
cdef str _route_of(counting, Exchange exchange)
