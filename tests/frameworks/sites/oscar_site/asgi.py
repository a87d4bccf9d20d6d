"""The shop bare, and guarded as docs/frameworks.md says; `python -m oscar_site.asgi` fills its database."""

from __future__ import annotations

import os
from decimal import Decimal

from django.core.asgi import get_asgi_application

from cookieguard import CookieGuard

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "oscar_site.settings")
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler

bare = ASGIStaticFilesHandler(get_asgi_application())
application = CookieGuard(bare, "cookieguard.toml") if os.environ.get("SITE_GUARDED") else bare


def fill() -> None:
    """Make tables, an owner, a country to send to and two mugs."""
    from django.contrib.auth import get_user_model
    from django.core.management import call_command
    from oscar.core.loading import get_model

    call_command("migrate", verbosity=0)
    get_user_model().objects.create_superuser("owner", "owner@shop.example", "blue-glaze")
    get_model("address", "Country").objects.create(
        iso_3166_1_a2="NL", name="Netherlands", printable_name="Netherlands", is_shipping_country=True
    )
    kind = get_model("catalogue", "ProductClass").objects.create(name="Mugs")
    category = get_model("catalogue", "Category").add_root(name="Mugs")
    partner = get_model("partner", "Partner").objects.create(name="Pottery")
    product, stock = get_model("catalogue", "Product"), get_model("partner", "StockRecord")
    for number, title in (("KK-101", "Teapot"), ("KK-102", "Kettle")):
        made = product.objects.create(product_class=kind, title=title, upc=number)
        made.categories.add(category)
        stock.objects.create(
            product=made, partner=partner, partner_sku=number, price=Decimal("19.50"), num_in_stock=100
        )


if __name__ == "__main__":
    fill()
