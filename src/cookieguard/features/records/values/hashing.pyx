# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""SHA-256 over many rows of the log in one call, as `hashing.py` does it, without a Python object for each hash.

It calls three functions of the OpenSSL library that Python's `hashlib` is linked with. If they cannot be found, as in a
Python built with another library, it calls hashlib itself.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.string cimport memcmp

from hashlib import sha256

IS_COMPILED = True

ctypedef int (*init_t)(void*) noexcept nogil
ctypedef int (*update_t)(void*, const void*, size_t) noexcept nogil
ctypedef int (*final_t)(unsigned char*, void*) noexcept nogil

cdef init_t c_init = NULL
cdef update_t c_update = NULL
cdef final_t c_final = NULL
cdef bint is_lent = False
cdef bint has_asked = False


cdef void _borrow():
    """Find OpenSSL's functions, at the first verification. Their first argument is a SHA256_CTX of 112 bytes."""
    global c_init, c_update, c_final, is_lent, has_asked
    cdef size_t address
    has_asked = True
    try:
        import _hashlib
        import ctypes

        library = ctypes.CDLL(_hashlib.__file__)
        names = ("SHA256_Init", "SHA256_Update", "SHA256_Final")
        found = [ctypes.cast(getattr(library, name), ctypes.c_void_p).value for name in names]
    except (ImportError, AttributeError, OSError):
        return
    address = found[0]
    c_init = <init_t>address
    address = found[1]
    c_update = <update_t>address
    address = found[2]
    c_final = <final_t>address
    is_lent = _hash(b"\x00", b"abc") == sha256(b"\x00abc").digest()


cdef inline void _sha256(const char* tag, Py_ssize_t tagged, const char* text, Py_ssize_t size,
                         unsigned char* into) noexcept nogil:
    cdef unsigned long long context[64]
    c_init(context)
    if tagged:
        c_update(context, tag, tagged)
    c_update(context, text, size)
    c_final(into, context)


cdef bytes _hash(bytes tag, bytes text):
    cdef bytes found = PyBytes_FromStringAndSize(NULL, 32)
    _sha256(PyBytes_AS_STRING(tag), 1, PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text),
            <unsigned char*>PyBytes_AS_STRING(found))
    return found


def hash_rows(rows):
    """Return the joined leaf hashes of rows, and the positions of rows that differ from their entry's commitment."""
    cdef Py_ssize_t at, size, count = len(rows)
    cdef unsigned char stored[32]
    cdef char* text
    cdef bytes row, leaves
    if not has_asked:
        _borrow()
    if not is_lent:
        leaves = b"".join([sha256(b"\x00" + fields[:64]).digest() for fields in rows])
        return leaves, [place for place, fields in enumerate(rows) if sha256(fields[64:]).digest() != fields[32:64]]
    leaves = PyBytes_FromStringAndSize(NULL, count * 32)
    into = <unsigned char*>PyBytes_AS_STRING(leaves)
    changed = []
    for at in range(count):
        row = rows[at]
        if row is None:  # Cython accepts None for a variable of type bytes
            raise TypeError("a row is bytes, not None")
        text, size = PyBytes_AS_STRING(row), PyBytes_GET_SIZE(row)
        if size < 64:
            changed.append(at)
            _sha256(b"\x00", 1, text, size, into + at * 32)
            continue
        _sha256(b"\x00", 1, text, 64, into + at * 32)
        _sha256(NULL, 0, text + 64, size - 64, stored)
        if memcmp(stored, text + 32, 32) != 0:
            changed.append(at)
    return leaves, changed


def hash_pairs(bytes hashes):
    """Return the joined parents of pairs of hashes; an odd hash at the end has no parent."""
    cdef Py_ssize_t at, count = PyBytes_GET_SIZE(hashes) // 64
    cdef bytes parents
    if not has_asked:
        _borrow()
    if not is_lent:
        return b"".join([sha256(b"\x01" + hashes[at * 64 : at * 64 + 64]).digest() for at in range(count)])
    parents = PyBytes_FromStringAndSize(NULL, count * 32)
    cdef char* text = PyBytes_AS_STRING(hashes)
    into = <unsigned char*>PyBytes_AS_STRING(parents)
    for at in range(count):
        _sha256(b"\x01", 1, text + at * 64, 64, into + at * 32)
    return parents

