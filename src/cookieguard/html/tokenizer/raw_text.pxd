cdef dict PATTERNS

cpdef pattern_of(bytes end, tuple ends)


cdef class ScriptEnd:
    cdef int _level

    cpdef tuple find(self, bytes data, Py_ssize_t position, tuple ends=*)
    cpdef Py_ssize_t carried(self, bytes data, Py_ssize_t position)
