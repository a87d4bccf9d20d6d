cpdef tuple opening(bytes data, Py_ssize_t start, bint xml)
cdef tuple _declaration(bytes data, Py_ssize_t start, bint xml)
cdef tuple _comment(bytes data, Py_ssize_t start)
