# cython: language_level=3, wraparound=False, initializedcheck=False
"""The cache of decisions as a hash table in C. It does what answers.py does with a dict; the same tests run on both."""

import os

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.long cimport PyLong_AsLong
from cpython.mem cimport PyMem_Calloc, PyMem_Free
from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF, Py_INCREF
from cpython.tuple cimport PyTuple_SET_ITEM
from libc.string cimport memcmp, memcpy

cdef enum:
    FEWEST = 64  # slots of a table that is not empty
    # Slots that are tried for one key. If all of them are taken, a new entry replaces another one. So even an attacker
    # who found keys with colliding marks, in spite of the secret, would not make the look-up slow.
    REACH = 32
    LANE = 8  # bytes
    LONGEST_NAME = 24  # bytes of a name in a table of numbers

cdef unsigned long long SECRET = int.from_bytes(os.urandom(8), "little") | 1
cdef unsigned long long FACTOR = 0x9E3779B97F4A7C15u | 1


cdef inline unsigned long long _mixed(unsigned long long mark, unsigned long long word) noexcept nogil:
    mark = (mark ^ word) * FACTOR
    return (mark << 29) | (mark >> 35)


cdef inline unsigned long long _word(text_t s) noexcept nogil:
    cdef unsigned long long word
    memcpy(&word, s, LANE)
    return word


cdef unsigned long long mark_of(text_t s, Py_ssize_t size) noexcept nogil:
    """Return a number that differs for nearly all different texts, and is never 0.

    It mixes four lanes at once, because in a single lane each multiplication would wait for the one before."""
    cdef unsigned long long a = SECRET ^ <unsigned long long>size, b, c, d, rest = 0
    if size >= 4 * LANE:
        b, c, d = a + FACTOR, a ^ FACTOR, a - FACTOR
        while size >= 4 * LANE:
            a, b = _mixed(a, _word(s)), _mixed(b, _word(s + LANE))
            c, d = _mixed(c, _word(s + 2 * LANE)), _mixed(d, _word(s + 3 * LANE))
            s += 4 * LANE
            size -= 4 * LANE
        a = _mixed(_mixed(_mixed(a, b), c), d)
    while size >= LANE:
        a = _mixed(a, _word(s))
        s += LANE
        size -= LANE
    if size:
        memcpy(&rest, s, size)
        a = _mixed(a, rest)
    a ^= a >> 32
    a *= SECRET
    a ^= a >> 29
    return a if a else 1


def mark(bytes text):
    """Return a number that differs for nearly all different texts."""
    return mark_of(<text_t>PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text))


cpdef bytes piece(bytes data, Py_ssize_t start, Py_ssize_t end):
    """Return data[start:end]."""
    end = min(end, PyBytes_GET_SIZE(data))
    return PyBytes_FromStringAndSize(PyBytes_AS_STRING(data) + start, end - start) if start < end else b""


cpdef Py_ssize_t alike(bytes one, Py_ssize_t start, bytes other, Py_ssize_t place):
    """Return how many bytes of `one` from `start` on equal those of `other` from `place` on."""
    cdef text_t a = <text_t>PyBytes_AS_STRING(one) + start, b = <text_t>PyBytes_AS_STRING(other) + place
    cdef Py_ssize_t most = min(PyBytes_GET_SIZE(one) - start, PyBytes_GET_SIZE(other) - place), same = 0, step = 4096
    if a == b:  # an app may send one object again and again
        return most
    while step:
        while same + step <= most and not memcmp(a + same, b + same, step):
            same += step
        step >>= 3
    return same


cpdef record(type kind, tuple fields):
    """Return a named tuple, in a fifth of the time that answers.py takes, and hide it from the garbage collector."""
    cdef Py_ssize_t index
    one = PyType_GenericAlloc(kind, len(fields))
    CG_HAS_NO_HASH(one)
    PyObject_GC_UnTrack(<void*>one)
    for index in range(len(fields)):
        field = fields[index]
        Py_INCREF(field)
        PyTuple_SET_ITEM(one, index, field)
    return one


cdef int number_of(Names table, text_t name, Py_ssize_t size) noexcept:
    """Return the number of a name, in any case, in a table; -1 if the table does not have it."""
    cdef unsigned char low[LONGEST_NAME]
    cdef Py_ssize_t index
    if size > LONGEST_NAME or not (table._sizes[name[0]] >> size) & 1:
        return -1
    for index in range(size):
        low[index] = lower(name[index])
    cdef PyObject* number = table.look_up(low, size)
    return -1 if number == NULL else <int>PyLong_AsLong(<object>number)


cpdef untracked(one):
    """Return the object, hidden from the garbage collector. It must be in no reference cycle."""
    if PyObject_IS_GC(one):
        PyObject_GC_UnTrack(<void*>one)
    return one


