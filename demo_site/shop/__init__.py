"""Kiln & Kettle, a ceramics shop in Starlette, written as if CookieGuard did not exist."""

from __future__ import annotations

from demo_site.shop.app import create_app

__all__ = ["create_app"]
