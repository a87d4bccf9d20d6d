"""The proxy of a scan refuses private addresses, and names whose address changes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import httpx
import pytest
from harness.servers import serving

from cookieguard.scan.addresses import Addresses, AddressRefusedError, is_private
from cookieguard.scan.proxy import Proxy
from cookieguard.scan.static_scan import client_through
from tests.scan.site import Site

PUBLIC = "93.184.215.14"


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "fd00::1",
        "::ffff:10.0.0.1",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
        "64:ff9b:1::7f00:1",
        "fec0::1",
        "::7f00:1",
    ],
)
def test_an_address_of_no_public_network_is_private_whatever_it_is_wrapped_in(address: str) -> None:
    assert is_private(address)


@pytest.mark.parametrize("address", [PUBLIC, "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "64:ff9b::5db8:d70e"])
def test_a_public_address_is_not_private(address: str) -> None:
    assert not is_private(address)


def test_a_name_means_the_same_address_for_the_whole_scan() -> None:
    answers: Iterator[str] = iter([PUBLIC, "127.0.0.1"])

    async def rebinding(_: str) -> list[str]:
        return [next(answers)]

    async def asked() -> list[list[tuple[str, int]]]:
        addresses = Addresses(resolve=rebinding)
        return [await addresses.of("moves.example", 80) for _ in range(2)]

    assert asyncio.run(asked()) == [[(PUBLIC, 80)], [(PUBLIC, 80)]]


def test_a_name_at_a_private_address_is_refused_by_its_name() -> None:
    async def inside(_: str) -> list[str]:
        return ["10.0.0.7"]

    with pytest.raises(AddressRefusedError, match=r"inside\.example has a private address"):
        asyncio.run(Addresses(resolve=inside).of("inside.example", 443))


def test_a_redirect_to_a_private_address_is_refused_and_never_asked() -> None:
    secret = Site({"/": ("text/html", "secret")})

    async def fetched(shop_port: int, private: str) -> int:
        addresses = Addresses(own={("shop.example", 80): ("127.0.0.1", shop_port)})
        async with (
            Proxy(addresses, most_bytes=10**6) as proxy,
            client_through(proxy, insecure=False) as client,
        ):
            first = await client.get("http://shop.example/", follow_redirects=False)
            assert first.status_code == 302
            return (await client.get("http://shop.example/")).status_code

    async def leading(scope: object, receive: object, send: object) -> None:
        await send({"type": "http.response.start", "status": 302, "headers": [(b"location", there.encode())]})  # type: ignore[operator]
        await send({"type": "http.response.body", "body": b""})  # type: ignore[operator]

    with serving(secret) as inner, serving(leading, lifespan="off") as shop:
        there = f"{inner.url}/"
        assert asyncio.run(fetched(shop.port, there)) == 403
        assert httpx.get(there).text == "secret"  # it would have answered

    assert secret.asked == ["/"]


def test_a_scan_reads_no_more_bytes_than_it_may() -> None:
    big = Site({"/": ("text/html", "x" * 300_000)})

    async def read(port: int) -> tuple[int, int]:
        addresses = Addresses(own={("shop.example", 80): ("127.0.0.1", port)})
        async with (
            Proxy(addresses, most_bytes=100_000) as proxy,
            client_through(proxy, insecure=False) as client,
        ):
            with pytest.raises(httpx.HTTPError):
                await client.get("http://shop.example/")
            return proxy.bytes, (await client.get("http://shop.example/")).status_code

    with serving(big) as shop:
        read_bytes, status = asyncio.run(read(shop.port))

    assert read_bytes < 100_000 + 64 * 1024
    assert status == 503
