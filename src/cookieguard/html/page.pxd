cimport cython

from cookieguard.html.fast.answers cimport Known, piece, untracked
from cookieguard.html.types cimport Decision, Tag
from cookieguard.html.rules cimport Rules
from cookieguard.html.tokenizer.scanner cimport Scanner, comment_end, end_of_text
from cookieguard.html.fast.tag_summary cimport Summary
from cookieguard.html.tags cimport judge_tag


cdef class TagJudge:
    cdef Rules _rules
    cdef Scanner _scanner
    cdef object _nest
    cdef bint _xml
    cdef readonly bint has_base
    cdef int _left
    cdef Known _rest
    cdef readonly object base
    cdef Known _near
    cdef tuple _summary_and_context

    cdef tuple _make_context(self)
    @cython.locals(summary=Summary)
    cpdef Tag learn(self, bytes data, Py_ssize_t start, Py_ssize_t end)
    cpdef Decision judge_text(self, object kind, bytes data, Py_ssize_t start, Py_ssize_t stop, bint is_markup)
    cdef _keep_here(self, bytes raw, Tag tag)


cdef class PlainBody:
    cdef Rules _rules
    cdef object _context
    cdef Scanner _scanner
    cdef Summary _summary

    @cython.locals(scanner=Scanner, position=Py_ssize_t, size=Py_ssize_t, end=Py_ssize_t, tag=Tag)
    cpdef bint passes(self, bytes markup, bint in_head=*) except -1
    @cython.locals(scanner=Scanner, position=Py_ssize_t, size=Py_ssize_t, end=Py_ssize_t, tag=Tag)
    cdef bint _has_metas_only(self, bytes markup) except -1
    cdef Tag _judged(self, bytes raw)


cdef bint _has_free_text(Tag tag) except -1
cdef bint _does_more(Tag tag) except -1


cdef class Nested:
    cdef Rules _rules
    cdef object _base
    cdef object _nest
    cdef Scanner _scanner
    cdef Summary _summary

    cpdef tuple rewrite(self, bytes document, bint is_xml)
    @cython.locals(scanner=Scanner, summary=Summary, position=Py_ssize_t, done=Py_ssize_t, size=Py_ssize_t, start=Py_ssize_t, end=Py_ssize_t, tag=Tag)
    cpdef tuple glance(self, bytes document)
    @cython.locals(scanner=Scanner, summary=Summary)
    cdef tuple _prepare(self)
