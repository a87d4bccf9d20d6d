"""One contestant in a process of its own: reads commands, answers each with a line of JSON.

`warm S` and `cold S` rewrite all pages, at least for S seconds of CPU time, and answer the seconds of one pass;
`outputs` answers what comes out (base64), the contestant's name and how many pages it gave up on.
"""

from __future__ import annotations

import argparse
import base64
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from pages import chunked, pages


class Contestant(Protocol):
    """Do the job page by page."""

    name: str
    aborted: int

    def forget(self) -> None:
        """Begin with empty caches."""

    def rewrite(self, page: list[bytes]) -> list[bytes]:
        """Rewrite one page; return what a server would send."""


def _guard(wanted: str) -> Contestant:
    from contestants.guard import Guard

    return Guard(wanted)


def _lolhtml(*, memo: bool) -> Contestant:
    from contestants import lolhtml_peer

    return lolhtml_peer.LolHtml(memo=memo)


def _reader(name: str) -> Contestant:
    from contestants import readers

    return readers.Reader(name)


CONTESTANTS: dict[str, Callable[[], Contestant]] = {
    "compiled": lambda: _guard("compiled"),
    "pure": lambda: _guard("pure"),
    "lolhtml": lambda: _lolhtml(memo=False),
    "lolhtml-memo": lambda: _lolhtml(memo=True),
    "copy": lambda: _reader("copy"),
    "turbohtml": lambda: _reader("turbohtml"),
    "lxml": lambda: _reader("lxml"),
    "html.parser": lambda: _reader("html.parser"),
    "html5lib": lambda: _reader("html5lib"),
}


def timed(contestant: Contestant, cut: list[list[bytes]], *, cold: bool, at_least: float) -> dict[str, Any]:
    """Return the CPU seconds of one pass over all pages."""
    spent, passes = 0.0, 0
    while spent < at_least or not passes:
        if cold:
            contestant.forget()
        before = time.process_time()
        for page in cut:
            contestant.rewrite(page)
        spent += time.process_time() - before
        passes += 1
    return {"seconds": spent / passes}


def outputs(contestant: Contestant, cut: list[list[bytes]]) -> dict[str, Any]:
    """Return every page as it comes out."""
    contestant.aborted = 0
    found = [base64.b64encode(b"".join(contestant.rewrite(page))).decode() for page in cut]
    return {"name": contestant.name, "outputs": found, "aborted": contestant.aborted}


def main() -> None:
    """Answer commands until the input ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("contestant", choices=CONTESTANTS)
    parser.add_argument("--pages", type=Path)
    options = parser.parse_args()
    try:
        contestant = CONTESTANTS[options.contestant]()
    except ImportError as error:
        sys.exit(f"{options.contestant}: {error}; pip install --group bench")
    except LookupError as error:
        sys.exit(f"{options.contestant}: {error}")
    cut = [chunked(page) for page in pages(options.pages)]
    for line in sys.stdin:
        command, _, at_least = line.strip().partition(" ")
        answer = (
            outputs(contestant, cut)
            if command == "outputs"
            else timed(contestant, cut, cold=command == "cold", at_least=float(at_least))
        )
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