cdef class Known:
    """A cache of decisions. Its owner limits its size. Owns its slots, whose number is a power of two."""

    def __dealloc__(self):
        _drop(self._slots, self._size)

    def __len__(self):
        return self._count

    def __iter__(self):
        cdef size_t at
        return iter([<object>self._slots[at].key for at in range(self._size) if self._slots[at].mark])

    def __setitem__(self, bytes key, answer):
        self.put(key, answer, 0)

    cpdef get(self, bytes key):
        """Return the decision for a key, or None if there is none."""
        return self.find(key, 0, PyBytes_GET_SIZE(key))

    cpdef find(self, bytes data, Py_ssize_t start, Py_ssize_t end):
        """Return the decision about data[start:end], or None if there is none."""
        cdef PyObject* answer = self.look_up(<text_t>PyBytes_AS_STRING(data) + start, end - start)
        return None if answer == NULL else <object>answer

    cpdef clear(self):
        """Evict all decisions."""
        cdef Slot* slots = self._slots
        cdef size_t size = self._size
        self._slots, self._size, self._count = NULL, 0, 0
        _drop(slots, size)

    cpdef Py_ssize_t thin(self) except -1:
        """Evict what was not used since the last call (and half of the rest if most was); return the weight left."""
        cdef Slot* slots = self._slots
        cdef size_t size = self._size, at, used = 0, left = 0
        cdef Py_ssize_t total = 0
        cdef bint keeps
        for at in range(size):
            used += slots[at].mark != 0 and slots[at].is_used
        cdef bint halves = 2 * used > self._count
        self._slots, self._size, self._count = NULL, 0, 0
        for at in range(size):
            if not slots[at].mark:
                continue
            keeps = slots[at].is_used
            left += keeps
            if halves and left & 1:
                keeps = False
            if keeps:
                if 2 * self._count >= self._size:
                    self._grow()
                slots[at].is_used = 0
                total += slots[at].weight
                self._count += self._put(slots[at])
            else:
                Py_DECREF(<object>slots[at].key)
                Py_DECREF(<object>slots[at].answer)
        PyMem_Free(slots)
        return total

    cdef PyObject* look_up(self, text_t s, Py_ssize_t size) noexcept:
        """Return the decision about these bytes, as a borrowed reference, or NULL if there is none."""
        if not self._count:
            return NULL
        cdef unsigned long long mark = mark_of(s, size)
        cdef size_t step
        cdef Slot* slot
        for step in range(REACH):
            slot = &self._slots[(mark + step) & (self._size - 1)]
            if slot.mark == mark:
                if PyBytes_GET_SIZE(<object>slot.key) == size and not memcmp(PyBytes_AS_STRING(<object>slot.key), s, size):
                    slot.is_used = 1
                    return slot.answer
            elif not slot.mark:
                return NULL
        return NULL

    cpdef put(self, bytes key, object answer, Py_ssize_t weight):
        """Cache a decision that takes `weight` bytes; it replaces an earlier one with the same key."""
        cdef Slot one
        if 2 * self._count >= self._size:  # half of the slots stay empty, so an entry is hardly ever replaced
            self._grow()
        one.mark = mark_of(<text_t>PyBytes_AS_STRING(key), PyBytes_GET_SIZE(key))
        one.key, one.answer, one.is_used = <PyObject*>key, <PyObject*>answer, 0
        one.weight = <unsigned int>weight
        Py_INCREF(key)
        Py_INCREF(answer)
        self._count += self._put(one)

    cdef bint _put(self, Slot one) noexcept:
        """Store an entry; return whether it took an empty slot, and did not replace another entry."""
        cdef size_t step
        cdef Slot* slot
        cdef Slot gone
        for step in range(REACH):
            slot = &self._slots[(one.mark + step) & (self._size - 1)]
            if not slot.mark:
                slot[0] = one
                return True
            if slot.mark == one.mark and <object>slot.key == <object>one.key:
                break
        else:
            slot = &self._slots[one.mark & (self._size - 1)]
        gone, slot[0] = slot[0], one
        Py_DECREF(<object>gone.key)
        Py_DECREF(<object>gone.answer)
        return False

    cdef _grow(self):
        cdef size_t size = self._size, at, more = 2 * size if size else FEWEST
        cdef Slot* slots = self._slots
        cdef Slot* room = <Slot*>PyMem_Calloc(more, sizeof(Slot))
        if room == NULL:
            raise MemoryError
        self._slots, self._size, self._count = room, more, 0
        for at in range(size):
            if slots[at].mark:
                self._count += self._put(slots[at])
        PyMem_Free(slots)


cdef class Names(Known):
    """A table of names and their numbers. Owns the lengths of names by first letter, as bits, to rule out most."""

    def __setitem__(self, bytes name, number):
        assert len(name) <= LONGEST_NAME
        self.put(name, number, 0)
        for letter in name[:1] + name[:1].upper():
            self._sizes[<int>letter] |= 1u << <int>len(name)


cdef _drop(Slot* slots, size_t size):
    """Release all entries, and free the slots."""
    cdef size_t at
    for at in range(size):
        if slots[at].mark:
            Py_DECREF(<object>slots[at].key)
            Py_DECREF(<object>slots[at].answer)
    PyMem_Free(slots)
