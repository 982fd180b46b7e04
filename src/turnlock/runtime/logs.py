"""What a session does, as events of the standard logger ``turnlock``: through structlog, configuring nothing.

A session asks once, when it opens, whether anybody wants debug events; if nobody does, no event is made.
Every event carries ``session`` and, where it has them, ``turn``, ``request``, ``ordinal`` and ``call``: as
text in the message (``key=value``) and as a dict in the record's ``turnlock`` attribute, for formatters
that write JSON. Warnings (a tool that was left behind, a stall) are made whatever the level was.
"""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from typing import Any

import structlog
from attrs import define, field

from turnlock.engine import Invocation
from turnlock.machines import Step, Verdict

LOGGER = "turnlock"

_logfmt = structlog.processors.LogfmtRenderer(
    key_order=["session", "turn", "request", "ordinal", "call"], drop_missing=True
)


def _to_standard(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> tuple[tuple[str], dict[str, Any]]:
    """The event as a message that people read, and as a dict for formatters."""
    fields = dict(event)
    name = fields.pop("event")
    said = {key: _word(value) for key, value in fields.items()}
    text = f"{name} {_logfmt(None, '', dict(said))}".rstrip()
    return (text,), {"extra": {"turnlock": {"event": name, **said}}}


def _word(value: object) -> object:
    if isinstance(value, (str, int, float)) or value is None:
        return value
    return str(value)


@define(eq=False)
class Log:
    """The log of one session.

    Attributes:
        on: Somebody wants debug events.
    """

    session: str
    on: bool = field(init=False)
    _logger: Any = field(init=False)
    _waiting: dict[tuple[str, str], str] = field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        standard = logging.getLogger(LOGGER)
        self.on = standard.isEnabledFor(logging.DEBUG)
        self._logger = structlog.wrap_logger(
            standard,
            processors=[_to_standard],
            wrapper_class=structlog.BoundLogger,
            session=self.session,
        )

    def debug(self, event: str, **fields: object) -> None:
        """An event, when somebody wants it."""
        if self.on:
            self._logger.debug(event, **fields)

    def warning(self, event: str, **fields: object) -> None:
        """Something that the host should know though it did not ask."""
        self._logger.warning(event, **fields)

    def step(self, step: Step, turn: int) -> None:
        """One event that was tried on the turn or on a call.

        An automatic row that goes on waiting for the same guard is said once.
        """
        key = (step.subject, step.event)
        if step.verdict is Verdict.WAITING:
            if self._waiting.get(key) == step.guard:
                return
            self._waiting[key] = step.guard
        else:
            self._waiting.pop(key, None)
        fields: dict[str, object] = {"guard": step.guard} if step.guard else {}
        self.debug(
            f"{step.event}.{step.verdict}",
            turn=turn,
            subject=step.subject,
            source=step.source,
            dest=step.dest,
            **fields,
        )


def about(invocation: Invocation) -> dict[str, object]:
    """The fields that say which call an event is about."""
    call = invocation.call
    return {"ordinal": call.ordinal, "call": call.name, "call_id": call.call_id}
