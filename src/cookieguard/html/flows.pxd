from cookieguard.html.known cimport text_t
from cookieguard.html.names cimport Names
from cookieguard.html.reading cimport Reading


cdef struct Walk:
    Py_ssize_t place
    Py_ssize_t here  # where the walk is: behind the sign it looks at
    bint assigns


cdef class Flow:
    cdef bytes _code
    cdef text_t _s
    cdef Py_ssize_t _size
    cdef bint _has_arrows
    cdef bint _has_markup
    cdef readonly Reading reading
    cdef Names _names
    cdef set _asked
    cdef set _left
    cdef dict _declared
    cdef object _elements
    cdef dict _is_free
    cdef bytes _key
    cdef bytes _name  # of what is called, and what it is of
    cdef bytes _receiver

    cpdef bint reaches_a_sink(self, list suspects) except -1
    cdef bint _follow(self, Py_ssize_t place) except -1
    cdef int _step(self, Walk* walk) except -1
    cdef int _goes_out(self, Walk* walk) except -1
    cdef int _is_assigned(self, Walk* walk) except -1
    cdef bint _goes_on(self, Py_ssize_t at, Py_ssize_t place) noexcept
    cdef _note_markup(self, Py_ssize_t start, Py_ssize_t end)
    cdef _join_markup(self, Py_ssize_t start, Py_ssize_t end, bytes name, bint fills)
    cdef bint _is_head(self, Py_ssize_t at) except -1
    cdef bint _loads(self, bytes name, Py_ssize_t sign, Py_ssize_t receiver) except -1
    cdef bint _is_meant(self, bytes name) except -1
    cdef bint _is_link(self, Py_ssize_t end) except -1
    cdef bint _is_of_frame(self, Py_ssize_t end) except -1
    cdef object _made(self)
    cdef bint _loads_by_markup(self, Py_ssize_t start, Py_ssize_t end) except -1
    cdef bint _makes_elements(self, Py_ssize_t start, Py_ssize_t end) except -1
    cdef int _calls_with(self, Py_ssize_t at, Py_ssize_t number, bytes key) except -1
    cdef _hands(self, Py_ssize_t at, Py_ssize_t number, bytes name, bytes receiver, Py_ssize_t before)
    cdef Py_ssize_t _callee(self, Py_ssize_t at)
    cdef bint _is_hint(self, Py_ssize_t at) except -1
    cdef bint _is_sink(self, bytes name, bytes receiver, Py_ssize_t at, Py_ssize_t number) except -1
    cdef bint _is_of_rules(self, Py_ssize_t start, Py_ssize_t end) except -1
    cdef bint _sets_attribute(self, Py_ssize_t at, bytes receiver) except -1
    cdef _calls_at_once(self, Py_ssize_t at, Py_ssize_t number)
    cdef _suspect_function(self, Py_ssize_t at, Py_ssize_t place)
    cdef bint _is_block(self, Py_ssize_t at) except -1
    cdef _hand_on(self, Py_ssize_t at, Py_ssize_t argument, Py_ssize_t number)
    cdef _suspect_parameters_of(self, bytes name, Py_ssize_t number)
    cdef _suspect_parameter(self, bytes header, Py_ssize_t number, Py_ssize_t start, Py_ssize_t end)
    cdef _suspect_each(self, Py_ssize_t place)
    cdef _suspect_items(self, Py_ssize_t place)
