from cookieguard.html.fast.answers cimport Known, text_t
from cookieguard.html.types cimport Tag

cdef enum:
    MOST_ATTRIBUTES = 32  # of a tag that are read here


cdef struct Value:
    unsigned char name  # a number of NAMES
    unsigned char load  # what the value means
    bint is_held
    bint is_anew  # the value is written anew: something in it is held
    Py_ssize_t start
    Py_ssize_t name_end
    Py_ssize_t value
    Py_ssize_t end


cdef class Summary:
    cdef bint _applies
    cdef bint _marks_links
    cdef bint _reads_scripts
    cdef bint _lifts
    cdef object _ask
    cdef object _glance
    cdef object _page
    cdef object _acts
    cdef str _scheme
    cdef Value _values[MOST_ATTRIBUTES]
    cdef int _count
    cdef object _doubles  # attributes of a name that came before: MOST_NAMES times where they begin, and its number
    cdef bint _is_empty
    cdef list _held
    cdef dict _written_anew  # values by their attribute's number

    cdef bint _is_near  # what is held hangs on where the page is

    cpdef Tag judge(self, bytes raw)
    cpdef object sheet(self, bytes text)
    cdef Tag _whole(self, bytes raw, Py_ssize_t name_end, bytes element, unsigned char kind, bint is_held)
    cdef bint _read(self, text_t s, Py_ssize_t p, Py_ssize_t size, unsigned char element) except -1
    cdef bint _holds_source(self) noexcept
    cdef Value* _first(self, unsigned char name) noexcept
    cdef int _judged(self, text_t s, Value* one, object element) except -1
    cdef int _document(self, text_t s, Value* one) except -1
    cdef object _write_anew(self, Value* one, bytes value)
    cdef int _reference(self, text_t s, Py_ssize_t p, Py_ssize_t end, str said, object element) except -1
    cdef int _asked(self, object url, str said, object element) except -1
    cdef int _candidates(self, text_t s, Value* one, object element) except -1
    cdef int _link(self, text_t s, Value* one, object element) except -1
    cdef int _style(self, text_t s, Value* one, object element) except -1
    cdef list _cuts(self, bytes text, str said, object element, bint is_sheet)
    cdef int _told(
        self, text_t s, Py_ssize_t start, Py_ssize_t end, str said, object element, bint is_sheet
    ) except -1
    cdef object _text(self, text_t s)
    cdef object _room(self, bytes raw, Py_ssize_t name_end, bytes element, tuple held)
    cdef list _edits(self, Py_ssize_t name_end, bint is_neutral)
