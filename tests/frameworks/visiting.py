"""A shopper at a real server, with a cookie jar that keeps Secure cookies on loopback names, as browsers do.

httpx keeps Secure cookies for https only, and resolves no `shop.localhost`.
"""

from __future__ import annotations

from collections.abc import Mapping
from html.parser import HTMLParser
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import httpx
from harness.servers import Server

HOST = "shop.localhost"
REDIRECTS = frozenset({301, 302, 303})
NAVIGATION = {
    "accept": "text/html,application/xhtml+xml",
    "sec-fetch-dest": "document",
    "sec-fetch-mode": "navigate",
    "sec-fetch-site": "same-origin",
}


class Shopper:
    """Visit one server as one browser; `root` is the path a proxy has the shop under. Owns its cookies."""

    def __init__(self, server: Server, root: str = "") -> None:
        self.cookies: dict[str, str] = {}
        self._root = root
        self._host = f"{HOST}:{server.port}"
        # A new connection each time: uvicorn drops one whose app raised, a moment after its 500 page arrived.
        limits = httpx.Limits(max_keepalive_connections=0)
        self._client = httpx.Client(base_url=server.url, timeout=60, limits=limits)

    def __enter__(self) -> Shopper:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def get(self, path: str, **headers: str) -> httpx.Response:
        """Open a page of the shop."""
        return self._send("GET", self._root + path, headers=headers)

    def post(self, path: str, form: Mapping[str, Any], *, follow: bool = True) -> httpx.Response:
        """Send a form to the shop, and go where it leads."""
        return self._send("POST", self._root + path, form=form, follow=follow)

    def submit(self, path: str, form: Mapping[str, Any], *, follow: bool = True) -> httpx.Response:
        """Open the shop's first page and send its form of this path, hidden fields included."""
        forms = FormReader.read(self.get("/").text)
        action = self._root + path
        return self._send("POST", action, form={**forms[action], **form}, follow=follow)

    def me(self) -> dict[str, Any]:
        """Ask the shop's own API who this is to it."""
        answer = self.get("/api/me", **{"accept": "application/json", "sec-fetch-dest": "empty"})
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def log_in(self, number: str = "10042", password: str = "blue-glaze") -> httpx.Response:
        """Log in, and return the first answer."""
        return self.submit("/login", {"number": number, "password": password}, follow=False)

    def choose(self, choice: str, *purposes: str, next_path: str = "/") -> httpx.Response:
        """Make a choice in the banner."""
        forms, action = FormReader.read(self.get("/_cg/choices").text), f"{self._root}/_cg/consent"
        chosen = {"choice": choice, "purpose": list(purposes), "next": self._root + next_path}
        return self._send("POST", action, form={**forms[action], **chosen})

    def _send(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        form: Mapping[str, Any] | None = None,
        follow: bool = True,
    ) -> httpx.Response:
        sent = {**NAVIGATION, "host": self._host, **(headers or {})}
        if self.cookies:
            sent["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        self._client.cookies.clear()
        assert path.startswith(self._root), path
        passed_on = path.removeprefix(self._root) or "/"  # what a proxy that mounts the shop there passes on
        answer = self._client.request(method, passed_on, headers=sent, data=form)
        for line in answer.headers.get_list("set-cookie"):
            self._keep(line)
        if follow and answer.status_code in REDIRECTS:
            return self._send("GET", urlsplit(answer.headers["location"]).path)
        return answer

    def _keep(self, line: str) -> None:
        name, _, value = line.partition(";")[0].partition("=")
        if "max-age=0" in line.lower() or "01 jan 1970" in line.lower():
            self.cookies.pop(name, None)
        else:
            self.cookies[name] = value


class FormReader(HTMLParser):
    """Collect the hidden fields of each form, by its action."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: dict[str, dict[str, str]] = {}
        self._fields: dict[str, str] = {}

    @classmethod
    def read(cls, page: str) -> dict[str, dict[str, str]]:
        """Return action -> hidden fields."""
        reader = cls()
        reader.feed(page)
        return reader.forms

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take in a form or one of its fields."""
        values = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._fields = self.forms.setdefault(values.get("action", ""), {})
        elif tag == "input" and values.get("type") == "hidden":
            self._fields[values["name"]] = values.get("value", "")
