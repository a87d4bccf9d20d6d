from cookieguard.web.cookies.consent_filter cimport Gate
from cookieguard.web.exchange cimport Exchange
from cookieguard.web.response cimport Response
from cookieguard.web.pages.router cimport Pages
from cookieguard.web.recording.log_entry cimport line_of
from cookieguard.web.services cimport Services


cdef class Flow:
    cdef readonly Services parts
    cdef object _clock
    cdef object _counting
    cdef bint _follows
    cdef bint _has_store
    cdef object _judges_until
    cdef object _looks
    cdef object _news
    cdef object _on_first
    cdef bint _opens_session
    cdef Pages _pages
    cdef bint _recalls
    cdef object _proxied_names
    cdef object _recorder
    cdef readonly bint signs

    cdef Exchange _exchange(self, scope)
    cdef _call(self, app, scope, receive, send)
    cdef tuple _signed(self, Exchange exchange, scope, send)
    cdef _record(self, Exchange exchange, Response response)
    cdef _record_findings(self, Exchange exchange, rewriter)
    cdef _record_goals(self, Exchange exchange)
