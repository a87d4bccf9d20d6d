"""Helpers of the frameworks: typed dependencies for FastAPI, and `visitor` in templates of Jinja and Django."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.template import Context, Engine
from django.utils.module_loading import import_string
from fastapi import FastAPI, WebSocket
from jinja2 import DictLoader, Environment
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse
from starlette.routing import Route
from starlette.templating import Jinja2Templates
from starlette.testclient import TestClient

from cookieguard import Config, CookieGuard, CookieGuardError
from cookieguard.fastapi import CurrentConsent, CurrentCustomer, CurrentVisitor, SignedInCustomer
from cookieguard.templating import visitor_context
from cookieguard.testing import prepare_visitor

TEMPLATE = """{% if visitor.customer %}{{ visitor.customer }}{% else %}guest{% endif %}
{% if "statistics" in visitor.consent.granted %}counted{% else %}not counted{% endif %}
{{ visitor.choices_url }}"""
URL = "https://testserver"


Client = Callable[..., TestClient]


@pytest.fixture
def client_of(tmp_path: Path) -> Iterator[Client]:
    """Guard an app and come to it as a visitor: `client_of(app, customer="1042")`."""
    made: list[CookieGuard] = []

    def come(app: Any, *, root_path: str = "", **visitor: Any) -> TestClient:
        made.append(CookieGuard(app, Config(state_dir=str(tmp_path / "state"))))
        prepared = prepare_visitor(made[-1], URL, **visitor)
        return TestClient(made[-1], base_url=URL, root_path=root_path, **prepared.for_httpx)

    yield come
    for one in made:
        one.close()


def fastapi_shop() -> FastAPI:
    api = FastAPI()

    @api.get("/")
    async def home(visitor: CurrentVisitor, consent: CurrentConsent, customer: CurrentCustomer) -> list[Any]:
        return [visitor.customer, customer, sorted(consent.granted)]

    @api.get("/account")
    def account(customer: SignedInCustomer) -> str:
        return customer

    @api.websocket("/chat")
    async def chat(socket: WebSocket, customer: CurrentCustomer) -> None:
        await socket.accept()
        await socket.send_text(customer or "guest")
        await socket.close()

    return api


def test_fastapi_gets_the_visitor_by_its_type(client_of: Client) -> None:
    client = client_of(fastapi_shop(), customer="1042", consent=["statistics"])

    assert client.get("/").json() == ["1042", "1042", ["necessary", "statistics"]]
    assert client.get("/account").json() == "1042"
    with client.websocket_connect("/chat") as chat:
        assert chat.receive_text() == "1042"


def test_a_guest_gets_401_where_a_customer_is_needed(client_of: Client) -> None:
    client = client_of(fastapi_shop())

    answer = client.get("/account")

    assert (answer.status_code, answer.json()) == (401, {"detail": "sign in first"})
    assert client.get("/").json() == [None, None, ["necessary"]]


def test_the_dependencies_are_no_parameters_of_the_api() -> None:
    described = fastapi_shop().openapi()

    assert "parameters" not in described["paths"]["/"]["get"]


async def by_jinja(request: Request) -> HTMLResponse:
    """Render as Starlette does."""
    environment = Environment(loader=DictLoader({"page.html": TEMPLATE}), autoescape=True)
    templates = Jinja2Templates(env=environment, context_processors=[visitor_context])
    return templates.TemplateResponse(request, "page.html")


async def by_django(request: Request) -> PlainTextResponse:
    """Render as Django does, which looks the function up by its dotted path."""
    processor = import_string("cookieguard.templating.visitor_context")
    page = Engine().from_string(TEMPLATE).render(Context(processor(request)))
    return PlainTextResponse(page, media_type="text/html")


@pytest.mark.parametrize("endpoint", [by_jinja, by_django], ids=lambda one: one.__name__)
def test_templates_know_the_visitor(client_of: Client, endpoint: Any) -> None:
    app = Starlette(routes=[Route("/page", endpoint)])

    signed_in = client_of(app, customer="1042", consent="all").get("/page?a=1&b")
    guest = client_of(app).get("/page")

    assert "1042\ncounted\n/_cg/choices?next=/page%3Fa%3D1%26b" in signed_in.text
    assert "guest\nnot counted\n/_cg/choices?next=/page" in guest.text


def test_visitor_that_a_template_does_not_use_sets_no_vary_header(client_of: Client) -> None:
    async def page(request: Request) -> PlainTextResponse:
        visitor_context(request)
        return PlainTextResponse("plain")

    answer = client_of(Starlette(routes=[Route("/", page)]), consent="all").get("/")

    assert "vary" not in answer.headers


def test_the_link_to_the_choices_knows_where_the_shop_is_mounted(client_of: Client) -> None:
    client = client_of(Starlette(routes=[Route("/page", by_jinja)]), root_path="/shop")

    answer = client.get("/shop/page")

    assert "/shop/_cg/choices?next=/shop/page" in answer.text


def test_without_a_guard_a_template_gets_an_error_that_says_so() -> None:
    with pytest.raises(CookieGuardError, match=r"wrap the app as CookieGuard\(app\)"):
        visitor_context({"type": "http"})
