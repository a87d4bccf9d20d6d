cimport cython

from cookieguard.html.fast.answers cimport Known, piece, record, untracked
from cookieguard.html.types cimport Tag, Decision
from cookieguard.html.fast.fragments cimport Stretches
from cookieguard.html.fast.tag_summary cimport Summary


cdef class Rules:
    cdef readonly object url
    cdef readonly bint own_is_free
    cdef readonly object is_foreign
    cdef readonly object is_lifted
    cdef readonly bint marks_links
    cdef readonly bint holds_marked
    cdef readonly object acts
    cdef tuple _inline
    cdef object _judge
    cdef dict _urls
    cdef dict _pages
    cdef readonly Known tags
    cdef readonly Known xml_tags
    cdef readonly Stretches stretches
    cdef dict _near
    cdef dict _texts
    cdef Py_ssize_t _texts_size
    cdef set _seen
    cdef Py_ssize_t _tags_size
    cdef object __weakref__

    cpdef bint is_own(self, object base)
    cpdef judge(self, object url)
    @cython.locals(size=Py_ssize_t, overhead=Py_ssize_t)
    cpdef keep(self, Known known, bytes raw, Tag tag)
    cpdef Decision judge_text(self, object kind, bytes data, Py_ssize_t start, Py_ssize_t stop, object base, bint is_markup, Summary summary=*)
    cdef Decision _judge_script(self, bytes text, bint is_markup)
    cdef Decision _judge_and_keep(self, Known known, object kind, bytes text, object base, bint is_markup, Summary summary)
    cdef bint _is_seen_again(self, bytes text)
    cdef Known _known_texts(self, tuple key)
