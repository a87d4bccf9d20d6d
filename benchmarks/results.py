"""Run every benchmark and write RESULTS.md: the machine, the versions, the figures and every bar that is missed.

    python benchmarks/results.py [--pages DIR] [--write]

Without `--write` it is printed only. With it, the sentence the README quotes is renewed there too.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import subprocess
import sys
import time
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pages import ROOT
from peers import CLAIM

HERE = Path(__file__).parent
PACKAGES = (
    "cookieguard",
    "cython",
    "python-lolhtml",
    "turbohtml",
    "lxml",
    "html5lib",
    "starlette",
    "uvicorn",
)
QUOTED = re.compile(r"(?<=<!-- results -->\n).*?(?=\n<!-- /results -->)", re.DOTALL)
# Title, script, whether it takes --pages, further arguments: bounded, so that all of it takes about ten minutes.
BENCHMARKS: tuple[tuple[str, str, bool, list[str]], ...] = (
    ("The rewriter beside its peers", "peers.py", True, ["--readers"]),
    ("A shop with thousands of pages", "shop.py", True, []),
    ("Hostile pages", "hostile.py", False, ["--repeats", "2"]),
    ("What a request costs more", "requests.py", False, []),
    ("Statistics", "hits.py", False, []),
    ("The dashboard over a month", "dashboard.py", False, ["--rounds", "3"]),
    ("Faults under statistics", "faults.py", False, ["--rounds", "3", "--seconds", "3"]),
)
NOT_REACHED = ("MISSED", "NOT MEASURED")
INTRODUCTION = """# Results

Written by `make bench BENCH=--write`; do not edit. CPU time throughout, ratios from one run: figures of different runs
or machines do not compare. Each section says what was measured; the scripts lie in `benchmarks/`."""


def main() -> None:
    """Run, print, and write where asked to."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pages", type=Path, help="directory of pages (*.html, *.html.gz)")
    parser.add_argument("--write", action="store_true", help="write RESULTS.md, renew the README's sentence")
    options = parser.parse_args()
    # Before anything is run: load and commit are those of the beginning
    taken_on = machine(os.getloadavg()[0])
    sections = {
        title: run(script, options.pages if takes_pages else None, more)
        for title, script, takes_pages, more in BENCHMARKS
    }
    text = document(sections, taken_on)
    if not options.write:
        print(text)
        return
    (ROOT / "RESULTS.md").write_text(text)
    quote(claim(sections))


def run(script: str, pages: Path | None, more: list[str]) -> str:
    """Run one benchmark in a process of its own; return what it printed."""
    command = [sys.executable, str(HERE / script), *more, *(["--pages", str(pages)] if pages else [])]
    print(f"{script} ...", file=sys.stderr, flush=True)
    start = time.monotonic()
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    print(f"{script}: {time.monotonic() - start:.0f} s", file=sys.stderr)
    if done.returncode:
        sys.exit(f"{script} failed ({done.returncode}); nothing was written")
    return done.stdout.strip()


def document(sections: dict[str, str], taken_on: str) -> str:
    """Put the whole together."""
    parts = [INTRODUCTION, taken_on, "## Bars\n\n" + bars(sections)]
    parts += [f"## {title}\n\n{body}" for title, body in sections.items()]
    return "\n\n".join(parts) + "\n"


def machine(load: float) -> str:
    """Name what the figures were taken on."""
    processor = re.search(r"model name\s*: (.*)", _read("/proc/cpuinfo"))
    versions = [f"Python {platform.python_version()}", *filter(None, map(_version, PACKAGES)), _node()]
    name = processor[1] if processor else platform.processor()
    commit = _output("git", "-C", str(ROOT), "describe", "--always", "--dirty")
    cores = os.cpu_count() or 1
    busy = " (BUSY: others shared its caches; provisional)" if load > cores / 2 else ""
    system = f"{cores} cores, {platform.system()} {platform.release()}; load when it began {load:.1f}{busy}"
    return f"- {datetime.now(UTC):%Y-%m-%d}, commit {commit}\n- {name}, {system}\n- {', '.join(filter(None, versions))}"


def bars(sections: dict[str, str]) -> str:
    """List every bar that was not reached."""
    rows = [_cells(line) for body in sections.values() for line in body.splitlines() if line.startswith("|")]
    held = [row for row in rows if any(cell in ("met", *NOT_REACHED) for cell in row)]
    failed = [row for row in held if any(cell in NOT_REACHED for cell in row)]
    lines = [f"- {' - '.join(cell for cell in row if cell)}" for row in failed]
    return "\n".join([f"{len(held) - len(failed)} of {len(held)} bars are reached. Not reached:", "", *lines])


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def claim(sections: dict[str, str]) -> str:
    """Find the sentence of the peers' benchmark."""
    lines = (line for body in sections.values() for line in body.splitlines() if line.startswith(CLAIM))
    return next(lines, "").removeprefix(CLAIM)


def quote(sentence: str) -> None:
    """Renew the sentence in the README."""
    readme = ROOT / "README.md"
    text = readme.read_text()
    if not sentence or not QUOTED.search(text):
        sys.exit("README.md was left alone: nothing to quote, or no place for it")
    readme.write_text(QUOTED.sub(lambda _: sentence, text))


def _version(package: str) -> str:
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return ""


def _node() -> str:
    return f"Node {found}" if (found := _output("node", "--version")) else ""


def _output(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""


if __name__ == "__main__":
    main()
