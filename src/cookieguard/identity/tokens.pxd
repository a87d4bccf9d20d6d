cimport cython

from cookieguard.identity.cookies cimport check_size
from cookieguard.identity.encoding.base64url cimport from_base64url, to_base64url
from cookieguard.identity.encoding.canonical_json cimport decode, encode


cdef class Token:
    cdef readonly dict payload
    cdef readonly cython.longlong issued_at
    cdef readonly cython.longlong expires_at
    cdef readonly str key_id
    cdef readonly int format
    cdef readonly bytes text
    cdef public bint was_current


cdef class TokenCodec:
    cdef readonly object _keyring
    cdef object _kind
    cdef readonly str name
    cdef bint _sealed
    cdef object _steps
    cdef readonly object _use

    cpdef str write(self, bytes text, str host, long long issued, long long expires)
    cpdef Token read(self, str token, str host, long long moment)
    @cython.locals(parts=list, version=str, key_id=str, body=str, signature=str, use=_Use)
    cdef Token _opened(self, str token, str host)
    cpdef bint is_current(self, Token token)
    cpdef bint is_in_force(self, Token token)
    cdef _check(self, Token token, long long moment)
    cdef _Use _keys_for(self, str version, str key_id, str host)


cdef class _Use:
    cdef object _context
    cdef object _inner
    cdef object _outer
    cdef object _aead

    cpdef str sign(self, str head)
    cdef bytes seal(self, bytes body)
    cdef bytes open(self, bytes body)


cdef Token _read(_Use use, str version, str key_id, str body)
cdef Token _read_format_2(bytes body, str key_id)
@cython.locals(time=cython.longlong, at=cython.Py_ssize_t)
cdef long long _time_at(bytes body, Py_ssize_t place) except -1
cpdef tuple _read_format_1(bytes body)
cpdef checked_time(count)
cpdef to_milliseconds(moment)
@cython.locals(days=cython.longlong, seconds=cython.longlong, microseconds=cython.longlong)
cpdef long long milliseconds_until(now) except? -1
cpdef from_milliseconds(count)
