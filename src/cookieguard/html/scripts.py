"""Whether an inline script loads something from a held host, as far as its text tells.

A script is held only if it names a held host *and* what it names is what it loads. The procedure:

1. No URL literal of a held host, or no loading idiom anywhere: passes. Nearly every script ends here.
2. The text is cut into code and string literals (comments go). Each literal that names a held host is a suspect;
   so is a bare host name (`'cdn.vendor.example'`) where the script also glues a scheme (`'https://' + x`).
3. Names a suspect is assigned to (variable, property, key) are suspect too, and what is assigned from those, and
   the parameters of functions and callbacks they are handed to.
4. Every sink of SINKS is looked at: the assigned expression, or the arguments of the call. A suspect in it: held.
   Sinks that take markup count only where the markup loads; `.href =` only where the script makes a `link`.

What is only linked to (`a.href = 'https://social.example/shop'`), compared or listed flows into no sink and
passes; the Content-Security-Policy is behind this wall for all that hides better (atob, split names).
"""

from __future__ import annotations

import re
from collections.abc import Callable

from cookieguard.html.urls import Url, parse_url, resolve

# `//host` as JavaScript and JSON spell it: slashes may be escaped, the host may start with a hole.
HOST = re.compile(
    rb"(?:\\?/|\\x2[fF]|\\u002[fF]){2}(?:[^/\"'`\s@<>]{1,64}@)?((?:\$\{[^}]*\})?\.?[A-Za-z0-9_\x80-\xff\-]+"
    rb"(?:\.[A-Za-z0-9_\x80-\xff\-]+)*|\[[0-9a-fA-F:.]+\])"
)
BARE_HOST = re.compile(rb"\A\.?((?:[A-Za-z0-9\-]+\.)+[A-Za-z]{2,24})(?:[/:?]|\Z)")
GLUED = re.compile(rb"(?:\A|:)(?:\\?/){0,2}(?:[A-Za-z0-9\-]+\.?)?\Z")
IDIOM = re.compile(
    rb"createElement|\.src|\[[\"']src|setAttribute|[\"']?src[\"']?\s*:|Image|sendBeacon|fetch|XMLHttp|import|"
    rb"document\.write|\.write|insertAdjacent|innerHTML|outerHTML|EventSource|WebSocket|Worker|ajax|axios|getScript|"
    rb"getJSON|\$\.(?:get|post)|[lL]oad|[iI]nject|require|\.append\(|\.html\(|createContextual|parseFromString|"
    rb"[bB]ackground|cssText|insertRule|FontFace|srcdoc|\.open\("
)
NAMESPACE = re.compile(
    rb"https?:\\?/\\?/(?:www\.)?(?:w3\.org/(?:1998|1999|2000|XML)|schema\.org|ogp\.me|purl\.org)"
)
LONGEST_FLOW = 3  # how often names are handed on: loaders in the wild need two

PIECES = re.compile(
    rb"(?P<comment>/\*(?:[^*]|\*(?!/))*+(?:\*/|\Z)|(?<![:\\])//[^\n]*+|<!--[^\n]*+)"
    rb"|(?P<string>\"(?:[^\"\\\n]|\\.)*+\"?|'(?:[^'\\\n]|\\.)*+'?|`(?:[^`\\]|\\.)*+`?)"
    rb"|(?P<regexp>(?<=[=(,:;!&|?{}\[\n])[ \t]*/(?![*/])(?:[^/\\\n\[]|\\.|\[(?:[^\]\\\n]|\\.)*+\])++/[a-z]*+)",
    re.DOTALL,
)
HOLE = re.compile(rb"\$\{([^{}]*)\}")
NAME = rb"([A-Za-z_$][\w$]*)"
MARK = rb"\x01(\d+)\x02"

