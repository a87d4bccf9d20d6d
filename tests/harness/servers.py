"""Real servers on a free port: uvicorn in a thread for an app object, in a process for an import string."""

from __future__ import annotations

import logging
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn

ROOT = Path(__file__).parents[2]
LOOPBACK = "127.0.0.1"
START_SECONDS = 120  # a machine may be very busy
STOP_SECONDS = 60
KILL_AFTER_SECONDS = 10
# Below the ports that Linux (from 32768) and others (from 49152) assign: another test sometimes took one of those.
FIRST_PORT, PORTS = 10_000, 20_000
PORT_LINE = re.compile(r"running on https?://\S+?:(\d+)")
WORKER_LINE = re.compile(r"Started server process \[(\d+)\]")


@dataclass(frozen=True)
class Server:
    """Describe a running server: its address and its log file."""

    port: int
    scheme: str = "http"
    log_file: Path | None = None

    @property
    def url(self) -> str:
        """The address without a path: `http://127.0.0.1:<port>`."""
        return self.at(LOOPBACK)

    def at(self, host: str) -> str:
        """Return the address under another name for this machine, as a browser resolves `*.localhost`."""
        return f"{self.scheme}://{host}:{self.port}"

    @property
    def log(self) -> str:
        """All that the server wrote so far; empty without a log file."""
        return self.log_file.read_text(errors="replace") if self.log_file is not None else ""


@dataclass(frozen=True)
class Process(Server):
    """Describe a server that runs in a process of its own."""

    process: subprocess.Popen[bytes] = field(kw_only=True)

    @property
    def workers(self) -> list[int]:
        """The process ids of uvicorn's workers (without `--workers`: of the one server)."""
        return [int(pid) for pid in WORKER_LINE.findall(self.log)]

    def stop(self) -> int:
        """Ask the process to end, as Ctrl-C in a terminal does, and return its exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(STOP_SECONDS)


@contextmanager
def serving(
    app: Any, *, port: int = 0, log_file: Path | None = None, **uvicorn_options: Any
) -> Iterator[Server]:
    """Serve an app object (or import string) with uvicorn in a thread: `with serving(app) as server:`.

    `port` is that of a server that has ended, for one that starts again.
    `uvicorn_options` are those of `uvicorn.Config`: `root_path="/shop"`, `lifespan="off"`, `ssl_certfile=...`.
    With `log_file` uvicorn's loggers, access log included, write there; else only its errors reach pytest.
    Raises RuntimeError where the app does not start. For several workers use `spawned`.
    """
    uvicorn_options = {"timeout_graceful_shutdown": 2, "access_log": log_file is not None} | uvicorn_options
    scheme = "https" if "ssl_certfile" in uvicorn_options else "http"
    with ExitStack() as stack:
        # uvicorn would put its own handlers into this process's logging, and leave them there.
        level = stack.enter_context(_logging_to(log_file)) if log_file is not None else "error"
        listener = stack.enter_context(closing(_listener(port)))
        server = uvicorn.Server(
            uvicorn.Config(app, **{"log_config": None, "log_level": level} | uvicorn_options)
        )
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            wait_until(lambda: server.started or not thread.is_alive(), "the server starts")
            if not server.started:
                raise RuntimeError("the app did not start: see the log")
            yield Server(listener.getsockname()[1], scheme, log_file)
        finally:
            _stop_thread(server, thread)
            _close(app)


@contextmanager
def spawned(
    import_string: str,
    *arguments: str,
    env: Mapping[str, str] | None = None,
    cwd: Path = ROOT,
    log_file: Path,
) -> Iterator[Process]:
    """Run `python -m uvicorn <import_string> --port 0 <arguments>` as a process, ready in all its workers.

    `arguments` are uvicorn's: `"--workers", "4"`, `"--factory"`, `"--root-path", "/shop"`; keep its log level.
    Modules are found from the checkout and from `tests/`. `env` adds to this environment. All it prints goes
    to `log_file`. Ends with every process it started.
    """
    command = [sys.executable, "-m", "uvicorn", import_string, "--port", "0", "--no-use-colors", *arguments]
    count = int(arguments[arguments.index("--workers") + 1]) if "--workers" in arguments else 1
    scheme = "https" if "--ssl-certfile" in arguments else "http"

    def is_ready(server: Process) -> bool:
        has_started = "off" in arguments or server.log.count("Application startup complete") >= count
        return has_started and len(server.workers) >= count

    with _process(command, env=env, cwd=cwd, log_file=log_file) as process:
        found: re.Match[str] | None = None

        def has_port() -> bool:
            nonlocal found
            _check_alive(process, log_file)
            found = PORT_LINE.search(log_file.read_text(errors="replace"))
            return found is not None

        wait_until(has_port, "uvicorn names its port")
        server = Process(int(found[1]), scheme, log_file, process=process)
        wait_until(lambda: _check_alive(process, log_file) and is_ready(server), "all workers started")
        wait_until(lambda: accepts(server.port), "the port accepts")
        yield server


@contextmanager
def launched(
    command: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path = ROOT,
    log_file: Path,
) -> Iterator[Process]:
    """Run any other server as a process; `{port}` in the command becomes a free port, which must answer.

    `with launched([sys.executable, "-m", "hypercorn", "shop:app", "--bind", "127.0.0.1:{port}"], ...)`
    """
    port = free_port()
    command = [part.replace("{port}", str(port)) for part in command]
    with _process(command, env=env, cwd=cwd, log_file=log_file) as process:
        wait_until(lambda: _check_alive(process, log_file) and accepts(port), "the port accepts")
        yield Process(port, log_file=log_file, process=process)


def free_port() -> int:
    """Return a port that was free a moment ago, outside the range that the system assigns."""
    while True:
        # Not `random`: seeded alike in all workers of a test run
        port = FIRST_PORT + secrets.randbelow(PORTS)
        with suppress(OSError), socket.create_server((LOOPBACK, port)):
            return port


def accepts(port: int) -> bool:
    """Return whether a server listens on the port."""
    with suppress(OSError), socket.create_connection((LOOPBACK, port), timeout=1):
        return True
    return False


def wait_until(condition: Callable[[], object], what: str, *, seconds: float = START_SECONDS) -> None:
    """Check every 10 ms until the condition holds; raises TimeoutError that says what did not happen."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds} s: {what}")
        time.sleep(0.01)


