"""The grammar of tags in HTML, as the WHATWG tokenizer reads them, in regular expressions over bytes.

Rule: white space is spelled out, because Python's `\\s` also matches VT. Quantifiers are possessive, so that every
match takes linear time.
"""

from __future__ import annotations

import re

S = rb"[\t\n\f\r ]"  # the white space of the tokenizer
AFTER_NAME = rb"(?=[\t\n\f\r />])"

# A name may start with `=`. Quotes count only right after `=`. An attribute with an open quote does not match.
ATTRIBUTE = (
    rb"[^\t\n\f\r />][^\t\n\f\r />=]*+"
    rb"(?:=\"[^\"]*+\"|"  # first, because nearly all attributes look like this
    + S
    + rb"*+="
    + S
    + rb"*+(?:\"[^\"]*+\"|'[^']*+'|[^\t\n\f\r >\"'][^\t\n\f\r >]*+|(?=>))"
    rb"|(?!" + S + rb"*+=))"
)
_BETWEEN = rb"[\t\n\f\r /]*+"
_REST = rb"[^\t\n\f\r />]*+" + _BETWEEN + rb"(?:" + ATTRIBUTE + _BETWEEN + rb")*+>"  # of a tag
TAG = re.compile(rb"</?[a-zA-Z]" + _REST)
XML_TAG = re.compile(rb"</?[^\t\n\f\r />!?<]" + _REST)
ATTRIBUTES = re.compile(
    rb"([^\t\n\f\r />][^\t\n\f\r />=]*+)"
    rb"(?:"
    + S
    + rb"*+="
    + S
    + rb"*+(?:\"([^\"]*+)\"|'([^']*+)'|([^\t\n\f\r >\"'][^\t\n\f\r >]*+)|(?=>|\Z))|)"
)
TAG_NAME = re.compile(rb"<(/?)([^\t\n\f\r />]++)")

# In HTML, `<` before any other character is text.
XML_TEXT = re.compile(rb"[^<]*+")
TEXT = re.compile(rb"[^<]*+(?:<(?=[^a-zA-Z/!?])[^<]*+)*+")


def any_case(name: bytes) -> bytes:
    """Return a pattern that matches a name in any case."""
    letters = (bytes([letter]) for letter in name)
    return b"".join(b"[" + x.lower() + x.upper() + b"]" if x.isalpha() else re.escape(x) for x in letters)


def own_name(name: bytes, *, xml: bool) -> bytes:
    """Return a pattern that matches an element's name in any case; in XML, it may have a prefix."""
    prefix = rb"(?:[a-zA-Z0-9_\-]{1,64}+:)?" if xml else b""
    return prefix + any_case(name) + AFTER_NAME
