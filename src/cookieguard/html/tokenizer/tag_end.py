"""Where a tag ends that chunks cut apart: the tokenizer's states from the tag's name on."""

from __future__ import annotations

import re

from cookieguard.html.tokenizer.scanner import whole_attributes


class TagEnd:
    """Find the end of one tag, piece by piece. Owns the tokenizer's state."""

    __slots__ = ("_state",)

    def __init__(self) -> None:
        self._state = _NAME

    @property
    def closer(self) -> bytes:
        """Return what would end the tag here."""
        return {_DOUBLE: b'">', _SINGLE: b"'>"}.get(self._state, b">")

    def end_of_part(self, data: bytes) -> int:
        """Return where the name, value or blanks end that are read: at the end of `data` if not before."""
        stop = _STATES[self._state][0].search(data)
        return len(data) if stop is None else stop.start()

    def find(self, data: bytes, position: int) -> int:
        """Return where the tag ends in its next piece, read from `position` on; -1 where it does not."""
        while True:
            if self._state == _BEFORE:
                position = whole_attributes(data, position)
            stops, follow = _STATES[self._state]
            stop = stops.search(data, position)
            if stop is None:
                return -1
            byte = data[stop.start()]
            position = stop.end()
            if byte == 0x3E and self._state not in (_DOUBLE, _SINGLE):
                return position
            if self._state == _AFTER and byte not in follow:
                position = stop.start()  # an attribute begins here: many are passed at once
            self._state = follow.get(byte, follow[None])


_NAME, _BEFORE, _ATTRIBUTE, _AFTER, _EQUALS, _DOUBLE, _SINGLE, _PLAIN = range(8)
# By state: what stops it, and where that byte leads to; the default is under None.
_STATES: tuple[tuple[re.Pattern[bytes], dict[int | None, int]], ...] = (
    (re.compile(rb"[\t\n\f\r />]"), {None: _BEFORE}),
    (re.compile(rb"[^\t\n\f\r /]"), {None: _ATTRIBUTE}),
    (re.compile(rb"[\t\n\f\r />=]"), {ord("="): _EQUALS, ord("/"): _BEFORE, None: _AFTER}),
    (re.compile(rb"[^\t\n\f\r ]"), {ord("="): _EQUALS, None: _BEFORE}),
    (re.compile(rb"[^\t\n\f\r ]"), {ord('"'): _DOUBLE, ord("'"): _SINGLE, None: _PLAIN}),
    (re.compile(rb'"'), {None: _BEFORE}),
    (re.compile(rb"'"), {None: _BEFORE}),
    (re.compile(rb"[\t\n\f\r >]"), {None: _BEFORE}),
)
