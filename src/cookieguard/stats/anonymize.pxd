cpdef packed_address(address)
