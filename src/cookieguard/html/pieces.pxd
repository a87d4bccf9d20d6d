cpdef tuple cut(bytes text)
