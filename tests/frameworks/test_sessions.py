"""`request.session` under cookieguard behaves as with the framework's own session middleware."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi import Request as FastApiRequest
from litestar import Litestar, get
from litestar import Request as LitestarRequest
from litestar.middleware.session.client_side import CookieBackendConfig
from litestar.params import FromPath
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from cookieguard import Config, CookieGuard

Session = Any  # what request.session is: the point is that it does not matter

# In this order, one request each; the result of each is what the shop's page would show.
STEPS: dict[str, Callable[[Session], Any]] = {
    "starts_empty": lambda session: [len(session), bool(session), dict(session)],
    "get_of_nothing": lambda session: [session.get("name"), session.get("name", "guest")],
    "missing": lambda session: missing(session, "name"),
    "set": lambda session: session.__setitem__("name", "Mara"),
    "get": lambda session: [session["name"], "name" in session, "age" in session],
    "nested": lambda session: session.__setitem__("basket", {"pots": [1, 2.5, None, True, "ä"]}),
    "read_nested": lambda session: session["basket"]["pots"],
    "setdefault": lambda session: [session.setdefault("name", "Ida"), session.setdefault("town", "Ulm")],
    "update": lambda session: session.update({"name": "Ida"}, street="S 1"),
    "order": lambda session: [list(session), list(session.keys()), list(session.values())],
    "items": lambda session: [list(pair) for pair in session.items()],
    "equality": lambda session: [session == dict(session), session == {}, session != {}],
    "copy": lambda session: dict(session.copy()),
    "pop": lambda session: [session.pop("town"), session.pop("town", "none")],
    "delete": lambda session: session.__delitem__("street"),
    "after": dict,
    "popitem": lambda session: list(session.popitem()),
    "gone": dict,
    "again": lambda session: session.update(a=1, b=2),
    "clear": lambda session: session.clear(),
    "cleared": lambda session: [len(session), bool(session), dict(session)],
}


def missing(session: Session, key: str) -> str:
    """Name the exception a missing key raises."""
    try:
        return str(session[key])
    except KeyError as error:
        return repr(error)


def starlette_app(steps: dict[str, Callable[[Session], Any]], *, is_own: bool) -> Any:
    async def take(request: Request) -> JSONResponse:
        return JSONResponse({"result": steps[request.path_params["step"]](request.session)})

    own = [Middleware(SessionMiddleware, secret_key="starlette's own")] if is_own else []
    return Starlette(routes=[Route("/{step}", take)], middleware=own)


def fastapi_app(steps: dict[str, Callable[[Session], Any]], *, is_own: bool) -> Any:
    app = FastAPI()

    async def take(request: FastApiRequest, step: str) -> Any:
        return {"result": steps[step](request.session)}

    take.__annotations__ |= {"request": FastApiRequest, "step": str}
    app.get("/{step}", response_model=None)(take)
    if is_own:
        app.add_middleware(SessionMiddleware, secret_key="fastapi's own")
    return app


def litestar_app(steps: dict[str, Callable[[Session], Any]], *, is_own: bool) -> Any:
    @get("/{step:str}", media_type="application/json")
    async def take(request: LitestarRequest, step: FromPath[str]) -> Any:
        return {"result": steps[step](request.session)}

    own = [CookieBackendConfig(secret=b"litestar's own..").middleware] if is_own else []
    return Litestar([take], middleware=own, logging_config=None, openapi_config=None)


APPS = {"starlette": starlette_app, "fastapi": fastapi_app, "litestar": litestar_app}


@pytest.fixture(params=APPS)
def make_app(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Give each framework's app in turn."""
    return APPS[request.param]


def walk(app: Any, steps: Any) -> list[Any]:
    """Take every step as one browser, one request each; return (status, JSON) of each."""

    async def go() -> list[Any]:
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="https://shop.example") as client:
            answers = [await client.get(f"/{step}") for step in steps]
        return [(answer.status_code, answer.json() if answer.is_success else None) for answer in answers]

    return asyncio.run(go())


