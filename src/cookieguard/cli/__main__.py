"""Run the command line as `python -m cookieguard.cli`, for when the script `cookieguard` is not on the path."""

from __future__ import annotations

from cookieguard.cli import main

main()
