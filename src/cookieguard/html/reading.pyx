# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""A script as walks read it in C: what reading.py says in regular expressions. The same tests run over both."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.string cimport memchr, memset

from cookieguard.html.known cimport text_t

cdef enum:
    OPENS = 1
    CLOSES = 2
    PARTS = 4  # `,` `;`: ends an argument
    ENDS_PLAIN = 8  # ends a stretch of an expression
    ENDS_SIBLINGS = 16  # ends a stretch of what stands before it
    BLANK = 32
    LEADS_ON = 64  # a line that ends in one goes on

    MAX_STEPS = 20000  # over brackets, in one script
    REACH = 2048  # bytes of code an expression is followed over
    LEVELS = 8  # of brackets within each other that one match steps over
    STEP_BYTES = 64
    MOST_ARGUMENTS = 32
    MARK_BYTE = 1

MAX_REACH, BYTES_A_STEP = REACH, STEP_BYTES
OPERATOR = rb"[+\-*?:=(&|,.{\[]"  # backwards, a line goes on behind one
cdef unsigned char SIGN[256]


cdef void _prepare():
    cdef int byte
    memset(SIGN, 0, sizeof(SIGN))
    for signs, meaning in (
        (b"([{", OPENS), (b")]}", CLOSES), (b",;", PARTS), (b"()[]{},;\n=:", ENDS_PLAIN), (b"()[]{};\n", ENDS_SIBLINGS),
        (b" \t\n\r\f\v", BLANK), (b"+-*?:=(&|,.{[", LEADS_ON),
    ):
        for byte in signs:
            SIGN[byte] |= meaning


_prepare()


cdef Py_ssize_t _closed(text_t s, Py_ssize_t p, Py_ssize_t stop) noexcept nogil:
    """Return the place behind the partner of the bracket that opens at `p`; 0: none, or more than LEVELS deep."""
    cdef int depth = 0
    while p < stop:
        if SIGN[s[p]] & OPENS:
            depth += 1
            if depth > LEVELS:
                return 0
        elif SIGN[s[p]] & CLOSES:
            depth -= 1
            if depth <= 0:
                return p + 1 if depth == 0 else 0
        elif not depth:
            return 0
        p += 1
    return 0


cdef Py_ssize_t _opened(text_t s, Py_ssize_t p, Py_ssize_t stop) noexcept nogil:
    """Return the place of the partner of the bracket that closes at `p`; -1: none down to `stop`, or too deep."""
    cdef int depth = 0
    while p >= stop:
        if SIGN[s[p]] & CLOSES:
            depth += 1
            if depth > LEVELS:
                return -1
        elif SIGN[s[p]] & OPENS:
            depth -= 1
            if depth <= 0:
                return p if depth == 0 else -1
        elif not depth:
            return -1
        p -= 1
    return -1


cdef Py_ssize_t _argument_end(text_t s, Py_ssize_t p, Py_ssize_t stop, unsigned char parts) noexcept nogil:
    """Return where the expression at `p` ends: at a sign of `parts`, or at a bracket that does not close."""
    cdef Py_ssize_t end
    while p < stop:
        if SIGN[s[p]] & OPENS:
            end = _closed(s, p, stop)
            if not end:
                return p
            p = end
        elif SIGN[s[p]] & (CLOSES | parts):
            return p
        else:
            p += 1
    return p


cdef Py_ssize_t _siblings(text_t s, Py_ssize_t p, Py_ssize_t stop) noexcept nogil:
    """Go backwards from before `p` over expressions of the same statement; return before where it stops."""
    cdef Py_ssize_t other
    while p > stop:
        if SIGN[s[p - 1]] & CLOSES:
            other = _opened(s, p - 1, stop)
            if other < 0:
                return p
            p = other
        elif s[p - 1] == 10:
            other = p - 1
            while other > stop and SIGN[s[other - 1]] & BLANK:
                other -= 1
            if other <= stop or not SIGN[s[other - 1]] & LEADS_ON:
                return p
            p = other
        elif SIGN[s[p - 1]] & ENDS_SIBLINGS:
            return p
        else:
            p -= 1
    return p


