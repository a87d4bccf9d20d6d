"""Run every benchmark and write benchmarks/results.md, and the twelve figures of RESULTS.md from it.

    python benchmarks/results.py [--pages DIR] [--write]
    python benchmarks/results.py --from-last-run [--write]

Without `--write` what would be written is printed. With it, the sentence the README quotes is renewed too.
`--from-last-run` measures nothing: it reads benchmarks/results.md.
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
from typing import NamedTuple

from figures import grid
from pages import ROOT

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
WEIGHT, REWRITER, HOSTILE = "What a visitor downloads", "The rewriter beside its peers", "Hostile pages"
REQUESTS, MONTH, FAULTS = "What a request costs more", "The dashboard over a month", "Faults under statistics"
# Title, script, whether it takes --pages, further arguments: bounded, so that all of it takes about ten minutes.
BENCHMARKS: tuple[tuple[str, str, bool, list[str]], ...] = (
    (WEIGHT, "weight.py", False, []),
    (REWRITER, "peers.py", True, ["--readers"]),
    ("A shop with thousands of pages", "shop.py", True, []),
    (HOSTILE, "hostile.py", False, ["--repeats", "2"]),
    (REQUESTS, "requests.py", False, []),
    ("Statistics", "hits.py", False, []),
    (MONTH, "dashboard.py", False, ["--rounds", "3"]),
    (FAULTS, "faults.py", False, ["--rounds", "3", "--seconds", "3"]),
)


class Deciding(NamedTuple):
    """Name a figure by which a user decides: its row in a section, and what it is compared with.

    A row's name in braces stands for what that row measured.
    """

    question: str
    section: str
    row: str
    beside: str


SESSION_ALONE = (
    "Starlette's SessionMiddleware, {compiled: session, touch neither: Starlette's SessionMiddleware}"
)
DECIDING = (
    Deciding(
        "bytes added to a page before a choice, gzip -9",
        WEIGHT,
        "a page before a choice",
        "vanilla-cookieconsent 15.5 KB, Osano 8.0 KB, Klaro 68.9 KB (files they load)",
    ),
    Deciding(
        "CPU added to a page of 8 KB, log and statistics on",
        REQUESTS,
        "compiled: page of 8 KB, all on, undecided",
        SESSION_ALONE,
    ),
    Deciding(
        "CPU added to a page of 100 KB, log and statistics on",
        REQUESTS,
        "compiled: page of 100 KB, all on, undecided",
        SESSION_ALONE,
    ),
    Deciding(
        "CPU added to an answer in JSON, log and statistics off",
        REQUESTS,
        "compiled: JSON, log and statistics off, no cookie of ours",
        SESSION_ALONE,
    ),
    Deciding(
        "CPU to read and write a session",
        REQUESTS,
        "compiled: session, read and write: cookieguard",
        "Starlette's SessionMiddleware, {compiled: session, read and write: Starlette's SessionMiddleware}",
    ),
    Deciding(
        "speed of rewriting pages whose parts were seen before, {compiled, warm}",
        REWRITER,
        "compiled, warm / python-lolhtml",
        "python-lolhtml (Rust), 1 x",
    ),
    Deciding(
        "speed of rewriting pages seen for the first time, {compiled, cold}",
        REWRITER,
        "compiled, cold / python-lolhtml with an empty memo",
        "python-lolhtml with the same memo, 1 x",
    ),
    Deciding(
        "speed of rewriting without a C compiler, {pure, warm}",
        REWRITER,
        "pure, warm / python-lolhtml",
        "python-lolhtml (Rust), 1 x",
    ),
    Deciding(
        "CPU for the worst page of 2 MB that an attacker writes, of 45 kinds",
        HOSTILE,
        "compiled, slowest of all",
        "without a compiler, {pure, slowest of all}",
    ),
    Deciding(
        "the dashboard over 30 days of 3,000,000 hits",
        MONTH,
        "dashboard, 30 days",
        "12 months, {dashboard, 12 months}",
    ),
    Deciding(
        "hits written to SQLite over that month",
        MONTH,
        "3,000,000 hits written",
        "into a new database, {hits written with all sums, 5,000 at once}",
    ),
    Deciding(
        "age of the oldest hit that a killed worker loses",
        FAULTS,
        "SIGKILL: age of the oldest hit lost",
        "hits of a flood that no figure counts, {flood: hits that are in no figure}",
    ),
)
MET, MISSED, NOT_MEASURED = "met", "MISSED by ", "NOT MEASURED"
WHOLE_RUN = HERE / "results.md"
INTRODUCTION = """# Results of the last whole run

Written by `make bench BENCH=--write`; do not edit. Times are CPU time unless a row says otherwise, and ratios come from
one run: figures of different runs or machines do not compare. [RESULTS.md](../RESULTS.md) has the twelve by which a
user decides."""
FRONT = """# Results

