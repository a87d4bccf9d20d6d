"""The hosts a script's text names, as `//host` in all the ways JavaScript and JSON spell it."""

from __future__ import annotations

from cookieguard.html.quick import quick

# The host may begin with a hole of a template (`//${x}.vendor.example`); user and password go. Two slashes and
# a scheme (`//https://...`) begin a comment in a script that is kept as text: no host has these names.
_HOST = (
    rb"(?!https?:[\\/])(?:[^/\"'`\s@<>]{1,64}+@|)"
    rb"((?:(?:\$\{[^}]{0,256}\}|)\.?[A-Za-z0-9_\x80-\xff\-]++(?:\.[A-Za-z0-9_\x80-\xff\-]++)*+|\[[0-9a-fA-F:.]+\])"
    rb"(?::[0-9]{1,5}|))"  # the port too: a vendor may be declared by it
)
# XML names its languages by addresses that nobody fetches: every script that draws SVG has one of them.
_NO_NAMESPACE = rb"(?!www\.w3\.org\\?/(?:1998|1999|2000)\\?/)"
# `\/\/host` from its first slash on. The literal first byte makes the search many times faster.
HOST = quick(rb"/\\?/" + _NO_NAMESPACE + _HOST)
ESCAPED_HOST = quick(rb"\\(?:x2[fF]|u002[fF]|u\{2[fF]\})(?:\\?/|\\x2[fF]|\\u002[fF]|\\u\{2[fF]\})" + _HOST)
ESCAPED_SLASH = quick(rb"\\(?:x2|u002|u\{2)[fF]")
# The name of a host that is compared as it stands.
PLAIN_NAME = rb"(?:[a-z0-9\-]++\.)++[a-z]{2,24}"
# Ends of files, and of no host: no top-level domain has these names.
FILE_ENDINGS = frozenset(
    b"avif cjs css csv gif htm html ico jpeg jpg js json mjs pdf php png svg txt wasm webm webp woff xhtml xml".split()
)
# A host without slashes, to be put behind a scheme.
BARE = (
    rb"((?:[A-Za-z0-9\-]++\.)++(?!(?:"
    + b"|".join(sorted(FILE_ENDINGS))
    + rb")[/:?\"'`])[A-Za-z]{2,24})(?=[/:?\"'`])"
)
# Names of things, never fetched: the vocabularies of linked data.
NAMESPACES = b"www.w3.org"  # those of XML (_NO_NAMESPACE), and more
VOCABULARIES = frozenset(b"schema.org ogp.me purl.org www.schema.org www.ogp.me www.purl.org".split())
