"""Attributes that contact nobody, as patterns: what a look at a tag's bytes can let pass (skip_patterns.py).

Rule: what these match, the judges of attributes (attributes.py) leave as it is. No groups: in a repetition that gives
nothing back `re` loses them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from cookieguard.html.contact_points import ANYWHERE, Load
from cookieguard.html.grammar import S, any_case


def choice(names: Iterable[bytes], spell: Callable[[bytes], bytes] = re.escape) -> bytes:
    """Spell a choice of names as a pattern that reads each letter once."""
    listed = list(names)
    ways = by_letter(filter(None, listed), spell)
    is_optional = b"" in listed
    if not is_optional and len(ways) == 1:
        return ways[0]
    return (rb"(?:" + b"|".join(ways) + rb"|" * is_optional + rb")") if ways else b""


def by_letter(names: Iterable[bytes], spell: Callable[[bytes], bytes] = re.escape) -> list[bytes]:
    """Spell names as patterns, those of one first letter together."""
    rests: dict[bytes, list[bytes]] = {}
    for name in names:
        rests.setdefault(name[:1], []).append(name[1:])
    return [spell(letter) + choice(rest, spell) for letter, rest in rests.items()]


def harmless(names: Iterable[bytes] = (), also: bytes = b"") -> bytes:
    """Write the pattern of attributes that mean nothing, where those of `names` mean something.

    `also` is one way more (`...|...`) for an attribute of those to mean nothing."""
    judged = sorted({*ANYWHERE, *names})
    first = b"".join(sorted({any_case(name[:1])[1:-1] for name in judged}))
    name = (
        rb"(?:[^\t\n\f\r />=" + first + rb"]|"
        rb"(?!" + choice(judged, any_case) + rb"[\t\n\f\r />=])[" + first + rb"])[^\t\n\f\r />=]*+"
    )
    valued = name + rb"(?:=" + VALUE + rb"|(?=[\t\n\f\r />]))"
    frequent = [one for one in FREQUENT if one not in judged]
    quick = (*frequent[:3], *by_letter(frequent[3:]), rb"data-[a-z\-]++", rb"aria-[a-z]++")
    plain = (one + rb"=\"[^\"]*+\"" for one in quick)
    ways = (*plain, QUICK_STYLE, *filter(None, [also]), valued, STYLE)
    return rb"(?:" + S + rb"++(?:" + b"|".join(ways) + rb"))*+"


def quoted(inside: bytes) -> bytes:
    """Write the pattern of a quoted value; `~` in `inside` stands for its quote."""
    return b"(?:" + b"|".join(q + inside.replace(b"~", q) + q for q in (b'"', b"'")) + b")"


# What stays on the page's own host, by the signs that glances.may_reach_others looks for.
OWN = (
    b"(?:"
    + quoted(rb"[^~:&\\/]*+(?:/(?![/\t\n\r])[^~:&\\/]*+)*+")
    + rb"|(?![\"'])(?:[^\t\n\f\r >:&\\/]++|/(?!/))++)"
)
VALUE = rb"(?:\"[^\"]*+\"|'[^']*+'|[^\t\n\f\r >\"'][^\t\n\f\r >]*+)"
FREQUENT = (
    b"class href id title target itemprop type role rel alt name width height content property".split()
)  # a quick way over most
# No reference, no escape and no `url(`, `src(`, `x(`, `-set(`, `image(` or `-fade(`.
STYLE = (
    choice(sorted(name for name, load in ANYWHERE.items() if load is Load.CSS))
    + rb"=(?:\"[^\"(\\&@]*+(?:(?<=[^lLcCxXtTeE])\([^\"(\\&@]*+)*+\"|'[^'(\\&@]*+(?:(?<=[^lLcCxXtTeE])\([^'(\\&@]*+)*+')"
)
QUICK_STYLE = rb"style=\"[^\"(\\&@]*+\""  # nearly all of them
