# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""Where a string literal of a script goes, in C: what flows.py says in regular expressions. The same tests run over both."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.string cimport memchr, memcmp, memset

from cookieguard.html.elements import Elements
from cookieguard.html.functions cimport function_before, functions
from cookieguard.html.idioms import (
    ATTRIBUTE, ATTRIBUTE_SETTERS, BEGINS_LINK, BEGINS_MARKUP, BUILT_IN, CALLS, CALLS_IT, CALLS_OF_ALL, CLIENTS, EACH,
    ENDS, FILLS, FRAME_PARTS, FREE_MARKUP, GOES_TO, HANDS_ON, HINT, JOINS, KEYS, LOADER_NAME, LOADING_MARKUP, LOOKS_UP, LOOP,
    MARKUP, MEANT, METHOD, NAVIGATES, NOT_A_LOADER, OF_RULES, ONLY_NAME, OPTIONS, OWN_PATH, PARAMETERS_AT, QUERIES, RETURNS, SETS, SETTERS,
    TAKES_TEXT, THEN,
)
from cookieguard.html.known cimport text_t
from cookieguard.html.names cimport Names
from cookieguard.html.reading cimport Reading
from cookieguard.html.words cimport blanks_before, blanks_end, ends_in, is_of_word, word_before, word_end

cdef enum:
    LETTER = 4  # of a word, as patterns have it: no `$`
    LEADS_ON = 8  # a line that ends in one goes on
    CONTINUES = 16  # as does the one before a line that begins with one
    ADDS = 32  # may stand before the `=` that adds to a value
    FIRST = 64  # of a name

    MARK_BYTE = 1
    REACH = 2048  # bytes of code a value is followed over
    BYTES_A_STEP = 64
    LONGEST_HOLE = 256
    LONGEST_NAME_OF_FUNCTION = 64
    LONGEST_INDEX = 64
    MOST_BLOCKS = 16  # around a statement that returns

    # What a step says: the value goes further out, ends here, or into a sink.
    GOES_ON = 0
    IS_OVER = 1
    IS_SUNK = 2

cdef unsigned char KIND[256]
cdef frozenset SUNK_BY_CALL = CALLS, SUNK_BY_ALL = CALLS_OF_ALL, KEPT = ENDS, OF_OBJECTS = KEYS, TAKES_OBJECTS = SETTERS
cdef frozenset MAKES_MARKUP = MARKUP, ASSIGNED = SETS, LEADS_AWAY = NAVIGATES, LANGUAGE = BUILT_IN, ASKS = CLIENTS
cdef frozenset NAMES_URL = OPTIONS, MAKES_ELEMENTS = QUERIES, SETS_ATTRIBUTES = ATTRIBUTE_SETTERS
cdef frozenset OF_FRAMES = FRAME_PARTS, CALLS_FUNCTION = CALLS_IT, PUTS_TOGETHER = JOINS
cdef frozenset FILLS_TEMPLATE = FILLS, TAKES_PLAIN_TEXT = TAKES_TEXT
cdef dict LEADS_TO = GOES_TO, HANDS = HANDS_ON


cdef void _prepare():
    cdef int byte
    memset(KIND, 0, sizeof(KIND))
    for byte in range(128):
        if chr(byte).isalnum() or byte == 95:
            KIND[byte] = LETTER
        if chr(byte).isalpha() or byte == 95 or byte == 36:
            KIND[byte] |= FIRST
    for signs, kind in (
        (b"+-*?:=(&|,.{[", LEADS_ON), (b"+?:.&|*(=)]}", CONTINUES), (b"+|?", ADDS),
    ):
        for byte in signs:
            KIND[byte] |= kind


_prepare()


cdef inline bint _is_word(text_t s, Py_ssize_t p, const char* word, Py_ssize_t size) noexcept nogil:
    """Tell whether a whole word ends before `p`."""
    return ends_in(s, p, word, size) and (p == size or not KIND[s[p - size - 1]] & LETTER)


cdef inline bytes _bytes(text_t s, Py_ssize_t start, Py_ssize_t end):
    return PyBytes_FromStringAndSize(<char*>s + start, end - start)


