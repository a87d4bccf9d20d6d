"""The names of a script that became suspect, and where they stand."""

from __future__ import annotations

import re

MAX_NAMES = 60
MAX_PLACES = 300  # where suspect names stand, looked at in one script
NO_NAMES = frozenset(b"this window document self var let const return new typeof true false null".split())
BLANK = ord(" ")
WORDS_ONLY = bytes(n if chr(n).isalnum() or n in b"_$" else BLANK for n in range(256))
IDENTIFIER = re.compile(rb"[A-Za-z_$][\w$]*+")
DEFINES = re.compile(rb"\s*+(?:=(?![=>])|=>|:(?![^;{}]*\?))")
MEMBER = re.compile(rb"\s*+\??\.\s*+([\w$]++)(?!\s*+\()")
LONGEST_DEFINITION = 160  # bytes looked at to tell a key from a branch


class Names:
    """Queue the places where suspect names stand. Owns which names those are."""

    def __init__(self, code: bytes) -> None:
        self._code = code
        self._queued: set[tuple[bytes, int]] = set()  # a name, and from where on it is suspect
        self._members: dict[bytes, set[bytes]] = {}  # of a name: the suspect ones, b"" for all of it
        self._seen: set[tuple[int, bool]] = set()
        self._queue: list[tuple[bytes, int, int]] = []  # names, and from where to where each is
        self._marked: set[bytes] = set()  # the names that hold markup
        self._spaced = b""  # the code with a blank for all that is no part of a word, once asked for
        self.is_open = False  # whether places are taken from the queue already
        self.in_markup = False  # whether what is followed now is, or is part of, markup that no policy stops

    def take(self) -> int | None:
        """Take the next place to follow; None where there is none, or too many were taken."""
        self.is_open = True
        while self._queue and len(self._seen) < MAX_PLACES:
            name, start, end = self._queue.pop()
            place = self._find(name, start, end)
            if place < 0:
                continue
            self._queue.append((name, place + len(name) + 1, end))
            if (place, name in self._marked) not in self._seen and not self._is_passed(name, place):
                self.in_markup = name in self._marked
                self._seen.add((place, self.in_markup))
                return place
        return None

    def suspect(self, name: bytes, start: int = 0, end: int | None = None, member: bytes = b"") -> None:
        """Take a name, or only what it has at `member`, as suspect, from `start` to `end`: queue its places."""
        if not name or name in NO_NAMES:
            return
        members = self._members.setdefault(name, set())
        is_new = self._is_marked_now(name) or (member not in members and b"" not in members)
        members.add(member)
        is_queued = (name, start) in self._queued or (name, 0) in self._queued
        if is_queued and not (is_new and self.is_open):
            return
        if not is_queued and len(self._queued) >= MAX_NAMES:
            return
        self._queued.add((name, start))
        self._queue.append((name, start, len(self._code) if end is None else end))

    def _is_marked_now(self, name: bytes) -> bool:
        """Note that a name holds markup, where it does; tell whether that is new."""
        if not self.in_markup or name in self._marked:
            return False
        self._marked.add(name)
        return True

    def suspect_all(self, header: bytes) -> None:
        """Take the parameters of a function that is called for each item as suspect: the item and its number."""
        for name in IDENTIFIER.findall(header)[:2]:
            self.suspect(name)

    def _find(self, name: bytes, start: int, end: int) -> int:
        """Find where the name stands next as a whole word. No generator does: it would keep all this, and itself."""
        if not self._spaced:
            self._spaced = b" %b " % self._code.translate(WORDS_ONLY)  # shifted by one, that is
        return self._spaced.find(b" %b " % name, start, end + 2)

    def _is_passed(self, name: bytes, place: int) -> bool:
        """Tell whether the name at `place` is only given a value there, is a parameter's or key's name, or that of an
        object of which only a member is taken, and one that is not suspect."""
        end = place + len(name)
        if name[:1].isdigit():
            return False
        if DEFINES.match(self._code, end, place + LONGEST_DEFINITION):
            return True
        members = self._members[name]
        taken = MEMBER.match(self._code, end) if members and b"" not in members else None
        return taken is not None and taken[1] not in members
