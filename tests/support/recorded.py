"""A record, lived again: its inputs through a new engine, its requests through a new encoder (R19)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from attrs import define, field, frozen

from support.snapshot import snapshot
from turnlock import TransitionRefused
from turnlock.engine import Command, Engine, Input, Trouble, commands, inputs
from turnlock.journal import Entry, RequestSent, SessionOpened, from_record, read_jsonl
from turnlock.wire import Encoder, Settings, Severity, ToolSpec, check, encoder


@frozen
class Moment:
    """What stood when an input had been fed.

    Attributes:
        fed: The input.
        refused: No row allowed it.
        state: Everything that the engine knew.
    """

    fed: Input
    refused: bool
    state: Any


@define(eq=False)
class Relived:
    """What the record of a session makes of a new engine.

    Attributes:
        opened: How the session began.
        engine: The engine, as the record leaves it.
        moments: After each input.
        said: What the engine said, in order.
        bodies: The requests that could leave, by number.
        unsendable: The numbers of those that our own check, or the provider before, has refused.
    """

    opened: SessionOpened
    engine: Engine
    moments: list[Moment] = field(factory=list)
    said: list[Command] = field(factory=list)
    bodies: dict[int, bytes] = field(factory=dict)
    unsendable: list[int] = field(factory=list)
    _encoder: Encoder = field(init=False)
    _settings: Settings = field(init=False)
    _refused: bytes = field(default=b"", init=False)

    def __attrs_post_init__(self) -> None:
        assert self.opened.dialect is not None
        self._encoder = encoder(self.opened.dialect)
        self._settings = settings_of(self.opened)

    def feed(self, taken: Input) -> None:
        refused = False
        said: Sequence[Command] = ()
        if isinstance(taken, inputs.ResponseFailed) and taken.trouble is Trouble.REFUSED:
            self._refused = self.bodies.get(taken.request, self._refused)
        try:
            said = self.engine.receive(taken)
        except TransitionRefused:
            refused = True
        self.moments.append(Moment(taken, refused, snapshot(self.engine)))
        self.said += said
        for command in said:
            if isinstance(command, commands.SendRequest):
                self._send(command)

    def _send(self, command: commands.SendRequest) -> None:
        items = self.engine.transcript.items
        body = self._encoder.encode(items, command.length, self._settings).body
        assert self.opened.dialect is not None
        errors = [found for found in check(body, self.opened.dialect) if found.severity is Severity.ERROR]
        if errors or body == self._refused:
            self.unsendable.append(command.number)
        else:
            self.bodies[command.number] = body


def settings_of(opened: SessionOpened) -> Settings:
    """What every request of a session says, from its record alone."""
    tools = tuple(msgspec.convert(declared, ToolSpec) for declared in opened.tools)
    return Settings(opened.model, opened.instructions, tools, opened.options, stream=opened.stream)


def relive(entries: Sequence[Entry]) -> Relived:
    """Feed the inputs of a record to a new engine."""
    opened, *others = entries
    assert isinstance(opened, SessionOpened)
    relived = Relived(opened, Engine.with_history(opened.history, opened.limits, opened.notes))
    for entry in others:
        assert not isinstance(entry, SessionOpened)
        if not isinstance(entry, RequestSent):
            relived.feed(entry)
    return relived


def entries_of(path: Path) -> list[Entry]:
    """Every entry of a file of one session."""
    return [from_record(record) for record in read_jsonl(path)]
