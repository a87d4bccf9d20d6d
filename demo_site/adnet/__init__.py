"""The ad network of the demo: it behaves like real ones, and shows what it received."""

from __future__ import annotations

from demo_site.adnet.app import create_app

__all__ = ["create_app"]