cdef inline bytes _inside(bytes literal):
    """Return what stands between the quotes."""
    cdef Py_ssize_t size = PyBytes_GET_SIZE(literal)
    return _bytes(<text_t>PyBytes_AS_STRING(literal), 1, size - 1) if size > 2 else b""


cdef inline bint _is_identifier(bytes name) noexcept:
    cdef text_t s = <text_t>PyBytes_AS_STRING(name)
    cdef Py_ssize_t p, size = PyBytes_GET_SIZE(name)
    if not size or not KIND[s[0]] & FIRST:
        return False
    for p in range(size):
        if not is_of_word(s[p]):
            return False
    return True


cdef bint _follows_word(text_t s, Py_ssize_t p) noexcept nogil:
    """Tell whether a function's name, or what makes a block a loop's or a condition's, stands before `p`."""
    cdef Py_ssize_t start, q
    p = blanks_before(s, p)
    if _is_word(s, p, b"catch", 5) or _is_word(s, p, b"while", 5) or _is_word(s, p, b"if", 2) or _is_word(s, p, b"switch", 6):
        return True
    start = word_before(s, p)
    if start < p and p - start <= LONGEST_NAME_OF_FUNCTION:
        q = blanks_before(s, start)
        if q < start and _is_of_function(s, q):
            return True
    return _is_of_function(s, p)


cdef inline bint _is_of_function(text_t s, Py_ssize_t p) noexcept nogil:
    if p > 0 and s[p - 1] == 42:
        p = blanks_before(s, p - 1)
    return _is_word(s, p, b"function", 8)


cdef Py_ssize_t _holes_before(text_t s, Py_ssize_t p) noexcept nogil:
    """Return where the holes of a template begin that end before `p`: `+(a)+(b)`."""
    cdef Py_ssize_t q
    while p > 0 and s[p - 1] == 41:
        q = p - 1
        while q > 0 and p - 1 - q < LONGEST_HOLE and s[q - 1] != 40 and s[q - 1] != 41 and s[q - 1] != MARK_BYTE:
            q -= 1
        if q < 2 or s[q - 1] != 40 or s[q - 2] != 43:
            return p
        p = q - 2
    return p


cdef bint _opens_block(text_t s, Py_ssize_t p) noexcept nogil:
    """Tell whether a brace with this before it opens a block, and no object."""
    p = blanks_before(s, p)
    if p == 0 or s[p - 1] == 41 or s[p - 1] == 59 or s[p - 1] == 123 or s[p - 1] == 125:
        return True
    return ends_in(s, p, b"=>", 2) or _is_word(s, p, b"else", 4) or _is_word(s, p, b"try", 3) or _is_word(s, p, b"do", 2)


cdef bint _returns(text_t s, Py_ssize_t p, Py_ssize_t stop) noexcept nogil:
    """Tell whether a statement that returns begins at `p`."""
    p = blanks_end(s, p, stop) + 6
    return p <= stop and memcmp(s + p - 6, b"return", 6) == 0 and (p == stop or not KIND[s[p]] & LETTER)


cdef inline bint _may_return(text_t s, Py_ssize_t p, Py_ssize_t stop) noexcept nogil:
    """Tell whether a statement begins at `p` that may return behind a condition (RETURNS in idioms.py)."""
    p = blanks_end(s, p, stop)
    return p < stop and (s[p] == 105 or s[p] == 101)


cdef inline bint _is_name(text_t s, Py_ssize_t p, const char* word, Py_ssize_t size) noexcept nogil:
    """Tell whether a name ends before `p`."""
    return ends_in(s, p, word, size) and (p == size or not is_of_word(s[p - size - 1]))


cdef bint _has_arrow(text_t s, Py_ssize_t size) noexcept nogil:
    """Tell whether a function is written with an arrow."""
    cdef Py_ssize_t p = 1
    cdef const void* found
    while p < size:
        found = memchr(s + p, 62, size - p)
        if found == NULL:
            return False
        p = <text_t>found - s
        if s[p - 1] == 61:
            return True
        p += 1
    return False


