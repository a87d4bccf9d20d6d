cpdef list bare_hosts(bytes text)
cpdef list suspects(bytes joined, object is_held, bint glues)
