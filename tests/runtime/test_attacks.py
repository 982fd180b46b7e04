"""What an attack with the specification in hand has found, each as the story that broke."""

from __future__ import annotations

import functools
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest
import trio
import trio.lowlevel
from openai import AsyncOpenAI
from trio.testing import MockClock

from support.journals import AwaitedJournal
from support.live import Gate, call, only, outputs, told, until
from support.wire_server import END, OK, WireServer, sse, status, text_item
from turnlock import (
    CallStarted,
    Cause,
    Limits,
    MemoryJournal,
    ModelError,
    Note,
    NothingToSend,
    OpenAIChat,
    OpenAIResponses,
    RequestSent,
    RetryScheduled,
    Scripted,
    Session,
    SessionBusy,
    StopReason,
    Text,
    TextDelta,
    TextDiscarded,
    TurnEnded,
    TurnResult,
    Usage,
    current_call,
    tool,
)
from turnlock.engine import Call
from turnlock.journal import RequestSent as RequestRecord
from turnlock.models import Pause, Request, Response, Say, Sink
from turnlock.strict import judge_responses


async def test_a_request_is_given_its_own_time(autojump_clock: MockClock) -> None:
    """R13: a request that leaves in the instant of an earlier request's timer has its whole time."""

    @tool
    async def slow() -> str:
        await trio.sleep(1.5)
        return "slow!"

    model = Scripted([[Pause(0.5), call("slow")], [Pause(1), Say("A")]])
    async with Session(model, tools=[slow], limits=Limits(request_timeout=2, retries=0)) as session:
        for _ in range(20):  # which of two tasks of one instant runs first is drawn
            model.requests.clear()
            result = await session.run("U1")
            assert (result.stop_reason, result.text, len(model.requests)) == (StopReason.END_TURN, "A", 2)


