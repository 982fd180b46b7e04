"""The specification's cases about responses that are lost or refused, with real tasks on a virtual clock."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import trio
from attrs import evolve
from trio.testing import MockClock

from support.journals import AwaitedJournal
from support.live import Gate, asked, call, only, told, until
from turnlock import (
    Cause,
    Fate,
    Limits,
    MessageReturned,
    ModelError,
    RequestSent,
    RetryScheduled,
    Scripted,
    Session,
    StopReason,
    TextDelta,
    TextDiscarded,
    TurnEnded,
    TurnResult,
    TurnStarted,
    tool,
)
from turnlock.models import Fail, Invoke, Request, Response, Say, Sink, Stop, Usage
from turnlock.models.scripted import Move

NewSession = Callable[..., Session]
LOST = Fail()
REFUSED = Fail("refused", "Invalid 'input[0]': too naughty.")


@tool
async def a() -> str:
    """Answer at once."""
    return "a!"


async def test_lost_behind_a_complete_call(new_session: NewSession, autojump_clock: MockClock) -> None:
    """C18: it runs once and is not run again; the next request goes on from it and its output."""
    gate = Gate()
    model = Scripted([[call("a"), LOST], Say("A")])
    async with new_session(model, tools=[gate.tool]) as session:
        events = session.events()
        results: list[TurnResult] = []

        async def run() -> None:
            results.append(await session.run("U1"))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(run)
            await gate.started.wait()
            await trio.sleep(30)  # the backoff is over: the next request waits for the call alone
            assert len(model.requests) == 1
            gate.go.set()
        assert only(told(events), TextDiscarded) == []
    assert gate.calls == 1
    assert results[0].stop_reason is StopReason.END_TURN
    assert asked(model) == ["U1", "U1 K(a) O(a: a!)"]


async def test_lost_in_a_chat_answer(new_session: NewSession, autojump_clock: MockClock) -> None:
    """C18: on Chat Completions nothing of it was complete; it is discarded, said so, and asked again."""
    model = Scripted([[Say("Let me", size=3), call("a"), LOST], Say("A")], dialect="openai_chat")
    async with new_session(model, tools=[a]) as session:
        events = session.events()
        result = await session.run("U1")
        seen = told(events)
    assert result.text == "A"
    assert result.calls == ()
    assert asked(model) == ["U1", "U1"]
    assert only(seen, TextDiscarded) == [TextDiscarded(1, 1, "Let me")]
    assert [event.seconds for event in only(seen, RetryScheduled)] == [pytest.approx(0.5, abs=0.01)]


async def test_lost_before_any_item(new_session: NewSession, autojump_clock: MockClock) -> None:
    """C23: asked again after 0.5 s, then 1 s, then 2 s; a steer that was held meanwhile goes along."""
    model = Scripted([LOST, LOST, LOST, Say("A")])
    async with new_session(model) as session:
        events = session.events()
        start = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(session.run, "U1")
            await trio.sleep(2)
            await session.send("U2")
        took = trio.current_time() - start
        pauses = [round(event.seconds, 1) for event in only(told(events), RetryScheduled)]
    assert pauses == [0.5, 1.0, 2.0]
    assert 3.5 <= took < 3.6
    assert asked(model) == ["U1", "U1", "U1", "U1 U2"]


async def test_the_providers_own_wait(new_session: NewSession, autojump_clock: MockClock) -> None:
    """C23: Retry-After is obeyed, also beyond the longest pause of our own."""
    model = Scripted([Fail("lost", "slow down", retry_after=120.0), Say("A")])
    async with new_session(model) as session:
        start = trio.current_time()
        await session.run("U1")
        assert 120 <= trio.current_time() - start < 121


@pytest.mark.parametrize("wait", [-1.0, float("nan"), float("inf")])
async def test_a_wait_that_is_none(new_session: NewSession, autojump_clock: MockClock, wait: float) -> None:
    """C23: a wait that cannot be waited for is left to our own pauses."""
    model = Scripted([Fail("lost", "slow down", retry_after=wait), Say("A")])
    async with new_session(model) as session:
        start = trio.current_time()
        await session.run("U1")
        assert 0.5 <= trio.current_time() - start < 0.6


async def test_retries_exhausted(new_session: NewSession, autojump_clock: MockClock) -> None:
    """C50: the turn has failed, Q1 is held and starts nothing by itself; the next send carries it first."""
    model = Scripted([LOST, LOST, LOST, Say("A")])
    async with new_session(model, limits=Limits(retries=2)) as session:
        events = session.events()
        results: list[TurnResult] = []

        async def run() -> None:
            results.append(await session.run("U1"))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(run)
            await until(events, RequestSent)
            queued = await session.send("Q1", when_busy="queue")
        assert (results[0].stop_reason, results[0].error) == (StopReason.FAILED, "the connection was lost")
        await trio.sleep(100)
        assert len(model.requests) == 3
        assert queued.state is Fate.HELD
        assert session.open == ()
        result = await session.run("U2")
    assert result.stop_reason is StopReason.END_TURN
    assert asked(model)[3] == "U1 Q1 U2"


async def test_a_run_behind_a_turn_that_fails(new_session: NewSession, autojump_clock: MockClock) -> None:
    """R5: a failed turn draws its line; whoever waits behind it with `run` gets the message back."""
    model = Scripted([Fail("fatal", "no such model")])
    async with new_session(model) as session:
        results: list[TurnResult] = []

        async def run(text: str) -> None:
            results.append(await session.run(text))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(run, "U1")
            nursery.start_soon(run, "U2")
        assert len(model.requests) == 1
        assert sorted(result.turn for result in results) == [0, 1]
        returned = next(result for result in results if result.turn == 0)
        assert returned.error == "the turn ended failed"


async def test_going_on_after_a_failure(new_session: NewSession, autojump_clock: MockClock) -> None:
    """R20: the same history may be asked again by the host, without a message of its own."""
    model = Scripted([Fail("fatal", "no such model"), Say("A")])
    async with new_session(model) as session:
        assert (await session.run("U1")).stop_reason is StopReason.FAILED
        assert (await session.run()).text == "A"
    assert asked(model) == ["U1", "U1"]


async def test_a_refused_message(new_session: NewSession, autojump_clock: MockClock) -> None:
    """C51: it comes back with the provider's text; the next message is accepted."""
    model = Scripted([Say("A"), REFUSED, Say("B")])
    async with new_session(model) as session:
        await session.run("U1")
        events = session.events()
        result = await session.run("U2")
        assert result.stop_reason is StopReason.REFUSED
        assert result.error == REFUSED.text
        assert result.receipt is not None
        assert (result.receipt.state, result.receipt.reason) == (Fate.RETURNED, REFUSED.text)
        assert [event.receipt for event in only(told(events), MessageReturned)] == [result.receipt]
        assert (await session.run("U3")).text == "B"
    assert asked(model) == ["U1", "U1 A U2", "U1 A U3"]


