"""People whom the hospital's provider names: their account, made at their first sign-in, and kept as it says.

An account is found by issuer and subject, never by a name, which may come to mean somebody else. A name that another
account has is refused: nobody takes over an account by being called like its owner.
"""

from __future__ import annotations

import unicodedata

from sqlalchemy import insert, select

from bonescan.archive import audit
from bonescan.archive.database import Database, utc_now
from bonescan.archive.tables import account, provided
from bonescan.workstation.oidc import Identity
from bonescan.workstation.people import Account, People, Role, name_key, refuse_name
from bonescan.workstation.refusal import Refusal

__all__ = ["account_of", "known_account"]


def account_of(database: Database, people: People, identity: Identity) -> Account:
    """The account of somebody whom the provider names; made when they come for the first time.

    Parameters
    ----------
    database : Database
    people : People
    identity : Identity

    Returns
    -------
    Account
        With the role that the provider's groups give now.

    Raises
    ------
    Refusal
        When the account is shut, its name is taken by another or cannot be one, or the last administrator would go.
    """
    known = known_account(database, identity)
    if known is None:
        return _made(database, identity)
    if not known.active:
        raise Refusal(403, "shut", "Your account is shut; an administrator of bonescan can open it.")
    if known.role != identity.role:
        return people.change(known.name, actor="provider", role=identity.role)
    return known


def known_account(database: Database, identity: Identity) -> Account | None:
    """The account of somebody whom the provider names, as it is; nothing is made and nothing changed.

    Parameters
    ----------
    database : Database
    identity : Identity

    Returns
    -------
    Account or None
        ``None`` for who never signed in.
    """
    own = (provided.c.issuer == identity.issuer) & (provided.c.subject == identity.subject)
    joined = select(account).join(provided, provided.c.name_key == account.c.name_key).where(own)
    with database.read() as connection:
        row = connection.execute(joined).one_or_none()
    if row is None:
        return None
    return Account(
        name=row.name,
        role=Role(row.role),
        active=row.active,
        made_at=row.made_at,
        changed_at=row.changed_at,
        by_password=bool(row.password_hash),
    )


def _made(database: Database, identity: Identity) -> Account:
    name = " ".join(unicodedata.normalize("NFKC", identity.name).split())
    key = name_key(name)
    refuse_name(name)
    with database.write() as connection:
        if connection.execute(select(account.c.name).where(account.c.name_key == key)).first() is not None:
            raise Refusal(409, "name_taken", "Somebody else has your name in bonescan; ask an administrator.")
        now = utc_now()
        row = {"name_key": key, "name": name, "role": str(identity.role), "password_hash": "", "active": True}
        connection.execute(insert(account).values(**row, made_at=now, changed_at=now))
        known = {"issuer": identity.issuer, "subject": identity.subject, "name_key": key}
        connection.execute(insert(provided).values(known))
        detail = {"role": str(identity.role), "issuer": identity.issuer}
        audit.append(connection, actor="provider", action="account.made", subject=name, detail=detail)
    return Account(name=name, role=identity.role, active=True, made_at=now, changed_at=now, by_password=False)
