"""What a running tool may ask its call, and how it says what it has printed so far."""

from __future__ import annotations

from contextvars import ContextVar

from attrs import define, field

from turnlock.engine import Invocation

_CURRENT: ContextVar[ToolContext | None] = ContextVar("turnlock_call", default=None)


@define(eq=False)
class ToolContext:
    """The call that a tool answers. A parameter with this annotation gets it; so does ``current_call()``.

    Attributes:
        call: The call.
        session: The id of the session.
        deadline: Seconds that the tool may run; None when nothing bounds it.
        until: When its grace is over, on trio's clock; None when it was not asked to stop.
        parent: The call in whose tool this session runs, when it is a sub-agent's.
    """

    call: Invocation
    session: str
    deadline: float | None
    until: float | None = field(default=None, init=False, repr=False)
    parent: ToolContext | None = field(default=None, init=False, repr=False)

    @property
    def key(self) -> str:
        """An idempotency key: the same when this call is repeated after a crash, unique otherwise (R2)."""
        return f"{self.session}/{self.call.ordinal}"

    @property
    def stopping(self) -> bool:
        """The call was asked to stop, or is over. A plain function cannot be cancelled: it may look here."""
        return self.call.stop_cause is not None or self.call.outcome is not None

    def output(self, text: str = "") -> None:
        """Say what was printed, or (without text) that there is progress.

        It is kept if the tool is stopped (R7), shown to the host as it comes, and restarts the idle deadline.
        May be called from the tool's thread.
        """
        raise NotImplementedError  # the runtime hears it


def current_call() -> ToolContext:
    """The call that the running tool answers.

    Raises:
        LookupError: Not called from a tool.
    """
    context = _CURRENT.get()
    if context is None:
        raise LookupError("current_call() was called outside of a tool")
    return context


def find_call() -> ToolContext | None:
    """The same, or None outside of a tool."""
    return _CURRENT.get()


def enter_call(context: ToolContext) -> None:
    """Make the context that of the running task, and of the tasks and threads that it starts."""
    context.parent = _CURRENT.get()
    _CURRENT.set(context)


def inside_session(session: str) -> bool:
    """The running task belongs to a tool of this session, however deep in sub-agents."""
    context = _CURRENT.get()
    while context is not None:
        if context.session == session:
            return True
        context = context.parent
    return False
