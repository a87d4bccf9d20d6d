from cookieguard.html.fast.answers cimport text_t


cdef struct Walk:
    # From URL to URL of a plain sheet: where the last one is.
    text_t s
    Py_ssize_t size
    Py_ssize_t p
    Py_ssize_t read
    Py_ssize_t opened
    Py_ssize_t closed  # one that was opened, and ends before the URLs behind it
    Py_ssize_t start
    Py_ssize_t end
    bint is_string


cdef bint begin(Walk* walk, bytes sheet)
cdef int step(Walk* walk) noexcept nogil
