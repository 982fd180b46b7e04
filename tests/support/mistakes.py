"""Engines with a mistake in them, to prove that whoever judges can find one.

Each is a mistake that somebody could make, in one method. The tables are sound here; tables without a guard
are made by ``turnlock.explore.without_guard``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pytest
from attrs import evolve, frozen

from turnlock.engine import (
    Call,
    Cause,
    Engine,
    Finish,
    Invocation,
    Letter,
    StopReason,
    commands,
    engine as engine_module,
    inputs,
)
from turnlock.engine.calls import Registry, Wait
from turnlock.engine.inbox import Inbox
from turnlock.engine.transcript import Transcript
from turnlock.engine.turn import Turn


@frozen
class Mistake:
    """A method to be replaced.

    Attributes:
        owner: The class that has it.
        name: The method.
        wrong: What stands in its place.
    """

    owner: type
    name: str
    wrong: Any


_stop_turn = Engine._stop_turn
_stop_call = Engine._stop_call
_dispatch = Engine._dispatch
_on_send = Engine._on_send
_back_off = Engine._back_off
_on_response_ended = Engine._on_response_ended
_draw_line = Inbox.draw_line
_take_steering = Inbox.take_steering
_add_outputs = Transcript.add_outputs
_commit = Transcript.commit
_give_back = Transcript.give_back
_waits_for = Registry.waits_for


def _goes_on_listening(engine: Engine, cause: Cause, shown: str) -> None:
    request = engine.turn.request
    _stop_turn(engine, cause, shown)
    engine._out[:] = [said for said in engine._out if not isinstance(said, commands.AbortRequest)]
    engine.turn.request = request


def _lets_tools_run(engine: Engine, cause: Cause, shown: str) -> None:
    opened, engine.registry.open = engine.registry.open, type(engine.registry.open)()
    _stop_turn(engine, cause, shown)
    engine.registry.open = opened


def _draws_no_line(inbox: Inbox, reason: str) -> list[Letter]:
    line = inbox.line
    returned = _draw_line(inbox, reason)
    inbox.line = line
    return returned


def _returns_nothing(inbox: Inbox, _reason: str) -> list[Letter]:
    inbox.line = len(inbox.letters)
    return []


def _kills_what_never_ran(engine: Engine, invocation: Invocation, cause: Cause) -> None:
    if invocation.started_at is None:
        engine._end_call(invocation, cause)
    else:
        _stop_call(engine, invocation, cause)


def _forgets_the_first_cause(engine: Engine, invocation: Invocation, cause: Cause) -> None:
    if invocation.stop_cause is not None:
        invocation.stop_cause = cause
    _stop_call(engine, invocation, cause)


def _steers_backwards(inbox: Inbox) -> list[Letter]:
    return _take_steering(inbox)[::-1]


def _steers_the_queue(inbox: Inbox) -> list[Letter]:
    return inbox.take_all() if inbox.steering else []


def _outputs_as_they_end(transcript: Transcript, batch: Iterable[Invocation]) -> None:
    _add_outputs(transcript, sorted(batch, key=lambda call: call.outcome is None or call.outcome.cause))


def _outputs_of_some(transcript: Transcript, batch: Iterable[Invocation]) -> None:
    _add_outputs(transcript, [call for call in batch if call.state != "timed_out"])


def _keeps_half_sentences_out(transcript: Transcript, request: int, _shown: str = "", **how: bool) -> Any:
    return _commit(transcript, request, "", **how)


def _calls_last(transcript: Transcript, request: int, shown: str = "", **how: bool) -> Any:
    transcript.response.sort(key=lambda item: isinstance(item, Call))
    return _commit(transcript, request, shown, **how)


def _takes_nothing_back(_transcript: Transcript, _reason: str) -> Sequence[Any]:
    return ()


def _pauses_once(engine: Engine) -> None:
    _dispatch(engine)
    engine.turn.paused = False


def _lets_steers_pass(engine: Engine) -> None:
    engine.turn.paused = False
    _dispatch(engine)


def _knows_no_exclusive_calls(registry: Registry, invocation: Invocation) -> Wait | None:
    wait = _waits_for(registry, invocation)
    return None if wait is Wait.EXCLUSIVE else wait


def _gives_slots_to_approvals(registry: Registry, invocation: Invocation) -> Wait | None:
    asked = sum(not call.approved for call in registry.open.values())
    return Wait.SLOT if registry.running + asked >= registry.parallel else _waits_for(registry, invocation)


def _accepts_twice(engine: Engine, said: inputs.Send) -> None:
    engine.inbox.letters.pop(said.message.id, None)
    _on_send(engine, said)


def _raising_wins(engine: Engine, said: inputs.Raised) -> None:
    invocation = engine.registry.open.get(said.ordinal)
    if invocation is None:
        engine._late(said)
    else:
        engine._end_call(invocation, Cause.RAISED, why=said.error, partial=said.partial)


def _ends_without_its_tool(engine: Engine, said: inputs.Returned) -> None:
    invocation = engine.registry.open.get(said.ordinal)
    if invocation is None:
        engine._late(said)
    else:
        engine._end_call(invocation, Cause.RETURNED, output=said.output)


def _says_end_turn(turn: Turn) -> StopReason:
    return turn.stop or StopReason.END_TURN


def _never_too_many(turn: Turn) -> bool:
    return turn.stop is None and turn.unsaid


def _asks_later_by_itself(engine: Engine, said: inputs.ResponseFailed) -> None:
    _back_off(engine, evolve(said, retry_after=None))


def _waits_as_long_each_time(engine: Engine, said: inputs.ResponseFailed) -> None:
    failures, engine.turn.failures = engine.turn.failures, 1
    _back_off(engine, said)
    engine.turn.failures = failures


def _waits_longer_each_time(engine: Engine, said: inputs.ResponseFailed) -> None:
    if said.retry_after is None:
        said = evolve(said, retry_after=engine.limits.backoff * 2.0 ** (engine.turn.failures - 1))
    _back_off(engine, said)


def _takes_closing_for_an_interrupt(engine: Engine, _cause: Cause, shown: str) -> None:
    _stop_turn(engine, Cause.INTERRUPTED, shown)


def _sees_no_filter(engine: Engine, said: inputs.ResponseEnded) -> None:
    _on_response_ended(engine, said)
    if said.finish is Finish.FILTER:
        engine.turn.rest = StopReason.END_TURN


MISTAKES: Mapping[str, Mistake] = {
    "an interrupt does not abort the request": Mistake(Engine, "_stop_turn", _goes_on_listening),
    "an interrupt stops no tool": Mistake(Engine, "_stop_turn", _lets_tools_run),
    "an interrupt draws no line": Mistake(Inbox, "draw_line", _draws_no_line),
    "an interrupt returns no message": Mistake(Inbox, "draw_line", _returns_nothing),
    "what never ran was killed while running": Mistake(Engine, "_stop_call", _kills_what_never_ran),
    "the last cause of a stop decides": Mistake(Engine, "_stop_call", _forgets_the_first_cause),
    "an exception while stopping is an error": Mistake(Engine, "_on_raised", _raising_wins),
    "messages are carried backwards": Mistake(Inbox, "take_steering", _steers_backwards),
    "queued messages are carried by this turn": Mistake(Inbox, "take_steering", _steers_the_queue),
    "a message is accepted twice": Mistake(Engine, "_on_send", _accepts_twice),
    "outputs stand in another order": Mistake(Transcript, "add_outputs", _outputs_as_they_end),
    "an output is left out": Mistake(Transcript, "add_outputs", _outputs_of_some),
    "the shown text is lost": Mistake(Transcript, "commit", _keeps_half_sentences_out),
    "a response is sorted": Mistake(Transcript, "commit", _calls_last),
    "a refusal takes nothing back": Mistake(Transcript, "give_back", _takes_nothing_back),
    "a pause lasts for one request": Mistake(Engine, "_dispatch", _pauses_once),
    "a pause holds no message": Mistake(Engine, "_dispatch", _lets_steers_pass),
    "exclusive calls run with others": Mistake(Registry, "waits_for", _knows_no_exclusive_calls),
    "an approval takes a slot": Mistake(Registry, "waits_for", _gives_slots_to_approvals),
    "a control tool does not end the turn": Mistake(Engine, "_on_returned", _ends_without_its_tool),
    "a turn always ends well": Mistake(Turn, "stop_reason", property(_says_end_turn)),
    "the provider's own wait is not kept": Mistake(Engine, "_back_off", _asks_later_by_itself),
    "the backoff never doubles": Mistake(Engine, "_back_off", _waits_as_long_each_time),
    "the backoff has no longest": Mistake(Engine, "_back_off", _waits_longer_each_time),
    "a close is told as an interrupt": Mistake(Engine, "_stop_turn", _takes_closing_for_an_interrupt),
    "a filter is told as an end": Mistake(Engine, "_on_response_ended", _sees_no_filter),
    "a turn knows no limit": Mistake(Turn, "more_to_say", property(_never_too_many)),
}


def make(name: str, patch: pytest.MonkeyPatch) -> None:
    """Make a mistake, also where the engine has looked its methods up before."""
    mistake = MISTAKES[name]
    right = mistake.owner.__dict__[mistake.name]
    patch.setattr(mistake.owner, mistake.name, mistake.wrong)
    tables: tuple[Any, ...] = (engine_module._HANDLERS, engine_module._ACTIONS)
    for table in tables:
        for key, method in table.items():
            if method is right:
                patch.setitem(table, key, mistake.wrong)