SINK_SET = re.compile(
    rb"\.(src|srcset|poster|srcdoc|backgroundImage|background|cssText|href|innerHTML|outerHTML)\s*\+?=(?!=)"
)
SINK_KEY = re.compile(rb"(?<![\w$.])(src|srcset|srcdoc|poster)\s*:")
SINK_CALL = re.compile(
    rb"(?<![\w$])(fetch|sendBeacon|importScripts|import|Worker|SharedWorker|WebSocket|EventSource|FontFace|ajax|axios|"
    rb"getScript|getJSON|insertRule|addModule|write|writeln|insertAdjacentHTML|setAttribute|setAttributeNS|open|"
    rb"append|prepend|html|parseFromString|createContextualFragment|get|post|require|requirejs|\w*[lL]oad\w*|"
    rb"\w*[iI]nject\w*|\w*(?:[sS]cript|[bB]eacon|[pP]ixel)\w*)\s*\("
)
SINK_IMPORT = re.compile(rb"(?<![\w$.])(?:import|from)\s*" + MARK)
MARKUP_SINKS = frozenset(
    {
        b"innerHTML",
        b"outerHTML",
        b"write",
        b"writeln",
        b"insertAdjacentHTML",
        b"append",
        b"prepend",
        b"html",
        b"parseFromString",
        b"createContextualFragment",
    }
)
LOADING_MARKUP = re.compile(
    rb"<\\?(?:script|img|iframe|embed|object|source|video|audio|link|input|frame|style)\b|src\s*=|url\(", re.I
)
LINK_MARKUP = re.compile(rb"<a\b[^<>]*\bhref\s*=\s*\\?[\"']?\s*\Z", re.IGNORECASE)
METHOD = re.compile(rb"\A.(?:GET|POST|HEAD|PUT|PATCH|DELETE|OPTIONS)", re.IGNORECASE)
LOADING_ATTRIBUTE = re.compile(rb"\A.(?:src|srcset|data|poster|xlink:href|srcdoc|style)\W?\Z", re.IGNORECASE)
MAKES_LINK = re.compile(rb"\A.(?:link|base)\W?\Z")
JQUERY_CALLS = frozenset({b"get", b"post", b"html", b"append", b"prepend"})
BUILT_IN = frozenset(
    b"if for while switch return typeof function catch push indexOf includes startsWith endsWith replace split match "
    b"test exec log warn error info debug postMessage addEventListener querySelector querySelectorAll getElementById "
    b"assign concat join freeze defineProperty setItem getItem encodeURIComponent URL String RegExp".split()
)

Judge = Callable[[Url], object | None]
Names = Callable[[bytes], bool]  # tells of a host whether it is held


def held_hosts(text: bytes, judge: Judge) -> list[Url]:
    """List the held hosts the text names, as URLs: of import maps, speculation rules, `javascript:` URLs."""
    urls = (url_of(host) for host in dict.fromkeys(HOST.findall(text)))
    return [url for url in urls if url and judge(url)]


def url_of(host: bytes) -> Url | None:
    """Make a URL of a host as a script names it."""
    name = host.removeprefix(b"${}").lstrip(b".").decode("utf-8", "replace")
    return resolve(f"//{name}/", SOME_PAGE)


SOME_PAGE = parse_url("https://page.invalid/")


