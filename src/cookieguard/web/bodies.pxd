from cookieguard.web.exchange cimport Exchange


cpdef choose_body(Exchange exchange, kind, list headers, bytes coding, bytes start)
cpdef give_up(Exchange exchange, str reason)
cpdef bint is_service_worker(Exchange exchange, kind)
