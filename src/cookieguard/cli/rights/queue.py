"""`cookieguard requests`: lists customers' requests about their data, and lets staff answer them.

Rule: a command that shows whose a request is, or changes it, reads a staff token from standard input. It requires the
same role as the queue's page. The request and the access journal record the member's name.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from functools import partial
from inspect import Parameter, Signature
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from cookieguard.cli.approvals import one_member
from cookieguard.cli.options import ConfigOption, JsonOption, KeyringOption, shop_of, store_answers
from cookieguard.cli.output import printable, show_answer, show_rows
from cookieguard.config import Config
from cookieguard.config.loading.checks import require_one_of
from cookieguard.config.rights.settings import zone_of
from cookieguard.engines.doctor_shop import Shop
from cookieguard.errors import ConfigError
from cookieguard.features.people.daily_limits import Use, require_turn
from cookieguard.features.people.journal import Journal
from cookieguard.features.rights.enqueue import NewRequest, ask
from cookieguard.features.rights.requests import UNREADABLE, Requests, requests_opener
from cookieguard.features.rights.values.by_staff import DUTIES, ENTER, IN_DOUBT, LOOK, WHO, Said, acted
from cookieguard.features.rights.values.requests import Act, Event, Request, Via
from cookieguard.features.rights.values.rules import Law, RequestKind
from cookieguard.identity.staff_token import Member
from cookieguard.storage.state_directory import StateDirectory

requests = typer.Typer(help="Show and answer requests about personal data, with their legal deadlines.")

IdArgument = Annotated[str, typer.Argument(metavar="REQUEST", help="The id that `requests list` shows.")]


@requests.command("list")
def list_requests(
    *,
    every: Annotated[bool, typer.Option("--all", help="Also list closed requests.")] = False,
    config: ConfigOption = None,
    keyring: KeyringOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the open requests, the most urgent first, without names.

    Exit code 1 if a request is late or cannot be read.
    """
    shop = shop_of(config, keyring)
    with _open_queue(shop, StateDirectory(shop.state)) as queue:
        pending, unreadable = queue.survey(shop.now)
        closed = [request for request in queue.every_closed() if not request.is_open] if every else []
    rows: list[dict[str, Any]] = [
        {"request": id_, "state": "unreadable", "stands": "unreadable", "trouble": UNREADABLE}
        for id_ in unreadable
    ]
    rows += [
        {
            "request": waiting.id,
            "kind": waiting.kind.value,
            "state": waiting.state,
            "stands": waiting.told,
            "received": str(waiting.received),
            "due": str(waiting.due),
            "days_left": waiting.days_left,
            "left": ", ".join(waiting.left),
            "trouble": waiting.trouble,
        }
        for waiting in pending
    ]
    rows += [
        {
            "request": request.id,
            "kind": request.kind.value,
            "state": request.state.value,
            "stands": request.state.value,
            "received": str(request.day(request.received)),
        }
        for request in closed
    ]
    heads = ("request", "kind", "stands", "received", "due", "days_left", "trouble")
    cells = [tuple(str(row.get(head, "")) for head in heads) for row in rows]
    show_rows({"requests": rows}, heads, cells, as_json=as_json)
    if unreadable or any(waiting.days_left < 0 for waiting in pending):
        raise typer.Exit(1)


