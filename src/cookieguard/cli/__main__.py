"""Run the command line as `python -m cookieguard.cli`, where the script is not on the path."""

from __future__ import annotations

from cookieguard.cli import main

main()
