from cookieguard.web.document.choose_body cimport becomes_context, choose_body, give_up, is_rewritten, key_of
from cookieguard.web.exchange cimport Exchange
from cookieguard.web.cookies.consent_filter cimport Gate
from cookieguard.web.http.headers cimport every, has_any, make_private, quiet_type, read, without
from cookieguard.web.cookies.own_cookies cimport own_lines


cdef class Response:
    cdef Exchange _exchange
    cdef object _send
    cdef Gate _gate
    cdef object _start
    cdef readonly bint waits
    cdef object _kind
    cdef dict _names
    cdef bytes _coding
    cdef bytes _waiting
    cdef object _body

    cpdef dict shown(self, dict app_scope)
    cpdef _on_start(self, message)
    cdef _on_read_start(self, message)
    cdef _hold_or_pass(self, message, kind, list headers, dict names)
    cdef _on_document(self, message)
    cdef _with_ours(self, message)
    cdef tuple _passed(self, list headers, dict names)
    cdef _choose_body(self, bytes start)
    cpdef list _document_headers(self, list headers)
    cdef list _passing_headers(self, list headers)
    cdef list _with_cookies(self, list headers, tuple varying, bint has_read)
