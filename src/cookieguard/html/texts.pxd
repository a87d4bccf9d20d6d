cdef class Verdict:
    cdef readonly tuple held
    cdef readonly bint hold
    cdef readonly tuple edits


cpdef object judge_text(object kind, bytes text, object base, object judge)
cpdef object judge_markup_text(object kind, bytes source, object base, object judge)
