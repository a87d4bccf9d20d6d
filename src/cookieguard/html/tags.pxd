from cookieguard.html.types cimport Attribute
from cookieguard.html.tokenizer.scanner cimport all_attributes, named_attributes, names_anywhere


cdef class _Judged:
    cdef readonly bytes raw
    cdef readonly bytes name
    cdef readonly Py_ssize_t name_end
    cdef public object context
    cdef readonly list attributes
    cdef readonly dict first
    cdef public list held
    cdef readonly list edits
    cdef public bint near
    cdef public bint hold_type
    cdef public bint fails
    cdef public str lost

    cpdef bint reaches(self, str reference, bytes attribute)
    cpdef bint judge(self, object url, bytes attribute)
    cpdef rename(self, bytes name)
    cdef Py_ssize_t _name_end(self, Attribute attribute) except -1
    cpdef says(self, bytes name)
    cdef _judge_attributes(self)
    cdef _mark_link(self)
    cdef _text(self)
    cdef _script_text(self)
    cdef _kept(self)
    cdef _base(self)
    cdef _room(self)


cpdef object judge_tag(bytes raw, object context)
cdef bint _has_nothing_to_judge(bytes raw, bytes name, Py_ssize_t end, object context)