async def test_a_refused_output(new_session: NewSession, autojump_clock: MockClock) -> None:
    """C52: it is replaced by a text that says so; what it was stays with the call."""
    model = Scripted([call("a"), REFUSED, Say("A")])
    async with new_session(model, tools=[a]) as session:
        result = await session.run("U1")
        assert result.stop_reason is StopReason.REFUSED
        assert result.calls[0].outcome is not None
        assert result.calls[0].outcome.cause is Cause.RETURNED
        await session.run("U2")
    assert asked(model)[2] == (
        f"U1 K(a) O(a: The output was refused by the provider ({REFUSED.text}) and is left out.) U2"
    )


async def test_the_context_is_too_long(new_session: NewSession, autojump_clock: MockClock) -> None:
    """C53: nothing comes back, and no held message starts a turn: the host compacts."""
    model = Scripted([Fail("overflow", "too long"), Say("A")])
    async with new_session(model) as session:
        result = await session.run("U1")
        assert result.stop_reason is StopReason.CONTEXT_OVERFLOW
        assert result.receipt is not None
        assert result.receipt.state is Fate.DELIVERED
        await trio.sleep(10)
        assert len(model.requests) == 1
        assert [item.content for item in session.transcript if hasattr(item, "content")] == ["U1"]


async def test_the_same_bytes_are_not_sent_twice(new_session: NewSession, autojump_clock: MockClock) -> None:
    """R20: a body that was refused never leaves again; saying so is our own error."""
    model = Scripted([REFUSED])
    async with new_session(model) as session:
        await session.run("U1")
        result = await session.run("U1")
        assert result.stop_reason is StopReason.REFUSED
        assert "exactly these bytes" in result.error
        assert result.requests == 0
    assert len(model.requests) == 1


