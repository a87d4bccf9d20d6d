"""Pages that make a scanner do too much work, for tests that count calls and for benchmarks/hostile.py."""

from __future__ import annotations

# The start, the repeated part (`%d` is a new number each time, so that no cache answers), and the end.
PATTERNS: dict[str, tuple[bytes, bytes, bytes]] = {
    "a tag that never ends": (b"<div ", b"a=b ", b""),
    "a value that never ends": (b'<a b="', b"xxxx ", b""),
    "tags in a tag": (b"", b"<a ", b""),
    "less-than signs": (b"", b"<", b""),
    "ends of nothing": (b"", b"</", b""),
    "comments in a comment": (b"", b"<!--", b""),
    "dashes": (b"<!--", b"-", b""),
    "nested noscript": (b"", b"<noscript>", b""),
    "noscript in a comment": (b"", b"<noscript><!-- </noscript>", b""),
    "scripts in a script": (b"", b"<script><!--", b""),
    "almost the end of a script": (b"<script>", b"</scrip", b""),
    "scripts in svg": (b"<svg>", b"<script>", b""),
    "ends in comments in svg": (b"<svg><script>", b"<!--</script>-->", b""),
    "ends in a comment in svg": (b"<svg><script><!--", b"</script>", b""),
    "scripts in a script in svg": (b"<svg><script>", b"<script></script>", b""),
    "style sheets in svg": (b"<svg>", b"<style>@import url(", b""),
    "deep svg": (b"<svg>", b"<g>", b"</svg>"),
    "sections": (b"<svg>", b"<![CDATA[", b""),
    "references": (b'<img src="', b"&amp;", b'">'),
    "attributes without end": (b"<img ", b"src=//ads.example ", b">"),
    "urls in a sheet": (b"<style>", b'url("', b"</style>"),
    "imports in a sheet": (b"<style>", b"@import/*", b"</style>"),
    "candidates": (b'<img srcset="', b"a 1x,", b'">'),
    "dots": (b'<img src="//ads.example', b"/..", b'">'),
    "selects": (b"<select>", b"<style>", b""),
    "a tag of names": (b"<div ", b"ab ", b""),
    "single quotes that never end": (b"<a b='", b'<p>"', b""),
    "a comment that never ends": (b"<!-- ", b"-- > <a>", b""),
    "declarations": (b"", b"<!-", b""),
    "instructions": (b"", b"<?", b""),
    "empty scripts": (b"", b"<script></script>", b""),
    "scripts": (b"", b"<script>a%d.src='//ads%d.example/a'</script>", b""),
    "scripts that pass": (b"", b"<script>a%d('/a/b', c=d(1,2,3))</script>", b""),
    "pictures": (b"", b"<img src=//ads%d.example/a.gif>", b""),
    "style attributes": (b"", b"<p style='a:url(//ads%d.example/a)'>", b""),
    "sheets": (b"", b"<style>a{b:url(/%d)}</style>", b""),
    "candidates of many hosts": (b'<img srcset="', b"//a%d.example/b 1x,", b'">'),
    "candidates of many pictures": (b"", b"<img srcset='//a%d.example/b 1x, /c%d 2x'>", b""),
    "documents of many frames": (b"", b"<iframe srcdoc='<img src=//a%d.example/b>'></iframe>", b""),
    "sheets of many hosts": (b"", b"<style>a{b:url(//a%d.example/c)}</style>", b""),
    "nested documents": (b'<iframe srcdoc="', b"&lt;iframe srcdoc=&quot;", b'">'),
    "many documents": (b"", b"<iframe srcdoc='<img src=/%d>'></iframe>", b""),
    "bases": (b"", b"<base href=/%d/><img src=a>", b""),
    "text before the body": (b"<!doctype html><head>", b" ", b""),
    "bytes that are no text": (b"", b"\x00\xff\xfe", b""),
}


def hostile_page(name: str, size: int) -> bytes:
    """Make a page of about `size` bytes."""
    before, repeated, after = PATTERNS[name]
    if b"%d" not in repeated:
        return before + repeated * (size // len(repeated)) + after
    pieces, made = [before], 0
    while made < size:
        pieces.append(repeated.replace(b"%d", b"%d" % len(pieces)))
        made += len(pieces[-1])
    return b"".join(pieces) + after
