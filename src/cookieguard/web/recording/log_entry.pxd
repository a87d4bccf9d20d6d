cimport cython

from cookieguard.web.exchange cimport Exchange
from cookieguard.web.request cimport Request


@cython.locals(request=Request, scope=dict)
cpdef line_of(Exchange exchange)
