"""The shop in this folder has a suite of its own, which is run as a shop would run it."""

from __future__ import annotations

collect_ignore = ["shop"]
