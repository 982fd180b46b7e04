"""A recorded list of inputs -> the arrows of its sequence diagram.

It feeds the inputs to an engine and draws what the engine was told and what it answered. What is drawn is
what happened between people, model and tools; timers and records of the runtime are not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TypeAlias, assert_never

from turnlock.diagrams.sequence import MODEL, SESSION, USER, Arrow, Kind, Participant
from turnlock.engine import (
    Call,
    Engine,
    Input,
    Invocation,
    Item,
    Message,
    Mode,
    Output,
    Reasoning,
    Text,
    commands,
    inputs,
)
from turnlock.engine.commands import Command
from turnlock.errors import TransitionRefused

_Draw: TypeAlias = Callable[..., Arrow]

_CARRIED = 6  # items of a request that are named; earlier ones are counted

STORY: tuple[Input, ...] = (
    inputs.Send(0.0, Message("first", "How many files are in docs?")),
    inputs.ItemCompleted(0.9, 1, Call(1, "call_a", "count_files", '{"path": "docs"}', 1)),
    inputs.Started(0.9, 1),
    inputs.ResponseEnded(1.0, 1),
    inputs.Send(1.6, Message("second", "Only the .md ones.")),
    inputs.Returned(3.2, 1, "12 files, 7 of them .md"),
    inputs.ItemCompleted(4.1, 2, Text("There are 7 .md files in docs.", 2)),
    inputs.ResponseEnded(4.2, 2),
)
"""A message that is typed while a call runs, and passes it neither before nor instead of its output (C2)."""


def record(said: Iterable[Input], engine: Engine | None = None) -> tuple[Arrow, ...]:
    """Feed the inputs to an engine, and draw what happens.

    Args:
        said: What was recorded, in order.
        engine: The engine that gets them, in the state in which the record began; a new one by default.
    """
    return tuple(_arrows(said, Engine() if engine is None else engine))


def _arrows(said: Iterable[Input], engine: Engine) -> Iterator[Arrow]:
    for each in said:
        draw = partial(Arrow, each.at)
        try:
            answered = engine.receive(each)
        except TransitionRefused as refused:
            yield from _said(draw, each, engine)
            yield draw(SESSION, USER, f"refused: {refused}", Kind.LOST)
            continue
        if not any(isinstance(command, commands.Late) for command in answered):
            yield from _said(draw, each, engine)
        held = {command.letter.number for command in answered if isinstance(command, commands.Held)}
        taken = {command.letter.number for command in answered if isinstance(command, commands.Delivered)}
        for command in answered:
            # What is held only to leave in the same breath has not waited: the request says it all.
            if isinstance(command, commands.Held | commands.Delivered) and (
                command.letter.number in held & taken
            ):
                continue
            yield from _answered(draw, command, engine)


# ── what the engine was told ────────────────────────────────────────────────────────────────────────────


def _said(draw: _Draw, said: Input, engine: Engine) -> Iterator[Arrow]:
    match said:
        case inputs.ItemCompleted():
            yield draw(MODEL, SESSION, _item(said.item), Kind.TOLD)
        case inputs.ResponseEnded():
            yield draw(MODEL, SESSION, f"response {said.request} ended: {said.finish}", Kind.ENDED)
        case inputs.ResponseFailed():
            yield draw(MODEL, SESSION, f"response {said.request} {said.trouble}: {said.text}", Kind.LOST)
        case _:
            text = _by_host(said, engine)
            if text:
                yield draw(USER, SESSION, text)


def _by_host(said: Input, engine: Engine) -> str:
    """What the host said; nothing for the runtime's inputs, whose commands are drawn."""
    text = ""
    match said:
        case inputs.Send():
            mode = "" if said.mode is Mode.STEER else f" ({said.mode})"
            content = said.message.content
            words = content if isinstance(content, str) else f"{len(content)} parts"
            text = f"{_message(said.message, engine)}{mode}: {words}"
        case inputs.Withdraw():
            text = f"withdraw: {said.reason}"
        case inputs.Interrupt():
            text = f"stop the turn: {said.reason or said.cause}"
        case inputs.GoOn():
            text = "go on"
        case inputs.Resumed():
            text = "resume after a crash"
        case inputs.Cancel():
            text = f"cancel call {said.ordinal}"
        case inputs.ApprovalAnswered():
            text = f"{'allow' if said.allow else 'deny'} call {said.ordinal}"
    return text


def _message(message: Message, engine: Engine) -> str:
    """Messages are called by the order in which they were accepted: ids are long, and nobody's words."""
    letter = engine.inbox.letters.get(message.id)
    return f"message {letter.number}" if letter else "message"


def _item(item: Item) -> str:
    match item:
        case Call():
            return f"call {item.ordinal}: {item.name} {item.arguments}"
        case Text() | Reasoning():
            return f"{type(item).__name__.lower()}: {item.text}"
    return _kind(item)