@requests.command("show")
def show_request(
    request: IdArgument,
    *,
    config: ConfigOption = None,
    keyring: KeyringOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one request, its history and whose it is. Reads a token with the role support."""
    with _desk(config, keyring, LOOK) as desk:
        found = desk.look_at(request)
    _show(found, as_json=as_json)


@requests.command("add")
def add_request(
    kind: Annotated[RequestKind, typer.Argument(help="What the person asks for.")],
    *,
    who: Annotated[str, typer.Option("--who", help=f"Whether the identity is {' or '.join(WHO)}.")],
    customer: Annotated[str, typer.Option("--customer", help="The customer number.")] = "",
    contact: Annotated[str, typer.Option("--contact", help="The address for the answer.")] = "",
    received: Annotated[
        datetime | None,
        typer.Option("--received", formats=["%Y-%m-%d"], help="The day it arrived. Default: today."),
    ] = None,
    law: Annotated[Law | None, typer.Option("--law", help="Which law. Default: rights.law.")] = None,
    text: Annotated[str, typer.Option("--text", help="What the person wrote.")] = "",
    language: Annotated[str, typer.Option("--language", help="The answer's language, like `de`.")] = "",
    config: ConfigOption = None,
    keyring: KeyringOption = None,
    as_json: JsonOption = False,
) -> None:
    """Enter a request made by letter or telephone. Work on it begins at once, unless the identity is in doubt.

    An erasure waits until a second member approves it, or until the customer asks for it too.

    Reads a token with the role support.
    """
    require_one_of("--who", who, WHO)
    with _desk(config, keyring, ENTER) as desk:
        now = datetime.now(zone_of(desk.shop.rights.time_zone))
        moment = None if received is None else received.replace(tzinfo=now.tzinfo)
        if moment is not None and moment > now:
            raise ConfigError("--received", was=str(moment.date()), allowed="today or an earlier day")
        asking = NewRequest(
            kind=kind,
            via=Via.STAFF,
            customer=customer,
            contact=contact,
            text=text,
            language=language,
            entered_by=desk.member.name,
            in_doubt=who == IN_DOUBT,
            law=law,
            received=moment,
        )
        desk.take_turn(Use.ERASURE if kind is RequestKind.ERASE else Use.VIEW, customer or contact)
        found, is_new = ask(desk.queue, desk.shop, asking, now=now)
        desk.note_look(found)
    if not is_new and law not in (None, found.law):
        sys.stderr.write(
            f"cookieguard: request {found.id} is already open under {found.law}; --law {law} was not applied\n"
        )
    _show(found, as_json=as_json)


def _takes(name: str, annotation: object, default: object = Parameter.empty) -> Parameter:
    return Parameter(name, Parameter.KEYWORD_ONLY, annotation=annotation, default=default)


TEXT = _takes(
    "text",
    str,
    typer.Option("", "--text", help="What the person reads (extend, finish, refuse); otherwise a note."),
)
STEP = _takes("step", str, typer.Argument(..., help="The name that `requests show` shows."))
UNTIL = _takes(
    "until", datetime, typer.Option(..., "--until", formats=["%Y-%m-%d"], help="The hold's last day.")
)
REASON = _takes(
    "text", str, typer.Option(..., "--reason", help="The law or dispute that forbids further work.")
)
HOW = _takes("text", str, typer.Option(..., "--text", help="How, such as `by letter`."))
# Command -> the act that it records, its help text, and its parameters in addition to the request.
ACTS: Mapping[str, tuple[Act, str, Sequence[Parameter]]] = {
    "ask-identity": (
        Act.IDENTITY_ASKED,
        "Record that the person was asked for proof of identity. The deadline pauses if the law says so.",
        [TEXT],
    ),
    "identity-shown": (
        Act.IDENTITY_SHOWN,
        "Record that the person proved their identity. The deadline runs again, and work begins.",
        [TEXT],
    ),
    "approve": (
        Act.APPROVED,
        "Approve an erasure that another member entered. Work begins.",
        [TEXT],
    ),
    "extend": (Act.EXTENDED, "Extend the deadline, with the reason that the person reads.", [TEXT]),
    "note": (Act.NOTE, "Add a note.", [TEXT]),
    "finish": (Act.DONE, "Close the request with the answer, once no step is left.", [TEXT]),
    "refuse": (Act.REFUSED, "Decline the request, with the reason and where to complain.", [TEXT]),
    "step": (Act.STEP, "Record that a step was done by hand.", [STEP, TEXT]),
    "hold": (
        Act.HELD,
        "Stop all work on a request until a day is over (legal hold). The deadline runs on.",
        [UNTIL, REASON],
    ),
    "told": (Act.TOLD, "Record that the person has the answer. Until then the request stays listed.", [HOW]),
}
SHARED = (
    _takes("config", ConfigOption, None),
    _takes("keyring", KeyringOption, None),
    _takes("as_json", JsonOption, default=False),
)


def _command_of(act: Act, takes: Sequence[Parameter]) -> Callable[..., None]:
    """Return the command that records an act. typer reads its parameters from the signature set here."""

    def command(
        *,
        request: str,
        config: Path | None,
        keyring: Path | None,
        as_json: bool,
        text: str = "",
        step: str = "",
        until: datetime | None = None,
    ) -> None:
        with _desk(config, keyring, DUTIES[act]) as desk:
            last = None if until is None else until.date()
            said = Said(desk.member.name, datetime.now(UTC), text, step, last)
            has_hooks = bool(desk.shop.rights.hooks)
            before = desk.look_at(request)
            if act is Act.APPROVED:
                desk.take_turn(Use.ERASURE, before.customer)
            found = desk.queue.change(request, partial(acted, act=act, said=said, has_hooks=has_hooks))
            desk.queue.queue.wake(request)
        _show(found, as_json=as_json)

    command.__signature__ = Signature([_takes("request", IdArgument), *takes, *SHARED])  # type: ignore[attr-defined]
    return command


for _name, (_act, _says, _given) in ACTS.items():
    requests.command(_name, help=f"{_says} Reads a token with the role {DUTIES[_act]}.")(
        _command_of(_act, _given)
    )


class _OpenQueue(NamedTuple):
    shop: Config
    queue: Requests
    journal: Journal
    member: Member

    def take_turn(self, use: Use, whose: str) -> None:
        require_turn(self.shop, self.journal, self.member, use, whose)

    def look_at(self, id_: str) -> Request:
        """Return a request, and write the look at it into the journal; raises ConfigError for an unknown id."""
        found = self.queue.find(id_)
        if found is None:
            allowed = "an id that `cookieguard requests list --all` shows"
            raise ConfigError("request", was=repr(id_[:80]), allowed=allowed)
        self.note_look(found)
        return found

    def note_look(self, request: Request) -> None:
        self.take_turn(Use.VIEW, request.customer or request.contact)
        self.journal.write(
            datetime.now(UTC),
            "looked",
            who=self.member.name,
            role=self.member.role,
            what=f"request {request.id} by command",
            customer=request.customer or request.contact,
        )


@contextmanager
def _desk(config: Path | None, keyring: Path | None, role: str) -> Iterator[_OpenQueue]:
    """Read a member's token, require the role, and open the queue; raises RevealRefused."""
    shop = shop_of(config, keyring)
    state = StateDirectory(shop.state)
    member = one_member(shop.keyring, state, role)
    with _open_queue(shop, state) as queue:
        yield _OpenQueue(shop.config, queue, Journal(state, shop.keyring), member)


@contextmanager
def _open_queue(shop: Shop, state: StateDirectory) -> Iterator[Requests]:
    opened = requests_opener(shop.config, shop.keyring, state, environ=shop.environ)
    with store_answers(), closing(opened()) as queue:
        yield queue


def _show(request: Request, *, as_json: bool) -> None:
    facts = _facts(request, datetime.now(UTC))
    lines = [
        f"{name}: {', '.join(value) if isinstance(value, list) else value}"
        for name, value in (facts | {"customer": printable(request.customer)}).items()
        if name != "events" and value not in ("", [], None)
    ]
    for event in request.events:
        words = (event.name, event.text, f"until {event.until}" if event.until else "")
        lines.append(f"{event.at:%Y-%m-%d %H:%M} {event.act} by {event.by}  {'; '.join(filter(None, words))}")
    show_answer(facts, *lines, as_json=as_json)


def _facts(request: Request, now: datetime) -> dict[str, Any]:
    return {
        "request": request.id,
        "kind": request.kind.value,
        "law": request.law.value,
        "state": request.state.value,
        "customer": request.customer,
        "contact": request.contact,
        "via": request.via.value,
        "received": request.received.isoformat(timespec="seconds"),
        "due": str(request.due(now)),
        "days_left": request.days_left(now) if request.is_open else None,
        "source": request.rule.source,
        "left": list(request.open_steps),
        "trouble": request.trouble,
        "text": request.text,
        "answer": request.answer,
        "events": [_event(event) for event in request.events],
    }


def _event(event: Event) -> dict[str, Any]:
    until = None if event.until is None else str(event.until)
    return {
        "at": event.at.isoformat(timespec="seconds"),
        "act": event.act.value,
        "by": event.by,
        "name": event.name,
        "text": event.text,
        "until": until,
    }
