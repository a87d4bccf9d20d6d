"""Staff access: members with a role each, what each role may do, and the signed tokens with which members log in.

A token is valid only while its member is in the list of members. The list contains no secrets.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime

from cookieguard.errors import ConfigError
from cookieguard.identity.tokens import TokenCodec, TokenError, TokenKind
from cookieguard.keyring import Keyring

ANYONE = "member"  # what every role may do; no member has it as a role
# Each role, with the roles whose rights it includes.
ROLES: dict[str, frozenset[str]] = {
    "analyst": frozenset({ANYONE, "analyst"}),
    "support": frozenset({ANYONE, "support"}),
    "officer": frozenset({ANYONE, "officer", "support", "analyst"}),
    "owner": frozenset({ANYONE, "owner", "officer", "support", "analyst"}),
}
OLDEST_ROLE = "analyst"  # the role of a member whose row has none
STAFF_HOST = "staff"  # used as the token's host, so that a token is valid on every host of the shop
NAME = re.compile(r"[^\W_](?:[\w .@'-]{0,58}[\w.])?")
MEMBER_ID = re.compile(r"[0-9a-f]{12}")


def person_of(name: str) -> str:
    """Return a name without differences of case, width and white space, so that spellings of one person are equal."""
    return "".join(unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold()).split())


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A member of the staff, identified in tokens by `id`, with a role until `expires`."""

    id: str
    name: str
    role: str
    made: datetime
    expires: datetime

    def may(self, role: str) -> bool:
        """Return whether this member has the rights of `role`."""
        return role in ROLES.get(self.role, frozenset())


def staff_codec(keyring: Keyring) -> TokenCodec:
    """Return the codec that signs and verifies staff tokens."""
    return TokenCodec(keyring, kind=TokenKind.STAFF, name="staff", sealed=False)


def write_token(codec: TokenCodec, member: Member) -> str:
    """Return a new token for a member."""
    return codec.dumps({"id": member.id}, host=STAFF_HOST, issued=member.made, expires=member.expires)


def read_member(codec: TokenCodec, token: str, members: dict[str, Member], now: datetime) -> Member | None:
    """Return the member who owns a token; None if it is not genuine, has expired or was revoked."""
    try:
        payload = codec.loads(token, host=STAFF_HOST, now=now).payload
    except TokenError:
        return None
    member = members.get(str(payload.get("id")))
    return member if member is not None and now < member.expires else None


def loads_staff(text: str, setting: str) -> dict[str, Member]:
    """Return the members in a TOML list, by id. The ConfigError for an unreadable list names `setting`."""
    try:
        rows = tomllib.loads(text).get("staff", [])
        members = [_member(row) for row in rows]
    except (tomllib.TOMLDecodeError, TypeError, KeyError, ValueError, AttributeError) as error:
        raise ConfigError(setting, was="not readable", allowed="what `cookieguard staff` writes") from error
    return {member.id: member for member in members}


def dumps_staff(members: dict[str, Member]) -> str:
    """Return the list of members as TOML."""
    return "".join(
        f'[[staff]]\nid = "{member.id}"\nname = "{member.name}"\nrole = "{member.role}"\n'
        f"made = {_text(member.made)}\nexpires = {_text(member.expires)}\n\n"
        for member in members.values()
    )


def _text(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _member(row: dict[str, object]) -> Member:
    member_id, name, made, expires = (row[key] for key in ("id", "name", "made", "expires"))
    role = row.get("role", OLDEST_ROLE)
    if not (isinstance(member_id, str) and MEMBER_ID.fullmatch(member_id)):
        raise ValueError("id")
    if not (isinstance(name, str) and NAME.fullmatch(name)) or not isinstance(role, str):
        raise ValueError("name or role")
    if not isinstance(made, datetime) or not isinstance(expires, datetime):
        raise TypeError("times")
    if made.tzinfo is None or expires.tzinfo is None:
        raise ValueError("times without a zone")
    return Member(id=member_id, name=name, role=role, made=made, expires=expires)
