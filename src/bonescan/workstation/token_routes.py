"""The routes of access tokens: an administrator makes them for machines, sees them once, and takes them back."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from bonescan.workstation.people import Account, Right, Role
from bonescan.workstation.rooms import InRooms, allowed
from bonescan.workstation.tokens import Token

__all__ = ["router"]

router = APIRouter(prefix="/api/v1", tags=["people"])

Administrator = Annotated[Account, allowed(Right.PEOPLE)]


class NewToken(BaseModel):
    """A machine that may come from now on."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    name: Annotated[str, Field(min_length=1, max_length=64)]
    role: Role


class TokenAnswer(BaseModel):
    """An access token, without what opens anything; times are empty for never."""

    id: str
    name: str
    role: Role
    made_by: str
    made_at: str
    used_at: str
    revoked_at: str


class MadeTokenAnswer(TokenAnswer):
    """A token that was just made; this is the only answer that holds it."""

    token: str


class TokensAnswer(BaseModel):
    """Every token that was ever made."""

    tokens: list[TokenAnswer]


@router.get("/tokens")
def tokens(_: Administrator, rooms: InRooms) -> TokensAnswer:
    """All access tokens of machines, the newest first."""
    return TokensAnswer(tokens=[_answer(one) for one in rooms.tokens.all()])


@router.post("/tokens", status_code=201)
def add_token(wanted: NewToken, who: Administrator, rooms: InRooms) -> MadeTokenAnswer:
    """Make an access token for a machine; it is shown in this answer and never again."""
    made, secret = rooms.tokens.add(wanted.name, wanted.role, actor=who.name)
    return MadeTokenAnswer(**asdict(made), token=secret)


@router.delete("/tokens/{token_id}")
def revoke_token(token_id: str, who: Administrator, rooms: InRooms) -> TokenAnswer:
    """Take an access token back."""
    return _answer(rooms.tokens.revoke(token_id, actor=who.name))


def _answer(one: Token) -> TokenAnswer:
    return TokenAnswer(**asdict(one))
