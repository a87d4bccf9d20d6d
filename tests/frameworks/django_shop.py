"""The shop as Django's users write it: this is its asgi.py, beside settings and URLs."""

from __future__ import annotations

import os
from typing import Any

from django.contrib.auth import get_user_model
from django.core.asgi import get_asgi_application
from django.core.management import call_command

from frameworks.stock import PASSWORDS

EVENTS: list[str] = []  # stays empty: Django has no lifespan


def create_app() -> Any:
    """Make the shop, its tables and its customers."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "frameworks.django_settings")
    application = get_asgi_application()
    call_command("migrate", verbosity=0)
    users = get_user_model().objects
    for number, password in PASSWORDS.items():
        if not users.filter(username=number).exists():
            users.create_user(number, password=password)
    return application