class Suspicion:
    """Judge the hosts of one script. Owns the list of the held ones it was asked about."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self._known: dict[bytes, bool] = {}
        self.found: list[Url] = []

    def __call__(self, host: bytes) -> bool:
        known = self._known.get(host)
        if known is None:
            url = url_of(host)
            known = self._known[host] = url is not None and self._judge(url) is not None
            if url is not None and known:
                self.found.append(url)
        return known


def loads_held(text: bytes, is_held: Names) -> bool:
    """Tell whether an executable script loads from a held host.

    >>> loads_held(b"new Image().src='//ads.example/p'", lambda host: host == b"ads.example")
    True
    >>> loads_held(b"a.href='//ads.example/p'; fetch('/cart')", lambda host: host == b"ads.example")
    False
    """
    if b"/" not in text or not IDIOM.search(text):
        return False
    hosts = {host for host in set(HOST.findall(text)) if is_held(host)}
    if not hosts and not (GLUE.search(text) and _may_glue(text, is_held)):
        return False
    return _Flow(text, is_held).reaches_a_sink()


GLUE = re.compile(rb"//(?:[A-Za-z0-9\-]+\.?)?[\"'`]|:[\"']")
BARE_LITERAL = re.compile(rb"[\"'`}]\.?((?:[A-Za-z0-9\-]+\.)+[A-Za-z]{2,24})(?=[/:?\"'`])")


def _may_glue(text: bytes, is_held: Names) -> bool:
    return any(is_held(host) for host in set(BARE_LITERAL.findall(text)))


class _Flow:
    """Follow suspects through one script. Owns its code (literals replaced by marks) and the suspect names."""

    def __init__(self, text: bytes, is_held: Names) -> None:
        self._is_held = is_held
        self._literals: list[bytes] = []
        self.code = PIECES.sub(self._cut, text)
        glues = any(GLUED.search(x[1:-1]) for x in self._literals if b"/" in x or b":" in x)
        self._suspects = {n for n, x in enumerate(self._literals) if self._is_suspect(x, glues=glues)}
        self._names: set[bytes] = set()
        self._handed_on = False

    def reaches_a_sink(self) -> bool:
        """Tell whether a suspect flows into something that loads."""
        if not self._suspects:
            return False
        for _ in range(LONGEST_FLOW):
            if not self._spread():
                break
        return self._any_import() or self._any_set() or self._any_call()

    def _cut(self, match: re.Match[bytes]) -> bytes:
        if match.lastgroup == "comment":
            return b" "
        if match.lastgroup == "regexp":
            return b" 0"
        literal = match[0]
        holes = HOLE.findall(literal) if literal[:1] == b"`" else []
        self._literals.append(HOLE.sub(b"${}", literal) if holes else literal)
        mark = b"\x01%d\x02" % (len(self._literals) - 1)
        return mark + b"".join(b"+(" + hole + b")" for hole in holes)

    def _is_suspect(self, literal: bytes, *, glues: bool) -> bool:
        inner = literal[1:-1]
        if NAMESPACE.match(inner):
            return False
        if any(self._is_held(host.removeprefix(b"${}").lstrip(b".")) for host in HOST.findall(inner)):
            return True
        bare = BARE_HOST.match(inner.removeprefix(b"${}")) if glues else None
        return bool(bare and self._is_held(bare[1]))

    def _mentions(self, expression: bytes) -> bool:
        if any(int(n) in self._suspects for n in MARK_IN.findall(expression)):
            return True
        return bool(self._names) and not self._names.isdisjoint(WORD.findall(expression))

    def _spread(self) -> bool:
        """Name what suspects are assigned or handed to; tell whether that is news."""
        before = len(self._names)
        for match in ASSIGNED.finditer(self.code):
            if match[1] in NAVIGATES or match[1] in self._names:
                continue
            expression = _expression(self.code, match.end())
            if not FUNCTION.match(expression) and self._mentions(expression):
                self._names.add(match[1])
        for match in CALLED.finditer(self.code):
            self._hand_over(match)
        return len(self._names) > before

    def _hand_over(self, match: re.Match[bytes]) -> None:
        """Make the parameters suspect of a function called with a suspect, or of a callback on a suspect list."""
        callee = match[1] or b""
        arguments = _expression(self.code, match.end(), call=True)
        if callee in BUILT_IN:
            return
        if callee in ITERATES:
            if self._mentions(_receiver(self.code, match.start())):
                self._names.update(_parameters(arguments))
        elif not FUNCTION.match(arguments) and self._mentions(arguments):
            self._names.update(self._parameters_of(callee, match.start(), arguments))

    def _parameters_of(self, callee: bytes, position: int, arguments: bytes) -> list[bytes]:
        """Find the parameters that take the suspect arguments, by place."""
        if callee and callee not in (b"call", b"apply"):
            found = re.search(
                rb"function\s+"
                + re.escape(callee)
                + rb"\s*\(([^)]*)\)|(?<![\w$])"
                + re.escape(callee)
                + rb"\s*[=:]\s*(?:async\s*)?(?:function\s*[\w$]*\s*\(([^)]*)\)|\(([^)]*)\)\s*=>|([\w$]+)\s*=>)|"
                + rb"(?<![\w$.])"
                + re.escape(callee)
                + rb"\(([^)]*)\)\s*\{",
                self.code,
            )
            header = next((group for group in found.groups() if group is not None), b"") if found else b""
        else:
            header = _immediate_header(self.code, position)
        names = [WORD.findall(part)[:1] for part in header.split(b",")]
        given = _split(arguments)
        if callee == b"call":
            given = given[1:]
        return [name[0] for name, value in zip(names, given, strict=False) if name and self._mentions(value)]

    def _any_import(self) -> bool:
        return any(int(match[1]) in self._suspects for match in SINK_IMPORT.finditer(self.code))

    def _any_set(self) -> bool:
        for pattern in (SINK_SET, SINK_KEY):
            for match in pattern.finditer(self.code):
                expression = _expression(self.code, match.end())
                if FUNCTION.match(expression) or not self._mentions(expression):
                    continue
                if self._counts(match[1], expression):
                    return True
        return False

    def _counts(self, sink: bytes, expression: bytes) -> bool:
        if sink == b"href":
            return any(MAKES_LINK.match(literal) for literal in self._literals)
        return sink not in MARKUP_SINKS or self._loads_by_markup(expression)

    def _loads_by_markup(self, expression: bytes) -> bool:
        """Tell whether markup in the expression loads, and not only links to, what is suspect."""
        numbers = [int(n) for n in MARK_IN.findall(expression)]
        if any(n in self._suspects and LOADING_MARKUP.search(self._literals[n]) for n in numbers):
            return True
        joined = b"".join(self._literals[n] for n in numbers)
        return bool(LOADING_MARKUP.search(joined))

    def _any_call(self) -> bool:
        for match in SINK_CALL.finditer(self.code):
            arguments = _expression(self.code, match.end(), call=True)
            if self._mentions(arguments) and self._call_counts(match, arguments):
                return True
        return False

    def _call_counts(self, match: re.Match[bytes], arguments: bytes) -> bool:
        sink = match[1]
        if DECLARES.search(self.code, max(0, match.start() - 12), match.start()):
            return False
        first = MARK_AT.match(arguments)
        literal = self._literals[int(first[1])] if first else b""
        if sink == b"open":
            return bool(METHOD.match(literal))
        if sink in (b"setAttribute", b"setAttributeNS"):
            names = [self._literals[int(n)] for n in MARK_IN.findall(arguments)]
            return any(LOADING_ATTRIBUTE.match(x) for x in names) or (
                any(x[1:-1] == b"href" for x in names) and self._counts(b"href", arguments)
            )
        if sink in (b"get", b"post"):
            return bool(
                re.search(
                    rb"(?:\$|jQuery|axios|http|ky|superagent|request)\.\Z", self.code[: match.start()][-12:]
                )
            )
        return sink not in MARKUP_SINKS or self._loads_by_markup(arguments)


WORD = re.compile(rb"[A-Za-z_$][\w$]*")
MARK_IN = re.compile(MARK)
MARK_AT = re.compile(rb"\s*" + MARK)
ASSIGNED = re.compile(NAME + rb"[\"'\]]*\s*(?:\|\|)?(?:[+=]?=(?![=>])|:(?!:))")
CALLED = re.compile(rb"(?:" + NAME + rb"|[)}])\s*\(")
FUNCTION = re.compile(rb"\s*(?:async\s*)?(?:function\b|\(?[\w$\s,]*\)?\s*=>)")
DECLARES = re.compile(rb"function\s+\Z")
NAVIGATES = frozenset(
    {b"href", b"location", b"action", b"sameAs", b"canonical", b"link", b"permalink", b"origin", b"referrer"}
)
ITERATES = frozenset(
    {b"forEach", b"map", b"filter", b"reduce", b"each", b"some", b"every", b"flatMap", b"find"}
)
LONGEST_EXPRESSION = 4096  # bytes of code (literals count as marks)
STRUCTURE = re.compile(rb"[()\[\]{},;\n]")
CONTINUES = re.compile(rb"\s*[+?:.&|*(=]|[ \t\r]*\n\s*[+?:.&|]")
OPEN, CLOSE = b"([{", b")]}"


def _expression(code: bytes, start: int, *, call: bool = False) -> bytes:
    """Return the expression at `start`; with `call`, all arguments up to the closing parenthesis."""
    depth = 0
    limit = min(len(code), start + LONGEST_EXPRESSION)
    for match in STRUCTURE.finditer(code, start, limit):
        sign = match[0]
        if sign in OPEN and sign != b"":
            depth += 1
        elif sign in CLOSE:
            depth -= 1
            if depth < 0:
                return code[start : match.start()]
        elif depth == 0 and not call and _ends(code, start, match):
            return code[start : match.start()]
    return code[start:limit]


def _ends(code: bytes, start: int, match: re.Match[bytes]) -> bool:
    if match[0] != b"\n":
        return True
    before = code[start : match.start()].rstrip()
    return bool(before) and before[-1:] not in b"+?:=(&|,." and not CONTINUES.match(code, match.end())


def _split(arguments: bytes) -> list[bytes]:
    found: list[bytes] = []
    position = 0
    while position <= len(arguments) and len(found) < 64:
        depth, end = 0, len(arguments)
        for match in STRUCTURE.finditer(arguments, position):
            depth += (match[0] in OPEN) - (match[0] in CLOSE)
            if match[0] == b"," and depth == 0:
                end = match.start()
                break
        found.append(arguments[position:end])
        position = end + 1
    return found


def _receiver(code: bytes, end: int) -> bytes:
    """Return what stands before `.forEach`: a name or a list literal."""
    before = code[max(0, end - 2048) : end].rstrip(b". \n\t")
    if not before.endswith(b"]"):
        return before[-64:].rpartition(b";")[2].rpartition(b"\n")[2]
    return before[before.rfind(b"[") :]


def _parameters(arguments: bytes) -> list[bytes]:
    header = re.match(rb"\s*(?:async\s*)?(?:function\s*[\w$]*\s*)?\(?([^)=]*)", arguments)
    return WORD.findall(header[1])[:4] if header else []


def _immediate_header(code: bytes, position: int) -> bytes:
    """Find the parameters of the function expression that is called right where it ends, at `position`."""
    depth = 0
    for index in range(position, -1, -1):
        sign = code[index : index + 1]
        depth += (sign in CLOSE) - (sign in OPEN)
        if depth == 0 and sign in OPEN:
            start = index
            break
    else:
        return b""
    inside = re.compile(rb"[\s(!]*(?:async\s*)?(?:function\s*[\w$]*\s*)?\(([^)]*)\)").match(code, start)
    outside = re.compile(rb"function\s*[\w$]*\s*\(([^)]*)\)\s*\Z").search(code[max(0, start - 512) : start])
    chosen = outside or inside
    return chosen[1] if chosen else b""
