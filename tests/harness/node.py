"""A long-running Node process that parses pages with parse5, installed once from its lock file."""

from __future__ import annotations

import json
import shutil
import subprocess
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any

from harness.npm import installed

HERE = Path(__file__).parent / "parse5"
MISSING = "node and npm are not there: parse5 has no say"


def has_node() -> bool:
    """Return whether Node and npm are installed."""
    return shutil.which("node") is not None and shutil.which("npm") is not None


class Parse5:
    """Answer how parse5 reads a page and how the WHATWG URL parser resolves a reference. Owns the process."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            ["node", str(HERE / "serve.mjs"), str(installed(HERE).parent)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        self.resolve = lru_cache(maxsize=100_000)(self._resolve)

    def __enter__(self) -> Parse5:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.stdin.close()  # type: ignore[union-attr]  # a pipe, as asked for
        self._process.wait(60)

    def elements(self, page: str, *, scripting: bool) -> list[tuple[str, list[tuple[str, str]], str, bool]]:
        """Return (name, attributes, text of script and style, is in a template) of every element."""
        return [
            (name, [(k, v) for k, v in attributes], text, inside)
            for name, attributes, text, inside in self._ask(ask="parse", page=page, scripting=scripting)
        ]

    def _resolve(self, reference: str, base: str) -> tuple[str, str, str] | None:
        """Return (protocol, host name, URL) as a browser resolves a reference; None where it cannot."""
        answer = self._ask(ask="resolve", reference=reference, base=base)
        return None if answer is None else (answer[0], answer[1], answer[2])

    def _ask(self, **question: Any) -> Any:
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(question) + "\n")
        process.stdin.flush()
        return json.loads(process.stdout.readline())