cdef Py_ssize_t _enclosed(text_t s, Py_ssize_t p) noexcept nogil:
    """Go backwards from before `p` over all that is in the same brackets."""
    cdef Py_ssize_t other
    while p > 0 and not SIGN[s[p - 1]] & OPENS:
        other = p - 1
        if SIGN[s[other]] & CLOSES:
            other = _opened(s, other, 0)
            if other < 0:
                return p
        p = other
    return p


cdef class Reading:
    """Find brackets, arguments and literals in a script. Owns how many more steps may be taken."""

    def __init__(self, bytes code, bytes back, bytes joined):
        self.code, self._joined = code, joined
        self._s = <text_t>PyBytes_AS_STRING(code)
        self.size = PyBytes_GET_SIZE(code)
        self.steps = MAX_STEPS
        self._closing = {}
        self._unclosed = self.size
        self._words = None
        self._count = -1

    def __dealloc__(self):
        PyMem_Free(self._marks)

    # -- literals

    cdef _find_marks(self):
        """Find where the mark of each literal stands, and where each literal begins."""
        cdef Py_ssize_t most = self._joined.count(b"\x01"), number = 0, p = 0
        cdef text_t s = self._s
        cdef const void* found
        self._marks = <Py_ssize_t*>PyMem_Malloc((2 * most + 2) * sizeof(Py_ssize_t))
        if self._marks == NULL:
            raise MemoryError
        self._starts = self._marks + most
        while number < most and p < self.size:
            found = memchr(s + p, MARK_BYTE, self.size - p)
            if found == NULL:
                break
            p = <text_t>found - s
            self._marks[number] = p
            number += 1
            p += 1
        self._count = most = number
        s, p = <text_t>PyBytes_AS_STRING(self._joined), 0
        for number in range(most):
            p = <text_t>memchr(s + p, MARK_BYTE, PyBytes_GET_SIZE(self._joined) - p) - s + 1
            self._starts[number] = p
        self._starts[most] = PyBytes_GET_SIZE(self._joined) + 1

    cdef Py_ssize_t _number(self, Py_ssize_t place):
        """Return the number of the first literal at or behind `place`."""
        cdef Py_ssize_t low = 0, high, middle
        if self._count < 0:
            self._find_marks()
        high = self._count
        while low < high:
            middle = (low + high) >> 1
            if self._marks[middle] < place:
                low = middle + 1
            else:
                high = middle
        return low

    cdef bytes _literal(self, Py_ssize_t number):
        if number < 0 or number >= self._count:
            return b""
        cdef Py_ssize_t start = self._starts[number]
        return PyBytes_FromStringAndSize(
            PyBytes_AS_STRING(self._joined) + start, self._starts[number + 1] - 1 - start
        )

    cpdef Py_ssize_t mark(self, Py_ssize_t number) except -1:
        """Return where the mark of a literal stands."""
        if self._count < 0:
            self._find_marks()
        if number >= self._count:
            raise IndexError(number)
        return self._marks[number]

    cpdef bytes literal_at(self, Py_ssize_t place):
        """Return the literal whose mark is at, or next after, `place`."""
        return self._literal(self._number(place))

    cpdef bytes literal_before(self, Py_ssize_t place):
        """Return the literal whose mark is the last before `place`."""
        return self._literal(self._number(place) - 1)

    cpdef list literals_in(self, Py_ssize_t start, Py_ssize_t end):
        """List the literals between two places."""
        cdef Py_ssize_t number
        return [self._literal(number) for number in range(self._number(start), self._number(end))]

    @property
    def words(self):
        """All of the script but its comments."""
        if self._words is None:
            self._words = self.code + self._joined.replace(b"\x01", b" ")
        return self._words

    # -- brackets

    cpdef Py_ssize_t closing(self, Py_ssize_t at):
        """Return where the bracket at `at` closes, or the end of the code."""
        known = self._closing.get(at)
        if known is not None:
            return known
        cdef Py_ssize_t end = _closed(self._s, at, self.size)
        if not end:
            end = self._partner(at)
        if not end:
            self._unclosed = min(self._unclosed, at)
        self._closing[at] = end - 1 if end else self.size
        return end - 1 if end else self.size

    cdef Py_ssize_t _partner(self, Py_ssize_t start):
        cdef Py_ssize_t p = start, end = 0
        cdef int depth = 0
        if self.steps < 0:
            return 0
        while p < self._unclosed:
            if SIGN[self._s[p]] & (OPENS | CLOSES):
                depth += 1 if SIGN[self._s[p]] & OPENS else -1
                if not depth:
                    end = p + 1
                    break
            p += 1
        self.steps -= ((end or self._unclosed) - start) // STEP_BYTES
        return end

    cpdef Py_ssize_t opening(self, Py_ssize_t at):
        """Return where the bracket that closes at `at` opens, or -1."""
        cdef Py_ssize_t found = _opened(self._s, at, 0)
        if found < 0:
            found = self._partner_before(at)
        self.steps -= (at - found + (found >= 0)) // STEP_BYTES
        return found

    cdef Py_ssize_t _partner_before(self, Py_ssize_t at):
        cdef Py_ssize_t p = at
        cdef int depth = 0
        if self.steps < 0:
            return -1
        while p >= 0:
            if SIGN[self._s[p]] & (OPENS | CLOSES):
                depth += 1 if SIGN[self._s[p]] & CLOSES else -1
                if not depth:
                    break
            p -= 1
        self.steps -= (at + 1 - max(p, 0)) // STEP_BYTES
        return p

    cpdef Py_ssize_t enclosing(self, Py_ssize_t at):
        """Return where the bracket around the place `at` opens, or -1."""
        cdef Py_ssize_t p = _enclosed(self._s, at), opened
        while p > 0 and SIGN[self._s[p - 1]] & CLOSES and self.steps > 0:
            opened = self.opening(p - 1)
            if opened < 0:
                return -1
            p = _enclosed(self._s, opened)
        self.steps -= (at - p) // STEP_BYTES
        return p - 1

    # -- stretches of an expression

    cpdef Py_ssize_t arguments_end(self, Py_ssize_t start):
        """Return where all arguments end of the call whose parenthesis opens before `start`."""
        return _argument_end(self._s, start, min(start + REACH, self.size), 0)

    cpdef Py_ssize_t expression_end(self, Py_ssize_t start):
        """Return where the expression at `start` ends: at a comma, a semicolon or the bracket around it."""
        return _argument_end(self._s, start, min(start + REACH, self.size), PARTS)

    cpdef Py_ssize_t argument_number(self, Py_ssize_t opened, Py_ssize_t place):
        """Count which argument of the call that opens at `opened` the place is in; from 0."""
        cdef Py_ssize_t number = 0, start = _argument_end(self._s, opened + 1, place, PARTS)
        while start < place and self._s[start] == 44 and number < MOST_ARGUMENTS:
            number += 1
            start = _argument_end(self._s, start + 1, place, PARTS)
        return number

    cpdef Py_ssize_t stretch_end(self, Py_ssize_t here, Py_ssize_t floor, bint is_plain):
        """Return where, backwards from `here`, the next sign stands that a walk looks at."""
        cdef Py_ssize_t p = self.size - here, stop = self.size - floor
        if not is_plain:
            return self.size - _siblings(self._s, p, stop)
        while p > stop and not SIGN[self._s[p - 1]] & ENDS_PLAIN:
            p -= 1
        return self.size - p
