"""The tag grammar of the WHATWG tokenizer as regular expressions over bytes.

Rule: white space is spelled out (Python's bytes `\\s` takes VT too), quantifiers are possessive, so that every
match is linear.
"""

from __future__ import annotations

import re

S = rb"[\t\n\f\r ]"  # the white space of the tokenizer
AFTER_NAME = rb"(?=[\t\n\f\r />])"

# A name may start with `=`. Quotes count only right after `=`; where one is open, nothing matches.
ATTRIBUTE = (
    rb"[^\t\n\f\r />][^\t\n\f\r />=]*+"
    rb"(?:=\"[^\"]*+\"|"  # nearly all of them
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

# `<` before anything else is text.
XML_TEXT = re.compile(rb"[^<]*+")
TEXT = re.compile(rb"[^<]*+(?:<(?=[^a-zA-Z/!?])[^<]*+)*+")


def any_case(name: bytes) -> bytes:
    """Spell a name as a pattern that matches it in any case."""
    letters = (bytes([letter]) for letter in name)
    return b"".join(b"[" + x.lower() + x.upper() + b"]" if x.isalpha() else re.escape(x) for x in letters)


def own_name(name: bytes, *, xml: bool) -> bytes:
    """Spell the name of an element as it may stand in markup: in XML with a prefix too, which in HTML makes another."""
    prefix = rb"(?:[a-zA-Z0-9_\-]{1,64}+:)?" if xml else b""
    return prefix + any_case(name) + AFTER_NAME
