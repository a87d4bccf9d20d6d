cpdef bytes encode(dict payload)
cpdef dict decode(bytes encoded)
cpdef bytes image(dict payload)
cdef bint _may_be_deep(bytes encoded)
