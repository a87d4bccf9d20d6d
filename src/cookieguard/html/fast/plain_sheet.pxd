from cookieguard.html.fast.answers cimport text_t


cdef struct Walk:
    # The state of a search through a plain style sheet: the last URL found, and the last comment before it.
    text_t s
    Py_ssize_t size
    Py_ssize_t p
    Py_ssize_t read
    Py_ssize_t opened
    Py_ssize_t closed  # the start of a comment that is known to end before the next URL
    Py_ssize_t start
    Py_ssize_t end
    bint is_string


cdef bint begin(Walk* walk, bytes sheet)
cdef int step(Walk* walk) noexcept nogil
