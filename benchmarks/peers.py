"""Measure the rewriter beside its peers, all doing the same job on the same pages, in one run, in CPU time.

    python benchmarks/peers.py [--pages DIR] [--rounds N] [--readers]

DIR holds pages (*.html, *.html.gz); without it the demo's pages are used. Chunks are 16 KB. Everybody is a process
of its own; rounds are taken in turn, and a figure is the median of its rounds. Cold: a round begins with empty
caches; warm: with those of the round before. What comes out is checked before anything is measured.
`--readers` adds what Python's HTML libraries need to read the pages only.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from figures import Figure, grid, table, written
from pages import BANNER, CHUNK, SHOP, SHOP_HOST, chunked, pages
from scanners import SCANNERS

HERE = Path(__file__).parent
WASM = "html-rewriter-wasm"
WASM_VERSION = "0.4.1"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cookieguard-bench"
AT_LEAST = 0.2  # seconds of CPU time that make a round
NPM_SECONDS = 120
# What a contestant that does the job leaves behind: attributes renamed, scripts made inert, URLs cut out.
MARKS = {
    "attributes": re.compile(rb" data-cg-(?!type)[a-z\-]+="),
    "scripts": re.compile(rb'type="text/plain"'),
    "URLs in styles": re.compile(rb"data:,"),
}
ROUGHLY = 0.25  # how far the number of held things may be from cookieguard's
PEERS = {
    "lolhtml": "",
    "lolhtml-memo": ", same memo",
    "wasm": "",
    "wasm-memo": ", same memo",
}
WITHOUT_CACHE = ("lolhtml", "wasm")
PLAIN = ("lolhtml",)
# What is divided by what: ours in which state by the fastest of which peers.
RATIOS = {
    "python-lolhtml": ("warm", PLAIN),
    "python-lolhtml with the same memo": ("warm", ("lolhtml-memo",)),
    "html-rewriter-wasm": ("warm", ("wasm", "wasm-memo")),
    "python-lolhtml with an empty memo": ("cold", ("lolhtml-memo",)),
}
BARS: dict[str, dict[str, float]] = {
    "compiled": {
        "python-lolhtml": 4,
        "python-lolhtml with the same memo": 2.5,
        "python-lolhtml with an empty memo": 1.5,
        "html-rewriter-wasm": 8,
    },
    "pure": {"python-lolhtml": 0.5},
}
CLAIM = "In one sentence: "
READERS = ("copy", "turbohtml", "lxml", "html.parser", "html5lib")


class Missing(Exception):
    """A contestant cannot be had; the message says why."""


@dataclass
class Entrant:
    """Hold a running contestant and what was measured of it."""

    key: str
    process: subprocess.Popen[str]
    name: str = ""
    marks: dict[str, int] = field(default_factory=dict)
    aborted: int = 0
    fault: str = ""
    rates: dict[str, list[float]] = field(default_factory=dict)

    def ask(self, command: str) -> dict[str, Any]:
        """Send a command; return the answer."""
        assert self.process.stdin
        assert self.process.stdout
        try:
            print(command, file=self.process.stdin, flush=True)
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            assert self.process.stderr
            raise Missing(self.process.stderr.read().strip()[-300:] or f"{self.key}: ended without a word")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def rate(self, state: str) -> float | None:
        """Return the median MB/s."""
        found = self.rates.get(state)
        return statistics.median(found) if found else None

    def stop(self) -> None:
        """End the process."""
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe:
                pipe.close()
        self.process.wait(10)


def wasm_package() -> Path:
    """Return the folder of the pinned package, from npm the first time."""
    if shutil.which("node") is None:
        raise Missing("node is not installed")
    folder = CACHE / f"{WASM}-{WASM_VERSION}"
    package = folder / "node_modules" / WASM
    if not package.is_dir():
        if shutil.which("npm") is None:
            raise Missing(f"npm is not installed, and {package} is not there")
        folder.mkdir(parents=True, exist_ok=True)
        command = ["npm", "install", "--prefix", str(folder), "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(
            [*command, f"{WASM}@{WASM_VERSION}"],
            capture_output=True,
            text=True,
            timeout=NPM_SECONDS,
            check=False,
        )
        if done.returncode:
            raise Missing(f"npm install {WASM}@{WASM_VERSION}: {done.stderr.strip()[-200:]}")
    return package


def wasm_task(found: list[bytes]) -> dict[str, Any]:
    """Write down for Node what the Python contestants import: pages, tables, names."""
    from contestants.table import LOADING, TABLE

    from cookieguard.html.contact_points import INERT_RELATIONS

    return {
        "pages": [[base64.b64encode(chunk).decode() for chunk in chunked(page)] for page in found],
        "table": TABLE,
        "loading": ", ".join(LOADING),
        "shop": SHOP,
        "shop_host": SHOP_HOST,
        "banner": BANNER,
        "inert_relations": sorted(INERT_RELATIONS),
    }


def start(key: str, directory: Path | None, task: Path) -> Entrant:
    """Start a contestant."""
    if key.startswith("wasm"):
        script = HERE / "contestants" / "html_rewriter_wasm.mjs"
        variant = "memo" if key == "wasm-memo" else "plain"
        command = ["node", str(script), str(wasm_package()), str(task), variant]
    else:
        command = [sys.executable, str(HERE / "worker.py"), key]
        command += ["--pages", str(directory)] if directory else []
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **SCANNERS.get(key, {})},
    )
    return Entrant(key, process)


def check(entrant: Entrant, found: list[bytes]) -> None:
    """Look at what comes out: the job has to be done."""
    answer = entrant.ask("outputs")
    entrant.name, entrant.aborted = answer["name"] + PEERS.get(entrant.key, ""), answer["aborted"]
    if entrant.key in READERS:
        return
    out = [base64.b64decode(one) for one in answer["outputs"]]
    for what, mark in MARKS.items():
        entrant.marks[what] = sum(len(mark.findall(page)) for page in out) - sum(
            len(mark.findall(page)) for page in found
        )
    if any(after == before for after, before in zip(out, found, strict=True)):
        entrant.fault = "a page came out as it went in"
    if not all(entrant.marks[what] > 0 for what in ("attributes", "scripts")):
        entrant.fault = "nothing was held"


def compare(entrants: dict[str, Entrant]) -> None:
    """Hold everybody's number of held things to cookieguard's."""
    control = next((entrants[key] for key in SCANNERS if key in entrants), None)
    for entrant in entrants.values():
        if control is None or entrant.key in READERS:
            continue
        ours, theirs = sum(control.marks.values()), sum(entrant.marks.values())
        if abs(theirs - ours) > ROUGHLY * ours:
            entrant.fault = entrant.fault or f"holds {theirs} things where cookieguard holds {ours}"


def measure(entrants: dict[str, Entrant], size: int, rounds: int) -> None:
    """Take the rounds in turn; the first one is thrown away."""
    for number in range(rounds + 1):
        for entrant in entrants.values():
            states = ("warm",) if entrant.key in (*WITHOUT_CACHE, *READERS) else ("cold", "warm")
            for state in states:
                seconds = entrant.ask(f"{state} {AT_LEAST if number else 0}")["seconds"]
                if number:
                    entrant.rates.setdefault(state, []).append(size / seconds / 1e6)


def contestants_table(entrants: dict[str, Entrant], missing: dict[str, str]) -> str:
    """Write who did what, how fast."""
    rows = [("", "cold MB/s", "warm MB/s", *MARKS, "pages given up", "")]
    for entrant in entrants.values():
        cells = [written(rate) if (rate := entrant.rate(state)) else "" for state in ("cold", "warm")]
        marks = [str(entrant.marks[what]) if entrant.marks else "" for what in MARKS]
        rows.append((entrant.name, *cells, *marks, str(entrant.aborted or ""), entrant.fault))
    rows += [(key, "", "", *("" for _ in MARKS), "", f"MISSING: {why}") for key, why in missing.items()]
    return grid(rows)


def best(entrants: dict[str, Entrant], state: str, *keys: str) -> tuple[float | None, str]:
    """Return the fastest of some contestants; a fault disqualifies."""
    found = [
        (entrants[key].rate(state) or 0, key) for key in keys if key in entrants and not entrants[key].fault
    ]
    return max(found) if found else (None, keys[0])


def bars(entrants: dict[str, Entrant]) -> list[Figure]:
    """Hold the figures to their bars."""
    return [figure for key, held_to in BARS.items() for figure in _bars_of(key, entrants, held_to)]


def _bars_of(key: str, entrants: dict[str, Entrant], held_to: dict[str, float]) -> list[Figure]:
    entrant = entrants.get(key)
    rates = {
        state: entrant.rate(state) if entrant and not entrant.fault else None for state in ("warm", "cold")
    }
    note = "" if entrant else f"the {key} scanner is not there"
    figures = [
        Figure(name=f"{key}, {state}", value=rate, unit="MB/s", bar=held_to.get(state), note=note)
        for state, rate in rates.items()
    ]
    for name, (state, peers) in RATIOS.items():
        theirs, fastest = best(entrants, state, *peers)
        ours = rates[state]
        value = ours / theirs if ours and theirs else None
        which = f"the faster one: {fastest}" if len(peers) > 1 else ""
        ratio = f"{key}, {state} / {name}"
        figures.append(Figure(name=ratio, value=value, unit="x", bar=held_to.get(name), note=note or which))
    return figures


def claim(entrants: dict[str, Entrant], pages_named: str) -> str:
    """Say the outcome in one sentence: of the fastest scanner that is there."""
    entrant = next((entrants[key] for key in SCANNERS if key in entrants), None)
    lolhtml, _ = best(entrants, "warm", *PLAIN)
    if entrant is None or entrant.fault or not lolhtml:
        return ""
    memo, _ = best(entrants, "warm", "lolhtml-memo")
    warm, cold = entrant.rate("warm") or 0, entrant.rate("cold") or 0
    beside = f" ({written(warm / memo)} times with the same memo)" if memo else ""
    return (
        f"On {pages_named} the rewriter ({entrant.key} scanner) takes {written(warm)} MB a second of CPU time warm "
        f"and {written(cold)} cold: {written(warm / lolhtml)} times python-lolhtml (Rust) doing the same job in the "
        f"same run{beside}."
    )


def enter(
    directory: Path | None, found: list[bytes], task: Path, keys: list[str]
) -> tuple[Any, dict[str, str]]:
    """Start and check everybody; say loudly who is missing."""
    entrants: dict[str, Entrant] = {}
    missing: dict[str, str] = {}
    for key in keys:
        entrant = None
        try:
            entrant = start(key, directory, task)
            check(entrant, found)
            entrants[key] = entrant
        except Missing as error:
            missing[key] = str(error).splitlines()[-1]
            print(f"MISSING: {key}: {missing[key]}", file=sys.stderr)
            if entrant:
                entrant.stop()
    compare(entrants)
    return entrants, missing


def main() -> None:
    """Print Markdown: who did what, and the bars."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pages", type=Path, help="directory of pages (*.html, *.html.gz)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--readers", action="store_true", help="add libraries that only read")
    options = parser.parse_args()
    found = pages(options.pages)
    size = sum(map(len, found))
    keys = [*SCANNERS, *PEERS, *(READERS if options.readers else ("copy",))]
    with tempfile.TemporaryDirectory() as folder:
        task = Path(folder) / "task.json"
        task.write_text(json.dumps(wasm_task(found)))
        entrants, missing = enter(options.pages, found, task, keys)
        try:
            measure(entrants, size, options.rounds)
        finally:
            for entrant in entrants.values():
                entrant.stop()
    where = "real pages" if options.pages else "pages of the demo"
    print(
        f"{len(found)} {where}, {size / 1e6:.1f} MB, chunks of {CHUNK // 1024} KB, {options.rounds} rounds\n"
    )
    print(contestants_table(entrants, missing), table(bars(entrants)), sep="\n\n")
    print(f"\n{CLAIM}{claim(entrants, f'{len(found)} {where}')}")


if __name__ == "__main__":
    main()
