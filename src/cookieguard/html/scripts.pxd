from cookieguard.html.flows cimport Flow
from cookieguard.html.glances cimport has_glue, has_servers, has_sink, loaded_host, may_have_sink, named_hosts, plain_host
from cookieguard.html.known cimport record
from cookieguard.html.pieces cimport cut, literals_of
from cookieguard.html.suspects cimport bare_hosts, suspects

cpdef list loads_held(bytes text, object judge)
cdef list _found_in(bytes text, object judge)
cdef bint _loads(bytes text, Suspicion suspicion, bytes whole) except -1
cdef bint _loads_later(bytes text, Suspicion suspicion) except -1
cdef bint _flows(bytes code, bytes joined, list numbers, Suspicion suspicion) except -1
cdef bint _loads_within(bytes code, bytes joined, list numbers, Suspicion suspicion) except -1
cdef _url_of(bytes host)


cdef class Suspicion:
    cdef object _judge
    cdef dict _known
    cdef public bytes literals
    cdef bint is_late
    cdef Py_ssize_t steps

    cpdef url(self, bytes host)
    cpdef bint holds_any(self, list hosts) except -1
    cpdef list only_commented(self, list named)
    cpdef list found(self, list named, but=*)
