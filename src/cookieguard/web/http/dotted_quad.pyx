"""Truncate IPv4 addresses to their /24 networks. Each request needs this, and the system's parser takes ten times as long.

A number with a leading 0, or anything else that parsers of addresses read differently, is left to the full parser.
"""

cdef enum:
    LONGEST = 15  # characters of 255.255.255.255
    ZERO = 48  # the code of "0"


cpdef str network_24(str address):
    """Return an IPv4 address with its last number set to 0; empty if it needs the full parser."""
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
