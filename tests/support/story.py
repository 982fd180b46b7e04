"""A small language for stories over the pure engine, in the notation of the specification.

A story feeds an engine as a runtime would, and remembers what the engine said. ``story.sent`` holds for
every request that left its items: ``U1 K(a) O(a) U2``. An output that is not the tool's own value names its
cause, ``O(a, interrupted)``, or that it was refused, ``O(a, refused)``. Calls are called by a label of the
story, messages by their text, which is also their id.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count
from typing import Any, TypeAlias

import pytest
from attrs import define, field, frozen

from turnlock.engine import (
    Call,
    CallKind,
    Cause,
    Engine,
    Finish,
    Input,
    Invocation,
    Item,
    Letter,
    Limits,
    Message,
    Mode,
    ModelItem,
    Note,
    OnInterrupt,
    Origin,
    Output,
    Policy,
    Reasoning,
    ServerCall,
    StopReason,
    Text,
    Trouble,
    commands,
    inputs,
)
from turnlock.engine.commands import Command
from turnlock.engine.inputs import PLAIN
from turnlock.errors import SessionBusy

QUEUE, REJECT, INTERRUPT = Mode.QUEUE, Mode.REJECT, Mode.INTERRUPT
"""Modes of ``Story.send``; without one a message steers."""


@frozen
class K:
    """A tool call of the model."""

    label: str
    call_id: str | None = None
    name: str = "tool"
    kind: CallKind = CallKind.FUNCTION
    arguments: str = "{}"
    approval: bool = False
    exclusive: bool = False
    ends_turn: bool = False
    problem: Cause | None = None
    why: str = ""

    @property
    def policy(self) -> Policy:
        return Policy(self.approval, self.exclusive, self.ends_turn, self.problem, self.why)


@frozen
class A:
    """Text of the model."""

    text: str = "A"


@frozen
class T:
    """Reasoning of the model."""

    text: str = "T"


@frozen
class S:
    """A call that the provider executes; with a label its result is an item of its own."""

    name: str = "search"
    label: str = ""
    result: bool = False


Said: TypeAlias = K | A | T | S


@frozen
class Receipt:
    """What a sender can read."""

    fate: str
    request: int | None = None
    index: int | None = None
    reason: str = ""


@define(eq=False)
class Story:
    """An engine, what it was fed, and what it said.

    ``starts_tools``: feed ``Started`` as soon as the engine asks to start a call, as a runtime does.
    """

    limits: Limits = field(factory=Limits)
    starts_tools: bool = True
    engine: Engine = field()
    now: float = 0.0
    sent: list[str] = field(factory=list)
    fed: list[Input] = field(factory=list)
    log: list[Command] = field(factory=list)
    timers: list[inputs.Wake | inputs.ApprovalExpired | inputs.TurnExpired] = field(factory=list)
    request: int = 0
    labels: dict[str, int] = field(factory=dict)
    _ordinals: Iterable[int] = field(factory=lambda: count(1))

    @engine.default
    def _new_engine(self) -> Engine:
        return Engine(self.limits)

    # ── feeding ─────────────────────────────────────────────────────────────────────────────────────

    def feed(self, *fed: Input) -> list[str]:
        """Feed inputs; the result is what the engine said, in order."""
        said: list[Command] = []
        for one in fed:
            self.fed.append(one)
            new = list(self.engine.receive(one))
            said += new
            self._perform(new)
            if self.starts_tools:
                for command in new:
                    if isinstance(command, commands.StartCall):
                        started = inputs.Started(self.now, command.invocation.ordinal)
                        self.fed.append(started)
                        more = list(self.engine.receive(started))
                        said += more
                        self._perform(more)
        self.log += said
        return [self.say(command) for command in said]

    def _perform(self, new: Iterable[Command]) -> None:
        for command in new:
            if isinstance(command, commands.SendRequest):
                self.request = command.number
                self.sent.append(self.write(self.engine.transcript.items[: command.length]))
            elif isinstance(command, commands.SetTimer):
                self.timers.append(command.input)

    # ── the host ────────────────────────────────────────────────────────────────────────────────────

    def send(
        self, text: str, mode: Mode = Mode.STEER, *, on_interrupt: str = "keep", shown: str = ""
    ) -> list[str]:
        return self.feed(inputs.Send(self.now, Message(text, text), mode, OnInterrupt(on_interrupt), shown))

    def interrupt(self, shown: str = "", cause: Cause = Cause.INTERRUPTED) -> list[str]:
        return self.feed(inputs.Interrupt(self.now, cause, shown))

    def go_on(self) -> list[str]:
        return self.feed(inputs.GoOn(self.now))

    def go_on_refused(self) -> None:
        """The host asks for a turn while one is under way."""
        with pytest.raises(SessionBusy):
            self.go_on()

    def withdraw(self, text: str, reason: str = "changed my mind") -> list[str]:
        return self.feed(inputs.Withdraw(self.now, text, reason))

    def cancel(self, label: str) -> list[str]:
        return self.feed(inputs.Cancel(self.now, self.labels[label]))

    def allow(self, label: str, *, by_host: bool = True) -> list[str]:
        return self.feed(inputs.ApprovalAnswered(self.now, self.labels[label], True, by_host=by_host))

    def deny(self, label: str, reason: str = "", *, by_host: bool = True) -> list[str]:
        return self.feed(
            inputs.ApprovalAnswered(self.now, self.labels[label], False, reason, by_host=by_host)
        )

    # ── the model ───────────────────────────────────────────────────────────────────────────────────

    def model(self, *items: Said, request: int | None = None) -> list[str]:
        """The provider completes items of the response to the last request, or to another one."""
        number = self.request if request is None else request
        return self.feed(*(self._completed(item, number) for item in items))

    def _completed(self, said: Said, request: int) -> inputs.ItemCompleted:
        item: ModelItem
        match said:
            case K():
                ordinal = self.labels[said.label] = next(iter(self._ordinals))
                call_id = said.label if said.call_id is None else said.call_id
                item = Call(ordinal, call_id, said.name, said.arguments, request, said.kind)
                return inputs.ItemCompleted(self.now, request, item, said.policy)
            case A():
                item = Text(said.text, request)
            case T():
                item = Reasoning(said.text, request)
            case S():
                item = ServerCall(said.name, request, Origin("x", "x", {}), said.label, said.result)
        return inputs.ItemCompleted(self.now, request, item, PLAIN)

    def ends(
        self, finish: Finish = Finish.STOP, *, request: int | None = None, response: str = ""
    ) -> list[str]:
        """The response comes to its end."""
        number = self.request if request is None else request
        return self.feed(inputs.ResponseEnded(self.now, number, finish, response))

    def reply(self, *items: Said, finish: Finish = Finish.STOP) -> list[str]:
        """A whole response."""
        return [*self.model(*items), *self.ends(finish)]

    def fails(
        self, trouble: Trouble = Trouble.LOST, text: str = "boom", *, retry_after: float | None = None
    ) -> list[str]:
        """The response does not come to its end."""
        return self.feed(inputs.ResponseFailed(self.now, self.request, trouble, text, retry_after))

    # ── the tools ───────────────────────────────────────────────────────────────────────────────────

    def starts(self, label: str) -> list[str]:
        return self.feed(inputs.Started(self.now, self.labels[label]))

    def returns(self, label: str, output: str | None = None) -> list[str]:
        return self.feed(
            inputs.Returned(self.now, self.labels[label], f"{label}!" if output is None else output)
        )

    def raises(self, label: str, error: str = "ValueError: no", partial: str = "") -> list[str]:
        return self.feed(inputs.Raised(self.now, self.labels[label], error, partial))

    def stopped(self, label: str, partial: str = "") -> list[str]:
        return self.feed(inputs.Stopped(self.now, self.labels[label], partial))

    def late_by(self, label: str, cause: Cause = Cause.DEADLINE) -> list[str]:
        """The watchdog finds the tool past its time."""
        return self.feed(inputs.StopAsked(self.now, self.labels[label], cause))

    def grace_over(self, label: str, partial: str = "") -> list[str]:
        return self.feed(inputs.GraceOver(self.now, self.labels[label], partial))

    # ── time ────────────────────────────────────────────────────────────────────────────────────────

    def wait(self, seconds: float) -> list[str]:
        """Let time pass; timers that the engine has set feed their input."""
        until = self.now + seconds
        said: list[str] = []
        while due := [timer for timer in self.timers if timer.at <= until]:
            first = min(due, key=lambda timer: timer.at)
            self.timers.remove(first)
            self.now = first.at
            said += self.feed(first)
        self.now = until
        return said

    def timer_in(self, seconds: float) -> str:
        """How a story tells of a retry that is due after this pause."""
        return f"timer Wake at {self.now + seconds:g}"

    # ── looking ─────────────────────────────────────────────────────────────────────────────────────

    @property
    def history(self) -> str:
        """What the next request would carry."""
        return self.write(self.engine.transcript.items)

    @property
    def ends_of_turns(self) -> list[StopReason]:
        return [command.reason for command in self.log if isinstance(command, commands.TurnEnded)]

    def call(self, label: str) -> Invocation:
        """A call, open or ended, as the host was told of it."""
        ordinal = self.labels[label]
        return next(
            command.invocation
            for command in self.log
            if isinstance(command, commands.CallRequested) and command.invocation.ordinal == ordinal
        )

    def text(self, label: str) -> str:
        """What the model reads of a call: its output as it stands in the transcript."""
        ordinal = self.labels[label]
        (output,) = (
            item
            for item in self.engine.transcript.items
            if isinstance(item, Output) and item.ordinal == ordinal
        )
        return output.model_text

    def receipt(self, text: str) -> Receipt:
        letter = self.engine.inbox.letters[text]
        return Receipt(letter.fate, letter.request, letter.index, letter.reason)

    def text_of_ended(self, label: str) -> str:
        """What the model will read of a call that has ended in a turn that has not."""
        outcome = self.call(label).outcome
        assert outcome is not None
        return outcome.model_text

    def label(self, ordinal: int) -> str:
        return next((label for label, known in self.labels.items() if known == ordinal), f"#{ordinal}")

    def write(self, items: Iterable[Item]) -> str:
        return " ".join(self._item(item) for item in items)

    def _item(self, item: Item) -> str:  # noqa: PLR0911  # one short line per item
        match item:
            case Message():
                return str(item.content)
            case Note():
                return "M"
            case Text() | Reasoning():
                return item.text
            case ServerCall():
                return f"S({item.name})"
            case Call():
                return f"K({self.label(item.ordinal)})"
            case Output(refused=str()):
                return f"O({self.label(item.ordinal)}, refused)"
            case Output():
                cause = item.outcome.cause
                how = "" if cause is Cause.RETURNED else f", {cause}"
                return f"O({self.label(item.ordinal)}{how})"

    def say(self, command: Command) -> str:  # noqa: C901, PLR0911, PLR0912  # one short line per command
        """A command in a few words."""
        match command:
            case commands.SendRequest():
                return f"send {command.number}"
            case commands.AbortRequest():
                return f"abort {command.number}"
            case commands.StartCall():
                return f"start {self.label(command.invocation.ordinal)}"
            case commands.RunCall():
                return f"run {self.label(command.invocation.ordinal)}"
            case commands.StopCall():
                return f"stop {self.label(command.invocation.ordinal)}: {command.cause}"
            case commands.AskApproval():
                return f"ask {self.label(command.invocation.ordinal)}"
            case commands.SetTimer():
                return f"timer {type(command.input).__name__} at {command.input.at:g}"
            case commands.TurnBegan():
                return f"turn {command.turn} began"
            case commands.Held():
                by = ", ".join(self.label(invocation.ordinal) for invocation in command.calls)
                return f"held {_name(command.letter)}" + (f" by {by}" if by else "")
            case commands.Duplicate():
                return f"duplicate {_name(command.letter)}"
            case commands.Delivered():
                return f"delivered {_name(command.letter)}"
            case commands.Returned():
                return f"returned {_name(command.letter)}"
            case commands.CallRequested():
                return f"call {self.label(command.invocation.ordinal)}"
            case commands.CallEnded():
                outcome = command.invocation.outcome
                assert outcome is not None
                return f"ended {self.label(command.invocation.ordinal)}: {outcome.cause}"
            case commands.Discarded():
                return f"discarded {'' if command.whole else 'the rest of '}{command.request}"
            case commands.SetAside():
                return f"set aside {self._item(command.item)}"
            case commands.Late():
                return f"late {type(command.input).__name__}"
            case commands.TurnEnded():
                return f"turn {command.turn} ended: {command.reason}"

    def described(self) -> list[Any]:
        """Every command so far as a value of its own, for comparing two runs."""
        return [(self.say(command), type(command)) for command in self.log]


def _name(letter: Letter) -> str:
    return letter.message.id