def _kind(value: object) -> str:
    """The name of a type as words: ``ResponseEnded`` is ``response ended``."""
    return re.sub(r"(?<!^)(?=[A-Z])", " ", type(value).__name__).lower()


# ── what the engine answered ────────────────────────────────────────────────────────────────────────────


def _answered(draw: _Draw, command: Command, engine: Engine) -> Iterator[Arrow]:
    match command:
        case commands.TurnBegan():
            yield draw(USER, MODEL, f"turn {command.turn}", Kind.NOTE)
        case commands.TurnEnded():
            why = f": {command.error}" if command.error else ""
            yield draw(SESSION, USER, f"turn {command.turn} ended: {command.reason}{why}", Kind.TOLD)
        case commands.Late():
            yield draw(SESSION, SESSION, f"too late: {_kind(command.input)}", Kind.NOTE)
        case commands.Held() | commands.Duplicate() | commands.Delivered() | commands.Returned():
            yield _letter(draw, command)
        case commands.SendRequest() | commands.AbortRequest() | commands.Discarded() | commands.SetAside():
            yield _request(draw, command, engine)
        case commands.RunCall() | commands.StopCall() | commands.AskApproval() | commands.CallEnded():
            yield _call(draw, command)
        case commands.StartCall() | commands.SetTimer() | commands.CallRequested():
            pass  # between the engine and its runtime; or drawn as the model's item
        case _:
            assert_never(command)


def _letter(
    draw: _Draw, command: commands.Held | commands.Duplicate | commands.Delivered | commands.Returned
) -> Arrow:
    name = f"message {command.letter.number}"
    match command:
        case commands.Held():
            calls = ", ".join(str(invocation.ordinal) for invocation in command.calls)
            return draw(USER, SESSION, f"{name} is held" + (f" by call {calls}" if calls else ""), Kind.NOTE)
        case commands.Duplicate():
            return draw(USER, SESSION, f"{name} was sent before", Kind.NOTE)
        case commands.Delivered():
            return draw(SESSION, USER, f"{name} delivered with request {command.letter.request}", Kind.TOLD)
        case commands.Returned():
            return draw(SESSION, USER, f"{name} returned: {command.letter.reason}", Kind.TOLD)
        case _:
            assert_never(command)


def _request(
    draw: _Draw,
    command: commands.SendRequest | commands.AbortRequest | commands.Discarded | commands.SetAside,
    engine: Engine,
) -> Arrow:
    match command:
        case commands.SendRequest():
            carried = _carried(engine, command.length)
            return draw(SESSION, MODEL, f"request {command.number}: {carried}", Kind.BEGUN)
        case commands.AbortRequest():
            return draw(SESSION, MODEL, f"abort request {command.number}", Kind.ABORTED)
        case commands.Discarded():
            what = "nothing" if command.whole else "only what was completed"
            return draw(SESSION, MODEL, f"{what} of response {command.request} counts", Kind.NOTE)
        case commands.SetAside():
            return draw(SESSION, MODEL, f"{_kind(command.item)} set aside: {command.reason}", Kind.NOTE)
        case _:
            assert_never(command)


def _carried(engine: Engine, length: int) -> str:
    """What a request carries, in its order."""
    first = max(0, length - _CARRIED)
    names = [f"{first} earlier"] if first else []
    for item in engine.transcript.items[first:length]:
        match item:
            case Message():
                names.append(_message(item, engine))
            case Call() | Output():
                names.append(f"{_kind(item)} {item.ordinal}")
            case _:
                names.append(_kind(item))
    return ", ".join(names)


def _call(
    draw: _Draw, command: commands.RunCall | commands.StopCall | commands.AskApproval | commands.CallEnded
) -> Arrow:
    invocation = command.invocation
    name = f"call {invocation.ordinal}"
    tool = Participant(f"call_{invocation.ordinal}", f"{invocation.name} ({name})")
    match command:
        case commands.RunCall():
            return draw(SESSION, tool, "run", Kind.BEGUN)
        case commands.StopCall():
            return draw(SESSION, tool, f"stop: {command.cause}")
        case commands.AskApproval():
            return draw(SESSION, USER, f"may {name} run?", Kind.TOLD)
        case commands.CallEnded():
            return _ended(draw, invocation, tool)
        case _:
            assert_never(command)


def _ended(draw: _Draw, invocation: Invocation, tool: Participant) -> Arrow:
    """A tool that ran answers; a call that nobody ran has no line of its own."""
    said = invocation.outcome.model_text if invocation.outcome else ""
    if invocation.started_at is None:
        return draw(SESSION, SESSION, f"call {invocation.ordinal} {invocation.state}: {said}", Kind.NOTE)
    return draw(tool, SESSION, f"{invocation.state}: {said}", Kind.ENDED)
