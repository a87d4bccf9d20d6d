cimport cython

from cookieguard.identity.token_cookie cimport Presented
from cookieguard.identity.cookies cimport CookieJar
from cookieguard.identity.session cimport Session
from cookieguard.identity.visit cimport Identity, Visit
from cookieguard.web.app_scope cimport ask_for_document
from cookieguard.web.cookies.consent_cookie cimport Consents
from cookieguard.web.http.dotted_quad cimport network_24
from cookieguard.web.http.headers cimport by_name
from cookieguard.web.request cimport Request, is_ours, marks_of
from cookieguard.web.services cimport Services


cdef class Exchange:
    cdef object __weakref__
    cdef readonly str full_address
    cdef readonly object given_scope
    cdef object _consent
    cdef object _decided
    cdef object _granted
    cdef bint _has_written_cookies
    cdef object _is_own
    cdef CookieJar _jar
    cdef Presented _presented
    cdef Request _request
    cdef Session _session
    cdef readonly object forwarded
    cdef Visit _visit
    cdef object _wall
    cdef public object bytes_sent
    cdef public str client
    cdef public object destination
    cdef public object followed
    cdef public tuple goals
    cdef public bytes grant
    cdef public dict headers
    cdef readonly int marks
    cdef public object now
    cdef public Services parts
    cdef public str path
    cdef public tuple promised
    cdef public object rewriter
    cdef public int rounds
    cdef public object scope
    cdef public int shared_for
    cdef public object variant
    cdef public bint was_personal
    cdef public int status

    @cython.locals(given=dict, names=dict)
    cdef dict _anonymize(self, scope)
    cpdef dict app_scope(self, bint opens_session)
    cdef Session _made_session(self)
    cdef Identity _identity_here(self)
    cpdef bint is_untouched(self)
    cdef bint _is_session_idle(self)
    cpdef bint has_open_session(self)
    cpdef peek_consent(self)
    cpdef Presented present(self)
    @cython.locals(consents=Consents)
    cdef _decide(self)
    cpdef end(self)
