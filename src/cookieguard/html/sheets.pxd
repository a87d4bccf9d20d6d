cpdef list imports(str text)
cpdef tuple urls_in(str text)
cpdef list comments(str text)
cpdef Py_ssize_t string_end(str text, Py_ssize_t place)