async def test_a_body_that_would_be_refused_does_not_leave(
    new_session: NewSession, autojump_clock: MockClock
) -> None:
    """R15: the error names rule, place and the provider's text; nothing was sent, and no event says so."""

    async def respond(_request: Request, sink: Sink) -> Response:
        sink.item({"type": "compaction_trigger"})  # nothing may stand behind it
        return Response()

    model = Adapter(respond)
    async with new_session(model) as session:
        await session.run("U1")
        events = session.events()
        result = await session.run("U2")
        seen = told(events)
    assert (result.stop_reason, result.requests) == (StopReason.REFUSED, 0)
    assert result.error == (
        "A compaction_trigger must be the final input item. "
        "[RESP-COMPACTION-LAST at /input/1; nothing was sent]"
    )
    assert result.receipt is not None
    assert (result.receipt.state, result.receipt.reason) == (Fate.RETURNED, result.error)
    assert only(seen, RequestSent) == []
    assert [type(event) for event in seen][-1] is TurnEnded


class Options(Scripted):
    """A model with options that cannot be written."""

    def settings(self, instructions: str, tools: Sequence[object]) -> object:  # type: ignore[override]  # wrong on purpose
        return evolve(super().settings(instructions, tools), options={"seed": object()})  # type: ignore[arg-type]  # as above


async def test_a_request_that_cannot_be_written(new_session: NewSession, autojump_clock: MockClock) -> None:
    """R15: what the encoder cannot say is a local refusal; the session goes on."""
    async with new_session(Options([Say("A")])) as session:
        result = await session.run("U1")
        assert result.stop_reason is StopReason.REFUSED
        assert "cannot be written" in result.error
        assert session.transcript == ()


async def test_the_content_filter(new_session: NewSession, autojump_clock: MockClock) -> None:
    """R13: what the filter ended is kept, and the turn says so."""
    model = Scripted([[Say("A"), Stop("filter")]])
    async with new_session(model) as session:
        result = await session.run("U1")
    assert (result.stop_reason, result.text) == (StopReason.CONTENT_FILTER, "A")


async def test_the_length_limit(new_session: NewSession, autojump_clock: MockClock) -> None:
    """R13: without a call to answer the turn ends with max_tokens, and keeps the text."""
    model = Scripted([[Say("A"), Stop("length")]])
    async with new_session(model) as session:
        result = await session.run("U1")
    assert (result.stop_reason, result.text) == (StopReason.MAX_TOKENS, "A")


async def test_a_pause_goes_back_unchanged(new_session: NewSession, autojump_clock: MockClock) -> None:
    """C45: a steer is carried one request later, also after two pauses in a row."""
    model = Scripted([[Say("first"), Stop("pause")], [Say("second"), Stop("pause")], Say("third"), Say("A")])
    async with new_session(model) as session:
        events = session.events()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(session.run, "U1")
            await until(events, RequestSent)
            await session.send("U2")
    assert asked(model) == ["U1", "U1 first", "U1 first second", "U1 first second third U2"]


async def test_the_text_of_a_result(new_session: NewSession, autojump_clock: MockClock) -> None:
    """The result holds what the model said last, as it stands in the transcript."""
    model = Scripted(
        [
            [Say("Let me look."), call("a")],  # text, then a call, then an answer without text
            [],
            [Say("one "), Say("two")],
            [Say("Hm."), call("a")],
            [Say("void"), LOST],
            [Fail("fatal", "gone")],
        ]
    )
    async with new_session(model, tools=[a]) as session:
        assert (await session.run("U1")).text == "Let me look."
        assert (await session.run("U2")).text == "one two"
        failed = await session.run("U3")
        assert (failed.stop_reason, failed.text) == (StopReason.FAILED, "Hm.")


