cdef bytes _word(bytes value, int longest=*)
cdef bytes _path(bytes value, reach, bytes near)
cdef bytes _field(bytes value, int longest, reach, bytes near)
cdef bint _is_known(bytes value, bytes near) except -1
