"""Every error that the library raises on purpose, on one page.

One base class, structured fields, and a message that names the repair. Imports nothing: every room may
use it. Errors of one's own making (a wrong declaration, a host's call that no row allows) are kept apart
from errors of the world (a provider that refuses, a journal that cannot write).
"""

from __future__ import annotations

from collections.abc import Sequence


class TurnlockError(Exception):
    """The base of every error here: ``except TurnlockError`` catches what the library raises on purpose."""


class DeclarationError(TurnlockError):
    """A table of rows, or a tool, that cannot be right: raised when it is made, never while something runs.

    Attributes:
        table: The name of the table, or of the tool.
        problems: One sentence each.
    """

    def __init__(self, table: str, problems: Sequence[str], *, sort: str = "table") -> None:
        self.table = table
        self.problems = tuple(problems)
        what = f"{table} table" if sort == "table" else f"{sort} {table}"
        super().__init__(f"the {what} is not valid: " + "; ".join(self.problems))


class TransitionRefused(TurnlockError):
    """An event that no row allows in this state. Nothing has changed.

    Attributes:
        subject: What was asked: ``"turn"`` or ``"invocation 3"``.
        state: The state it is in, and stays in.
        event: The event that was refused.
        calls: Ordinals of the invocations that are open.
    """

    def __init__(
        self, subject: str, state: str, event: str, calls: Sequence[int] = (), hint: str = ""
    ) -> None:
        self.subject = subject
        self.state = state
        self.event = event
        self.calls = tuple(calls)
        super().__init__(self._text() + (f"; {hint}" if hint else ""))

    def _text(self) -> str:
        return f"{self.subject} is {self.state}: {self.event!r} is not allowed{self._waiting}"

    @property
    def _waiting(self) -> str:
        return f" (open calls: {', '.join(map(str, self.calls))})" if self.calls else ""


class SessionBusy(TransitionRefused):
    """A turn is under way, and the caller asked for an idle session.

    Send with ``when_busy="steer"`` or ``"queue"`` to wait, or with ``"interrupt"`` to stop the turn.
    """

    def _text(self) -> str:
        return f"a turn is under way ({self.state}){self._waiting}"


class NothingToSend(TransitionRefused):
    """The session was asked to go on, and there is nothing to go on from: no provider takes an empty history.

    Send a message instead.
    """

    def _text(self) -> str:
        return "there is nothing to go on from"


class InputError(TurnlockError):
    """The engine was fed an input that no runtime may make, such as an ordinal used twice.

    Nothing has changed. It is a bug of whoever feeds the engine, never of the model or of a user.
    """


class JournalError(TurnlockError):
    """The journal cannot be written, read or owned. The session stops: nothing runs without its record."""


class SessionClosed(TurnlockError):
    """The session is closed, or was never opened: use it inside its ``async with`` block."""


class ModelError(TurnlockError):
    """A model adapter could not get a response.

    Attributes:
        trouble: ``lost`` (ask again), ``refused`` (the body), ``overflow`` (of the context), ``fatal``.
        text: The provider's own text.
        status: The HTTP status, where there was one.
        retry_after: Seconds, where the provider asked for a wait.
    """

    def __init__(
        self, trouble: str, text: str, *, status: int | None = None, retry_after: float | None = None
    ) -> None:
        self.trouble = trouble
        self.text = text
        self.status = status
        self.retry_after = retry_after
        super().__init__(f"{trouble}{f' ({status})' if status else ''}: {text}")


class RequestRefused(TurnlockError):
    """A request that the provider would refuse, and so did not leave: the same is refused again, repair it.

    Attributes:
        dialect: What the request speaks.
        rule: The rule that it breaks; ``R20`` for bytes that the provider has already refused.
        text: The provider's literal words.
        at: Where, as a JSON pointer into the body.
        call_ids: The provider's labels of the calls that it is about.
    """

    def __init__(
        self, dialect: str, rule: str, text: str, *, at: str = "", call_ids: Sequence[str] = ()
    ) -> None:
        self.dialect = dialect
        self.rule = rule
        self.text = text
        self.at = at
        self.call_ids = tuple(call_ids)
        super().__init__(f"{rule} ({dialect}){f' at {at}' if at else ''}: {text}")


class MissingExtra(TurnlockError, ImportError):
    """An optional part was asked for, and a package that it needs is not installed.

    Attributes:
        extra: What to install it with.
    """

    def __init__(self, what: str, extra: str, error: ImportError) -> None:
        self.extra = extra
        super().__init__(
            f"{what} needs a package that is not installed ({error}): pip install 'turnlock[{extra}]', "
            f"or in a checkout pip install -e '.[{extra}]'"
        )


class SchedulingError(TurnlockError):
    """A trio run cannot be controlled, or a schedule chose what is no choice."""

    @classmethod
    def of_trio(cls, version: str, what: str) -> SchedulingError:
        """The trio that is installed cannot be controlled.

        Args:
            version: Its version.
            what: What was found.
        """
        return cls(
            f"trio {version} cannot be controlled: {what}. Schedules use private names of trio "
            "(turnlock/testing/scheduling/_trio.py): install a trio that this turnlock was tested with, "
            "or a newer turnlock"
        )


class Deadlock(TurnlockError):
    """Every task waits for another one, and no deadline is ahead. The run was ended.

    Attributes:
        tasks: Where each of them waits.
    """

    def __init__(self, tasks: Sequence[str]) -> None:
        self.tasks = tuple(tasks)
        super().__init__("nothing can go on, and no deadline is ahead; what waits: " + "; ".join(self.tasks))
