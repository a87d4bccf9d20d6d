"""How scripts load: which properties, keys and calls make a browser contact what they are given, as data."""

from __future__ import annotations

import re

SETS = frozenset(b"src srcset poster srcdoc backgroundImage background cssText".split())
KEYS = frozenset(b"src srcset srcdoc poster".split())
MARKUP = frozenset(
    b"innerHTML outerHTML write writeln insertAdjacentHTML append prepend html parseFromString "
    b"createContextualFragment".split()
)
CALLS = frozenset(
    b"fetch sendBeacon importScripts import Worker SharedWorker WebSocket EventSource FontFace ajax axios getScript "
    b"getJSON insertRule addModule require requirejs".split()
)
# What a script calls its own or its framework's loaders.
LOADER_NAME = re.compile(rb"load|inject|script|beacon|pixel|iframe|embed", re.IGNORECASE)
NOT_A_LOADER = re.compile(
    rb"payload|upload|download|reload|unload|describe|description|transcript|addEventListener", re.I
)
CLIENTS = frozenset(b"$ jQuery axios http https ky superagent request".split())
# The value goes no further: it is looked at, or it is a link.
ENDS = frozenset(
    b"indexOf includes startsWith endsWith test match search exec log warn error info debug postMessage "
    b"addEventListener querySelector querySelectorAll setItem assign share redirect navigate createElementNS".split()
)
NAVIGATES = frozenset(b"href location action sameAs canonical permalink origin referrer".split())
METHOD = re.compile(rb".(?:GET|POST|HEAD|PUT|PATCH|DELETE|OPTIONS)\b", re.IGNORECASE)
ATTRIBUTE = re.compile(rb".(?:src|srcset|data|poster|xlink:href|srcdoc|style)\W?\Z", re.IGNORECASE)
LOADING_MARKUP = re.compile(
    rb"<\\?(?:script|img|iframe|embed|object|source|video|audio|link|input|frame|style)\b|\bsrc\s*=|url\(",
    re.IGNORECASE,
)
