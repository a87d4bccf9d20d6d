"""Reports of network errors and violations that were set up under consent end with its withdrawal."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from harness.browser import Recorder, whole_browser
from harness.quick import some_of
from harness.servers import serving
from playwright.sync_api import Page, Playwright

from cookieguard import Config, CookieGuard, Vendor

DELIVERY = 1.5  # seconds; with --short-reporting-delay reports go out every 100 ms
PAGE = b"<!doctype html><html><head></head><body><script>1</script>shop</body></html>"
# Unlike other errors ignored, these leave a context secure
TRUSTED = "--ignore-certificate-errors-spki-list="


def fingerprint(certificate: bytes) -> str:
    """Return what Chromium knows a certificate's key by."""
    key = x509.load_pem_x509_certificate(certificate).public_key()
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(spki).digest()).decode()


def press(page: Page, button: str) -> None:
    with page.expect_navigation():
        page.get_by_role("button", name=button).click()


class Reporting:
    """A shop that has network errors, and violations on /violates, reported to `endpoint`."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.arms = True

    async def __call__(self, scope: Any, _: Any, send: Any) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        headers = [(b"content-type", b"text/html; charset=utf-8"), (b"cache-control", b"no-store")]
        if self.arms:
            group = {"group": "errors", "max_age": 86400, "endpoints": [{"url": self.endpoint}]}
            errors = {
                "report_to": "errors",
                "max_age": 86400,
                "success_fraction": 1.0,
                "failure_fraction": 1.0,
            }
            headers += [(b"report-to", json.dumps(group).encode()), (b"nel", json.dumps(errors).encode())]
        if scope["path"] == "/violates":
            headers.append((b"content-security-policy", b"script-src 'none'; report-to errors"))
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": PAGE})


@pytest.mark.parametrize("keeps_arming", some_of([True, False], True))
def test_what_was_armed_while_agreed_to_reports_nothing_after_the_withdrawal(
    driver: tuple[Playwright, str], tmp_path: Path, keeps_arming: bool
) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("shop.localhost", "errors.localhost")
    key, chain = tmp_path / "key", tmp_path / "chain"
    certificate.private_key_pem.write_to_path(str(key))
    certificate.cert_chain_pems[0].write_to_path(str(chain))
    tls = {"ssl_keyfile": str(key), "ssl_certfile": str(chain)}
    collector = Recorder()

    def reported(page: Page, path: str) -> int:
        collector.forget()
        page.goto(address + path)
        time.sleep(DELIVERY)
        return len(collector.requests)  # each report asks for leave first (CORS), which is a contact too

    with serving(collector, **tls) as there:
        shop = Reporting(there.at("errors.localhost") + "/errors")
        vendors = (Vendor(name="Errors", purpose="statistics", hosts=("errors.localhost",)),)
        guarded = CookieGuard(shop, Config(state_dir=str(tmp_path / "state"), vendors=vendors))
        arguments = ("--short-reporting-delay", TRUSTED + fingerprint(chain.read_bytes()))
        with (
            serving(guarded, **tls) as server,
            whole_browser(*driver, tmp_path / "profile", *arguments) as context,
        ):
            address, page = server.at("shop.localhost"), context.new_page()

            undecided = reported(page, "/violates")
            press(page, "Accept all")
            accepted = reported(page, "/violates")
            shop.arms = keeps_arming
            page.goto(address)
            press(page, "Withdraw")
            time.sleep(DELIVERY)
            withdrawn = reported(page, "/violates" if keeps_arming else "/"), reported(page, "/gone")

    assert undecided == 0
    assert accepted > 0
    assert withdrawn == (0, 0)
