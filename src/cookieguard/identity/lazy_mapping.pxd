from cookieguard.identity.plainjson cimport entries_of

cdef class JsonMapping(dict):
    cpdef mark_accessed(self)
    cpdef mark_changed(self)
    cpdef dict _held(self)
    cpdef _fill(self, entries)