def _listener(port: int) -> socket.socket:
    # asyncio sets TCP_NODELAY only if the protocol is named; without it, every answer would wait 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((LOOPBACK, port))
    return listener


def _stop_thread(server: uvicorn.Server, thread: threading.Thread) -> None:
    server.should_exit = True
    thread.join(STOP_SECONDS)
    server.force_exit = True  # stop waiting for connections and lifespan
    thread.join(STOP_SECONDS)
    if thread.is_alive():
        raise RuntimeError("uvicorn's thread does not end: the app holds it")


def _close(app: object) -> None:
    """End a guard's threads, which would outlive the test if the app has no lifespan."""
    from cookieguard import CookieGuard  # here: processes that only write into an engine have no need of it

    if isinstance(app, CookieGuard):
        app.close()


@contextmanager
def _logging_to(log_file: Path) -> Iterator[str]:
    handler = logging.FileHandler(log_file)
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    logger = logging.getLogger("uvicorn")  # the parent of uvicorn.error and uvicorn.access
    logger.addHandler(handler)
    logging.getLogger("uvicorn.access").propagate = True  # an earlier access_log=False switched it off
    try:
        yield "info"
    finally:
        logger.removeHandler(handler)
        handler.close()


@contextmanager
def _process(
    command: Sequence[str], *, env: Mapping[str, str] | None, cwd: Path, log_file: Path
) -> Iterator[subprocess.Popen[bytes]]:
    paths = [str(ROOT / "tests"), str(ROOT), os.environ.get("PYTHONPATH", "")]
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths)), "PYTHONUNBUFFERED": "1"}
    with log_file.open("ab") as output:
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env=environ | dict(env or {}),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # a process group of its own, so that its workers end with it
        )
    try:
        yield process
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(KILL_AFTER_SECONDS)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _check_alive(process: subprocess.Popen[bytes], log_file: Path) -> bool:
    if process.poll() is not None:
        raise RuntimeError(f"it ended with {process.returncode}:\n{log_file.read_text(errors='replace')}")
    return True
