from cookieguard.html.functions cimport function_before, functions
from cookieguard.html.names cimport Names
from cookieguard.html.reading cimport Reading


cdef class Walk:
    cdef Py_ssize_t place
    cdef Py_ssize_t here
    cdef bint assigns
    cdef bytes key


cdef class Flow:
    cdef bytes _code
    cdef bytes _back
    cdef Py_ssize_t _size
    cdef bint _has_arrows
    cdef Reading _reading
    cdef Names _names
    cdef set _asked
    cdef set _left
    cdef dict _declared
    cdef frozenset _made

    cpdef bint reaches_a_sink(self, list suspects) except -1
    cdef bint _follow(self, Py_ssize_t place) except -1
    cpdef _goes_out(self, Walk walk)
    cpdef _steps_over(self, Walk walk)
    cpdef _comes_after(self, Walk walk)
    cpdef _is_assigned(self, Walk walk)
    cpdef _ends_line(self, Walk walk)
    cpdef _ends(self, Walk walk)
    cdef bint _is_head(self, Py_ssize_t at) except -1
    cdef bint _loads(self, bytes name, object match) except -1
    cdef bint _is_link(self, Py_ssize_t here) except -1
    cdef frozenset _links(self)
    cdef bint _loads_by_markup(self, Py_ssize_t start, Py_ssize_t end) except -1
    cdef _calls(self, Py_ssize_t at, Py_ssize_t number, bytes key)
    cdef bint _is_sink(self, bytes name, bytes receiver, Py_ssize_t at, Py_ssize_t number) except -1
    cdef _calls_at_once(self, Py_ssize_t at, Py_ssize_t number)
    cdef _suspect_function(self, Py_ssize_t at, Py_ssize_t place)
    cdef _suspect_parameters_of(self, bytes name, Py_ssize_t number)
    cdef _suspect_parameter(self, bytes header, Py_ssize_t number, Py_ssize_t start, Py_ssize_t end)
    cdef _suspect_items(self, Py_ssize_t place)
