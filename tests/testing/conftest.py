"""The shop beside this file has a suite of its own, which is run as the shop runs it."""

from __future__ import annotations

collect_ignore = ["shop"]
