from cookieguard.web.exchange cimport Exchange


cdef _note(counting, Exchange exchange, bint is_document, ended)
cdef _raw_hit(counting, Exchange exchange, consent, kind, ended=*, str route=*, str event=*, tuple held=*)
cdef tuple _without_own(str path, bytes query, bytes agent, tuple own)
cdef _kind(counting, Exchange exchange, bint is_document)
cdef bint _is_shown(Exchange exchange)
cdef bint _is_ahead(Exchange exchange)
cdef tuple _keys(counting, Exchange exchange, consent, str site, bytes agent)
cdef str _country(counting, Exchange exchange)
cdef str _route_of(counting, Exchange exchange)