cdef bint _is_of_frame(text_t s, Py_ssize_t p) noexcept nogil:
    """Tell whether what ends before `p` is the window or document of a frame, or what is within it (OF_FRAME in idioms.py)."""
    cdef Py_ssize_t q, start
    q = _before_dot(s, p)
    if q >= 0:
        p = q
    while True:
        p = blanks_before(s, p)
        start = word_before(s, p)
        if not (_is(s, start, p, b"location", 8) or _is(s, start, p, b"document", 8)):
            break
        q = _before_dot(s, start)
        if q < 0:
            break
        p = q
    if _is(s, start, p, b"contentWindow", 13) or _is(s, start, p, b"contentDocument", 15):
        return True
    if _is(s, start, p, b"defaultView", 11):
        return True
    if start < p:
        p = _before_dot(s, start)
        if p < 0:
            return False
    elif p > 0 and s[p - 1] == 93:
        q = p - 1
        while q > 0 and s[q - 1] != 91 and s[q - 1] != 93 and p - 1 - q <= LONGEST_INDEX:
            q -= 1
        if q == 0 or s[q - 1] != 91 or p - 1 - q > LONGEST_INDEX:
            return False
        p = q - 1
    else:
        return False
    p = blanks_before(s, p)
    return _is(s, word_before(s, p), p, b"frames", 6)


cdef bint _may_be_free(text_t s, Py_ssize_t size) noexcept nogil:
    """Tell whether markup may begin somewhere that no policy stops (may_be_free in idioms.py)."""
    cdef Py_ssize_t p = 0, q
    cdef const void* found
    while p < size:
        found = memchr(s + p, 60, size - p)
        if found == NULL:
            break
        p = <text_t>found - s + 1
        q = p + 1 if p < size and s[p] == 92 else p
        if q < size and (s[q] | 32) == 105:
            q += 1
            if q < size and (s[q] | 32) == 102:
                return True
        elif q < size and ((s[q] | 32) == 102 or (s[q] | 32) == 108 or (s[q] | 32) == 109):
            return True
    p = 0
    while p < size:
        found = memchr(s + p, 92, size - p)
        if found == NULL:
            break
        p = <text_t>found - s + 1
        if p + 2 < size and (s[p] == 120 or s[p] == 117):
            q = p + 1
            if s[p] == 117:
                q += 1 if s[q] == 123 else 2
            if q + 1 < size and s[q] == 51 and (s[q + 1] | 32) == 99:
                return True
    return False


cdef Py_ssize_t _before_dot(text_t s, Py_ssize_t p) noexcept nogil:
    """Return where the dot begins, `?.` too, that ends before `p`; -1: there is none."""
    p = blanks_before(s, p)
    if p == 0 or s[p - 1] != 46:
        return -1
    return p - 2 if p > 1 and s[p - 2] == 63 else p - 1


cdef inline bint _is(text_t s, Py_ssize_t start, Py_ssize_t end, const char* word, Py_ssize_t size) noexcept nogil:
    return end - start == size and memcmp(s + start, word, size) == 0


