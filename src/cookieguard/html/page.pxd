cimport cython

from cookieguard.html.fast.answers cimport Known, piece, untracked
from cookieguard.html.types cimport Decision, Tag
from cookieguard.html.rules cimport Rules
from cookieguard.html.tokenizer.scanner cimport Scanner, comment_end, end_of_text
from cookieguard.html.fast.tag_summary cimport Summary


cdef class TagJudge:
    cdef Rules _rules
    cdef Scanner _scanner
    cdef object _nest
    cdef bint _xml
    cdef readonly bint has_base
    cdef int _left
    cdef readonly object base
    cdef Known _near
    cdef tuple _summary_and_context

    cdef tuple _make_context(self)
    @cython.locals(summary=Summary)
    cpdef Tag learn(self, bytes data, Py_ssize_t start, Py_ssize_t end)
    cpdef Decision judge_text(self, object kind, bytes data, Py_ssize_t start, Py_ssize_t stop, bint is_markup)


cdef bint _does_more(Tag tag) except -1


cdef class Glance:
    cdef Rules _rules
    cdef object _base
    cdef object _nest
    cdef tuple _ready

    cpdef tuple rewrite(self, bytes document, bint is_xml)
    cpdef bint passes(self, bytes markup, bint in_head=*) except -1
    cpdef tuple glance(self, bytes document)
    @cython.locals(scanner=Scanner, position=Py_ssize_t, done=Py_ssize_t, size=Py_ssize_t, start=Py_ssize_t, end=Py_ssize_t, tag=Tag, pieces=list, held=list)
    cdef tuple _rewrite_quickly(self, bytes document, bint is_full)
    @cython.locals(summary=Summary)
    cdef Tag _judged(self, bytes raw, bint is_full)
    @cython.locals(stop=Py_ssize_t, text=Decision)
    cdef bint _text_passes(self, Tag tag, bytes document, Py_ssize_t end) except -1
    @cython.locals(scanner=Scanner)
    cdef tuple _prepare(self)
