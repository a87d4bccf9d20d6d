from cookieguard.web.exchange cimport Exchange


cpdef list own_lines(Exchange exchange)
cdef set _written(Exchange exchange, list lines)
