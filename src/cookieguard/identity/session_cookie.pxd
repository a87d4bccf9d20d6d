from cookieguard.identity.token_cookie cimport Channel, Presented
from cookieguard.identity.encoding.canonical_json cimport encode, image, image_of
from cookieguard.identity.session_state cimport State
from cookieguard.identity.tokens cimport Token, checked_time, milliseconds_until
from cookieguard.identity.lazy_mapping cimport JsonMapping


cdef class SessionCookie(JsonMapping):
    cdef bytes _before
    cdef bytes _came
    cdef object _came_customer
    cdef object _came_id
    cdef object _came_since
    cdef Channel _channel
    cdef object _claim
    cdef readonly object _revocations
    cdef bint _has_ended
    cdef bint _has_logged_in
    cdef dict _hidden
    cdef bint _is_id_asked
    cdef bint _is_peeked
    cdef object _life
    cdef object _oversized
    cdef object _present
    cdef Presented _presented
    cdef State _state
    cdef Token _token
    cdef public list ended
    cdef public object ended_at
    cdef public int revocations
    cdef public object remember_state

    cpdef heed(self)
    cpdef mark_accessed(self)
    cpdef mark_changed(self)
    cpdef bint is_stale(self, now)
    cpdef bint is_at_rest(self, now)
    cdef long long _moment(self, now) except? -1
    cpdef State _open(self)
    cdef State _read(self)
    cdef State _begin(self)
    cdef State _identified(self)
    cdef bytes _text(self, State state)
    cdef bint _is_unchanged(self, bytes text, now)
    cdef bint _is_as_presented(self)
    cdef dict _entries(self)