async def test_usage_is_counted(new_session: NewSession, autojump_clock: MockClock) -> None:
    """A result has the turn's usage, the session the sum of all turns."""
    model = Scripted([call("a"), Say("A"), Say("B")])
    async with new_session(model, tools=[a]) as session:
        assert session.usage == Usage()
        assert (await session.run("U1")).usage == Usage(20, 10)
        assert (await session.run("U2")).usage == Usage(10, 5)
        assert session.usage == Usage(30, 15)
    assert session.usage == Usage(30, 15)


# ── model adapters that misbehave ───────────────────────────────────────────────────────────────────


class Adapter(Scripted):
    """A model that behaves as its test says."""

    def __init__(self, respond: Callable[[Request, Sink], object], *script: Move | Sequence[Move]) -> None:
        super().__init__(list(script))
        self.first = respond

    async def respond(self, request: Request, sink: Sink) -> Response:
        if request.number == 1:
            return await self.first(request, sink)  # type: ignore[misc,no-any-return]  # as its test says
        return await super().respond(request, sink)


def raises(error: Exception) -> Callable[[Request, Sink], object]:
    async def respond(_request: Request, _sink: Sink) -> Response:
        raise error

    return respond


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (KeyError("delta"), "the model adapter failed: KeyError: 'delta'"),
        (ExceptionGroup("two", [OSError("x"), ValueError("y")]), "the model adapter failed: ExceptionGroup"),
    ],
)
async def test_an_adapter_that_raises(
    new_session: NewSession, autojump_clock: MockClock, error: Exception, text: str
) -> None:
    """R13: the turn has failed, with the text; the session is usable."""
    model = Adapter(raises(error), Say("A"))
    async with new_session(model) as session:
        result = await session.run("U1")
        assert result.stop_reason is StopReason.FAILED
        assert result.error.startswith(text)
        model.requests.clear()
        assert (await session.run("U2")).text == "A"


async def test_an_adapter_with_a_trouble_of_its_own(
    new_session: NewSession, autojump_clock: MockClock
) -> None:
    """R13: a trouble that nobody knows is fatal, and not the end of the session."""
    async with new_session(Adapter(raises(ModelError("tired", "not now")))) as session:
        result = await session.run("U1")
    assert (result.stop_reason, result.error) == (StopReason.FAILED, "not now")


async def test_an_adapter_that_answers_nothing(new_session: NewSession, autojump_clock: MockClock) -> None:
    """R13: an answer without items ends the turn; the history can be sent."""
    model = Scripted([[], Say("A")])
    async with new_session(model) as session:
        result = await session.run("U1")
        assert (result.stop_reason, result.text) == (StopReason.END_TURN, "")
        await session.run("U2")
    assert asked(model) == ["U1", "U1 U2"]


async def test_an_adapter_that_returns_no_response(
    new_session: NewSession, autojump_clock: MockClock
) -> None:
    """R13: the same as one that raises."""

    async def respond(_request: Request, sink: Sink) -> None:
        sink.text("half")

    async with new_session(Adapter(respond)) as session:
        result = await session.run("U1")
        assert result.stop_reason is StopReason.FAILED
        assert "the model adapter failed" in result.error


async def test_an_adapter_with_a_finish_of_its_own(
    new_session: NewSession, autojump_clock: MockClock
) -> None:
    """R13: the name of a finish is enough; what is none fails the turn."""
    for finish, reason in (("length", StopReason.MAX_TOKENS), ("tired", StopReason.FAILED)):

        async def respond(_request: Request, _sink: Sink, finish: str = finish) -> Response:
            return Response(finish)  # type: ignore[arg-type]  # wrong on purpose

        async with new_session(Adapter(respond)) as session:
            assert (await session.run("U1")).stop_reason is reason


async def test_an_adapter_that_never_ends(new_session: NewSession, autojump_clock: MockClock) -> None:
    """R8: request_timeout bounds it; it is asked again, and what comes of the first counts no more."""
    late: list[Sink] = []

    async def respond(_request: Request, sink: Sink) -> Response:
        sink.text("half")
        late.append(sink)
        await trio.sleep_forever()

    model = Adapter(respond, Say("unused"), Say("A"))
    model.requests.append(None)  # type: ignore[arg-type]  # the first request is not the script's
    async with new_session(model, limits=Limits(request_timeout=30)) as session:
        events = session.events()
        start = trio.current_time()
        result = await session.run("U1")
        assert 30.5 <= trio.current_time() - start < 30.6
        late[0].text("late")
        late[0].item({"type": "message", "content": [{"text": "late"}]})
        assert result.text == "A"
        assert len(only(told(events), TextDiscarded)) == 1


