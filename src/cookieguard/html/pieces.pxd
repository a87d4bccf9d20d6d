cpdef tuple cut(bytes text)
cpdef list literals_of(bytes joined, list numbers)
