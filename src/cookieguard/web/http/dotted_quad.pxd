cpdef str network_24(str address)
