"""Fuzz one target, guided by coverage: `.venv/bin/python tests/fuzz/run.py rewriter -max_total_time=300`.

Needs atheris (`pip install --group fuzz`). Whatever follows the target's name goes to libFuzzer; what it finds
worth keeping goes to `.fuzz/<target>/`, a failing input to `crash-...` in the folder it was started in.
"""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
TARGETS = ("forwarded", "rewriter", "tokens")


def main(arguments: list[str]) -> None:
    """Run the target named first."""
    if not arguments or arguments[0] not in TARGETS:
        raise SystemExit(f"target: {arguments[:1]} is none; allowed: {', '.join(TARGETS)}")
    try:
        import atheris
    except ImportError:
        raise SystemExit("atheris is not installed: pip install --group fuzz") from None
    name, *options = arguments
    # Coverage is counted in Python's own code: the compiled scanner has none to count.
    os.environ.setdefault("COOKIEGUARD_PURE", "1")
    sys.path.insert(0, str(HERE.parent))
    with atheris.instrument_imports(include=["cookieguard"]):
        target = importlib.import_module(f"fuzz.{name}")
    kept = HERE.parent.parent / ".fuzz" / name
    kept.mkdir(parents=True, exist_ok=True)
    words = kept.with_suffix(".dict")
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in target.WORDS))
    atheris.Setup(
        [sys.argv[0], *options, f"-dict={words}", str(kept), str(HERE / "corpus" / name)], target.check
    )
    atheris.Fuzz()


def _escaped(word: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word.encode())


if __name__ == "__main__":
    main(sys.argv[1:])
