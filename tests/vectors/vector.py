"""One way a page contacts a third party, as data, and the frame of a shop page around it."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from string import Template

# Declared for statistics, declared for marketing, declared by nobody: vectors take them in turn.
DOMAINS = ("metrics.example", "ads.example", "nobody.example")
PURPOSES = {"metrics.example": "statistics", "ads.example": "marketing"}
HTML = "text/html; charset=utf-8"
CLASSIC = "text/javascript"
SVG = "image/svg+xml"
# Room to scroll, so that a page has a below; nothing at the place that is clicked.
PAGE = """<!doctype html>
<html lang="en"><head><title>$NAME</title>
$HEAD
</head><body>
$BODY
<p style="margin-top:3000px">The end.</p>
</body></html>
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One response of the shop."""

    body: str = ""
    kind: str = HTML
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    charset: str = "utf-8"
    cut: int = 0
    """How many bytes the first chunk has; 0 where the body comes in one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vector:
    """Describe one page that contacts one host.

    In every text `$U` is the host's http origin, `$S` its https origin, `$H` its name, `$I` its address, `$P` and
    `$T` the ports where http and https are answered there, `$F` the folder of the vector's own `files`; `$GO`
    there redirects to the host, with the query as the end of the path.
    """

    name: str
    body: str = ""
    head: str = ""
    page: File | None = None
    headers: tuple[tuple[str, str], ...] = ()
    files: Mapping[str, File] = field(default_factory=dict)
    tells: str = "request"
    """What the control must show: `request`, `connection`, `lookup` or `datagram`."""
    script: str = "any"
    """Whether it works with script `on`, `off` or `any` of both."""
    needs_window: bool = False
    """Whether a browser does it only for what is really in front."""
    leaks: frozenset[str] = frozenset()
    """What gets out before consent all the same: a known limit, with its reason in `why`."""
    why: str = ""
    lost: str = ""
    """Why it does not come back after consent; empty where it does."""
    lost_partly: str = ""
    """Why it comes back only once everything is agreed to."""

    is_declared: bool = True
    """Whether a vendor's declaration covers the host as it is written here."""

    @property
    def main(self) -> File:
        """The page itself."""
        if self.page is not None:
            return self.page
        body = PAGE.replace("$HEAD", self.head).replace("$BODY", self.body)
        return File(body=body, headers=self.headers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The address of one vector's host."""

    vector: Vector
    host: str
    address: str
    port: int
    tls_port: int

    def fill(self, text: str) -> str:
        """Put the names into a text."""
        host, name, number = self.host, self.vector.name, int(IPv4Address(self.address))
        inner = base64.b64encode(f"<img src=http://{host}/a.gif>".encode()).decode()
        frame = base64.b64encode(f"<iframe src=http://{host}/a.html>".encode()).decode()
        script = base64.b64encode(f"document.write('<iframe src=http://{host}/a.html>')".encode()).decode()
        first, second, third, fourth = self.address.split(".")
        return Template(text).safe_substitute(
            NAME=name,
            U=f"http://{host}",
            S=f"https://{host}",
            W=f"ws://{host}",
            H=host,
            B=base64.b64encode(host.encode()).decode(),
            I=self.address,
            P=self.port,
            T=self.tls_port,
            F=f"/f/{name}",
            GO=f"/f/{name}/go",
            DATA=inner,
            FRAME=frame,
            SCRIPT=script,
            # the host and the address, as only a browser reads them
            PCT=host[1:].replace("a", "%61").replace(".", "%2e"),
            WIDE=host.translate(WIDE),
            SHY=host[:2] + "\u00ad" + host[2:],
            DOTS=host.replace(".", "\u3002"),
            NUMBER=number,
            HEX=f"0x{number:x}",
            OCTAL=f"0{int(first):o}.{second}.0{int(third):o}.{fourth}",
            SHORT=f"{first}.{second}.{int(third) * 256 + int(fourth)}",
        )


WIDE = {ord(letter): ord(letter) + 0xFEE0 for letter in "abcdefghijklmnopqrstuvwxyz"}
