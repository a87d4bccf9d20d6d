"""Settings that all these sites share and no test is about."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

BASE_DIR = Path(os.environ["SITE_DIR"])  # where the database and what is uploaded lie
SECRET_KEY = "tests only"
DEBUG = True  # serves static files and media
ALLOWED_HOSTS = ["*"]
CSRF_TRUSTED_ORIGINS = ["http://*.localhost"]
# It asks for the visitor, whom the bare site beside does not know.
GUARDED = ["cookieguard.templating.visitor_context"] if os.environ.get("SITE_GUARDED") else []
DATABASES: dict[str, dict[str, Any]] = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": BASE_DIR / "db.sqlite3",
        "OPTIONS": {"timeout": 30},
    }
}
# The walks log in; hashing passwords well would take most of their time.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STATIC_URL, MEDIA_URL, MEDIA_ROOT = "/static/", "/media/", BASE_DIR / "media"
