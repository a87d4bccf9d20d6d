# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""The functions a script declares in C: what functions.py says in regular expressions. The same tests run over both."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE

from cookieguard.html.idioms import constructors_of
from cookieguard.html.known cimport text_t
from cookieguard.html.words cimport blanks_before, ends_in, is_of_word, word_before

cdef enum:
    MAX_FUNCTIONS = 4000  # of one script
    LONGEST_HEADER = 1024

cdef bytes CONSTRUCTOR = b"constructor"
cdef frozenset KEYWORDS = frozenset(b"if for while switch catch with".split())


cdef struct Place:
    Py_ssize_t start
    Py_ssize_t end


cdef Py_ssize_t _header(text_t s, Py_ssize_t p, Place* header) noexcept nogil:
    """Return where the parenthesis opens that closes before `p`, with nothing in brackets inside; -1: it does not."""
    cdef Py_ssize_t end = p - 1
    if p < 1 or s[end] != 41:
        return -1
    p = end
    while p > 0 and end - p < LONGEST_HEADER and s[p - 1] != 40 and s[p - 1] != 41:
        p -= 1
    if p < 1 or s[p - 1] != 40:
        return -1
    header.start, header.end = p, end
    return p - 1


cdef void _named(text_t s, Py_ssize_t p, Place* name) noexcept nogil:
    """Find the name that the function, which begins at `p`, is given."""
    p = blanks_before(s, p)
    if ends_in(s, p, b"async", 5):
        p = blanks_before(s, p - 5)
    if p < 1 or (s[p - 1] != 61 and s[p - 1] != 58):
        return
    name.end = blanks_before(s, p - 1)
    name.start = word_before(s, name.end)


cdef void _before(text_t s, Py_ssize_t body, Place* name, Place* header) noexcept nogil:
    """Find the name and the parameters of the function whose body is at `body`; empty where there are none."""
    cdef Py_ssize_t p = blanks_before(s, body), q
    name.start = name.end = header.start = header.end = 0
    if ends_in(s, p, b"=>", 2):
        q = blanks_before(s, p - 2)
        p = _header(s, q, header)
        if p < 0:
            header.end, header.start = q, word_before(s, q)
            p = header.start
            if p == q:
                return
        _named(s, p, name)
        return
    p = _header(s, p, header)
    if p < 0:
        return
    name.end = blanks_before(s, p)
    name.start = word_before(s, name.end)
    if name.end - name.start == 8 and ends_in(s, name.end, b"function", 8):
        p = blanks_before(s, name.start)
        if p > 0 and s[p - 1] == 42:
            p = blanks_before(s, p - 1)
        p = p - 8 if ends_in(s, p, b"function", 8) and (p < 9 or s[p - 9] == 36 or not is_of_word(s[p - 9])) else name.start
        name.start = name.end = 0
        _named(s, p, name)


cdef inline bytes _bytes(text_t s, Place one):
    return PyBytes_FromStringAndSize(<char*>s + one.start, one.end - one.start)


cdef inline bytes _name(text_t s, Place one):
    cdef bytes name = _bytes(s, one)
    return b"" if name in KEYWORDS else name


cpdef tuple function_before(bytes code, bytes back, Py_ssize_t body):
    """Return the name and the parameters of the function whose body is at `body`, empty if there are none."""
    cdef text_t s = <text_t>PyBytes_AS_STRING(code)
    cdef Place name, header
    _before(s, body, &name, &header)
    return _name(s, name), _bytes(s, header)


cpdef dict functions(bytes code, bytes back):
    """List the parameters and the bodies of the functions, the last first, by their names."""
    cdef text_t s = <text_t>PyBytes_AS_STRING(code)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(code), p = size, q, body
    cdef int count = 0
    cdef Place name, header
    cdef dict found = {}
    while p > 0 and count < MAX_FUNCTIONS:
        p -= 1
        if s[p] == 123:
            q = blanks_before(s, p)
            if not q or (s[q - 1] != 41 and not ends_in(s, q, b"=>", 2)):
                continue
            body = p
        elif s[p] == 62 and p > 0 and s[p - 1] == 61:
            body = p + 1
            p -= 1
        else:
            continue
        count += 1
        _before(s, body, &name, &header)
        if name.start == name.end or body >= size:
            continue
        key = _name(s, name)
        if not key:
            continue
        of_name = found.get(key)
        if of_name is None:
            of_name = found[key] = []
        of_name.append((_bytes(s, header), body))
    if CONSTRUCTOR in found:
        for class_name, bodies in constructors_of(code, found[CONSTRUCTOR]).items():
            found.setdefault(class_name, bodies)
    return found
