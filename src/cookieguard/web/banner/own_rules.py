"""What a style sheet of the shop's may hold: rules that load nothing and tell no button from its neighbour."""

from __future__ import annotations

import re
from collections.abc import Iterator

Fault = tuple[str, str]

# Whichever begins first: in a string nothing is a comment, in a comment nothing a string.
COMMENT_OR_STRING = re.compile(r"(/\*.*?\*/)|\"[^\"\n]*\"|'[^'\n]*'", re.DOTALL)
STRING = re.compile(r"\"[^\"]*\"|'[^']*'")
# It stands in a <style> of any page, in any encoding; an escape could hide each of the words below.
CHARACTERS = re.compile(r"[^\t\n -~]|[<&\\]")
LOADS = re.compile(r"(?:url|src|image|image-set)\(|@(?!media\b|supports\b|container\b)[a-z-]*", re.IGNORECASE)
PRELUDE = re.compile(r"([^{};]+)\{")
# All else could tell one of two elements that stand side by side with equal attributes from the other.
STATES = re.compile(
    r":has\(\[open\]\)|\[open\]|\[hidden\]|::(?:before|after|marker)"
    r"|:(?:hover|active|focus|focus-visible|focus-within|checked|disabled)(?![\w(-])"
)
SINGLES_OUT = re.compile(r"[+~:\[(]")
INSIDE = re.compile(r"#cg(?![\w-])")  # the banner's element, so that no rule of it reaches the page around


def plain(sheet: str) -> str:
    """Return a style sheet as it is judged and sent: in one line, without comments, what they part still apart."""
    return COMMENT_OR_STRING.sub(lambda one: " " if one[1] else one[0], sheet).replace("\n", " ")


def faults_of_sheet(name: str, sheet: str) -> Iterator[Fault]:
    """Yield what is wrong with a plain style sheet."""
    found = CHARACTERS.search(sheet)
    if found:
        yield f"which contains {found[0]!r}", "printable ASCII without <, & and backslashes"
        return
    for sign in ("/*", "*/"):
        if sign in sheet:
            yield f"which contains {sign}", "closed comments, none of which begins or ends inside a string"
    text = STRING.sub("''", sheet)
    for one in dict.fromkeys(LOADS.findall(text)):
        yield f"which contains {one}", "rules, @media, @supports and @container; nothing that loads a file"
    if text.count("{") != text.count("}"):
        yield "which contains a rule that is not closed", "one } for each {"
    for prelude in PRELUDE.findall(text):
        yield from _of_prelude(name, prelude.strip())


def _of_prelude(name: str, prelude: str) -> Iterator[Fault]:
    if prelude.startswith("@"):
        return
    for selector in (one.strip() for one in prelude.split(",")):
        if SINGLES_OUT.search(STATES.sub("", selector)):
            allowed = "elements, classes, ids, [open], :hover, :focus and others that both buttons share"
            yield f"whose selector {selector[:80]} may apply to one button only", allowed
        elif name == "banner.css" and not INSIDE.match(selector):
            yield f"which has the selector {selector[:80]}", "selectors that begin with #cg, the banner's id"
