"""How scripts load: which properties, keys and calls make a browser contact what they are given, as data."""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Iterable
from itertools import chain, pairwise

from cookieguard.html.harmless import choice
from cookieguard.html.quick import quick

SETS = frozenset(b"src srcset poster srcdoc backgroundImage background cssText".split())
KEYS = frozenset(b"src srcset srcdoc poster".split())
SETTERS = frozenset(b"assign attr prop extend merge".split())  # take an object with such keys
MARKUP = frozenset(
    b"innerHTML outerHTML write writeln insertAdjacentHTML append prepend after before replaceWith html wrap wrapAll "
    b"wrapInner parseFromString parseHTML parseHTMLUnsafe setHTML setHTMLUnsafe createContextualFragment "
    b"execCommand".split()
)
# Make elements of an argument that begins with a tag, and look for elements with any other: jQuery, under the names
# it is given where `$` is somebody else's, its likes, and a query that takes more in.
QUERIES_OF_ALL = frozenset({b"add"})  # what is called on all kinds of things
QUERIES = QUERIES_OF_ALL | frozenset(b"$ jQuery $j j$ jq jQ $jq Zepto cash".split())
# Calls that load what their first argument says, and what their options say by one of these keys.
CALLS = frozenset(
    b"fetch sendBeacon Worker SharedWorker WebSocket EventSource ajax axios getScript getJSON insertRule addModule "
    b"fetchLater".split()
)
OPTIONS = frozenset(b"url src href baseURL endpoint".split())
# Calls that load any of their arguments.
CALLS_OF_ALL = frozenset(b"importScripts import FontFace require requirejs".split())
# Calls that set the attribute their first or second argument names.
ATTRIBUTE_SETTERS = frozenset(b"setAttribute setAttributeNS attr prop".split())
# Calls that load only on some objects or with some arguments.
SHARED_NAMES = ATTRIBUTE_SETTERS | frozenset(b"open get post".split())
RUN_TEXT = frozenset(b"eval Function setTimeout setInterval Blob createTextNode".split())
# What a script calls its own or its framework's loaders.
LOADER_WORDS = b"load inject script beacon pixel iframe embed".split()
LOADER_NAME = re.compile(b"|".join(LOADER_WORDS), re.IGNORECASE)
NOT_A_LOADER = re.compile(
    rb"payload|upload|download|reload|unload|describe|description|transcript|addEventListener", re.I
)
CLIENTS = frozenset(b"$ jQuery axios http https ky superagent request".split())
# The value goes no further: it is looked at, kept as text or part of another URL, or it is a link.
ENDS = frozenset(
    b"indexOf lastIndexOf includes startsWith endsWith test match search exec log warn error info debug postMessage "
    b"addEventListener querySelector querySelectorAll setItem assign share redirect navigate createElementNS "
    b"encodeURIComponent Error".split()
)
# The language's own: no script declares them as loaders, and all scripts call them.
BUILT_IN = frozenset(
    b"this window document self var let const return new typeof true false null for if while switch catch super "
    b"constructor function apply call bind then finally all keys values entries push pop shift unshift slice splice "
    b"join split replace concat sort map filter reduce some every find forEach hasOwnProperty toString parse stringify "
    b"getElementById getElementsByTagName getItem appendChild insertBefore removeChild createElement getPrototypeOf "
    b"defineProperty preventDefault Promise Object Array String Date Math".split()
)
# What takes a frame to another page where it is the frame's own.
FRAME_PARTS = frozenset({b"location", b"href"})
GOES_TO = {
    b"replace": b"location",
    b"assign": b"location",
    b"navigate": b"navigation",
}  # and what has such a method
NAVIGATES = frozenset(b"href location action sameAs canonical permalink origin referrer".split())
METHOD = re.compile(rb".(?:GET|POST|HEAD|PUT|PATCH|DELETE|OPTIONS)\b", re.IGNORECASE)
ATTRIBUTE = re.compile(rb".(?:src|srcset|data|poster|xlink:href|srcdoc|style)\W?\Z", re.IGNORECASE)
_TAG = rb"(?:<|\\x3c|\\u003c|\\u\{3c\})\\?"
_REFRESH = rb"meta\b[^<>]{0,200}refresh"
LOADING_MARKUP = re.compile(
    _TAG
    + rb"(?:(?:script|img|iframe|embed|object|source|video|audio|link|input|frame|style)\b|"
    + _REFRESH
    + rb")|\bsrc\s*=|url\(",
    re.IGNORECASE,
)
# Markup that contacts somebody whatever the policy says: what holds it is followed as such (names.py).
FREE_MARKUP = re.compile(
    _TAG + rb"(?:(?:i?frame|fencedframe)\b|link\b[^<>]{0,300}(?:preconnect|dns-prefetch)|" + _REFRESH + rb")",
    re.IGNORECASE,
)
# The same where it ends before its tag does: what is put behind it is of the tag.
OPEN_MARKUP = re.compile(FREE_MARKUP.pattern + rb"[^<>]{0,300}+\Z", re.IGNORECASE)
# How such a tag begins, as a glance at all literals tells: to search for one sign is fastest.
_MAY_BE_FREE = re.compile(rb"<(?=\\?(?:[iI]?[fF]|[lLmM]))")
_MAY_BE_ESCAPED = re.compile(rb"\\(?=(?:x|u00|u\{)3[cC])")
_BLANKS = rb"(?:\s|\\[nrtvf\r\n])*+"
BEGINS_MARKUP = re.compile(rb"." + _BLANKS + _TAG, re.IGNORECASE)
BEGINS_LINK = re.compile(rb"." + _BLANKS + _TAG + rb"link\b", re.IGNORECASE)
# Among the options a link is made with.
HINT = re.compile(rb".(?:preconnect|dns-prefetch)\W?\Z", re.IGNORECASE)
# Properties and calls that load where the script has all of these words: what no policy stops is read here.
_RULES = ((b"speculationrules",),)
TAKES_TEXT = frozenset(b"createTextNode insertAdjacentText replaceChildren text".split())  # and no markup
OF_RULES = re.compile(rb"(?<!\$)\{")  # speculation rules are an object
MEANT: dict[bytes, tuple[tuple[bytes, ...], ...]] = {
    b"text": _RULES,
    b"textContent": _RULES,
    b"innerText": _RULES,
    b"innerHTML": _RULES,
    b"append": _RULES,
    b"appendChild": _RULES,
    **dict.fromkeys(TAKES_TEXT, _RULES),
    b"content": ((b"refresh", b"Equiv"), (b"refresh", b"-equiv")),  # httpEquiv, http-equiv
    b"action": ((b"ubmit(", b"target"),),  # a form that is sent into a frame
}


