"""Accounts and log-in sessions of the desk, with password checks and locks."""

import hashlib
import secrets
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any, Final

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from sqlalchemy import Engine, Executable, Row, delete, insert, select, update

from streams.cases.store.engine import writing
from streams.cases.store.people_tables import accounts, sessions
from streams.cases.store.roles import Account, AccountSource, DeskRole, DeskSession
from streams.common import UsageError, tr

NAME_MAX: Final = 64

PASSWORD_MIN: Final = 12
PASSWORD_MAX: Final = 256
"""Maximum length of a password in characters. argon2 accepts any length, so a limit is needed to
keep somebody from making the server hash very long texts."""

FAILED_MAX: Final = 20
LOCK_MS: Final = 15 * 60_000
"""After `FAILED_MAX` consecutive wrong passwords, from any address, the account is locked for this
long (ms). Even the right password is refused then. So an attacker with many machines has 1,920
attempts per day. The console stops a single machine after five."""

SEEN_STEP_MS: Final = 30_000
"""Minimum time (ms) between two updates of a session's idle end, so that not every request writes.
"""

IDLE_MS: Final = 15 * 60_000  # A session ends after this long (ms) without a request.

ABSOLUTE_MS: Final = 12 * 3_600_000  # A session ends at the latest this long (ms) after the log-in.


