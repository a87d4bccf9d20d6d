cimport cython

from cookieguard.web.exchange cimport Exchange
from cookieguard.web.http.headers cimport every
from cookieguard.web.request cimport Request


cpdef bint is_rewritten(Exchange exchange, kind, dict names)
cpdef choose_body(Exchange exchange, kind, list headers, bytes coding, bytes start)
cpdef give_up(Exchange exchange, str reason)
cpdef bint is_service_worker(Exchange exchange, kind)
@cython.locals(asked=dict, request=Request, scope=dict)
cpdef tuple key_of(Exchange exchange, kind, dict names, list headers)
cpdef bint becomes_context(Exchange exchange, kind)
