cdef class Tag:
    cdef readonly bytes name
    cdef readonly bytes inert
    cdef readonly bint closing
    cdef readonly bint empty
    cdef readonly bint near
    cdef readonly bint plain
    cdef readonly bint has_text
    cdef readonly bint is_judged
    cdef readonly object live
    cdef readonly object text
    cdef readonly object drawn
    cdef readonly object base
    cdef readonly str lost
    cdef readonly object room
    cdef readonly tuple held
    cdef readonly tuple attributes


cdef class Attribute:
    cdef readonly bytes name
    cdef readonly bytes raw
    cdef readonly bytes quote
    cdef readonly Py_ssize_t start
    cdef readonly Py_ssize_t value_start
    cdef readonly Py_ssize_t end


cdef class Decision:
    cdef readonly tuple held
    cdef readonly bint hold
    cdef readonly tuple edits
