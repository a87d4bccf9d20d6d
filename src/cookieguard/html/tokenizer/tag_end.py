"""Where a tag ends that chunks cut apart: the tokenizer's states from the tag's name on."""

from __future__ import annotations

import re

from cookieguard.html.tokenizer.scanner import whole_attributes


class TagEnd:
    """Find the end of one tag, piece by piece. Owns the tokenizer's state."""

    __slots__ = ("_state",)

    def __init__(self) -> None:
        self._state = _NAME

    def find(self, data: bytes, position: int) -> int:
        """Return where the tag ends in its next piece, read from `position` on; -1 where it does not."""
        while True:
            if self._state == _BEFORE:
                position = whole_attributes(data, position)
            stop = _STOPS[self._state].search(data, position)
            if stop is None:
                return -1
            byte = data[stop.start()]
            position = stop.end()
            if byte == 0x3E and self._state not in _QUOTED:
                return position
            follow = _NEXT[self._state]
            if self._state == _AFTER and byte not in follow:
                position = stop.start()  # an attribute begins here: many are passed at once
            self._state = follow.get(byte, follow[None])


_NAME, _BEFORE, _ATTRIBUTE, _AFTER, _EQUALS, _DOUBLE, _SINGLE, _PLAIN = range(8)
_STOPS = {
    _NAME: re.compile(rb"[\t\n\f\r />]"),
    _BEFORE: re.compile(rb"[^\t\n\f\r /]"),
    _ATTRIBUTE: re.compile(rb"[\t\n\f\r />=]"),
    _AFTER: re.compile(rb"[^\t\n\f\r ]"),
    _EQUALS: re.compile(rb"[^\t\n\f\r ]"),
    _DOUBLE: re.compile(rb'"'),
    _SINGLE: re.compile(rb"'"),
    _PLAIN: re.compile(rb"[\t\n\f\r >]"),
}
# What the byte that stops a state leads to; the default is under None.
_NEXT: dict[int, dict[int | None, int]] = {
    _NAME: {None: _BEFORE},
    _BEFORE: {None: _ATTRIBUTE},
    _ATTRIBUTE: {ord("="): _EQUALS, ord("/"): _BEFORE, None: _AFTER},
    _AFTER: {ord("="): _EQUALS, None: _BEFORE},
    _EQUALS: {ord('"'): _DOUBLE, ord("'"): _SINGLE, None: _PLAIN},
    _DOUBLE: {None: _BEFORE},
    _SINGLE: {None: _BEFORE},
    _PLAIN: {None: _BEFORE},
}
_QUOTED = (_DOUBLE, _SINGLE)
