"""The demo's CookieGuard configuration in code: cookieguard.toml beside this file, on any port."""

from __future__ import annotations

from datetime import date
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
TOML = Path(__file__).with_name("cookieguard.toml")
FORMS = (
    ShopForm(page="/checkout", asks=("name", "email", "address")),
    ShopForm(page="/login", asks=("password",)),
    ShopForm(page="/journal", asks=("email",)),
)


def guard_config(
    *,
    ads_origin: str,
    state_dir: str | Path,
    origins: tuple[str, ...] = (),
    policy: str | Path = "demo_site/policy",
    relay: str = "",
    contract_end: date = date(2099, 12, 31),
) -> Config:
    """Return the configuration of cookieguard.toml for these ports; the widget's host is undeclared on purpose."""
    network = AdNetwork.at(ads_origin)
    return Config(
        state_dir=str(state_dir),
        origins=origins,
        policy=PolicyVersion(version="2026-11", privacy_url="/privacy", folder=str(policy)),
        data=DATA,
        forms=FORMS,
        proof=ProofSettings(keep=(KeptKind(kind="order-mail", days=3653),)),
        mail=MailSettings(
            url=relay,
            sender="Kiln & Kettle <orders@kilnandkettle.example>",
            customers="demo_site.shop.customers:active",
            orders="order-mail",
        ),
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
        stats=StatsSettings(
            named_pages=("/product/{slug}",),
            funnel=("/catalogue", "/cart", "/checkout", "order placed"),
        ),
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
                contract_end=contract_end,
            ),
        ),
    )


def settings_file(config: Config, *, ads_port: int) -> Path:
    """Write a cookieguard.toml with the paths and ports of this demo next to its state directory, for commands."""
    folder = Path(config.state_dir).parent
    places = {
        f'"{STANDARD.state_dir}"': f'"{config.state_dir}"',
        f'"{STANDARD.policy.folder}"': f'"{config.policy.folder}"',
        STANDARD.origins[0]: config.origins[0],
        STANDARD.mail.url: config.mail.url,
        ".localhost:8001": f".localhost:{ads_port}",
        str(STANDARD.vendors[-1].contract_end): str(config.vendors[-1].contract_end),
    }
    text = TOML.read_text("utf-8")
    for standard, used in places.items():
        text = text.replace(standard, used)
    file = folder / TOML.name
    file.write_text(text, "utf-8")
    return file


def _host(origin: str) -> str:
    return urlsplit(origin).netloc


# The values that cookieguard.toml has.
STANDARD = guard_config(
    ads_origin="http://ads.localhost:8001",
    state_dir="demo_site/var/cookieguard",
    origins=("http://shop.localhost:8000",),
    policy="demo_site/var/policy",
    relay="smtp://127.0.0.1:8025",
)
