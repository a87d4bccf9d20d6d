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
    rb"(?:" + S + rb"*+=" + S + rb"*+(?:\"[^\"]*+\"|'[^']*+'|[^\t\n\f\r >\"'][^\t\n\f\r >]*+|(?=>))"
    rb"|(?!" + S + rb"*+=))"
)
TAG = re.compile(rb"</?[a-zA-Z][^\t\n\f\r />]*+(?:[\t\n\f\r /]++|" + ATTRIBUTE + rb")*+>")
XML_TAG = re.compile(rb"</?[^\t\n\f\r />!?<][^\t\n\f\r />]*+(?:[\t\n\f\r /]++|" + ATTRIBUTE + rb")*+>")
ATTRIBUTES = re.compile(
    rb"([^\t\n\f\r />][^\t\n\f\r />=]*+)"
    rb"(?:"
    + S
    + rb"*+="
    + S
    + rb"*+(?:\"([^\"]*+)\"|'([^']*+)'|([^\t\n\f\r >\"'][^\t\n\f\r >]*+)|(?=>|\Z)))?+"
)
TAG_NAME = re.compile(rb"<(/?)([^\t\n\f\r />]++)")

# Elements that load nothing themselves. A run of text, end tags and such elements is one match: they are not
# looked at one by one unless an attribute on them might load (ANYWHERE in loads.py).
_DULL = (
    rb"(?:div|a|span|li|p|ul|h[1-6r]|b|br|i|em|td|tr|th|dd|dt|dl|ol|strong|button|label|section|article|"
    rb"figure|figcaption|header|footer|nav|main|aside|small|sup|sub|time|tbody|thead|ins|form|fieldset|picture|"
    rb"option|u|s|blockquote|pre|code|center|abbr|cite|address|details|summary|table|font)"
)
_DULL_VALUE = rb"(?:\"[^\"]*+\"|'[^']*+'|[^\t\n\f\r >\"'][^\t\n\f\r >]*+)"
_DULL_ATTRIBUTE = (
    rb"[\t\n\f\r ]++(?:(?:class|id|href|title|role|target|rel|type|name|value|lang|dir|data-[a-z0-9_\-]++|"
    rb"aria-[a-z]++|itemprop|itemscope|itemtype|tabindex|alt|for|width|height|on[a-z]++)"
    rb"(?:=" + _DULL_VALUE + rb"|(?=[ />]))|style=(?:\"[^\"(\\&]*+\"|'[^'(\\&]*+'))"
)
# `<` before anything else is text.
_TEXT = rb"[^<]++|<(?=[^a-zA-Z/!?])"


def _run(dull: bytes) -> re.Pattern[bytes]:
    tag = rb"<" + dull + rb"(?:" + _DULL_ATTRIBUTE + rb")*+[\t\n\f\r ]*+/?>"
    return re.compile(rb"(?:" + _TEXT + rb"|</[a-zA-Z][^>=]*+>|" + tag + rb")*+")


RUN = _run(_DULL)
RUN_WITHOUT_LINKS = _run(_DULL.replace(b"|a|", b"|"))
XML_TEXT = re.compile(rb"[^<]*+")
TEXT = re.compile(rb"(?:" + _TEXT + rb")*+")


def any_case(name: bytes) -> bytes:
    """Spell a name as a pattern that matches it in any case."""
    letters = (bytes([letter]) for letter in name)
    return b"".join(b"[" + x.lower() + x.upper() + b"]" if x.isalpha() else re.escape(x) for x in letters)


# The states of a script's text: 0, 1 escaped (after `<!--`), 2 double escaped (after `<script` in it); what leads on.
SCRIPT_LEVELS = {
    (b"<!--", 0): 1,
    (b"-->", 1): 0,
    (b"-->", 2): 0,
    (b"<script", 1): 2,
    (b"<script", 2): 2,
    (b"</script", 2): 1,
}
