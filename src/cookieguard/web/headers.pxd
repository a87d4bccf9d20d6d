cpdef tuple read(headers)
cpdef dict by_name(list headers)
cpdef list without(list headers, names)
cpdef list every(headers, bytes name)
