cpdef tuple function_before(bytes code, bytes back, Py_ssize_t body)
cpdef dict functions(bytes code, bytes back)
