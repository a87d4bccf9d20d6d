from cookieguard.html.fast.answers cimport Known, text_t
from cookieguard.html.types cimport Tag

cdef enum:
    MOST_ATTRIBUTES = 32  # a tag with more attributes is judged in full


cdef struct ReadAttribute:
    unsigned char name  # its number in ATTRIBUTES
    unsigned char load  # the kind of URL in its value (Load in contact_points.py)
    bint is_held
    bint is_replaced  # whether it gets a new value, because a part of its value is held
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
    cdef ReadAttribute _values[MOST_ATTRIBUTES]
    cdef int _count
    cdef object _doubles  # for each duplicate of an attribute: MOST_NAMES * its position + the number of its name
    cdef bint _is_empty
    cdef list _held
    cdef dict _new_values  # the new values, by the number of the attribute's name

    cdef bint _is_near  # whether the decision depends on the page's own path

    cpdef Tag judge(self, bytes raw)
    cpdef object sheet(self, bytes text)
    cdef Tag _whole(self, bytes raw, Py_ssize_t name_end, bytes element, unsigned char kind, bint is_held)
    cdef bint _read(self, text_t s, Py_ssize_t p, Py_ssize_t size, unsigned char element) except -1
    cdef bint _holds_source(self) noexcept
    cdef ReadAttribute* _first(self, unsigned char name) noexcept
    cdef int _judge_value(self, text_t s, ReadAttribute* attribute, object element) except -1
    cdef int _document(self, text_t s, ReadAttribute* attribute) except -1
    cdef object _replace_value(self, ReadAttribute* attribute, bytes value)
    cdef int _reference(self, text_t s, Py_ssize_t p, Py_ssize_t end, str attribute_name, object element) except -1
    cdef int _judge_url(self, object url, str attribute_name, object element) except -1
    cdef int _candidates(self, text_t s, ReadAttribute* attribute, object element) except -1
    cdef int _link(self, text_t s, ReadAttribute* attribute, object element) except -1
    cdef int _style(self, text_t s, ReadAttribute* attribute, object element) except -1
    cdef list _cuts(self, bytes text, str attribute_name, object element, bint is_sheet)
    cdef int _judge_style_url(
        self, text_t s, Py_ssize_t start, Py_ssize_t end, str attribute_name, object element, bint is_sheet
    ) except -1
    cdef object _text(self, text_t s)
    cdef object _room(self, bytes raw, Py_ssize_t name_end, bytes element, tuple held)
    cdef list _edits(self, Py_ssize_t name_end, bint is_neutral)
