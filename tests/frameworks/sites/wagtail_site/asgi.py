"""The site bare, and guarded as docs/frameworks.md says; `python -m wagtail_site.asgi` fills its database."""

from __future__ import annotations

import os

from django.core.asgi import get_asgi_application

from cookieguard import CookieGuard

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "wagtail_site.settings")
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler

bare = ASGIStaticFilesHandler(get_asgi_application())
application = CookieGuard(bare, "cookieguard.toml") if os.environ.get("SITE_GUARDED") else bare


def fill() -> None:
    """Make tables, an editor and the pages."""
    from django.conf import settings
    from django.contrib.auth import get_user_model
    from django.core.management import call_command
    from wagtail.models import Page, Site

    from wagtail_site.models import ArticlePage, FormField, FormPage

    migrations = settings.BASE_DIR / "made_migrations"
    migrations.mkdir()
    (migrations / "__init__.py").touch()
    call_command("makemigrations", "wagtail_site", verbosity=0)
    call_command("migrate", verbosity=0)
    get_user_model().objects.create_superuser("editor", "editor@shop.example", "blue-glaze")
    root = Page.objects.get(depth=1)
    film = "https://www.youtube.com/watch?v=mugs"
    intro = f'<p>How a mug is thrown.</p><embed embedtype="media" url="{film}"/>'
    home = ArticlePage(title="Mugs", intro=intro, body=[("film", film)])
    root.add_child(instance=home)
    form = FormPage(title="Ask us", slug="ask")
    form.form_fields.add(FormField(label="Question", field_type="singleline", required=True))
    home.add_child(instance=form)
    home.add_child(instance=ArticlePage(title="Glazes", intro="<p>Blue and ash.</p>"))
    Site.objects.update(root_page=home)
    Page.objects.filter(depth=2).exclude(pk=home.pk).delete()


if __name__ == "__main__":
    fill()
