"""For scale: what Python's HTML libraries need to read the pages and write them again. None does the job."""

from __future__ import annotations

import html.parser
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import version
from typing import Any


def _copy(page: list[bytes]) -> list[bytes]:
    return [bytes(memoryview(chunk)) for chunk in page]


class _Tags(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[object] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, attrs))


def _html_parser(page: list[bytes]) -> list[bytes]:
    parser = _Tags()
    for chunk in page:
        parser.feed(chunk.decode("utf-8", "replace"))
    parser.close()
    return page


def _lxml(page: list[bytes]) -> list[bytes]:
    lxml_html = import_module("lxml.html")
    return [lxml_html.tostring(lxml_html.document_fromstring(b"".join(page)))]


def _html5lib(page: list[bytes]) -> list[bytes]:
    import_module("html5lib").parse(b"".join(page))
    return page


def _turbohtml(page: list[bytes]) -> list[bytes]:
    rewrite = import_module("turbohtml.rewrite").rewrite
    return [rewrite(b"".join(page).decode("utf-8", "replace"), elements=[("[src]", _look)]).encode()]


def _look(element: Any) -> None:
    dict(element.attrs).get("src")


READERS: dict[str, tuple[str, str, Callable[[list[bytes]], list[bytes]]]] = {
    "copy": ("", "copied chunk by chunk", _copy),
    "turbohtml": ("turbohtml", "rewrite() of the whole page, every src looked at", _turbohtml),
    "lxml": ("lxml", "parse, write", _lxml),
    "html.parser": ("", "start tags only", _html_parser),
    "html5lib": ("html5lib", "parse only", _html5lib),
}


class Reader:
    """Read page by page."""

    aborted = 0

    def __init__(self, name: str) -> None:
        package, does, self.rewrite = READERS[name]
        if package:
            import_module(package)
        self.name = f"{name}{' ' + version(package) if package else ''}: {does}"

    def forget(self) -> None:
        """Remember nothing anyway."""