def may_be_free(literals: bytes) -> bool:
    """Tell at a glance whether markup may stand in literals that contacts somebody whatever the policy says."""
    if literals.find(b"<") >= 0 and _MAY_BE_FREE.search(literals):
        return True
    return literals.find(b"\\") >= 0 and _MAY_BE_ESCAPED.search(literals) is not None


def _backwards(names: Iterable[bytes]) -> bytes:
    return choice(sorted(name[::-1] for name in names))


SINK_CALLS = (
    CALLS
    | CALLS_OF_ALL
    | MARKUP
    | QUERIES - QUERIES_OF_ALL
    | SETTERS
    | SHARED_NAMES
    | RUN_TEXT
    | frozenset(GOES_TO)
)
SINK_PROPERTIES = frozenset({*SETS, *MARKUP, *MEANT, *FRAME_PARTS})
SINK_KEYS = KEYS
IMPORTS = frozenset({b"from", b"import"})
# Any of all these in code that is read backwards (reading.py): a script without one loads nothing by itself. Each
# begins with one byte: so it is searched for ten times as fast as all of them in one pattern. What most have leads.
_CALL = _backwards(SINK_CALLS) + rb"(?![\w$])|[\w$]{0,64}(?i:" + _backwards(LOADER_WORDS) + rb")"
_KEY = _backwards(SINK_KEYS) + rb"(?![\w$])"
_CALLED = rb"\(\s*+(?:" + _CALL + rb"|\]\s*+"  # or by a name in quotes
SINKS = (
    re.compile(rb"=[+|?]{0,2}\s*+(?:\]|" + _backwards(SINK_PROPERTIES) + rb"\s*+\.)"),
    re.compile(_CALLED + rb"\x01)"),
    re.compile(rb":\s*+" + _KEY),
    re.compile(rb"\x01\s*+(?:morf|tropmi)\b"),
)
# The same in a text before anything was cut out of it, and more: a comment may stand where nothing does in the code.
_SET = rb"\]|" + _backwards(SINK_PROPERTIES) + rb"(?:\s*+[./]|[^\S\n]*+\n)"
_ANY = rb"\s*+(?:" + b"|".join((_CALL, _SET, _KEY)) + rb")"
SINKS_IN_TEXT = (
    re.compile(_CALLED + rb"[\"'`])"),
    re.compile(rb"=[+|?]{0,2}\s*+(?:" + _SET + rb")"),
    re.compile(rb"/(?<=[*/]/)" + _ANY),
)
# Keys and imports, forwards: data have a colon or a quote at each turn. All of these words have an `r`.
_QUOTE = rb"\s*+[\"'`/]"
WORDS_IN_TEXT = re.compile(
    rb"r(?:c(?<=src)(?:set|doc)?+\s*+:|(?<=poster)\s*+:"
    rb"|om(?<=from)(?<!\wfrom)" + _QUOTE + rb"|t(?<=import)(?<!\wimport)" + _QUOTE + rb")"
)
# Any of these in code: what is a script as text may be run.
RUNS_TEXT = re.compile(b"\\b(?:text\\b|(?:" + b"|".join(sorted(RUN_TEXT)) + rb")\s*\()")

