cpdef bytes written(dict payload)
cpdef dict read(bytes encoded)
cpdef dict entries_of(mapping)
