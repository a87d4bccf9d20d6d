"""The settings of a shop: frozen dataclasses with safe defaults, and the same tree in TOML."""

from __future__ import annotations

from cookieguard.config.catalogue import Catalogue, Entry, load_catalogue
from cookieguard.config.consent import ConsentSettings
from cookieguard.config.cookies import CookieSettings, CookieSpec, IdentitySettings
from cookieguard.config.loading.toml import config_from_mapping, load_config
from cookieguard.config.log import LogSettings
from cookieguard.config.look import LookSettings
from cookieguard.config.mail import MailSettings
from cookieguard.config.policy import PolicyVersion
from cookieguard.config.purposes import DEFAULT_PURPOSES, Purpose, Vendor
from cookieguard.config.rights.settings import Controller, DataKind, RightsSettings, ShopForm
from cookieguard.config.root import Config, CspSettings, HtmlSettings, KeySettings, VaultSettings
from cookieguard.config.shop_cookies import OwnCookie, SignedCookie
from cookieguard.config.stats import StatsSettings
from cookieguard.config.store import StoreSettings

__all__ = [
    "DEFAULT_PURPOSES",
    "Catalogue",
    "Config",
    "ConsentSettings",
    "Controller",
    "CookieSettings",
    "CookieSpec",
    "CspSettings",
    "DataKind",
    "Entry",
    "HtmlSettings",
    "IdentitySettings",
    "KeySettings",
    "LogSettings",
    "LookSettings",
    "MailSettings",
    "OwnCookie",
    "PolicyVersion",
    "Purpose",
    "RightsSettings",
    "ShopForm",
    "SignedCookie",
    "StatsSettings",
    "StoreSettings",
    "VaultSettings",
    "Vendor",
    "config_from_mapping",
    "load_catalogue",
    "load_config",
]
