from cpython.object cimport PyObject

ctypedef const unsigned char* text_t

cdef inline unsigned char lower(unsigned char byte) noexcept nogil:
    return byte + 32 if 65 <= byte <= 90 else byte


cdef inline bint stands(text_t s, Py_ssize_t p, const char* word, Py_ssize_t length) noexcept nogil:
    """Return whether the text at `p` is a word, in any case. `word` is in lower case; the caller checks the length."""
    cdef Py_ssize_t index
    for index in range(length):
        if lower(s[p + index]) != <unsigned char>word[index]:
            return False
    return True


cdef struct Slot:
    unsigned long long mark  # of the key; 0: the slot is empty
    PyObject* key
    PyObject* answer
    unsigned int weight
    unsigned int is_used  # whether it was looked up since the last thinning


cdef class Known:
    cdef Slot* _slots
    cdef size_t _size
    cdef size_t _count

    cdef PyObject* look_up(self, text_t s, Py_ssize_t size) noexcept
    cpdef get(self, bytes key)
    cpdef find(self, bytes data, Py_ssize_t start, Py_ssize_t end)
    cpdef clear(self)
    cpdef Py_ssize_t thin(self) except -1
    cpdef put(self, bytes key, object answer, Py_ssize_t weight)
    cdef bint _put(self, Slot one) noexcept
    cdef _grow(self)


cdef class Names(Known):
    cdef unsigned int _sizes[256]


cdef extern from *:
    """
    /* From Python 3.14 on, a tuple stores its hash. It must be -1 until it is computed, but new memory has 0 there. */
    #if PY_VERSION_HEX >= 0x030E0000
    #define CG_HAS_NO_HASH(one) (((PyTupleObject *)(one))->ob_hash = -1)
    #else
    #define CG_HAS_NO_HASH(one) ((void)(one))
    #endif
    """
    void CG_HAS_NO_HASH(object one)


cdef extern from "Python.h":
    object PyType_GenericAlloc(type kind, Py_ssize_t size)
    void PyObject_GC_UnTrack(void* one)
    bint PyObject_IS_GC(object one)


cdef unsigned long long mark_of(text_t s, Py_ssize_t size) noexcept nogil
cdef int number_of(Names table, text_t name, Py_ssize_t size) noexcept
cpdef bytes piece(bytes data, Py_ssize_t start, Py_ssize_t end)
cpdef Py_ssize_t alike(bytes one, Py_ssize_t start, bytes other, Py_ssize_t place)
cpdef record(type kind, tuple fields)
cpdef untracked(object one)
