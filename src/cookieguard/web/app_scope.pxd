cimport cython

from cookieguard.web.http.headers cimport replaced
from cookieguard.web.request cimport asks_for_html


@cython.locals(names=dict)
cpdef ask_for_document(exchange, dict scope)