# What stands where, as patterns: the parameters of a function expression, the function or the name that is given each
# item, a call that makes an element, a path or a query that goes on from what stands before it.
PARAMETERS_AT = re.compile(
    rb"[\s(!+\-]*+(?:async\s*+)?(?:function\s*+[\w$]*+\s*+\(([^()]{0,1024}+)\)|\(([\w$\s,]*+)\)\s*+=>|([\w$]++)\s*+=>)"
)
EACH = re.compile(
    rb"\]?(?:\s*+\.\s*+\w++\([^()]{0,1024}+\)|)\s*+\.\s*+(?:forEach|map|filter|reduce|each|some|every|flatMap|find)"
    rb"\s*+\(\s*+(?:async\s*+)?(?:function\b\s*+[\w$]*+\s*+)?\(?\s*+([\w$\s,]*+)"
)
CLASS = re.compile(rb"class\s++([\w$]++)(\s++extends\b)?")
LOOP = re.compile(rb"\s*+(?:(?:var|let|const)\s++)?([\w$]++)\s++(?:of|in)\s")
OWN_PATH = re.compile(rb".(?:/(?![/\\])|\?|&[\w\-]*+=)[^<>\s]*+\Z")
# Calls that hand what they are given to a function: which argument that is, and which of its parameters it becomes,
# counted from the argument that it is.
HANDS_ON = {b"setTimeout": (0, -2), b"setInterval": (0, -2), b"each": (1, 1)}
CALLS_IT = frozenset({b"call", b"apply", b"bind"})  # the function that has such a method
ONLY_NAME = re.compile(rb"\s*+([A-Za-z_$][\w$]*+)\s*+[,)]")
THEN = re.compile(rb"\)\s*+\.\s*+then\(")
FILLS = frozenset({b"replace", b"replaceAll"})  # a template with what it is given
JOINS = frozenset(b"write writeln push".split())  # put parts of a text behind each other
MEANT_OTHERWISE = FILLS | JOINS | CALLS_IT | frozenset({b"set"})
# A statement that returns, behind conditions that stand before it; and a condition that asks for one of several, as
# in a look-up whose answers go different ways.
_IN_CONDITION = rb"(?:[^(){};]++|\((?:[^(){};]++|\([^(){};]*+\))*+\))*+"
RETURNS = quick(rb"\s*+(?:(?=[ie])(?:(?:if\s*+\(" + _IN_CONDITION + rb"\)|else\b)\s*+)++|)return\b")
LOOKS_UP = re.compile(rb"[=!]=\s*+[\x01\d]|\x01\s*+[=!]=")
# The window or document of a frame, and what is within it, backwards.
OF_FRAME = re.compile(
    rb"(?:\s*+\.\??)?+(?:\s*+(?:noitacol|tnemucod)\s*+\.\??)*+\s*+(?:wodniWtnetnoc|tnemucoDtnetnoc|weiVtluafed|"
    rb"(?:\][^\[\]]{0,64}+\[|[\w$]++\s*+\.\??)\s*+semarf)(?![\w$])"
)


Bodies = list[tuple[bytes, int]]  # the parameters of functions and where their bodies begin, the last first


def constructors_of(code: bytes, bodies: Bodies) -> dict[bytes, Bodies]:
    """Tell which constructors are whose, by the names of the classes.

    To be sure takes a whole parser: those up to the next class, or all where none lies there or one may be inherited.
    """
    found: dict[bytes, Bodies] = {}
    places = [place for _, place in reversed(bodies)]
    classes = list(CLASS.finditer(code))
    counts = [len(places) - bisect(places, one.start()) for one in classes]  # of constructors behind each
    for one, (behind, left) in zip(classes, pairwise(chain(counts, [0])), strict=True):
        if behind == left or one[2]:
            found[one[1]] = bodies
        elif found.get(one[1]) is not bodies:
            found.setdefault(one[1], []).extend(bodies[left:behind])
    return found
