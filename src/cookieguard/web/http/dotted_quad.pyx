"""Cut IPv4 addresses to their networks of 24 bits: each request pays this, and asking the system takes ten times as long.

A number that begins with 0, or anything else that readers of addresses may differ on, is left to the full reading.
"""

cdef enum:
    LONGEST = 15  # letters of 255.255.255.255
    ZERO = 48  # the letter 0


cpdef str network_24(str address):
    """Return an IPv4 address with its last number 0; empty: it needs the full reading."""
    cdef Py_ssize_t place = -1, last = 0
    cdef int number = 0, digits = 0, dots = 0
    cdef Py_UCS4 letter
    if len(address) > LONGEST:
        return ""
    for letter in address:
        place += 1
        if letter == u".":
            if digits == 0:
                return ""
            dots += 1
            last = place
            number = digits = 0
            continue
        if letter < u"0" or letter > u"9" or (digits > 0 and number == 0):
            return ""
        number = 10 * number + (<int>letter - ZERO)
        digits += 1
        if number > 255:
            return ""
    if dots != 3 or digits == 0:
        return ""
    return address[:last] + ".0"
