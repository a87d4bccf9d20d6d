"""With many vendors, all headers of a page fit into the buffers of nginx as it is installed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from harness.quick import some_of
from harness.servers import LOOPBACK, serving

from cookieguard import Config, CookieGuard, Vendor, visitor_of
from cookieguard.config import load_catalogue
from servers.clients import Reply
from servers.nginx import Nginx, nginx_before
from servers.traces import draw

(ANNA,) = draw(1, seed=35)
JSON = {"Sec-Fetch-Site": "same-origin", "Content-Type": "application/json"}
BUFFER = 4096  # what nginx takes by default on most machines
CHOICES = {
    "accepted": {"choice": "accept"},
    "partly": {"choice": "save", "purpose": ["marketing", "preferences"]},
    "refused": {"choice": "reject"},
}


async def shop(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "http":
        visitor = visitor_of(scope)
        visitor.session["seen"] = ["a product of some name"] * 5
        visitor.cart["lines"] = {f"sku-{number:05}": number for number in range(20)}
        kind = b"text/javascript" if scope["path"] == "/worker.js" else b"text/html"
        headers = [(b"content-type", kind), (b"etag", b'"1"')]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"<!doctype html><body><p>Welcome</p>"})


def some_vendors(count: int) -> tuple[Vendor, ...]:
    """Return so many of the catalogue, of every category some."""
    return tuple(Vendor(catalogue=one.id) for one in load_catalogue().entries[::6][:count])


def set_by(vendors: tuple[Vendor, ...]) -> dict[str, str]:
    """Return the cookies that vendors left on the shop's site."""
    names = [name.replace("*", "1") for one in vendors for name in one.cookies]
    return dict.fromkeys(names[:50], "1")


@contextmanager
def served(count: int, directory: Path, *, undeclared: str = "block") -> Iterator[Nginx]:
    settings = Config(
        vendors=some_vendors(count),
        undeclared=undeclared,
        state_dir=str(directory / "state"),
        trusted_proxies=(LOOPBACK,),
    )
    with serving(CookieGuard(shop, settings)) as server, nginx_before(server.port, directory) as nginx:
        yield nginx


def ask_after(
    nginx: Nginx, choice: str, path: str = "/", *, opened_as: str = "document", **cookies: str
) -> Reply:
    """Return what a visitor gets who chose so, with the cookies that come with it."""
    kept = answer(nginx, choice).cookies if choice in CHOICES else {}
    mode = "navigate" if opened_as == "document" else "same-origin"
    headers = {"Sec-Fetch-Dest": opened_as, "Sec-Fetch-Mode": mode}
    return nginx.ask(path, ANNA, headers=headers, cookies={**kept, **cookies})


def answer(nginx: Nginx, choice: str, **cookies: str) -> Reply:
    """Return what comes back for a choice."""
    body = json.dumps(CHOICES[choice] | {"next": "/"})
    return nginx.ask("/_cg/consent", ANNA, method="POST", headers=JSON, body=body, cookies=cookies)


def size_of(reply: Reply) -> int:
    """Return the bytes of a response's headers."""
    return sum(len(f"{name}: {value}\r\n") for name, value in reply.headers.items())


@pytest.mark.parametrize("count", some_of([10, 25, 52], 52))
def test_pages_of_a_shop_with_many_vendors_get_through_nginx_in_every_state(
    count: int, tmp_path: Path
) -> None:
    left = set_by(some_vendors(count))
    with served(count, tmp_path) as nginx:
        pages = {choice: ask_after(nginx, choice, **left) for choice in ("", *CHOICES)}
        answers = {choice: answer(nginx, choice, **{**left, **pages[""].cookies}) for choice in CHOICES}
        workers = {
            choice: ask_after(nginx, choice, "/worker.js", opened_as="serviceworker", **left)
            for choice in ("", *CHOICES)
        }

    assert {choice: page.status for choice, page in pages.items()} == dict.fromkeys(pages, 200)
    assert {choice: reply.status for choice, reply in answers.items()} == dict.fromkeys(answers, 303)
    assert {choice: page.status for choice, page in workers.items()} == dict.fromkeys(workers, 200)
    assert all(
        "default-src 'self'" in page.headers["content-security-policy"] + page.text for page in pages.values()
    )
    assert all("default-src 'self'" in reply.headers["content-security-policy"] for reply in workers.values())
    assert max(map(size_of, (*pages.values(), *answers.values(), *workers.values()))) < BUFFER - 200


def test_a_service_worker_lets_in_whom_its_pages_let_in(tmp_path: Path) -> None:
    with served(15, tmp_path) as nginx:
        page = ask_after(nginx, "accepted")
        worker = ask_after(nginx, "accepted", "/worker.js", opened_as="serviceworker")

    written = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)', page.text)
    assert written is not None
    in_page, in_worker = map(sources_of, (written[1], worker.headers["content-security-policy"]))
    assert len(in_page) > 15
    assert in_worker == in_page


def sources_of(policy: str) -> set[str]:
    """Return whom a policy lets in."""
    return set(policy.partition(";")[0].split())
