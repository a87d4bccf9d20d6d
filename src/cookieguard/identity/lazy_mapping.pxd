from cookieguard.identity.encoding.fast_json cimport entries_of

cdef class JsonMapping(dict):
    cpdef mark_accessed(self)
    cpdef mark_changed(self)
    cpdef dict _opened(self)
    cpdef _fill(self, entries)
