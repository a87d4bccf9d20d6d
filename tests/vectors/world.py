"""A world of one's own for a browser: a network namespace in which every address is this machine and a name server
answers for every name. Nothing is mapped, so whatever a browser looks up or connects to is seen, and nothing leaves.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from harness.servers import ROOT

TOOLS = ("unshare", "ip", "mount")
NAME_SERVER = "127.0.0.53"
# Names of its own, so that all processes end with the first; as root of a namespace where one is not root.
UNSHARE = ("unshare", "--net", "--mount", "--pid", "--fork", "--kill-child=KILL", "--mount-proc")
AS_NOBODY = ("--user", "--map-root-user")
A_RECORD, INTERNET = 1, 1
TTL = 0


def missing() -> str:
    """Return why no such network can be made here; empty if one can."""
    absent = [tool for tool in TOOLS if shutil.which(tool) is None]
    if absent:
        return f"no {' and no '.join(absent)} (Debian: util-linux, iproute2, mount)"
    tried = subprocess.run([*_unshare(), "true"], capture_output=True, text=True, check=False)
    return tried.stderr.strip() if tried.returncode else ""


def inside(module: str, task: object, *, folder: Path, seconds: float) -> Any:
    """Run `module` in a new world and return what its `answering` made of the task."""
    question, answer = folder / "task", folder / "answer"
    question.write_bytes(pickle.dumps(task))
    paths = os.pathsep.join((str(ROOT / "tests"), str(ROOT)))
    command = [*_unshare(), sys.executable, "-m", module, str(question), str(answer)]
    with (folder / "log").open("wb") as log:
        subprocess.run(
            command,
            env=os.environ | {"PYTHONPATH": paths},
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            timeout=seconds,
            check=False,
        )
    if not answer.exists():
        raise RuntimeError((folder / "log").read_text(errors="replace")[-4000:])
    return pickle.loads(answer.read_bytes())


def answering(work: Callable[[Any, Path], Any]) -> None:
    """Run as the process inside: set the network up, do the task of the arguments, write the answer."""
    question, answer = map(Path, sys.argv[1:3])
    _settle(question.parent)
    made = work(pickle.loads(question.read_bytes()), question.parent)
    unfinished = answer.with_suffix(".part")
    unfinished.write_bytes(pickle.dumps(made))
    unfinished.rename(answer)


def _unshare() -> list[str]:
    return [*UNSHARE, *(() if os.geteuid() == 0 else AS_NOBODY)]


def _settle(folder: Path) -> None:
    """Make every address this machine's, and its names those of the name server."""
    resolver = folder / "resolv.conf"
    resolver.write_text(f"nameserver {NAME_SERVER}\nsearch .\n")
    for command in (
        "ip link set lo up",
        "ip address add 10.0.0.1/8 dev lo",  # with loopback addresses alone some believe to be offline
        "ip route add local 0.0.0.0/0 dev lo",
        f"mount --bind {resolver} /etc/resolv.conf",
    ):
        subprocess.run(command.split(), check=True)


class Names(asyncio.DatagramProtocol):
    """Answer every question for an address by `where(name)`, any other by "there is none". Owns the counts."""

    def __init__(self, where: Callable[[str], str]) -> None:
        self._where = where
        self._transport: asyncio.DatagramTransport | None = None
        self.asked: Counter[str] = Counter()

    def connection_made(self, transport: Any) -> None:
        """Keep what answers go out by."""
        self._transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        """Answer one question (RFC 1035, 4.1)."""
        labels, position = [], 12
        while data[position]:
            labels.append(data[position + 1 : position + 1 + data[position]].decode("latin-1"))
            position += 1 + data[position]
        name, end = ".".join(labels).lower(), position + 5
        kind = int.from_bytes(data[position + 1 : position + 3], "big")
        self.asked[name] += 1
        record = b""
        if kind == A_RECORD:
            address = IPv4Address(self._where(name)).packed
            fields = (0xC00C, A_RECORD, INTERNET)  # the name as in the question
            record = b"".join(one.to_bytes(2, "big") for one in fields)
            record += TTL.to_bytes(4, "big") + len(address).to_bytes(2, "big") + address
        counts = b"".join(one.to_bytes(2, "big") for one in (1, bool(record), 0, 0))
        if self._transport is not None:
            self._transport.sendto(data[:2] + b"\x81\x80" + counts + data[12:end] + record, addr)


@asynccontextmanager
async def naming(where: Callable[[str], str]) -> AsyncIterator[Names]:
    """Answer for all names of this world."""
    loop = asyncio.get_running_loop()
    transport, names = await loop.create_datagram_endpoint(lambda: Names(where), local_addr=(NAME_SERVER, 53))
    try:
        yield names
    finally:
        transport.close()
