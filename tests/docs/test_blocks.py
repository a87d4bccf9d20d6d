"""Every code block of README.md and docs/ works: Python runs, TOML loads, commands parse.

A comment above a block says what it needs: `<!-- with: shop -->` runs it inside a request of a guarded shop, where
`visitor`, `request` and `app` are there; `<!-- with: testing -->` where `guard` is; `<!-- not run: REASON -->` leaves
it out, and the reason is counted.
"""

from __future__ import annotations

import ast
import asyncio
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from typer import TyperException
from typer.main import get_command

from cookieguard import CookieGuard, visitor_of
from cookieguard.cli.app import COMMANDS, app_of
from cookieguard.config import config_from_mapping

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(
    r"(?:<!-- (?P<note>(?:with|not run): [^>]*?) -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$",
    re.M | re.S,
)
SHELL = ("", "sh", "console")


class Block(NamedTuple):
    """Name one block: where it stands, its language, the note above it, its text."""

    place: str
    language: str
    note: str
    text: str


def blocks(*languages: str) -> list[Any]:
    return list(_blocks(*languages))


def _blocks(*languages: str) -> Iterator[Any]:
    for page in PAGES:
        text = page.read_text()
        for found in BLOCK.finditer(text):
            if found["language"] in languages and not (found["note"] or "").startswith("not run"):
                line = text.count("\n", 0, found.start("text"))
                place = f"{page.relative_to(ROOT)}:{line}"
                yield pytest.param(
                    Block(place, found["language"], found["note"] or "", found["text"]), id=place
                )


@pytest.mark.parametrize("block", blocks("python"))
def test_python_block_runs(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cookieguard.toml").write_text("")
    if block.note == "with: shop":
        asyncio.run(_inside_a_request(block))
    elif block.note == "with: testing":
        guard = CookieGuard(Starlette())
        exec(compile(block.text, block.place, "exec"), {"guard": guard})
        guard.close()
    else:
        names = {"__name__": "example"}
        exec(compile(block.text, block.place, "exec"), names)
        found = {type(one) for one in names.values()}
        assert not {CookieGuard, FastAPI} <= found, "`fastapi run` would find the app that is not guarded"


@pytest.mark.parametrize("block", blocks("toml"))
def test_toml_block_is_a_configuration(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    config_from_mapping(tomllib.loads(block.text))


@pytest.mark.parametrize("block", blocks(*SHELL))
def test_command_block_parses(block: Block) -> None:
    for line in block.text.splitlines():
        words = shlex.split(line, comments=True)
        if words[:1] == ["cookieguard"]:
            _parse(words[1:])


async def _inside_a_request(block: Block) -> None:
    """Run the block as the body of an endpoint of a guarded shop."""
    code = compile(block.text, block.place, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)

    async def endpoint(request: Any) -> PlainTextResponse:
        names = {
            "request": request,
            "app": request.app,
            "visitor": visitor_of(request),
            "visitor_of": visitor_of,
        }
        ended = eval(code, names)
        if ended is not None:
            await ended
        return PlainTextResponse("done")

    guarded = CookieGuard(Starlette(routes=[Route("/", endpoint)]))
    transport = httpx.ASGITransport(app=guarded)
    async with httpx.AsyncClient(transport=transport, base_url="https://shop.example") as client:
        answer = await client.get("/")
    guarded.close()

    assert answer.text == "done"


def _parse(words: list[str]) -> None:
    """Parse a command as the command line would, without running it."""
    command = get_command(app_of(*COMMANDS))
    while hasattr(command, "commands"):
        command = command.commands[words.pop(0)]
    command.make_context(command.name, words)


@pytest.mark.parametrize("words", [["keys", "frob"], ["keys", "list", "--nope"], ["doctor", "--nope"]])
def test_command_that_does_not_exist_fails(words: list[str]) -> None:
    with pytest.raises((KeyError, TyperException)):
        _parse(words)
