"""The moves of a world: every input that may be fed in it, made once, and how people say it.

States share these values and compare them by identity. All happen at the time 0, so that states that differ
in nothing but their times are one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from attrs import define, field

from turnlock.engine import Call, Finish, Input, Message, Mode, ModelItem, OnInterrupt, Origin, inputs
from turnlock.explore.worlds.form import DIALECT, MODEL, Response, Says, World

_AT = 0.0


@define(eq=False)
class Script:
    """The moves of one world.

    Attributes:
        world: The world.
        names: The calls' names, by ordinal.
        sends: The host's messages, in order.
        untimely: A message that rejects.
    """

    world: World
    names: dict[int, str] = field(factory=dict, init=False)
    sends: list[inputs.Send] = field(init=False)
    untimely: inputs.Send = field(init=False, default=inputs.Send(_AT, Message("U?", "U?"), Mode.REJECT))
    _bases: list[int] = field(init=False)
    _answers: dict[int, Sequence[Input]] = field(factory=dict, init=False)
    _made: dict[tuple[Any, ...], Input] = field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        self.sends = [
            inputs.Send(_AT, Message(plan.text, plan.text), plan.mode, plan.on_interrupt, self.world.shown)
            for plan in self.world.messages
        ]
        self._bases = [0]
        for response in self.world.responses:
            self._bases.append(self._bases[-1] + sum(bool(says.call) for says in response.items))

    def make(self, kind: Callable[..., Input], *about: Any) -> Input:  # noqa: ANN401  # that kind's fields
        """The input of this kind about this."""
        made = self._made.get((kind, *about))
        if made is None:
            made = self._made[kind, *about] = kind(_AT, *about)
        return made

    def answer(self, request: int) -> Sequence[Input]:
        """What the model says to a request: its items, and the end."""
        said = self._answers.get(request)
        if said is None:
            place = min(request, len(self.world.responses)) - 1
            response = self.world.responses[place]
            said = self._answers[request] = (
                *self._items(request, response, self._bases[place]),
                inputs.ResponseEnded(_AT, request, response.finish),
            )
        return said

    def _items(self, request: int, response: Response, ordinal: int) -> Iterator[Input]:
        for says in response.items:
            item: ModelItem
            if says.item is not None:
                item = says.item(request)
            else:
                ordinal += 1
                self.names[ordinal] = says.call
                origin = Origin(DIALECT, MODEL, _provider_s(says, ordinal)) if says.stored else None
                item = Call(ordinal, says.call_id, says.call, "{}", request, origin=origin)
            yield inputs.ItemCompleted(_AT, request, item, says.policy)

    def describe(self, move: Input) -> str:
        """A move as people say it."""
        return _WORDS[type(move)](self, move)

    def tool(self, move: Any) -> str:  # noqa: ANN401  # any input that has an ordinal
        """The name of the call that a move is about."""
        return self.names[move.ordinal]


def _provider_s(says: Says, ordinal: int) -> Mapping[str, Any]:
    """A call as the provider sent it, with an id of its own."""
    return {
        "type": "function_call",
        "id": f"fc_{ordinal}",
        "call_id": says.call_id,
        "name": says.call,
        "arguments": "{}",
        "status": "completed",
    }


def _send(_script: Script, move: inputs.Send) -> str:
    mode = "" if move.mode is Mode.STEER else f", {move.mode}"
    returns = ", to be returned by an interrupt" if move.on_interrupt is OnInterrupt.RETURN else ""
    return f"the host sends {move.message.id}{mode}{returns}"


def _completes(script: Script, move: inputs.ItemCompleted) -> str:
    item = move.item
    what = f"call {script.names[item.ordinal]}" if isinstance(item, Call) else f"a {type(item).__name__}"
    return f"the model completes {what} (request {move.request})"


def _ends(_script: Script, move: inputs.ResponseEnded) -> str:
    how = "pauses" if move.finish is Finish.PAUSE else "comes to its end"
    return f"the response to request {move.request} {how}"


_WORDS: Mapping[type, Callable[[Script, Any], str]] = {
    inputs.Send: _send,
    inputs.Withdraw: lambda _, move: f"the host takes {move.id} back",
    inputs.Interrupt: lambda _, _move: "the host interrupts",
    inputs.GoOn: lambda _, _move: "the host says go on",
    inputs.Resumed: lambda _, _move: "the process is killed, and the session goes on from its record",
    inputs.TurnExpired: lambda _, move: f"the time of turn {move.turn} is over",
    inputs.ItemCompleted: _completes,
    inputs.ResponseEnded: _ends,
    inputs.ResponseFailed: lambda _, move: (
        f"the response to request {move.request} does not come to its end: {move.trouble}"
    ),
    inputs.Wake: lambda _, move: f"the backoff after request {move.request} is over",
    inputs.Started: lambda script, move: f"tool {script.tool(move)} starts",
    inputs.Returned: lambda script, move: f"tool {script.tool(move)} returns",
    inputs.Raised: lambda script, move: f"tool {script.tool(move)} raises",
    inputs.Stopped: lambda script, move: f"tool {script.tool(move)} stops",
    inputs.StopAsked: lambda script, move: f"the deadline of tool {script.tool(move)} has come",
    inputs.GraceOver: lambda script, move: f"tool {script.tool(move)} has used up its grace, and goes on",
    inputs.Cancel: lambda script, move: f"the host cancels call {script.tool(move)}",
    inputs.ApprovalAnswered: lambda script, move: (
        f"call {script.tool(move)} is {'allowed' if move.allow else 'denied'}"
    ),
    inputs.ApprovalExpired: lambda script, move: f"nobody has answered for call {script.tool(move)}",
}
