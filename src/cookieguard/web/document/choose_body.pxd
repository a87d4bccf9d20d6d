from cookieguard.web.exchange cimport Exchange
from cookieguard.web.http.headers cimport every


cpdef choose_body(Exchange exchange, kind, list headers, bytes coding, bytes start)
cpdef give_up(Exchange exchange, str reason)
cpdef bint is_service_worker(Exchange exchange, kind)
cpdef tuple key_of(Exchange exchange, kind, names, list headers)
cpdef bint becomes_context(Exchange exchange, kind)