class Accounts:
    """Reads and writes accounts and sessions of the desk. Threads may share this object.

    `now_ms` is the clock. Account names are converted to lower case.
    """

    def __init__(
        self, engine: Engine, now_ms: Callable[[], int], hasher: PasswordHasher | None = None
    ) -> None:
        self._engine = engine
        self._writing = writing(engine)
        self._now_ms = now_ms
        self._hasher = hasher or PasswordHasher()

    def add(
        self,
        name: str,
        roles: Iterable[DeskRole],
        *,
        password: str = "",
        source: AccountSource = "local",
        shown_name: str = "",
        given: bool = False,
    ) -> Account:
        """Create an account.

        `given` means that another person at the desk creates the account and so knows its password.
        Raise UsageError if the name is taken or invalid, or if the password has a wrong length.
        """
        name = _name(name)
        hashed = self._hash(password) if source == "local" else ""
        row = {
            "name": name,
            "shown_name": shown_name or name,
            "roles": _join_roles(roles),
            "source": source,
            "password_hash": hashed,
            "disabled": False,
            "failed": 0,
            "locked_until_ms": 0,
            "created_ms": self._now_ms(),
            "last_login_ms": None,
            "language": "",
            "given_ms": self._now_ms() if given else None,
        }
        with self._writing.begin() as connection:
            if connection.execute(select(accounts.c.name).where(accounts.c.name == name)).first():
                raise UsageError(tr("there is an account {name} already").format(name=name))
            connection.execute(insert(accounts).values(row))
        return self.get(name)

    def get(self, name: str) -> Account:
        """Return the account with this name. Raise UsageError if it does not exist."""
        row = self._row(name)
        if row is None:
            raise UsageError(tr("there is no account {name}").format(name=name))
        return _account(row)

    def _row(self, name: str) -> Row[Any] | None:
        with self._engine.connect() as connection:
            wanted = select(accounts).where(accounts.c.name == name.strip().lower())
            return connection.execute(wanted).first()

    def all(self) -> list[Account]:
        with self._engine.connect() as connection:
            return [_account(row) for row in connection.execute(
                select(accounts).order_by(accounts.c.name))]  # fmt: skip

    def admit_vouched(
        self, name: str, source: AccountSource, roles: Iterable[DeskRole], shown_name: str = ""
    ) -> Account | None:
        """Return the account of a person whom an OIDC provider or a proxy has authenticated.

        The account is created at the first log-in. Its roles are replaced by `roles` each time.
        Return None if the account is disabled, or has another source: a provider must not take over
        a local account.
        """
        name = _name(name)
        wanted = _join_roles(roles)
        with self._writing.begin() as connection:
            row = connection.execute(select(accounts).where(accounts.c.name == name)).first()
            if row is not None:
                if row.disabled or row.source != source:
                    return None
                connection.execute(
                    update(accounts)
                    .where(accounts.c.name == name)
                    .values(roles=wanted, last_login_ms=self._now_ms(),
                            shown_name=shown_name or row.shown_name)
                )  # fmt: skip
        if row is None:
            self.add(name, roles, source=source, shown_name=shown_name)
        return self.get(name)

    def verify(self, name: str, password: str) -> Account | None:
        """Return the local account if the password is right, else None.

        Also return None for a disabled, locked or unknown account. All cases take about the same
        time, so an attacker cannot find out which names exist. After `FAILED_MAX` wrong passwords
        in a row the account is locked for `LOCK_MS`.
        """
        now_ms = self._now_ms()
        row = self._row(name)
        known = row is not None and row.source == "local" and bool(row.password_hash)
        hashed = row.password_hash if known and row is not None else self._unknown_hash
        try:
            self._hasher.verify(hashed, password[:PASSWORD_MAX])
            right = True
        except VerificationError:
            right = False
        if not known or row is None or row.disabled or row.locked_until_ms > now_ms:
            return None
        if not right:
            self._wrong(row.name, now_ms)
            return None
        values: dict[str, Any] = {"failed": 0, "locked_until_ms": 0, "last_login_ms": now_ms}
        if self._hasher.check_needs_rehash(hashed):
            values["password_hash"] = self._hasher.hash(password)
        self._write(update(accounts).where(accounts.c.name == row.name).values(values))
        return self.get(row.name)

    @cached_property
    def _unknown_hash(self) -> str:
        """Hash of a random password, for unknown accounts."""
        return self._hasher.hash(secrets.token_urlsafe())

    def _wrong(self, name: str, now_ms: int) -> None:
        self._write(
            update(accounts).where(accounts.c.name == name).values(failed=accounts.c.failed + 1),
            update(accounts)
            .where(accounts.c.name == name, accounts.c.failed >= FAILED_MAX)
            .values(failed=0, locked_until_ms=now_ms + LOCK_MS),
        )

    def change(
        self,
        name: str,
        *,
        roles: Iterable[DeskRole] | None = None,
        password: str | None = None,
        disabled: bool | None = None,
        language: str | None = None,
        unlock: bool = False,
        given: bool = False,
    ) -> Account:
        """Change the given fields of an account. None leaves a field unchanged.

        A new password, new roles or `disabled` end all sessions of the account. `given` means that
        another person at the desk makes the change. Raise UsageError if the account does not exist
        or the password has a wrong length.
        """
        account = self.get(name)
        asked = {
            "roles": None if roles is None else _join_roles(roles),
            "password_hash": None if password is None else self._hash(password),
            "disabled": disabled,
            "language": language,
            "given_ms": self._now_ms() if given else None,
        }
        values: dict[str, Any] = {name: each for name, each in asked.items() if each is not None}
        if unlock or password is not None:
            values |= {"failed": 0, "locked_until_ms": 0}
        ends = bool({"roles", "password_hash"} & values.keys()) or bool(disabled)
        with self._writing.begin() as connection:
            if values:
                connection.execute(
                    update(accounts).where(accounts.c.name == account.name).values(values)
                )
            if ends:
                connection.execute(delete(sessions).where(sessions.c.name == account.name))
        return self.get(account.name)

    # --- sessions ----------------------------------------------------------------------------

    def begin(
        self,
        account: Account,
        auth: str,
        address: str,
        *,
        idle_ms: int = IDLE_MS,
        absolute_ms: int = ABSOLUTE_MS,
    ) -> tuple[str, DeskSession]:
        """Create a session. Return its random id and the session.

        Only the browser may keep the id. The store has only its digest. Expired sessions of all
        accounts are deleted first.
        """
        now_ms = self._now_ms()
        session_id = secrets.token_urlsafe(32)
        row = {
            "digest": _digest(session_id),
            "name": account.name,
            "roles": _join_roles(account.roles),
            "auth": auth,
            "csrf": secrets.token_urlsafe(32),
            "address": address,
            "created_ms": now_ms,
            "seen_ms": now_ms,
            "idle_end_ms": now_ms + idle_ms,
            "absolute_end_ms": now_ms + absolute_ms,
        }
        self._write(delete(sessions).where(_over(now_ms)), insert(sessions).values(row))
        found = self.session(session_id)
        assert found is not None
        return session_id, found

    def session(self, session_id: str, *, touch: bool = True) -> DeskSession | None:
        """Return the session with this id, or None if it is unknown, expired or disabled.

        With `touch`, the idle end is moved forward. Automatic requests of a page pass
        `touch=False`, because they do not show that a person is active.
        """
        now_ms = self._now_ms()
        digest = _digest(session_id)
        with self._engine.connect() as connection:
            row = connection.execute(
                select(sessions, *(c.label(f"account_{c.name}") for c in accounts.c))
                .join(accounts, accounts.c.name == sessions.c.name)
                .where(sessions.c.digest == digest)
            ).first()
        if row is None or row.account_disabled:
            return None
        if row.idle_end_ms <= now_ms or row.absolute_end_ms <= now_ms:
            self.end(session_id)
            return None
        idle_end_ms = row.idle_end_ms
        if touch and now_ms - row.seen_ms >= SEEN_STEP_MS:
            idle_end_ms = min(row.absolute_end_ms, now_ms + (row.idle_end_ms - row.seen_ms))
            self._write(
                update(sessions)
                .where(sessions.c.digest == digest)
                .values(seen_ms=now_ms, idle_end_ms=idle_end_ms)
            )
        account = _account(row, "account_")
        return DeskSession(
            account=account,
            roles=_roles(row.roles) & account.roles,
            auth=row.auth,
            csrf=row.csrf,
            created_ms=row.created_ms,
            idle_end_ms=idle_end_ms,
            absolute_end_ms=row.absolute_end_ms,
        )

    def end(self, session_id: str) -> None:
        self._write(delete(sessions).where(sessions.c.digest == _digest(session_id)))

    def end_all(self, name: str) -> int:
        """End all sessions of an account. Return their number."""
        with self._writing.begin() as connection:
            done = connection.execute(delete(sessions).where(sessions.c.name == name.lower()))
            return done.rowcount

    def _write(self, *changes: Executable) -> None:
        """Make all the changes, or none of them."""
        with self._writing.begin() as connection:
            for change in changes:
                connection.execute(change)

    def _hash(self, password: str) -> str:
        if not PASSWORD_MIN <= len(password) <= PASSWORD_MAX:
            raise UsageError(
                tr("a password has {least} to {most} characters").format(
                    least=PASSWORD_MIN, most=PASSWORD_MAX
                )
            )
        return self._hasher.hash(password)