def test_every_use_of_request_session_gives_what_the_frameworks_own_gives(
    make_app: Callable[..., Any], config: Config
) -> None:
    guarded = CookieGuard(make_app(STEPS, is_own=False), config)

    ours = walk(guarded, STEPS)

    assert [status for status, _ in ours] == [200] * len(STEPS)
    assert dict(zip(STEPS, ours, strict=True)) == dict(
        zip(STEPS, walk(make_app(STEPS, is_own=True), STEPS), strict=True)
    )


def test_change_deep_inside_a_session_value_is_kept(make_app: Callable[..., Any], config: Config) -> None:
    steps = {
        "set": lambda session: session.update(basket={"pots": [1]}),
        "append": lambda session: session["basket"]["pots"].append(2),
        "read": lambda session: session["basket"],
    }

    assert walk(CookieGuard(make_app(steps, is_own=False), config), steps)[-1] == (
        200,
        {"result": {"pots": [1, 2]}},
    )


@pytest.mark.parametrize(
    "framework",
    ["starlette", "fastapi", "litestar"],
)
def test_the_session_itself_can_be_answered_as_json(framework: str, config: Config) -> None:
    steps = {"set": lambda session: session.update(name="Mara"), "show": lambda session: session}

    answers = walk(CookieGuard(APPS[framework](steps, is_own=False), config), steps)

    assert answers[-1] == (200, {"result": {"name": "Mara"}})


def test_the_session_can_be_merged_with_a_dict(make_app: Callable[..., Any], config: Config) -> None:
    steps = {"merge": lambda session: dict(session | {"name": "Mara"})}

    assert walk(CookieGuard(make_app(steps, is_own=False), config), steps) == [
        (200, {"result": {"name": "Mara"}})
    ]


# Litestar has two more ways


def litestar_with(*handlers: Any) -> Any:
    return Litestar([*handlers], logging_config=None, openapi_config=None)


@get("/show")
async def show(request: LitestarRequest) -> dict[str, Any]:
    return dict(request.session)


@get("/set")
async def set_session(request: LitestarRequest) -> dict[str, Any]:
    request.set_session({"name": "Mara"})
    return dict(request.session)


@get("/reset")
async def reset_session(request: LitestarRequest) -> dict[str, Any]:
    request.set_session({"town": "Ulm"})
    return dict(request.session)


@get("/clear")
async def clear_session(request: LitestarRequest) -> None:
    request.clear_session()


def test_litestars_set_session_replaces_all_there_was(config: Config) -> None:
    app = CookieGuard(litestar_with(show, set_session, reset_session), config)

    answers = walk(app, ["show", "set", "show", "reset", "show"])

    assert [body for _, body in answers] == [
        {},
        {"name": "Mara"},
        {"name": "Mara"},
        {"town": "Ulm"},
        {"town": "Ulm"},
    ]


def test_litestars_clear_session_empties_it(config: Config) -> None:
    app = CookieGuard(litestar_with(show, set_session, clear_session), config)

    assert walk(app, ["set", "show", "clear", "show"])[1::2] == [(200, {"name": "Mara"}), (200, {})]


# Sessions that others bring


class ServerSide:
    """A session middleware as shops write or install it: a plain dict in the scope, kept on the server."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.kept: dict[str, Any] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        scope["session"] = self.kept
        await self.app(scope, receive, send)


OTHERS = {"starlette": Middleware(SessionMiddleware, secret_key="its own"), "plain": Middleware(ServerSide)}


@pytest.mark.parametrize("other", OTHERS)
def test_a_session_that_a_mounted_app_brings_stays_apart_from_ours(other: str, config: Config) -> None:
    steps = {
        "set": lambda session: session.update(theirs="x" * 3000),
        "read": lambda session: session["theirs"][:3],
    }
    theirs = starlette_app(steps, is_own=False)
    theirs.add_middleware(OTHERS[other].cls, *OTHERS[other].args, **OTHERS[other].kwargs)

    async def count(request: Request) -> JSONResponse:
        request.session["n"] = request.session.get("n", 0) + 1
        return JSONResponse(dict(request.session))

    app = CookieGuard(Starlette(routes=[Route("/count", count), Mount("/theirs", theirs)]), config)

    answers = walk(app, ["count", "theirs/set", "theirs/read", "count"])

    assert answers == [
        (200, {"n": 1}),
        (200, {"result": None}),
        (200, {"result": "xxx"}),
        (200, {"n": 2}),
    ]
