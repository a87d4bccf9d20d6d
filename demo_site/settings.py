"""The demo's CookieGuard configuration in code: cookieguard.toml beside this file, on any port."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from cookieguard.config import (
    Config,
    Controller,
    DataKind,
    MailSettings,
    PolicyVersion,
    RightsSettings,
    ShopForm,
    StatsSettings,
    Vendor,
)
from cookieguard.config.proof import KeptKind, ProofSettings
from demo_site.hosts import AdNetwork

DATA = (
    DataKind(
        id="account",
        title={"en": "Your account", "de": "Ihr Konto"},
        purpose={"en": "To know you when you come back", "de": "Um Sie wiederzuerkennen"},
    ),
    DataKind(
        id="orders",
        title={"en": "Orders and bills", "de": "Bestellungen und Rechnungen"},
        purpose={
            "en": "To deliver what you bought, and for the tax office",
            "de": "Für Lieferung und Finanzamt",
        },
        basis="law",
        reason="§ 147 AO",
        retention="10 years",
        recipients=("Parcel service",),
    ),
    DataKind(
        id="cart",
        title={"en": "Your cart", "de": "Ihr Warenkorb"},
        purpose={
            "en": "So that it is there when you come back",
            "de": "Damit er beim nächsten Besuch da ist",
        },
        retention="90 days",
    ),
    DataKind(
        id="order-mail",
        title={"en": "Mail about your orders", "de": "E-Mails zu Ihren Bestellungen"},
        purpose={"en": "To confirm what you bought", "de": "Um zu bestätigen, was Sie gekauft haben"},
        basis="contract",
        retention="10 years",
    ),
)
FORMS = (
    ShopForm(page="/checkout", asks=("name", "email", "address")),
    ShopForm(page="/login", asks=("password",)),
    ShopForm(page="/journal", asks=("email",)),
)


def guard_config(*, ads_origin: str, state_dir: str | Path) -> Config:
    """Declare the vendors as cookieguard.toml does; the widget's host stays undeclared on purpose."""
    network = AdNetwork.at(ads_origin)
    return Config(
        state_dir=str(state_dir),
        policy=PolicyVersion(version="2026-11", privacy_url="/privacy", folder="demo_site/policy"),
        data=DATA,
        forms=FORMS,
        proof=ProofSettings(keep=(KeptKind(kind="order-mail", days=3653),)),
        mail=MailSettings(sender="Kiln & Kettle <orders@kilnandkettle.example>", orders="order-mail"),
        controller=Controller(
            name="Kiln & Kettle",
            address=("Potters' Yard 3", "04109 Leipzig", "Germany"),
            email="privacy@kilnandkettle.example",
        ),
        rights=RightsSettings(
            hooks="demo_site.shop.privacy:Privacy",
            login_url="/login",
            account_url="/account",
            by_hand=("deleted at the parcel service",),
        ),
        stats=StatsSettings(funnel=("/product/{slug}", "/cart", "/checkout", "order placed")),
        vendors=(
            Vendor(
                name="Glimmer Ads",
                purpose="marketing",
                hosts=(_host(network.ads),),
                cookies=("_gl_id", "_gl_seen"),
            ),
            Vendor(
                name="Tally Metrics",
                purpose="statistics",
                hosts=(_host(network.metrics),),
                cookies=("_ty_*",),
            ),
            Vendor(
                name="Reel Video and Maps",
                purpose="preferences",
                hosts=(_host(network.video),),
            ),
        ),
    )


def _host(origin: str) -> str:
    return urlsplit(origin).netloc
