cpdef bytes written(dict payload)
cpdef dict read(bytes encoded)