def _over(now_ms: int) -> Any:
    return (sessions.c.idle_end_ms <= now_ms) | (sessions.c.absolute_end_ms <= now_ms)


def _digest(session_id: str) -> str:
    return hashlib.sha256(session_id.encode()).hexdigest()


def _name(name: str) -> str:
    folded = name.strip().lower()
    if not folded or len(folded) > NAME_MAX or not folded.isprintable() or " " in folded:
        raise UsageError(tr("a name has 1 to {most} characters and no space").format(most=NAME_MAX))
    return folded


def _join_roles(roles: Iterable[DeskRole]) -> str:
    return " ".join(sorted(DeskRole(role) for role in roles))


def _roles(joined: str) -> frozenset[DeskRole]:
    return frozenset(map(DeskRole, joined.split()))


def _account(row: Row[Any], prefix: str = "") -> Account:
    got = row._mapping  # noqa: SLF001 - the public name of a row's mapping in SQLAlchemy
    return Account(
        name=got[f"{prefix}name"],
        shown_name=got[f"{prefix}shown_name"],
        roles=_roles(got[f"{prefix}roles"]),
        source=got[f"{prefix}source"],
        disabled=got[f"{prefix}disabled"],
        locked_until_ms=got[f"{prefix}locked_until_ms"],
        created_ms=got[f"{prefix}created_ms"],
        last_login_ms=got[f"{prefix}last_login_ms"],
        language=got[f"{prefix}language"],
        given_ms=got[f"{prefix}given_ms"],
    )
