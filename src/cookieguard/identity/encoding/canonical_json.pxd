from cookieguard.identity.encoding.fast_json cimport read, written


cpdef bytes encode(dict payload)
cpdef dict decode(bytes encoded)
cdef bytes _encode_any(dict payload)
cdef dict _decode_any(bytes encoded)
cpdef bytes image(dict payload)
cpdef bytes image_of(dict payload, bytes text)
cdef bint _may_be_deep(bytes encoded)
