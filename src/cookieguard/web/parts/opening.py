"""Build from the configuration what all requests share: the readers of sessions and consent cookies, and origins."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import lru_cache
from hashlib import blake2b
from importlib.metadata import version

from cookieguard.config import Config
from cookieguard.consent import Matters, Register
from cookieguard.errors import ConfigError
from cookieguard.identity import Identity, TokenCodec, TokenKind, cookie_name
from cookieguard.identity.carts.stored_carts import Keeping, Rule
from cookieguard.identity.clock_steps import Steps
from cookieguard.keyring import Keyring
from cookieguard.storage.keyring_source import PRODUCTION
from cookieguard.storage.store.sync import StoreSync
from cookieguard.web.banner.localized_texts import all_texts
from cookieguard.web.banner.renderer import Renderer
from cookieguard.web.cookies.consent_cookie import Consents
from cookieguard.web.http.origin import origin_of

logger = logging.getLogger("cookieguard")


def fingerprint_of(config: Config, renderer: Renderer) -> str:
    """Return a digest of everything but the visitor that pages depend on: settings, our files, and our release."""
    facts = (config, _release(), sorted(renderer.assets), all_texts(), sorted(renderer.own_texts.items()))
    return blake2b(repr(facts).encode(), digest_size=8).hexdigest()


@lru_cache(maxsize=1)
def _release() -> str:
    return version("cookieguard")  # cached, since it searches all installed packages


def refuse_dev(config: Config, environ: Mapping[str, str]) -> None:
    """Refuse `dev` in production with ConfigError, and log a warning elsewhere."""
    if not config.dev:
        return
    allowed = "true only with origins on this machine, testserver and *.test, since it drops Secure from every cookie"
    if environ.get(PRODUCTION) == "production":
        raise ConfigError("dev", was=f"true under {PRODUCTION}=production", allowed=allowed)
    for origin in config.origins:
        scheme, _, authority = origin.partition("://")
        if not origin_of(scheme, authority.encode()).is_developers:
            raise ConfigError("dev", was=f"true with the origin {origin}", allowed=allowed)
    logger.warning(
        "dev is true: cookieguard's cookies have neither Secure nor the __Host- prefix, and are valid only on loopback "
        "hosts, testserver and *.test; never run a real shop like this"
    )


def open_identity(
    config: Config, keyring: Keyring, store_sync: StoreSync | None, rule: Rule, steps: Steps
) -> Identity | None:
    """Return the reader and writer of sessions and carts; None if identity is off."""
    if not config.identity.enabled:
        return None
    revocations, keeping = None, None
    if store_sync is not None:
        revocations = store_sync.revocations
        keeping = Keeping(keep_carts=config.identity.keep_carts, merge_carts=rule)
    return Identity(
        keyring,
        config.cookies,
        config.identity,
        dev=config.dev,
        revocations=revocations,
        keeping=keeping,
        steps=steps,
    )


def open_consents(
    config: Config, keyring: Keyring, register: Register, matters: Matters | None, steps: Steps
) -> Consents:
    """Return the reader and writer of the consent cookie."""
    spec = config.cookies.consent
    name = cookie_name(spec, dev=config.dev)
    codec = TokenCodec(keyring, kind=TokenKind.CONSENT, name=name, sealed=spec.sealed, steps=steps)
    return Consents(codec, config, register, matters)


def authorities_of(*origins: str) -> frozenset[str]:
    """Return host or host:port of each origin."""
    parts = (origin.partition("://") for origin in origins)
    return frozenset(origin_of(scheme, host.encode()).authority for scheme, _, host in parts if host)