@pytest.mark.parametrize("grace", [2.0, 0.0])
async def test_an_adapter_that_swallows_its_abort(
    new_session: NewSession, autojump_clock: MockClock, grace: float
) -> None:
    """R22 and R8: the next request waits for it, but for no longer than the grace; what it says is lost."""
    freed = trio.Event()

    async def respond(_request: Request, sink: Sink) -> Response:
        sink.text("half")
        with trio.CancelScope(shield=True):
            await freed.wait()
        sink.text("late")
        sink.item({"type": "message", "content": [{"text": "late"}]})
        return Response()

    model = Adapter(respond, Say("A"), Say("B"))
    async with new_session(model, limits=Limits(grace=grace)) as session:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(session.send, "U1")
            await trio.sleep(1)
            await session.interrupt()
            start = trio.current_time()
            assert (await session.run("U2")).text == "A"
            assert grace <= trio.current_time() - start < grace + 0.1
        freed.set()
        assert (await session.run("U3")).text == "B"
    assert asked(model)[-1] == "U1 half M U2 A U3"


async def test_an_adapter_that_takes_its_time_to_unwind(
    new_session: NewSession, autojump_clock: MockClock
) -> None:
    """R22: never two requests in flight: the next one leaves when the aborted one is out."""
    flying: list[str] = []

    async def respond(_request: Request, _sink: Sink) -> Response:
        try:
            flying.append("first in")
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(1)
            flying.append("first out")

    class Watched(Adapter):
        async def respond(self, request: Request, sink: Sink) -> Response:
            flying.append(f"request {request.number}")
            return await super().respond(request, sink)

    model = Watched(respond, Say("A"))
    async with new_session(model) as session:
        await session.send("U1")
        await trio.sleep(1)
        start = trio.current_time()
        await session.run("U2", when_busy="interrupt")
        assert 1 <= trio.current_time() - start < 1.1
    assert flying == ["request 1", "first in", "first out", "request 2"]


async def test_an_item_behind_an_interrupt(autojump_clock: MockClock) -> None:
    """R25: it stands behind the interrupt in the inbox, so it is late: it never enters the transcript."""
    sinks: list[Sink] = []

    async def respond(_request: Request, sink: Sink) -> Response:
        sinks.append(sink)
        sink.text("half")
        await trio.sleep_forever()

    model = Adapter(respond, Say("unused"), Say("A"))
    async with Session(model, tools=[a], journal=AwaitedJournal(delay=1)) as session:
        events = session.events()
        results: list[TurnResult] = []

        async def run() -> None:
            results.append(await session.run("U1"))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(run)
            await until(events, TextDelta)
            nursery.start_soon(session.interrupt)
            await trio.sleep(0.5)
            sinks[0].text(" an answer")
            sinks[0].item({"type": "message", "content": [{"text": "half an answer"}]})
            item = {"type": "function_call", "call_id": "x", "name": "a", "arguments": "{}"}
            sinks[0].item({**item, "id": "fc_1", "status": "completed"})
        assert [type(one).__name__ for one in session.transcript] == ["Message", "Text", "Note"]
        assert results[0].text == "half"
        assert only(told(events), TextDelta) == []


async def test_turns_are_numbered(new_session: NewSession, autojump_clock: MockClock) -> None:
    """R13: one start and one end for each, whatever became of it."""
    model = Scripted([Say("A"), Fail("fatal", "x"), REFUSED, Invoke("nothing"), Say("B")])
    async with new_session(model) as session:
        events = session.events()
        for text in ("U1", "U2", "U3", "U4"):
            await session.run(text)
        seen = told(events)
    assert [event.turn for event in only(seen, TurnStarted)] == [1, 2, 3, 4]
    assert [event.turn for event in only(seen, TurnEnded)] == [1, 2, 3, 4]