The twelve figures by which a user decides, each beside a peer and the limit we set ourselves. Which tool stops which
requests is in [docs/comparison.md](docs/comparison.md). [benchmarks/results.md](benchmarks/results.md) has everything
else of this run: {met} of its {held} limits are met, and each miss is marked with its size.

{quoted}

{table}

"us" is a microsecond of CPU time, "x" is times the speed of the peer. Where no other tool was measured, the figure is
beside another one of cookieguard. The limits are our own; a missed one stays here until the code meets it. Measured on

{machine}

`make bench` repeats all of it in about ten minutes, and `make bench BENCH=--write` renews this page."""


def main() -> None:
    """Run or read, print or write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pages", type=Path, help="directory of pages (*.html, *.html.gz)")
    parser.add_argument("--write", action="store_true", help="write both pages, renew the README's sentence")
    parser.add_argument("--from-last-run", action="store_true", help="measure nothing")
    options = parser.parse_args()
    whole = WHOLE_RUN.read_text() if options.from_last_run else measured(options.pages)
    front = front_page(whole)
    if not options.write:
        print(front if options.from_last_run else whole, end="")
        return
    WHOLE_RUN.write_text(whole)
    (ROOT / "RESULTS.md").write_text(front)
    quote(sentence(parsed(whole)[1]))


def measured(pages: Path | None) -> str:
    """Run every benchmark, and return the page of the whole run."""
    # Before anything is run: load and commit are those of the beginning
    taken_on = machine(os.getloadavg()[0])
    sections = {
        title: run(script, pages if takes_pages else None, more)
        for title, script, takes_pages, more in BENCHMARKS
    }
    parts = [INTRODUCTION, taken_on, *(f"## {title}\n\n{body}" for title, body in sections.items())]
    return "\n\n".join(parts) + "\n"


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


Rows = dict[str, dict[str, list[str]]]


def parsed(whole: str) -> tuple[str, Rows]:
    """Return what the page of the whole run was taken on, and its rows by section and name."""
    head, *sections = whole.split("\n## ")
    found = {section.partition("\n")[0]: section for section in sections}
    taken_on = "\n".join(line for line in head.splitlines() if line.startswith("- "))
    return taken_on, {title: {row[0]: row[1:] for row in rows(body)} for title, body in found.items()}


def rows(section: str) -> list[list[str]]:
    """Return the rows of a section that hold a figure and its bar."""
    cells = [_cells(line) for line in section.splitlines() if line.startswith("| ")]
    return [row for row in cells if len(row) >= 4 and row[0] and not row[0].startswith("-")]


def front_page(whole: str) -> str:
    """Put the page of the twelve figures together."""
    taken_on, found = parsed(whole)
    verdicts = [row[2] for section in found.values() for row in section.values() if _is_verdict(row[2])]
    header = ("", "cookieguard", "beside it", "limit", "repeat with")
    return (
        FRONT.format(
            met=verdicts.count(MET),
            held=len(verdicts),
            quoted=sentence(found),
            table=grid([header, *(_front_row(figure, found) for figure in DECIDING)]),
            machine=taken_on,
        )
        + "\n"
    )


def _front_row(figure: Deciding, found: Rows) -> tuple[str, ...]:
    value, bar, verdict = found[figure.section][figure.row][:3]
    said = verdict if verdict == MET else f"**{verdict.replace(MISSED, MISSED.lower())}**"
    script = next(script for title, script, *_ in BENCHMARKS if title == figure.section)
    values = {name: row[0] for section in found.values() for name, row in section.items()}
    question, beside = (
        re.sub(r"{(.*?)}", lambda name: values[name[1]], text) for text in (figure.question, figure.beside)
    )
    return question, value, beside, f"{bar}: {said}", f"`python benchmarks/{script}`"


def _is_verdict(cell: str) -> bool:
    return cell in (MET, NOT_MEASURED) or cell.startswith(MISSED)


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def sentence(found: Rows) -> str:
    """Write the sentence that the README quotes: what a page costs, and how fast the rewriter is."""
    requests, rewriter = found[REQUESTS], found[REWRITER]
    small = requests["compiled: page of 8 KB, all on, undecided"]
    large = requests["compiled: page of 100 KB, all on, undecided"]
    warm, cold = (rewriter[f"compiled, {kind}"][0].split()[0] for kind in ("warm", "cold"))
    ratio = rewriter["compiled, warm / python-lolhtml"][0].split()[0]
    spelled = [row[0].replace(" us", " microseconds") for row in (small, large)]
    aim = f"We aim for {small[1].split()[1]} at 8 KB{' and miss it' if 'MISSED' in small[2] else ''}"
    return (
        f"A page of 8 KB costs {spelled[0]} of CPU time more, with access log and statistics on, and one of 100 KB "
        f"{spelled[1]}. {aim}. The rewriter takes {warm} MB a second "
        f"warm and {cold} cold: {ratio} times python-lolhtml (Rust) doing the same job."
    )


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
