"""What may happen next in a world: an independent model of the model, the tools, the timers and the host.

It knows what it was commanded and what it has done, and nothing of the engine's tables: a tool returns
because it was run, not because a row allows it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import IntEnum
from typing import Any

from attrs import define, field

from turnlock.engine import Cause, Input, Mode, Trouble, commands, inputs
from turnlock.engine.commands import Command
from turnlock.explore.worlds.script import Script

PARTIAL = "half"
"""What a tool had printed when it was stopped."""


class Tool(IntEnum):
    """What a tool does, as its runtime sees it."""

    RECORDING = 0  # the record that it starts is on its way
    WORKING = 1
    STOPPING = 2
    LEFT = 3  # its grace is over, and it works on


@define(eq=False)
class Outside:
    """Everything outside of the engine, in one state of a world.

    Attributes:
        script: The moves of the world.
        interrupts: How often the host may still interrupt.
        failures: How often a response may still fail.
        cancels: How often the host may still cancel a call.
        withdrawals: How often the host may still take a message back.
        resends: How often the host may still send its first message again.
        crashes: How often the process may still be killed, and the session go on in another one.
        sent: How many messages the host has sent.
        request: The request that the model answers; 0 is none.
        cursor: How much of the answer it has given.
        aborted: An aborted request that may still say something; 0 is none.
        turn: The number of the last turn.
        busy: It is under way.
        waiting: How many messages wait.
        tools: What each tool does, by ordinal.
        open: The calls that have no outcome.
        approvals: The calls for which somebody was asked and has not answered.
        timers: What will be fed when its time comes.
    """

    script: Script
    interrupts: int
    failures: int
    cancels: int
    withdrawals: int
    resends: int
    crashes: int
    sent: int = 0
    request: int = 0
    cursor: int = 0
    aborted: int = 0
    turn: int = 0
    busy: bool = False
    waiting: int = 0
    tools: dict[int, Tool] = field(factory=dict)
    open: dict[int, None] = field(factory=dict)
    approvals: dict[int, None] = field(factory=dict)
    timers: dict[Input, None] = field(factory=dict)

    @classmethod
    def of(cls, script: Script) -> Outside:
        """The beginning of a world."""
        world = script.world
        return cls(
            script,
            world.interrupts,
            world.failures,
            world.cancels,
            world.withdrawals,
            world.resends,
            world.crashes,
        )

    def copy(self) -> Outside:
        """The same state, for another future."""
        return Outside(
            self.script,
            self.interrupts,
            self.failures,
            self.cancels,
            self.withdrawals,
            self.resends,
            self.crashes,
            self.sent,
            self.request,
            self.cursor,
            self.aborted,
            self.turn,
            self.busy,
            self.waiting,
            self.tools.copy(),
            self.open.copy(),
            self.approvals.copy(),
            self.timers.copy(),
        )

    def key(self) -> tuple[Any, ...]:
        """The state as a value; what the commands alone decide stands in the facts too."""
        return (
            self.interrupts,
            self.failures,
            self.cancels,
            self.withdrawals,
            self.resends,
            self.crashes,
            self.sent,
            self.request,
            self.cursor,
            self.aborted,
            tuple(self.tools.items()),
            tuple(self.approvals),
            tuple(map(id, self.timers)),
        )

    # ── what may happen ─────────────────────────────────────────────────────────────────────────────

    def coming(self) -> list[Input]:
        """What will happen sooner or later, whatever else does: the fair completion of a state.

        A host that sees messages wait while nothing comes says go on.
        """
        make = self.script.make
        moves: list[Input] = []
        if self.request:
            moves.append(self.script.answer(self.request)[self.cursor])
        moves += self.timers
        for ordinal, tool in self.tools.items():
            if tool is Tool.RECORDING:
                moves.append(make(inputs.Started, ordinal))
            else:
                moves.append(make(inputs.Returned, ordinal, f"result of {self.script.names[ordinal]}"))
            if tool is Tool.STOPPING:
                moves.append(make(inputs.Stopped, ordinal, PARTIAL))
                moves.append(make(inputs.GraceOver, ordinal, PARTIAL))
        for ordinal in self.approvals:
            moves.append(make(inputs.ApprovalAnswered, ordinal, True))
            moves.append(make(inputs.ApprovalAnswered, ordinal, False, "no"))
        if not moves and self.waiting and not self.busy:
            moves.append(make(inputs.GoOn))
        return moves

    def may(self) -> list[Input]:
        """What may happen, and may as well not: what the host does, and what goes otherwise."""
        return [*self._host(), *self._chance()]

    def refused(self) -> list[Input]:
        """What a host may try, and must be refused: no row allows it here (R25)."""
        make = self.script.make
        if self.busy:
            return [make(inputs.GoOn), self.script.untimely]
        return [] if self.sent else [make(inputs.GoOn)]

    def _host(self) -> Iterator[Input]:
        script, world = self.script, self.script.world
        if self.sent < len(script.sends):
            send = script.sends[self.sent]
            if send.mode is not Mode.REJECT or not self.busy:
                yield send
        if self.interrupts:
            yield script.make(inputs.Interrupt, world.cause, world.shown)
        if self.cancels:
            yield from (script.make(inputs.Cancel, ordinal) for ordinal in self.open)
        if self.withdrawals and self.sent:
            yield script.make(inputs.Withdraw, world.messages[self.sent - 1].text, "changed my mind")
        if self.resends and self.sent:
            yield script.sends[0]

    def _chance(self) -> Iterator[Input]:
        script, world = self.script, self.script.world
        if self.crashes:
            yield script.make(inputs.Resumed)
        if self.request and self.failures:
            for trouble in world.troubles:
                yield script.make(inputs.ResponseFailed, self.request, trouble, "boom")
            if world.retry_after is not None:
                lost = self.request, Trouble.LOST, "boom", world.retry_after
                yield script.make(inputs.ResponseFailed, *lost)
        if self.aborted:
            yield from script.answer(self.aborted)
            yield script.make(inputs.ResponseFailed, self.aborted, Trouble.LOST, "boom")
        if world.expires and self.turn:
            yield script.make(inputs.TurnExpired, self.turn)
        for ordinal, tool in self.tools.items():
            if world.raises and tool is not Tool.RECORDING:
                yield script.make(inputs.Raised, ordinal, "ValueError: no")
            if world.deadlines and tool is Tool.WORKING:
                yield script.make(inputs.StopAsked, ordinal, Cause.DEADLINE)

    # ── what has happened ───────────────────────────────────────────────────────────────────────────

    def after(self, move: Input, said: Sequence[Command]) -> None:
        """Note a move, and what was commanded then."""
        moved = _MOVED.get(type(move))
        if moved is not None:
            moved(self, move)
        for command in said:
            commanded = _COMMANDED.get(type(command))
            if commanded is not None:
                commanded(self, command)
        if isinstance(move, inputs.Started) and self.tools[move.ordinal] is Tool.RECORDING:
            del self.tools[move.ordinal]  # it came too late: the tool is not run


def _sent(outside: Outside, move: inputs.Send) -> None:
    if outside.sent and move is outside.script.sends[0]:
        outside.resends -= 1
    else:
        outside.sent += 1


def _interrupted(outside: Outside, _move: inputs.Interrupt) -> None:
    outside.interrupts -= 1


def _cancelled(outside: Outside, _move: inputs.Cancel) -> None:
    outside.cancels -= 1


def _withdrew(outside: Outside, _move: inputs.Withdraw) -> None:
    outside.withdrawals -= 1


def _crashed(outside: Outside, _move: inputs.Resumed) -> None:
    """Nobody is left of the old process: nothing that it began will ever be told."""
    outside.crashes -= 1
    outside.request = outside.aborted = 0
    outside.tools.clear()
    outside.approvals.clear()
    outside.timers.clear()


def _completed(outside: Outside, move: inputs.ItemCompleted) -> None:
    if move.request == outside.request:
        outside.cursor += 1
    else:
        outside.aborted = 0


def _ended(outside: Outside, move: inputs.ResponseEnded) -> None:
    if move.request == outside.request:
        outside.request = 0
    else:
        outside.aborted = 0


def _failed(outside: Outside, move: inputs.ResponseFailed) -> None:
    if move.request == outside.request:
        outside.failures -= 1
        outside.request = 0
    else:
        outside.aborted = 0


def _rang(outside: Outside, move: Input) -> None:
    del outside.timers[move]


def _answered(outside: Outside, move: inputs.ApprovalAnswered) -> None:
    del outside.approvals[move.ordinal]


def _over(outside: Outside, move: inputs.Returned | inputs.Raised | inputs.Stopped) -> None:
    del outside.tools[move.ordinal]


def _left(outside: Outside, move: inputs.GraceOver) -> None:
    outside.tools[move.ordinal] = Tool.LEFT


_MOVED: Mapping[type, Callable[[Outside, Any], None]] = {
    inputs.Send: _sent,
    inputs.Interrupt: _interrupted,
    inputs.Cancel: _cancelled,
    inputs.Withdraw: _withdrew,
    inputs.Resumed: _crashed,
    inputs.ItemCompleted: _completed,
    inputs.ResponseEnded: _ended,
    inputs.ResponseFailed: _failed,
    inputs.Wake: _rang,
    inputs.ApprovalExpired: _rang,
    inputs.ApprovalAnswered: _answered,
    inputs.Returned: _over,
    inputs.Raised: _over,
    inputs.Stopped: _over,
    inputs.GraceOver: _left,
}


def _send_request(outside: Outside, command: commands.SendRequest) -> None:
    outside.request, outside.cursor = command.number, 0


def _abort_request(outside: Outside, command: commands.AbortRequest) -> None:
    outside.request = 0
    if outside.script.world.late_model:
        outside.aborted = command.number


def _start_call(outside: Outside, command: commands.StartCall) -> None:
    outside.tools[command.invocation.ordinal] = Tool.RECORDING


def _run_call(outside: Outside, command: commands.RunCall) -> None:
    outside.tools[command.invocation.ordinal] = Tool.WORKING


def _stop_call(outside: Outside, command: commands.StopCall) -> None:
    outside.tools[command.invocation.ordinal] = Tool.STOPPING


def _call_requested(outside: Outside, command: commands.CallRequested) -> None:
    outside.open[command.invocation.ordinal] = None


def _call_ended(outside: Outside, command: commands.CallEnded) -> None:
    del outside.open[command.invocation.ordinal]


def _ask_approval(outside: Outside, command: commands.AskApproval) -> None:
    outside.approvals[command.invocation.ordinal] = None


def _set_timer(outside: Outside, command: commands.SetTimer) -> None:
    """It rings sooner or later; but for the time of a turn, which may never be over."""
    due, make = command.input, outside.script.make
    if isinstance(due, inputs.Wake):
        outside.timers[make(inputs.Wake, due.request)] = None
    elif isinstance(due, inputs.ApprovalExpired):
        outside.timers[make(inputs.ApprovalExpired, due.ordinal)] = None


def _turn_began(outside: Outside, command: commands.TurnBegan) -> None:
    outside.turn = command.turn
    outside.busy = True


def _turn_ended(outside: Outside, _command: commands.TurnEnded) -> None:
    outside.busy = False


def _held(outside: Outside, _command: commands.Held) -> None:
    outside.waiting += 1


def _delivered(outside: Outside, _command: commands.Delivered) -> None:
    outside.waiting -= 1


def _returned(outside: Outside, command: commands.Returned) -> None:
    if command.letter.request is None:  # it was not delivered before
        outside.waiting -= 1


_COMMANDED: Mapping[type, Callable[[Outside, Any], None]] = {
    commands.SendRequest: _send_request,
    commands.AbortRequest: _abort_request,
    commands.StartCall: _start_call,
    commands.RunCall: _run_call,
    commands.StopCall: _stop_call,
    commands.CallRequested: _call_requested,
    commands.CallEnded: _call_ended,
    commands.AskApproval: _ask_approval,
    commands.SetTimer: _set_timer,
    commands.TurnBegan: _turn_began,
    commands.TurnEnded: _turn_ended,
    commands.Held: _held,
    commands.Delivered: _delivered,
    commands.Returned: _returned,
}
