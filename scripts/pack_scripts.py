"""Pack the browser scripts of static/src/ into static/ with Terser; `--check` only compares.

`--check` packs again where npm can install Terser. Elsewhere the digests in scripts/packer/packed.txt decide: each
covers a source, its packed text, and the packer with its lock file.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))
from harness import npm  # noqa: E402

SOURCES, PACKED = ROOT / "static" / "src", ROOT / "static"
PACKER = ROOT / "scripts" / "packer"
RECIPE = tuple(PACKER / name for name in ("pack.mjs", "without_markup.mjs", "package-lock.json"))
DIGESTS = PACKER / "packed.txt"
SECONDS = 60
# Where npm cannot reach its registry, a check must not wait a minute for it to try three times.
os.environ |= {"npm_config_fetch_retries": "0", "npm_config_fetch_timeout": "20000"}
RUN = "run: python scripts/pack_scripts.py"


def main() -> int:
    """Write the packed scripts, or compare them; return the exit status."""
    packed, lacks = {}, npm.missing()
    try:
        packed = {} if lacks else pack()
    except (OSError, subprocess.SubprocessError) as error:
        lacks = getattr(error, "stderr", "") or str(error)
    if "--check" not in sys.argv:
        if lacks:
            sys.exit(f"nothing is packed: {lacks}")
        write(packed)
    faults = [*faults_of(packed)]
    for fault in faults:
        print(f"{fault}; {RUN}", file=sys.stderr)
    if lacks and not faults:
        print(f"packed scripts: only their digests were compared ({lacks.strip()})", file=sys.stderr)
    return bool(faults)


def pack() -> Mapping[str, str]:
    """Return each script's packed text, by file name."""
    files = sorted(SOURCES.glob("*.js"))
    command = ["node", str(PACKER / "pack.mjs"), str(npm.installed(PACKER)), *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=SECONDS)
    return dict(zip((file.name for file in files), json.loads(done.stdout), strict=True))


def write(packed: Mapping[str, str]) -> None:
    """Write the packed scripts and their digests."""
    for file in PACKED.glob("*.js"):
        file.unlink()
    for name, text in packed.items():
        PACKED.joinpath(name).write_text(text, "ascii")
    DIGESTS.write_text("".join(f"{digest_of(name)}  {name}\n" for name in packed))


def faults_of(packed: Mapping[str, str]) -> Iterator[str]:
    """Say which packed scripts are not what their sources give; `packed` is empty where nothing could be packed."""
    known = {name: digest for digest, name in map(str.split, DIGESTS.read_text().splitlines())}
    there = {file.name for folder in (SOURCES, PACKED) for file in folder.glob("*.js")}
    for name in sorted(there | {*known}):
        if not (SOURCES.joinpath(name).exists() and PACKED.joinpath(name).exists()):
            yield f"static/src/{name} or static/{name} is missing"
        elif known.get(name) != digest_of(name):
            yield f"static/src/{name}, static/{name} or the packer was edited since"
        elif packed and packed[name] != PACKED.joinpath(name).read_text("ascii"):
            yield f"static/{name} is not what the packer makes of static/src/{name}"


def digest_of(name: str) -> str:
    """Return the digest of a script's source, its packed text, and the packer."""
    parts = (SOURCES / name, PACKED / name, *RECIPE)
    return hashlib.sha256(b"\0".join(part.read_bytes() for part in parts)).hexdigest()[:16]


if __name__ == "__main__":
    sys.exit(main())
