cimport cython

from cookieguard.html.tokenizer.tree_state cimport Context
from cookieguard.html.page cimport TagJudge
from cookieguard.html.types cimport Tag, Decision
from cookieguard.html.tokenizer.markup_declarations cimport opening
from cookieguard.html.tokenizer.output cimport Output
from cookieguard.html.tokenizer.raw_text cimport pattern_of
from cookieguard.html.insertion_point cimport Placement, blank_end
from cookieguard.html.rules cimport Rules
from cookieguard.html.tokenizer.scanner cimport Scanner, comment_end, end_of_text, has_sign


cdef int MARKUP, IN_CONSTRUCT, IN_SCRIPT


cdef class Rewriter:
    cdef Rules _rules
    cdef bint _xml
    cdef Context _context
    cdef Placement _placement
    cdef Scanner _scanner
    cdef readonly list held
    cdef readonly set lost
    cdef int _state
    cdef object _construct
    cdef object _script
    cdef bytes _tail
    cdef object _gather
    cdef object _long
    cdef bint _is_last
    cdef Py_ssize_t _stop
    cdef Py_ssize_t _text_end
    cdef dict _peeked
    cdef Output _output
    cdef bint _is_careful
    cdef TagJudge _judge

    cpdef bytes feed(self, bytes chunk)
    cpdef int rest(self)
    cdef bytes _run(self, bytes data)
    cdef Py_ssize_t _read_markup(self, bytes data, Py_ssize_t position)
    cdef bint _may_pass(self, Tag tag, bytes data, Py_ssize_t start, Py_ssize_t end)
    @cython.locals(scanner=Scanner)
    cdef Py_ssize_t _match_tag(self, bytes data, Py_ssize_t position)
    cdef Py_ssize_t _text(self, bytes data, Py_ssize_t position)
    cdef Py_ssize_t _tag(self, Tag tag, bytes data, Py_ssize_t start, Py_ssize_t end)
    cdef Py_ssize_t _tag_with_text(self, Tag tag, bytes data, Py_ssize_t start, Py_ssize_t end)
    cdef _place_tag(self, Tag tag, bytes data, Py_ssize_t start, Py_ssize_t end, Decision decision)
    cdef _write_plainly(self, Tag tag, Py_ssize_t start, Py_ssize_t end)
    cdef _update_context(self, Tag tag, bint is_aside)
    cdef _write_tag(self, Tag tag, bytes data, Py_ssize_t start, Py_ssize_t end, Decision decision)
    @cython.locals(stop=Py_ssize_t, text_end=Py_ssize_t)
    cdef Decision _judge_text(self, Tag tag, bytes data, Py_ssize_t start, Py_ssize_t end, object reading)
    @cython.locals(start=Py_ssize_t, stop=Py_ssize_t)
    cdef Py_ssize_t _enter(self, Tag tag, bytes data, Py_ssize_t end, object reading, Decision decision)
    cdef _close_text(self, bytes name, bytes data)
    cdef Py_ssize_t _read_other_markup(self, bytes data, Py_ssize_t start)
    cdef Py_ssize_t _open(self, object kind, bytes data, Py_ssize_t start, Py_ssize_t position)
    @cython.locals(stop=Py_ssize_t)
    cdef Py_ssize_t _read_construct(self, bytes data, Py_ssize_t position)
    @cython.locals(stop=Py_ssize_t)
    cdef Py_ssize_t _read_script(self, bytes data, Py_ssize_t position)
    cdef Py_ssize_t _carry(self, bytes data, Py_ssize_t start)
