from cookieguard.web.http.headers cimport replaced
from cookieguard.web.request cimport asks_for_html


cpdef ask_for_document(exchange, dict scope)
