"""The Django shop's settings: sessions, auth, messages and CSRF as `startproject` writes them."""

from __future__ import annotations

import tempfile
from pathlib import Path

FILES = tempfile.TemporaryDirectory(prefix="django-shop-")

SECRET_KEY = "django's own, for django's own session"
ALLOWED_HOSTS = [".localhost", "shop.example"]
ROOT_URLCONF = "frameworks.django_urls"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": f"{FILES.name}/shop.sqlite3"}}
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [Path(__file__).parent / "templates"],
    }
]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # as Django says for tests
LOGGING_CONFIG = None
