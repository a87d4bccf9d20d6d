from cookieguard.web.exchange cimport Exchange


cpdef line_of(Exchange exchange)