@pytest.mark.parametrize(
    "odd",
    [
        [{"type": "function_call_output", "call_id": "nobody's", "output": "x"}],
        [
            {"type": "function_call", "id": "fc_1", "call_id": "c", "name": "ls", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c", "output": "the provider's own"},
        ],
        [{"type": "reasoning", "id": "rs_1", "summary": None}, text_item("Hm.")],
        [{"type": "message", "id": "msg_1", "content": [{"type": "output_text", "text": "Hm."}]}],
    ],
    ids=["an output alone", "an output of ours", "reasoning without a summary", "a message without a role"],
)
async def test_an_odd_item_does_not_end_a_session(odd: list[dict[str, Any]]) -> None:
    """R16: what cannot be sent back is left out or filled in, and every later request is accepted."""

    @tool
    async def ls() -> str:
        return "two files"

    answers = [odd, *[[text_item("Done.", f"msg_{n}x")] for n in range(4)]]
    server = WireServer(
        [
            [
                OK,
                sse(
                    *({"type": "response.output_item.done", "item": item} for item in items),
                    {"type": "response.completed", "response": {"id": "r"}},
                ),
                END,
            ]
            for items in answers
        ]
    )
    http = httpx2.AsyncClient(verify=False)
    async with server.serving() as url, AsyncOpenAI(base_url=url, api_key="x", http_client=http) as client:
        async with Session(OpenAIResponses("m", client=client), tools=[ls]) as session:
            ends = [(await session.run(f"U{n}")).stop_reason for n in range(3)]
    assert ends == [StopReason.END_TURN] * 3
    assert all(judge_responses(msgspec.json.decode(body)) is None for body in server.bodies)


async def test_money_is_no_judgement_on_the_history() -> None:
    """R20: after a 402 the turn has failed; the output that the request carried stays as it was."""

    @tool
    async def pay() -> str:
        return "receipt 42: money was sent"

    called = {"id": "c", "type": "function", "function": {"name": "pay", "arguments": "{}"}}
    chunks = (
        {"choices": [{"delta": {"tool_calls": [{"index": 0, **called}]}}]},
        {"choices": [{"delta": {}, "finish_reason": "tool_calls"}]},
    )
    server = WireServer(
        [[OK, sse(*chunks), END], [status(402, {"error": {"message": "Insufficient Balance"}})]]
    )
    http = httpx2.AsyncClient(verify=False)
    async with server.serving() as url, AsyncOpenAI(base_url=url, api_key="x", http_client=http) as client:
        async with Session(OpenAIChat("m", client=client), tools=[pay]) as session:
            result = await session.run("Pay.")
            assert outputs(session) == ["receipt 42: money was sent"]
    assert (result.stop_reason, result.error) == (StopReason.FAILED, "Insufficient Balance")


async def test_a_chat_call_counts_at_its_finish_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """R12: the call is there while the stream is still open, and an interrupt then cancels it."""
    monkeypatch.setattr("turnlock.models.stream._DRAIN", 1000.0)
    gate = Gate("a")
    called = {"index": 0, "id": "c", "type": "function", "function": {"name": "a", "arguments": "{}"}}
    finish = {"choices": [{"delta": {"tool_calls": [called]}, "finish_reason": "tool_calls"}]}
    server = WireServer([[OK, sse(finish), trio.Event()]])
    http = httpx2.AsyncClient(verify=False)
    async with server.serving() as url, AsyncOpenAI(base_url=url, api_key="x", http_client=http) as client:
        async with Session(OpenAIChat("m", client=client), tools=[gate.tool]) as session:
            with trio.fail_after(20):
                events = session.events()
                await session.send("U1")
                await until(events, CallStarted)
                await session.interrupt()
        kinds = [type(item).__name__ for item in session.transcript]
    assert kinds == ["Message", "Call", "Output", "Note"]


@pytest.mark.parametrize("wrong", ["usage", "counts", "ordinal", "repeated"])
async def test_a_broken_adapter_fails_the_turn_alone(autojump_clock: MockClock, wrong: str) -> None:
    """R13: what an adapter says must not end the session; the next turn runs."""

    class Broken(Scripted):
        async def respond(self, request: Request, sink: Sink) -> Response:
            if request.number > 1:
                return await super().respond(request, sink)
            if wrong == "usage":
                return Response(usage={"input_tokens": 3})  # type: ignore[arg-type]
            if wrong == "counts":
                return Response(usage=Usage("3", "4"))  # type: ignore[arg-type]
            ordinal = sink.next_ordinal() if wrong == "repeated" else 7
            for _ in range(2):
                sink.add(Call(ordinal, "c", "nobody", "{}", request.number))
            return Response()

    model = Broken([Say("A"), Say("B")])
    async with Session(model) as session:
        await session.send("U1")
        await trio.sleep(1)
        result = await session.run("U2")
    assert (result.stop_reason, session.open) == (StopReason.END_TURN, ())


async def test_a_request_that_never_left_is_not_told(autojump_clock: MockClock) -> None:
    """A request that is aborted in the step in which it is sent is neither an event nor a record."""
    journal = AwaitedJournal(keeps_requests=True)
    model = Scripted([Say("A"), Say("B")])
    async with Session(model, journal=journal) as session:
        events = session.events()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(session.send, "U0")
            await (
                trio.lowlevel.checkpoint()
            )  # the first is on its way to the journal: the others are one batch
            nursery.start_soon(session.send, "U1")
            nursery.start_soon(session.interrupt)
        await session.run("U2")
    recorded = [entry for entry in journal.entries[session.id] if isinstance(entry, RequestRecord)]
    sent = [request.number for request in model.requests]
    assert [entry.request for entry in recorded] == sent
    assert [event.request for event in only(told(events), RequestSent)] == sent


@pytest.mark.parametrize("unfinished", [(), ("You should ", "del")], ids=["nothing", "half a sentence"])
async def test_what_was_shown_behind_a_call_is_void(
    autojump_clock: MockClock, unfinished: tuple[str, ...]
) -> None:
    """R7: of a response that is lost behind a completed call, the text that was never completed is void."""

    @tool
    async def ls() -> str:
        return "two files"

    class Lost(Scripted):
        async def respond(self, request: Request, sink: Sink) -> Response:
            if request.number > 1:
                return await super().respond(request, sink)
            sink.text("Let me see.")
            sink.item(text_item("Let me see.", "msg_1"))
            ls_call = {"type": "function_call", "id": "fc_1", "call_id": "c", "name": "ls"}
            sink.item({**ls_call, "arguments": "{}"})
            for delta in unfinished:
                sink.text(delta)
            raise ModelError("lost", "gone")

    async with Session(Lost([Say(""), Say("A")]), tools=[ls], limits=Limits(backoff=0)) as session:
        events = session.events()
        await session.run("U1")
        seen = told(events)
        said = [item.text for item in session.transcript if isinstance(item, Text)]
    assert said == ["Let me see."]
    assert [event.text for event in only(seen, TextDiscarded)] == (["You should del"] if unfinished else [])
    assert [event.seconds for event in only(seen, RetryScheduled)] == [0.0]


class Telling(Scripted):
    """Answers with one text, word by word, and ends a little later than its last item."""

    async def respond(self, request: Request, sink: Sink) -> Response:
        self.requests.append(request)
        for word in ("I ", "deleted ", "the ", "file."):
            await trio.sleep(0.2)
            sink.text(word)
        await trio.sleep(0.2)
        sink.item(text_item("I deleted the file.", f"msg_{request.number}"))
        await trio.sleep(0.05)
        return Response()


SLOW_DISK = 0.1  # seconds of an append, in the stories below


async def test_a_host_that_leaves_a_turn_which_has_ended(autojump_clock: MockClock) -> None:
    """R17: what it leaves behind is decided when all before it was applied, and stops no other turn."""
    async with Session(Telling([]), journal=AwaitedJournal(SLOW_DISK)) as session:
        results: list[TurnResult] = []

        async def second() -> None:
            await trio.sleep(1.17)
            results.append(await session.run("U2"))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(second)
            with trio.move_on_after(1.18):  # the end of its turn stands in the inbox
                await session.run("U1")
    assert [result.stop_reason for result in results] == [StopReason.END_TURN]


async def test_a_host_that_leaves_before_its_turn_begins(autojump_clock: MockClock) -> None:
    """R17: its turn begins by what stands in the inbox before it left, and is stopped."""
    async with Session(Telling([]), journal=AwaitedJournal(SLOW_DISK)) as session:
        events = session.events()

        async def second() -> None:
            await trio.sleep(0.3)
            with trio.move_on_after(0.88):
                await session.run("U2")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(second)
            await session.run("U1")
        await trio.sleep(5)
        ends = [event.stop_reason for event in only(told(events), TurnEnded)]
        assert session.open == ()
    assert ends == [StopReason.END_TURN, StopReason.INTERRUPTED]


@pytest.mark.parametrize("how", ["interrupt", "run", "turn", "send"])
@pytest.mark.parametrize("disk", [0.0, SLOW_DISK, 3 * SLOW_DISK])
async def test_what_was_seen_is_kept_however_slow_the_disk(
    autojump_clock: MockClock, how: str, disk: float
) -> None:
    """R7: whenever a host interrupts an answer, the transcript holds what it has seen of it."""
    for instant in range(1, 24):
        when = instant * 0.05 + 0.013
        journal = AwaitedJournal(disk) if disk else MemoryJournal()
        async with Session(Telling([]), journal=journal) as session:
            events = session.events()
            start = trio.current_time()

            async def other(session: Session = session, until: float = start + when - 0.03) -> None:
                await trio.sleep_until(until)
                await session.send("Q1", when_busy="queue", on_interrupt="return")  # any record
                await session.send("Q2", when_busy="queue", on_interrupt="return")

            async with trio.open_nursery() as nursery:
                nursery.start_soon(other)
                with trio.move_on_at(start + when):
                    if how == "run":
                        await session.run("U1")
                    elif how == "turn":
                        async with session.turn("U1") as turn:
                            async for _ in turn:
                                pass
                    else:
                        await session.send("U1")
                        await trio.sleep_forever()
                if how == "interrupt":
                    await session.interrupt()
                elif how == "send":
                    await session.send("U2", when_busy="interrupt")
            while session.open:
                await trio.sleep(0.1)
            seen = "".join(event.text for event in only(told(events), TextDelta) if event.request == 1)
            kept = "".join(
                item.text for item in session.transcript if isinstance(item, Text) and item.request == 1
            )
            assert seen == kept, when


@pytest.mark.parametrize("how", ["run", "turn", "never entered"])
async def test_an_interrupt_that_was_taken_back(autojump_clock: MockClock, how: str) -> None:
    """R5, R7: the turn that goes on is shown to its end."""
    async with Session(Telling([]), journal=AwaitedJournal(SLOW_DISK)) as session:
        events = session.events()

        async def strikes() -> None:
            await trio.sleep(0.52)
            with trio.move_on_after(0.02):
                if how == "run":
                    await session.run("U2", when_busy="interrupt")
                elif how == "turn":
                    async with session.turn("U2", when_busy="interrupt"):
                        raise AssertionError("not recorded yet")
                else:
                    session.turn("U2", when_busy="interrupt")

        async def other() -> None:
            await trio.sleep(0.5)
            await session.send("Q", when_busy="queue", on_interrupt="return")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(other)
            nursery.start_soon(strikes)
            result = await session.run("U1")
        deltas = [event.text for event in only(told(events), TextDelta) if event.turn == 1]
    assert (result.stop_reason, "".join(deltas)) == (StopReason.END_TURN, "I deleted the file.")


@pytest.mark.parametrize("disk", [0.0, SLOW_DISK])
async def test_refused_calls_leave_nothing(autojump_clock: MockClock, disk: float) -> None:
    """What was refused, also to a host that is gone, is not remembered for ever."""
    journal = AwaitedJournal(disk) if disk else MemoryJournal()
    async with Session(Telling([]), journal=journal) as session:
        with pytest.raises(NothingToSend):
            await session.run()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(session.run, "U1")
            await trio.sleep(0.5)
            for after in (0.0, 0.05, 0.15):
                with trio.move_on_after(after), suppress(SessionBusy):
                    await session.run("U2", when_busy="reject")
                with trio.move_on_after(after), suppress(SessionBusy):
                    await session.run()
        await trio.sleep(1)
        conductor, owner = session._conductor, session._owner
        assert (conductor.tickets, conductor.going_on, conductor.riding, owner._replies) == ({}, {}, [], {})


async def test_a_request_that_waits_for_the_last_adapter(autojump_clock: MockClock) -> None:
    """R13: its time begins when it leaves, not while an adapter that was dismissed is still unwinding."""

    class Unwinding(Scripted):
        async def respond(self, request: Request, sink: Sink) -> Response:
            if request.number == 1:
                self.requests.append(request)
                try:
                    await trio.sleep(100)
                finally:
                    with trio.CancelScope(shield=True):
                        await trio.sleep(1.9)
            return await super().respond(request, sink)

    limits = Limits(request_timeout=1, grace=2, retries=0)
    model = Unwinding([Say(""), Say("A")])
    async with Session(model, limits=limits) as session:
        await session.send("U1")
        await trio.sleep(0.5)
        await session.interrupt()
        result = await session.run("U2")
    assert (result.stop_reason, result.text) == (StopReason.END_TURN, "A")


async def test_an_output_with_the_label_of_another_kind(autojump_clock: MockClock) -> None:
    """R16: it answers no call, and is left out of every later request."""

    class Odd(Scripted):
        async def respond(self, request: Request, sink: Sink) -> Response:
            if request.number == 1:
                self.requests.append(request)
                where = {"type": "container_reference", "container_id": "c_1"}
                action = {"commands": ["ls"], "timeout_ms": None, "max_output_length": None}
                call = {"type": "shell_call", "id": "sh_1", "call_id": "x", "status": "completed"}
                sink.item({**call, "action": action, "environment": where})
                sink.item({"type": "local_shell_call_output", "id": "ls_1", "call_id": "x", "output": "no"})
                sink.item({"type": "shell_call_output", "id": "so_1", "call_id": "x", "output": []})
                return Response()
            return await super().respond(request, sink)

    model = Odd([Say(""), Say("A")])
    async with Session(model) as session:
        await session.run("U1")
        assert (await session.run("U2")).text == "A"


@pytest.mark.parametrize("sort", ["wrapped", "partial", "object"])
async def test_a_plain_wrapper_of_an_async_function(sort: str) -> None:
    """What it has made is awaited, in the loop."""

    async def inner(path: str = ".") -> str:
        await trio.sleep(0.01)
        return f"{path}: two files"

    @functools.wraps(inner)
    def outer(*args: Any, **kwargs: Any) -> Any:
        return inner(*args, **kwargs)

    class Lists:
        async def __call__(self, path: str = ".") -> str:
            return await inner(path)

    functions: dict[str, Callable[..., Any]] = {
        "wrapped": outer,
        "partial": functools.partial(Lists(), path="a"),
        "object": Lists(),
    }
    model = Scripted([call("ls"), Say("A")])
    async with Session(model, tools=[tool(name="ls")(functions[sort])]) as session:
        await session.run("U1")
        assert outputs(session) == [f"{'a' if sort == 'partial' else '.'}: two files"]


async def test_a_session_of_another_loop_is_not_bounded_by_this_one() -> None:
    """C26: a plain tool that runs a sub-agent in a loop of its own: neither touches the other's engine."""
    ended = threading.Event()
    said: list[object] = []

    @tool
    async def inner() -> str:
        with trio.CancelScope(shield=True):
            await trio.sleep(1.2)  # over its deadline and that of the outer call, and within its grace
        return "inner!"

    async def main() -> None:
        model = Scripted([call("inner"), Say("sub!")])
        async with Session(model, tools=[inner], limits=Limits(deadline=0.3, grace=5)) as sub:
            result = await sub.run("Go.")
            said.extend([result.text, *(one.outcome and one.outcome.cause for one in result.calls)])

    @tool(deadline=0.5)
    def outer() -> None:
        try:
            trio.run(main)
        except BaseException as error:
            said.append(error)
            raise
        finally:
            ended.set()

    async with Session(
        Scripted([call("outer"), Say("A")]), tools=[outer], limits=Limits(grace=0.1)
    ) as session:
        assert (await session.run("U1")).text == "A"
    assert await trio.to_thread.run_sync(ended.wait, 30)
    assert said == ["sub!", Cause.RETURNED]


async def test_a_job_that_outlives_its_call_is_not_bounded_by_it(autojump_clock: MockClock) -> None:
    """C26: what a tool has left in the host's nursery is a session like any other once the call is over."""
    ends: list[object] = []

    @tool
    async def slow() -> None:
        try:
            await trio.sleep(100)
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(1)

    async def job() -> None:
        await trio.sleep(50)
        async with Session(Scripted([call("slow"), Say("B")]), tools=[slow]) as sub:
            with trio.move_on_after(1):
                await sub.run("Go.")
            await trio.sleep(5)
            ends.append(outputs(sub))

    async with trio.open_nursery() as nursery:

        @tool
        async def start() -> str:
            nursery.start_soon(job)
            try:
                await trio.sleep(100)
            finally:
                assert current_call().stopping
            return ""

        async with Session(Scripted([call("start"), Say("A")]), tools=[start]) as session:
            with trio.move_on_after(1):
                await session.run("U1")
            await trio.sleep(100)
    assert ends == [["Tool cancelled while it was running, after 2 s: it may have had effects."]]


async def test_an_approval_that_does_not_end_is_named(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """R8: closing waits for who was asked, and says for what."""

    async def approve(_call: object) -> bool:
        with trio.CancelScope(shield=True):
            await trio.sleep(50)
        return True

    gate = Gate()
    async with Session(Scripted([call("a")]), tools=[gate.tool], approve=approve) as session:
        await session.send("U1")
        await trio.sleep(1)
    assert "session.closed: an approval is waited for" in caplog.text
    assert isinstance(session.transcript[-1], Note)


def test_a_second_ctrl_c_while_closing(tmp_path: Path) -> None:
    """C62: nothing that is shielded outlives the session: the process ends."""
    script = tmp_path / "agent.py"
    script.write_text(
        """
import os, signal, threading, time, trio
from turnlock import Scripted, Session, tool
from turnlock.models import Invoke

@tool
async def slow() -> str:
    ready.set()
    try:
        await trio.sleep(60)
    finally:
        with trio.CancelScope(shield=True):
            closing.set()
            await trio.sleep(1)
    return ""

ready, closing = threading.Event(), threading.Event()

def twice():
    for event in (ready, closing):
        event.wait()
        time.sleep(0.2)
        os.kill(os.getpid(), signal.SIGINT)

async def main():
    async with Session(Scripted([Invoke("slow")]), tools=[slow]) as session:
        await session.run("U1")

threading.Thread(target=twice, daemon=True).start()
trio.run(main)
"""
    )
    ended = subprocess.run([sys.executable, script], capture_output=True, timeout=60, check=False)
    assert ended.returncode != 0
    assert b"KeyboardInterrupt" in ended.stderr
