"""Who of the staff may see what: members with a role, and the signed tokens that say who somebody is.

A token is good only while its member stands in the list, which holds no secret. Roles are a table, and grow.
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

ANYONE = "member"  # what each role may; it is the role of no member
# Each role and the roles it may stand in for, itself included.
ROLES: dict[str, frozenset[str]] = {
    "analyst": frozenset({ANYONE, "analyst"}),
    "support": frozenset({ANYONE, "support"}),
    "officer": frozenset({ANYONE, "officer", "support", "analyst"}),
    "owner": frozenset({ANYONE, "owner", "officer", "support", "analyst"}),
}
OLDEST_ROLE = "analyst"  # of a member whose row names none
STAFF_HOST = "staff"  # a token counts on every host of the shop
NAME = re.compile(r"[^\W_](?:[\w .@'-]{0,58}[\w.])?")
MEMBER_ID = re.compile(r"[0-9a-f]{12}")


def person_of(name: str) -> str:
    """Return what two spellings of one name have in common: nobody is two persons by case, width or blanks."""
    return "".join(unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold()).split())


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """Hold one member: an id that is in the token, a name, a role, and until when."""

    id: str
    name: str
    role: str
    made: datetime
    expires: datetime

    def may(self, role: str) -> bool:
        """Return whether this member may do what `role` may."""
        return role in ROLES.get(self.role, frozenset())


def staff_codec(keyring: Keyring) -> TokenCodec:
    """Return what signs and verifies staff tokens."""
    return TokenCodec(keyring, kind=TokenKind.STAFF, name="staff", sealed=False)


def write_token(codec: TokenCodec, member: Member) -> str:
    """Write a member's token."""
    return codec.dumps({"id": member.id}, host=STAFF_HOST, issued=member.made, expires=member.expires)


def read_member(codec: TokenCodec, token: str, members: dict[str, Member], now: datetime) -> Member | None:
    """Return the member a token stands for; None where it is not genuine, over, or revoked."""
    try:
        payload = codec.loads(token, host=STAFF_HOST, now=now).payload
    except TokenError:
        return None
    member = members.get(str(payload.get("id")))
    return member if member is not None and now < member.expires else None


def loads_staff(text: str, setting: str) -> dict[str, Member]:
    """Read the list of members by id; raises ConfigError naming the setting."""
    try:
        rows = tomllib.loads(text).get("staff", [])
        members = [_member(row) for row in rows]
    except (tomllib.TOMLDecodeError, TypeError, KeyError, ValueError, AttributeError) as error:
        raise ConfigError(setting, was="not readable", allowed="what `cookieguard staff` writes") from error
    return {member.id: member for member in members}


def dumps_staff(members: dict[str, Member]) -> str:
    """Write the list of members."""
    return "".join(
        f'[[staff]]\nid = "{one.id}"\nname = "{one.name}"\nrole = "{one.role}"\n'
        f"made = {_text(one.made)}\nexpires = {_text(one.expires)}\n\n"
        for one in members.values()
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
