"""The site's one app."""

from __future__ import annotations

from django.apps import AppConfig


class SiteConfig(AppConfig):
    """Name the app."""

    name, label = "wagtail_site", "wagtail_site"