cdef class Flow:
    """Follow the suspects of one script. Owns what became suspect."""

    def __init__(self, bytes code, bytes joined):
        """Take the code and the literals, each behind a MARK."""
        self._code, self._size = code, PyBytes_GET_SIZE(code)
        self._s = <text_t>PyBytes_AS_STRING(code)
        self._has_arrows = _has_arrow(self._s, self._size)
        self._has_markup = _may_be_free(<text_t>PyBytes_AS_STRING(joined), PyBytes_GET_SIZE(joined))
        self.reading, self._names = Reading(code, code, joined), Names(code)
        self._asked, self._left = set(), set()
        self._declared = self._elements = None
        self._is_free = {}  # markup that was searched, and what was found
        self._key = self._name = self._receiver = b""

    cpdef bint reaches_a_sink(self, list suspects) except -1:
        """Tell whether one of the literals with these numbers flows into something that loads."""
        cdef Py_ssize_t place, before
        for number in suspects:
            place = self.reading.mark(number)
            self._names.in_markup = False
            self._note_markup(place, place + 1)
            before = blanks_before(self._s, place)
            if _is_word(self._s, before, b"from", 4) or _is_word(self._s, before, b"import", 6) or self._follow(place):
                return True
        while True:
            place = self._names.next()
            if place < 0 or self.reading.steps <= 0:
                return False
            self._suspect_items(place)
            if self._follow(place):
                return True

    # -- one place

    cdef bint _follow(self, Py_ssize_t place) except -1:
        """Walk outwards from `place` to its statement; tell whether a sink takes it."""
        cdef Walk walk
        cdef Py_ssize_t floor = max(0, place - REACH), before = blanks_before(self._s, place)
        cdef int taken
        walk.place = walk.here = place
        walk.assigns = True
        self._key = b""
        if before and self._s[before - 1] == 40:
            before = blanks_before(self._s, before - 1)
        if before and self._s[before - 1] == 43:
            before = _holes_before(self._s, blanks_before(self._s, before - 1))
            if before and self._s[before - 1] == MARK_BYTE and OWN_PATH.match(self.reading.literal_before(place)):
                return False
        while self.reading.steps > 0 and walk.here > floor:
            walk.here = self._size - self.reading.stretch_end(self._size - walk.here, self._size - floor, walk.assigns)
            if walk.here <= floor:
                return False
            self.reading.steps -= 1
            taken = self._step(&walk)
            if taken != GOES_ON:
                return taken == IS_SUNK
            walk.here -= 1
        return False

    cdef int _step(self, Walk* walk) except -1:
        """Look at the sign before `here`."""
        cdef Py_ssize_t at = walk.here - 1, opened
        cdef unsigned char sign = self._s[at]
        if sign == 40 or sign == 91 or sign == 123:
            return self._goes_out(walk)
        if sign == 41 or sign == 93 or sign == 125:
            opened = self.reading.opening(at)
            if opened < 0:
                return IS_OVER
            walk.here = opened + 1
            walk.assigns = walk.assigns and sign != 125  # a block or object is another expression
            return GOES_ON
        if sign == 61 or sign == 58:
            return self._is_assigned(walk)
        if sign == 44:
            walk.assigns = False
            return GOES_ON
        if sign == 10 and self._goes_on(at, walk.place):
            return GOES_ON
        self._suspect_function(at, walk.place)
        return IS_OVER

    cdef int _goes_out(self, Walk* walk) except -1:
        cdef Py_ssize_t at = walk.here - 1, number = 0
        cdef unsigned char sign = self._s[at]
        cdef bytes key = self._key
        if sign == 123 and _opens_block(self._s, at):
            self._suspect_function(at, walk.place)
            return IS_OVER
        if sign == 40:
            if self._is_head(at):
                return IS_OVER
            number = self.reading.argument_number(at, walk.place)
            self._key = b""
        left = (at, key, number, self._names.in_markup)
        if left in self._left:
            return IS_OVER  # what is around it is the same for all in it
        self._left.add(left)
        walk.assigns = True
        if sign != 123 and self._has_markup:
            self._note_markup(at + 1, self.reading.arguments_end(at + 1))
        if sign == 123 and key == b"href" and self._is_hint(at) and self._made().makes_links():
            return IS_SUNK
        if sign == 91:
            self._suspect_each(self.reading.closing(at))
        if sign != 40:
            return GOES_ON
        return self._calls_with(at, number, key)

    cdef int _is_assigned(self, Walk* walk) except -1:
        cdef text_t s = self._s
        cdef Py_ssize_t sign = walk.here - 1, p = sign, at, start
        cdef bint is_item = False, is_member = False, has_word = False
        cdef bytes name
        if not walk.assigns:
            return GOES_ON
        while p > 0 and sign - p < 2 and KIND[s[p - 1]] & ADDS:
            p -= 1
        p = blanks_before(s, p)
        if p > 0 and s[p - 1] == 93:
            is_item = True
            p -= 1
        at = p - 1
        p = blanks_before(s, p)
        start = word_before(s, p)
        has_word = start < p
        if not has_word and (p == 0 or s[p - 1] != MARK_BYTE):
            return GOES_ON
        name = _bytes(s, start, p) if has_word else None
        p = start if has_word else p - 1
        start = blanks_before(s, p)
        if start > 0 and s[start - 1] == 46:
            is_member = True
            p = start - 1
        start = blanks_before(s, p)
        if s[sign + 1] == 61 or s[sign + 1] == 62 or (s[sign] == 58 and start > 0 and s[start - 1] == 63):
            return GOES_ON  # it compares, or parts two branches
        if name is None:
            name = _inside(self.reading.literal_before(at + 1))
        if self._has_markup:
            self._note_markup(sign + 1, self.reading.expression_end(sign + 1))
            if sign > 0 and s[sign - 1] == 43:
                self._join_markup(sign + 1, self.reading.expression_end(sign + 1), name, False)
        if s[sign] == 58:
            if has_word and name in OF_OBJECTS:  # a quoted key: most often one of a page's state
                return IS_SUNK
        elif (is_item or is_member) and self._loads(name, sign, p):
            return IS_SUNK
        # markup in a variable is often called `html`, as is what takes it
        is_markup = self._names.in_markup and s[sign] != 58 and not (is_item or is_member)
        if name not in LEADS_AWAY and (name not in MAKES_MARKUP or is_markup) and _is_identifier(name):
            self._names.suspect(name, 0, None, self._key)
        if s[sign] == 58:
            self._key = name
        return GOES_ON

    cdef bint _goes_on(self, Py_ssize_t at, Py_ssize_t place) noexcept:
        """Tell whether the statement goes on over the end of a line at `at`."""
        cdef Py_ssize_t p = blanks_before(self._s, at + 1)
        if p > 0 and KIND[self._s[p - 1]] & LEADS_ON:
            return True
        p = blanks_end(self._s, at, min(place + 1, self._size))
        return p <= place and p < self._size and KIND[self._s[p]] & CONTINUES

    cdef bint _is_head(self, Py_ssize_t at) except -1:
        """Tell whether a condition or a parameter list opens here."""
        cdef Py_ssize_t p
        if _follows_word(self._s, at):
            return True
        if not self._has_arrows:
            return False
        p = self.reading.closing(at)
        if p >= self._size or self._s[p] != 41:
            return False
        p = blanks_end(self._s, p + 1, self._size)
        return p + 1 < self._size and self._s[p] == 61 and self._s[p + 1] == 62

    cdef _note_markup(self, Py_ssize_t start, Py_ssize_t end):
        """Note that what is followed becomes a part of markup that no policy stops, where that stands here."""
        cdef bytes markup
        if not self._has_markup or self._names.in_markup or self.reading.steps <= 0:
            return
        markup = b"".join(self.reading.literals_in(start, end))
        self.reading.steps -= PyBytes_GET_SIZE(markup) // BYTES_A_STEP
        if markup not in self._is_free:
            self._is_free[markup] = FREE_MARKUP.search(markup) is not None
        self._names.in_markup = self._is_free[markup]

    cdef _join_markup(self, Py_ssize_t start, Py_ssize_t end, bytes name, bint fills):
        """Note the same of what fills a template of this name, or is put behind what was given to the name."""
        if not self._has_markup or self._names.in_markup or self.reading.steps <= 0:
            return
        if b"".join(self.reading.literals_in(start, end)).find(b"<") < 0:
            self._names.in_markup = self._made().is_free(name) if fills else self._made().is_in_tag(name, start)

    # -- assignments

    cdef bint _loads(self, bytes name, Py_ssize_t sign, Py_ssize_t receiver) except -1:
        """Tell whether a property loads that is assigned at `sign`; what it is of ends before `receiver`."""
        if name in MAKES_MARKUP:
            return self._loads_by_markup(sign + 1, self.reading.expression_end(sign + 1)) or self._is_meant(name)
        if name in OF_FRAMES and self._is_of_frame(receiver):
            return True
        if name == b"href":
            return self._is_link(receiver)
        return name in ASSIGNED or self._is_meant(name)

    cdef bint _is_meant(self, bytes name) except -1:
        """Tell whether the script has all of the words by which a property of this name loads."""
        rules = MEANT.get(name)
        if rules is None:
            return False
        return any([all([word in self.reading.words for word in words]) for words in rules])

    cdef bint _is_link(self, Py_ssize_t end) except -1:
        """Tell whether what ends before `end` is a link element made by this script."""
        cdef Py_ssize_t p = blanks_before(self._s, end), start = word_before(self._s, p)
        return start < p and _bytes(self._s, start, p) in self._made().links

    cdef bint _is_of_frame(self, Py_ssize_t end) except -1:
        """Tell whether what ends before `end` is the window of a frame, or what is within it."""
        return _is_of_frame(self._s, end) or self._made().is_of_window(end)

    cdef object _made(self):
        """Return what the script made."""
        if self._elements is None:
            self._elements = Elements(self._code, self.reading)
        return self._elements

    cdef bint _loads_by_markup(self, Py_ssize_t start, Py_ssize_t end) except -1:
        """Tell whether the markup in an expression loads, and not only links to, something."""
        if self._names.in_markup:
            return True
        return LOADING_MARKUP.search(b"".join(self.reading.literals_in(start, end))) is not None

    cdef bint _makes_elements(self, Py_ssize_t start, Py_ssize_t end) except -1:
        """Tell whether what a query is given is markup, not a selector, and loads something."""
        cdef list literals = self.reading.literals_in(start, end)
        if not literals:
            return self._names.in_markup
        return BEGINS_MARKUP.match(literals[0]) is not None and self._loads_by_markup(start, end)

    # -- calls

    cdef int _calls_with(self, Py_ssize_t at, Py_ssize_t number, bytes key) except -1:
        """Look at the call whose arguments open at `at`."""
        cdef Py_ssize_t before = self._callee(at)
        cdef bytes name = self._name, receiver = self._receiver
        if not name:
            self._calls_at_once(at, number)
            return GOES_ON
        if name in PUTS_TOGETHER or name in FILLS_TEMPLATE:
            self._join_markup(at + 1, self.reading.arguments_end(at + 1), receiver, name in FILLS_TEMPLATE)
        if receiver in SETS_ATTRIBUTES and name in CALLS_FUNCTION or name == b"set" and receiver == b"Reflect":
            name = b"setAttribute"
        if LEADS_TO.get(name) == receiver and self._is_of_frame(before):
            return IS_SUNK
        if key == b"href" and self._is_hint(at):
            return IS_SUNK
        if name in TAKES_OBJECTS and key != b"action" and self._is_meant(key):
            return IS_SUNK
        if name in KEPT and not (self._names.in_markup and name == b"encodeURIComponent"):
            return IS_OVER
        if self._is_sink(name, receiver, at, number) and (not key or name not in SUNK_BY_CALL or key in NAMES_URL):
            return IS_SUNK
        if key in OF_OBJECTS and name in TAKES_OBJECTS:
            return IS_SUNK
        self._hands(at, number, name, receiver, before)
        self._suspect_parameters_of(name, number)
        return GOES_ON

    cdef _hands(self, Py_ssize_t at, Py_ssize_t number, bytes name, bytes receiver, Py_ssize_t before):
        """Follow what a call of the language's or a library's hands on to a function, a list or a loop."""
        if name in CALLS_FUNCTION:
            if receiver:
                self._suspect_parameters_of(receiver, number - 1)
            else:
                self._calls_at_once(before - 1, number - 1)
        elif name in HANDS:
            argument, shift = HANDS[name]
            self._hand_on(at, argument, number + shift)
        elif name == b"resolve":
            then = THEN.match(self._code, self.reading.closing(at))
            if then is not None:
                self._hand_on(then.end() - 1, 0, 0)
        elif name == b"for":
            loop = LOOP.match(self._code, at + 1)
            self._names.suspect_all(loop[1] if loop else b"")
        elif name == b"push" or name == b"unshift" or name == b"add":
            self._names.suspect(receiver)

    cdef Py_ssize_t _callee(self, Py_ssize_t at):
        """Note the name of what is called at `at`, and what it is of; return where both begin."""
        cdef text_t s = self._s
        cdef Py_ssize_t end = blanks_before(s, at), start = word_before(s, end), p
        self._name = self._receiver = b""
        if start == end and end > 1 and s[end - 1] == 46 and s[end - 2] == 63:
            end = blanks_before(s, end - 2)
            start = word_before(s, end)
            if start == end:
                return 0
        if start == end:
            if end == 0 or s[end - 1] != 93:
                return 0
            p = blanks_before(s, end - 1)
            start = blanks_before(s, p - 1) if p > 0 and s[p - 1] == MARK_BYTE else 0
            if start == 0 or s[start - 1] != 91:
                return 0
            self._name = _inside(self.reading.literal_before(at))
            return start - 1
        self._name = _bytes(s, start, end)
        p = blanks_before(s, start)
        if p > 0 and s[p - 1] == 46:
            end = blanks_before(s, p - 2 if p > 1 and s[p - 2] == 63 else p - 1)
            p = word_before(s, end)
            if p < end:
                self._receiver = _bytes(s, p, end)
                return p
        return start

    cdef bint _is_hint(self, Py_ssize_t at) except -1:
        """Tell whether the options that a call takes are those of a link that makes the browser connect."""
        for literal in self.reading.literals_in(at + 1, self.reading.arguments_end(at + 1)):
            if HINT.match(literal):
                return True
        return False

    cdef bint _is_sink(self, bytes name, bytes receiver, Py_ssize_t at, Py_ssize_t number) except -1:
        if name in SUNK_BY_CALL:
            return number == 0
        if name in MAKES_MARKUP:
            return self._loads_by_markup(at + 1, self.reading.arguments_end(at + 1)) or self._is_meant(name)
        if name in MAKES_ELEMENTS:
            return self._makes_elements(at + 1, self.reading.arguments_end(at + 1))
        if name in SETS_ATTRIBUTES:
            return self._sets_attribute(at, receiver)
        if name in TAKES_PLAIN_TEXT:
            return self._is_meant(name) and self._is_of_rules(at + 1, self.reading.arguments_end(at + 1))
        if name == b"open":
            return (
                at + 1 < self._size
                and self._s[at + 1] == MARK_BYTE
                and METHOD.match(self.reading.literal_at(at + 1)) is not None
            )
        if name == b"get" or name == b"post":
            return receiver in ASKS
        return name in SUNK_BY_ALL or (LOADER_NAME.search(name) is not None and not NOT_A_LOADER.search(name))

    cdef bint _is_of_rules(self, Py_ssize_t start, Py_ssize_t end) except -1:
        """Tell whether an object stands here, in the code or as text."""
        if OF_RULES.search(self._code, start, end) is not None:
            return True
        return any([OF_RULES.search(literal) is not None for literal in self.reading.literals_in(start, end)])

    cdef bint _sets_attribute(self, Py_ssize_t at, bytes receiver) except -1:
        cdef list names = self.reading.literals_in(at + 1, self.reading.arguments_end(at + 1))
        for name in names:
            if ATTRIBUTE.match(name):
                return True
        is_link = receiver in self._made().links or BEGINS_LINK.match(self.reading.literal_before(at)) is not None
        for name in names:
            name = _inside(name)
            if (name == b"href" and is_link) or self._is_meant(name):
                return True
        return False

    # -- functions

    cdef _calls_at_once(self, Py_ssize_t at, Py_ssize_t number):
        """Make the parameter suspect of a function expression that is called where it ends."""
        cdef Py_ssize_t end, opened = -1
        cdef bytes header = b""
        end = blanks_before(self._s, at) if at > 0 else 0
        if end and (self._s[end - 1] == 41 or self._s[end - 1] == 125):
            opened = self.reading.opening(end - 1)
        if opened < 0:
            return
        if self._s[opened] == 123:
            header = function_before(self._code, self._code, opened)[1]
        else:
            found = PARAMETERS_AT.match(self._code, opened)
            if found is not None:
                header = next((group for group in found.groups() if group is not None), b"")
        self._suspect_parameter(header, number, opened, end)

    cdef _suspect_function(self, Py_ssize_t at, Py_ssize_t place):
        """Take a function as suspect that returns a suspect: `at` is where its statement begins."""
        cdef Py_ssize_t opened = at + 1
        if not _returns(self._s, at + 1, place):
            if not _may_return(self._s, at + 1, place):
                return
            returns = RETURNS.match(self._code, at + 1, place)
            if returns is None or LOOKS_UP.search(self._code, at + 1, returns.end()) is not None:
                return
        if self._has_markup:
            self._note_markup(at + 1, self.reading.expression_end(at + 1))
        for _ in range(MOST_BLOCKS):
            opened = self.reading.enclosing(opened)
            self.reading.steps -= 1
            if opened < 0 or self.reading.steps <= 0:
                return
            if self._s[opened] == 123 and not self._is_block(opened):
                self._names.suspect(function_before(self._code, self._code, opened)[0])
                return

    cdef bint _is_block(self, Py_ssize_t at) except -1:
        """Tell whether a block opens at `at` that is no function's, and no look-up's either."""
        cdef text_t s = self._s
        cdef Py_ssize_t closed, end = blanks_before(s, at), opened
        if (
            _is_name(s, end, b"else", 4) or _is_name(s, end, b"try", 3) or _is_name(s, end, b"finally", 7)
            or _is_name(s, end, b"do", 2)
        ):
            return True
        opened = self.reading.opening(end - 1) if end and s[end - 1] == 41 else -1
        if opened < 0:
            return False
        closed, end = end, blanks_before(s, opened)
        return (
            _is_name(s, end, b"if", 2) or _is_name(s, end, b"for", 3) or _is_name(s, end, b"while", 5)
            or _is_name(s, end, b"catch", 5) or _is_name(s, end, b"with", 4)
        ) and LOOKS_UP.search(self._code, opened, closed) is None

    cdef _hand_on(self, Py_ssize_t at, Py_ssize_t argument, Py_ssize_t number):
        """Make the parameter suspect of the function that is an argument of the call at `at`."""
        cdef Py_ssize_t start = at + 1
        for _ in range(argument):
            start = self.reading.expression_end(start) + 1
        found = PARAMETERS_AT.match(self._code, start)
        if found is not None:
            header = next((group for group in found.groups() if group is not None))
            self._suspect_parameter(header, number, start, self.reading.closing(at))
            return
        named = ONLY_NAME.match(self._code, start)
        if named is not None:
            self._suspect_parameters_of(named[1], number)

    cdef _suspect_parameters_of(self, bytes name, Py_ssize_t number):
        """Make the parameter suspect of a function this script declares."""
        cdef Py_ssize_t body
        asked = (name, number, self._names.in_markup)
        if name in LANGUAGE or asked in self._asked:
            return
        self._asked.add(asked)
        if self._declared is None:
            self._declared = functions(self._code, self._code)
        for header, body in self._declared.get(name, ()):
            self._suspect_parameter(
                header, number, body, self.reading.closing(body) if self._s[body] == 123 else self._size
            )

    cdef _suspect_parameter(self, bytes header, Py_ssize_t number, Py_ssize_t start, Py_ssize_t end):
        cdef list names = header.split(b",")
        cdef text_t s
        cdef Py_ssize_t p = 0, first, size
        if not 0 <= number < len(names):
            return
        s, size = <text_t>PyBytes_AS_STRING(names[number]), PyBytes_GET_SIZE(names[number])
        while p < size and not KIND[s[p]] & FIRST:
            p += 1
        first = p
        p = word_end(s, p, size)
        if p > first:
            self._names.suspect(_bytes(s, first, p), start, end)

    cdef _suspect_each(self, Py_ssize_t place):
        """Take as suspect what a function is given that is called for each item of what ends at `place`."""
        cdef text_t s = self._s
        cdef Py_ssize_t p = place
        if p < self._size and s[p] == 93:
            p += 1
        p = blanks_end(s, p, self._size)
        if p >= self._size or s[p] != 46:
            return
        match = EACH.match(self._code, place)
        if match is not None:
            self._names.suspect_all(match[1])

    cdef _suspect_items(self, Py_ssize_t place):
        """Follow the items where the name at `place` is walked through."""
        if KIND[self._s[place]] & FIRST:
            self._suspect_each(word_end(self._s, place, self._size))
