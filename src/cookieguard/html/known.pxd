from cpython.object cimport PyObject

ctypedef const unsigned char* text_t

cdef struct Slot:
    unsigned long long mark  # of the key; 0: the slot is empty
    PyObject* key
    PyObject* answer


cdef class Known:
    cdef Slot* _slots
    cdef size_t _size
    cdef size_t _count

    cdef PyObject* look_up(self, text_t s, Py_ssize_t size) noexcept
    cpdef find(self, bytes data, Py_ssize_t start, Py_ssize_t end)
    cpdef clear(self)
    cdef keep(self, bytes key, object answer)
    cdef bint _put(self, Slot one) noexcept
    cdef _grow(self)


cdef unsigned long long mark_of(text_t s, Py_ssize_t size) noexcept nogil
cpdef bytes piece(bytes data, Py_ssize_t start, Py_ssize_t end)
