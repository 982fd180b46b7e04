"""A file is the whole record of a session (R19): fed again, it gives the same states, requests and bytes.

Each story is a real session with ``journal="run.jsonl"``. What its engine knew after every input is compared
with what a new engine knows, made of the file alone; so are the bytes of every request.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias, get_args

import pytest
import trio
from attrs import define, field
from trio.testing import MockClock

from support.live import Gate, call, until
from support.recorded import Moment, entries_of, relive
from support.snapshot import snapshot
from turnlock import (
    ApprovalRequested,
    CallEnded,
    CallStarted,
    Deny,
    Invocation,
    Limits,
    Session,
    SessionBusy,
    Tool,
    ToolContext,
    TransitionRefused,
    TurnEnded,
    tool,
)
from turnlock.engine import CallKind, Engine, Input, inputs
from turnlock.journal import RequestSent
from turnlock.models import Fail, Pause, Request, Response, Say, Scripted, Sink, Stop
from turnlock.wire import Settings


@define(eq=False)
class Provider(Scripted):
    """A model that says items of the dialect, as they are, beside what its script says."""

    items: Mapping[int, list[dict[str, Any]]] = field(factory=dict, kw_only=True)
    options: Mapping[str, Any] = field(factory=dict, kw_only=True)

    def settings(self, instructions: str, tools: Any) -> Settings:
        return Settings(self.name, instructions, tuple(tools), self.options)

    async def respond(self, request: Request, sink: Sink) -> Response:
        for item in self.items.get(request.number, ()):
            sink.item(item)
        return await super().respond(request, sink)


@define(eq=False)
class Stage:
    """Where a story is told.

    Attributes:
        path: The file.
        sent: The bytes that left, by number.
    """

    path: Path
    sent: dict[int, bytes] = field(factory=dict)
    _models: list[Scripted] = field(factory=list)

    def session(self, model: Scripted, *tools: Tool | Callable[..., Any], **options: Any) -> Session:
        self._models.append(model)
        return Session(model, tools=tools, journal=str(self.path), **options)

    @property
    def bodies(self) -> dict[int, bytes]:
        return {request.number: request.body for model in self._models for request in model.requests}


Story: TypeAlias = Callable[[Stage], Awaitable[None]]
STORIES: dict[str, Story] = {}


def story(told: Story) -> Story:
    STORIES[told.__name__] = told
    return told


@tool
async def ls(path: str = ".") -> str:
    """List a folder."""
    return f"{path}: zwei Ordner"


# ── the stories ─────────────────────────────────────────────────────────────────────────────────────────


@story
async def tools_in_parallel(stage: Stage) -> None:
    """Calls that return, raise, are not there, or have arguments that are none."""

    async def fails() -> None:
        raise ValueError("half \ud83d")

    calls = (call("ls", path="a"), call("fails"), call("nobody"), call("ls", "b", path="b"))
    broken = (call("ls", "c", path=5), Say("So:"), call("ls", "a", path="again"))
    async with stage.session(Scripted([calls, broken, Say("Done.")]), ls, fails) as session:
        await session.run("Where?")
        await session.run([{"type": "input_text", "text": "Wo?"}], when_busy="steer")


@story
async def chat(stage: Stage) -> None:
    """The same in the other dialect, with what a developer says."""
    model = Scripted(
        [(Say("Let me see."), call("ls"), call("ls")), Say("Done."), Say("Yes."), Say("Ja.")],
        dialect="openai_chat",
    )
    async with stage.session(model, ls, instructions="Be brief.") as session:
        await session.run("Where?")
        events = session.events()
        await session.send("Speak German.", role="developer", id="mine")
        await until(events, TurnEnded)
        await session.run()


@story
async def interrupts(stage: Stage) -> None:
    """Interrupted while a tool runs and while text streams; messages are held, kept and returned."""
    gate = Gate("a")

    async def printing(context: ToolContext) -> None:
        context.output("half of it")
        await trio.sleep_forever()

    model = Scripted(
        [
            (call("a"), call("printing")),
            (Say("A long answer"), Pause(50.0)),
            (Say("Yes."), call("printing", "p"), call("a", "again")),
            Say("At last."),
        ]
    )
    async with stage.session(model, gate.tool, printing) as session:
        events = session.events()
        await session.send("U1")
        await until(events, CallStarted)
        await session.send("U2")
        await session.send("U3", when_busy="queue", on_interrupt="return")
        await session.interrupt("I changed my mind")
        await session.interrupt()
        await session.send("U4")
        await trio.sleep(10)
        await session.send("U5", when_busy="interrupt")
        await until(events, CallStarted)
        gate.go.set()
        with trio.move_on_after(10):
            await session.run("U6")
        await session.send("U7")
        await session.interrupt()
        await session.run("U8")


@story
async def timeouts(stage: Stage) -> None:
    """Tools past their deadline, one that does not stop; nobody approves; a turn, a request too long."""

    @tool(deadline=1)
    async def slow(context: ToolContext) -> None:
        context.output("so far")
        await trio.sleep_forever()

    @tool(deadline=1)
    async def stubborn() -> str:
        with trio.CancelScope(shield=True):
            await trio.sleep(9)
        return "late"

    @tool(idle_deadline=2)
    async def idle() -> None:
        await trio.sleep_forever()

    @tool(approval=True)
    async def asking() -> None:
        """Never run."""

    model = Scripted(
        [
            (call("slow"), call("stubborn"), call("idle"), call("asking")),
            (Say("Hm"), Pause(70.0)),
            Say("Now."),
            (call("idle"), Pause(30.0)),
            Pause(1000.0),
            Say("Never said."),
        ]
    )
    limits = Limits(approval_deadline=5, grace=0.5, request_timeout=60, turn_timeout=140, backoff=0.25)
    async with stage.session(model, slow, stubborn, idle, asking, limits=limits) as session:
        await session.run("U1")
        await session.run("U2")


@story
async def retries_and_refusals(stage: Stage) -> None:
    """Lost and asked again, with a wait of the provider's own; refused, too long, broken."""
    model = Scripted(
        [
            Fail(),
            (call("ls"), Fail(retry_after=7.5)),
            (Say("half an answ"), Fail()),
            Say("Done."),
            Fail("refused", "No tool output found for \ud83d."),
            Fail("overflow", "Too long."),
            (call("ls"), Stop("length")),
            (Say("Cut"), Stop("filter")),
            (call("ls"), Stop("pause")),
            (Say("On."), Fail("fatal", "Who are you?")),
            *[Fail()] * 3,
        ]
    )
    async with stage.session(model, ls, limits=Limits(retries=2)) as session:
        for number in range(6):
            await session.run(f"U{number}")
            await session.send(f"Q{number}", when_busy="queue")
        assert len(model.requests) > len(model.script)


@story
async def what_is_refused(stage: Stage) -> None:
    """A host's calls that no row allows are recorded, and refused again."""

    @tool(approval=True)
    async def asking() -> str:
        return "asked"

    model = Scripted([(call("asking"), call("asking", "b"), call("asking", "c")), Say("Done."), Say("Yes.")])
    async with stage.session(model, asking) as session:
        events = session.events()
        await session.send("U1", id="one")
        await session.send("U1 again", id="one")
        asked = [(await until(events, ApprovalRequested)).call for _ in range(3)]
        with pytest.raises(SessionBusy):
            await session.send("U2", when_busy="reject")
        with pytest.raises(SessionBusy):
            await session.run()
        await session.approve(asked[0])
        await session.deny(asked[1], "not on a Friday")
        await session.cancel(asked[2])
        for refused in (session.approve(asked[0]), session.deny(asked[2]), session.cancel(asked[2])):
            with pytest.raises(TransitionRefused):
                await refused
        await until(events, TurnEnded)
        await session.run("U3", when_busy="reject")


@story
async def approvals(stage: Stage) -> None:
    """Somebody is asked, and allows, denies or is not there."""

    async def approve(asked: Invocation) -> bool | Deny:
        await trio.sleep(asked.ordinal)
        if asked.ordinal == 3:
            raise ConnectionError("the editor is gone")
        return asked.ordinal == 1 or Deny("no")

    model = Scripted([(call("ls"), call("ls"), call("ls")), Say("Done.")])
    async with stage.session(model, ls, approve=approve, limits=Limits(parallel=1)) as session:
        await session.run("U1")


@story
async def exclusive_and_final(stage: Stage) -> None:
    """Calls that run alone, one that ends the turn; a turn that may ask no more; closed while some wait."""

    @tool(exclusive=True)
    async def alone(seconds: float) -> str:
        await trio.sleep(seconds)
        return ""

    @tool(ends_turn=True)
    async def done() -> str:
        return "done"

    gate = Gate("a")
    model = Scripted(
        [
            (call("ls"), call("alone", seconds=2), call("ls"), call("alone", seconds=1)),
            (call("done"), call("ls")),
            call("ls"),
            call("ls"),
            call("a"),
        ]
    )
    async with stage.session(model, ls, alone, done, gate.tool, limits=Limits(max_requests=2)) as session:
        for number in range(2):
            await session.run(f"U{number}")
        events = session.events()
        await session.send("U3")
        await until(events, CallStarted)
        await session.send("U4")
        await session.send("U5", when_busy="queue")


def built_in(kind: CallKind, value: Any) -> Tool:
    async def answer(**_arguments: Any) -> Any:
        return value

    return tool(name=kind.value, kind=kind)(answer)


@story
async def built_in_kinds(stage: Stage) -> None:
    """Every kind of call, with values that are no text; what the provider does, and only it understands."""
    chunk = {"stdout": "ü", "stderr": "", "outcome": {"type": "exit", "exit_code": 0}}
    tools = [
        built_in(CallKind.SHELL, [chunk, chunk]),
        built_in(CallKind.LOCAL_SHELL, {"output": "x", "metadata": {"exit_code": 0, "seconds": 0.25}}),
        built_in(CallKind.COMPUTER, {"image_url": "data:image/png;base64,AA=="}),
        built_in(CallKind.TOOL_SEARCH, [{"type": "function", "name": "f", "parameters": {}}]),
        built_in(CallKind.APPLY_PATCH, "patched"),
        tool(name="poem", kind="custom")(lambda text: f"{text}!"),
    ]
    told = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "sealed"}
    model = Provider(
        [Say("So:"), Say("Done.")],
        items={
            1: [
                told,
                {"type": "shell_call", "id": "sh_1", "call_id": "a", "action": {"commands": ["ls"]}},
                {"type": "local_shell_call", "id": "l_1", "call_id": "b", "action": {"command": ["ls"]}},
                {
                    "type": "computer_call",
                    "id": "cu_1",
                    "call_id": "c",
                    "action": {"type": "click", "x": 1.5, "y": 2**60},
                    "pending_safety_checks": [{"id": "sc_1", "code": "x", "message": "?"}],
                },
                {
                    "type": "tool_search_call",
                    "id": "ts_1",
                    "call_id": "d",
                    "execution": "client",
                    "arguments": {"goal": "find"},
                },
                {
                    "type": "apply_patch_call",
                    "id": "ap_1",
                    "call_id": "e",
                    "operation": {"type": "update_file", "path": "a", "diff": "+b"},
                },
                {"type": "custom_tool_call", "id": "ctc_1", "call_id": "f", "name": "poem", "input": "Ode"},
                {
                    "type": "mcp_approval_request",
                    "id": "mcpr_1",
                    "server_label": "s",
                    "name": "n",
                    "arguments": "{}",
                },
                {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"query": "q"}},
            ],
        },
        options={"store": False, "temperature": 0.1, "include": ["reasoning.encrypted_content"]},
    )
    # What answers the MCP approval is a plain function: of its thread's time the clock knows nothing.
    limits = Limits(deadline=None, approval_deadline=None, request_timeout=None)
    async with stage.session(model, *tools, approve=lambda _call: True, limits=limits) as session:
        result = await session.run("U1")
        assert [one.outcome.cause for one in result.calls if one.outcome] == ["returned"] * 7
        assert len(model.requests) == 2


@story
async def odd_texts(stage: Stage) -> None:
    """Half an emoji, line ends, zeros, an output that is too long, a value that is no text, nothing."""

    async def big() -> str:
        return "ü" * 2_000

    async def empty() -> str:
        return " \n"

    async def value() -> dict[str, Any]:
        return {"x": [1, None, 2.5], "ü": "\u2028"}

    model = Scripted(
        [(Say("cut \ud83d"), call("big"), call("empty"), call("value")), Say("\x00\x1f\x7f\u2028")]
    )
    limits = Limits(output_cap=300)
    instructions = 'Say "ü" \ud83d.\n'
    async with stage.session(model, big, empty, value, instructions=instructions, limits=limits) as session:
        await session.run("half \ude00\r\n\t")


@story
async def a_history(stage: Stage) -> None:
    """A session that goes on from the items of another, with a note of its own."""
    async with Session(Scripted([(Say("So:"), call("ls", "x")), Say("Done.")]), tools=[ls]) as before:
        await before.run("U1")
    gate = Gate("a")
    model = Scripted([(call("ls", "x"), call("a")), Say("Done.")])
    async with stage.session(
        model, ls, gate.tool, history=before.transcript, note="Stopped by hand.", id="goes on"
    ) as session:
        events = session.events()
        await session.send("U2")
        await until(events, CallEnded)
        await session.interrupt()
        await session.run("U3")


@story
async def no_note(stage: Stage) -> None:
    """A session that leaves the note out."""
    gate = Gate("a")
    model = Scripted([call("a"), Say("Done.")])
    async with stage.session(model, gate.tool, note=None) as session:
        events = session.events()
        await session.send("U1")
        await until(events, CallStarted)
        await session.interrupt()
        await session.run("U2")


@story
async def kept_back(stage: Stage) -> None:
    """What the provider has refused is not sent again, and what it would refuse is not sent at all."""
    nothing_behind = {"type": "compaction_trigger"}
    model = Provider([Fail("refused", "Naughty."), Say("Done.")], items={3: [nothing_behind]})
    async with stage.session(model) as session:
        for text in ("U1", "U1", "U2", "U3"):
            await session.run(text)
    assert len(model.requests) == 2


# ── the same again ──────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def lived(monkeypatch: pytest.MonkeyPatch) -> list[Moment]:
    """What every engine knew after each input."""
    moments: list[Moment] = []
    receive = Engine.receive

    def noting(self: Engine, taken: Input) -> Any:
        refused = True
        try:
            said = receive(self, taken)
            refused = False
            return said
        finally:
            moments.append(Moment(taken, refused, snapshot(self)))

    monkeypatch.setattr(Engine, "receive", noting)
    return moments


@pytest.mark.parametrize("name", STORIES)
async def test_the_same_again(
    name: str, tmp_path: Path, lived: list[Moment], inline: None, autojump_clock: MockClock
) -> None:
    """R19: the same states after every input, the same requests, and the same bytes."""
    stage = Stage(tmp_path / "run.jsonl")
    await STORIES[name](stage)
    own = [moment.state for moment in lived]
    fed = [(moment.fed, moment.refused) for moment in lived]
    entries = entries_of(stage.path)
    assert len(entries) > 5
    relived = relive(entries)
    count = len(relived.moments)
    assert [(moment.fed, moment.refused) for moment in relived.moments] == fed[-count:]
    for number, moment in enumerate(relived.moments):
        assert moment.state == own[number - count], moment.fed
    recorded = {entry.request: entry.body for entry in entries if isinstance(entry, RequestSent)}
    assert relived.bodies == recorded
    assert stage.bodies.items() <= recorded.items()
    assert len(stage.bodies) >= 2


async def test_the_stories_tell_everything(tmp_path: Path, inline: None, autojump_clock: MockClock) -> None:
    """R19: between them they feed every input of a session, and ask for requests that must not leave."""
    fed: set[type] = set()
    unsendable = 0
    for name, told in STORIES.items():
        stage = Stage(tmp_path / f"{name}.jsonl")
        await told(stage)
        relived = relive(entries_of(stage.path))
        fed |= {type(moment.fed) for moment in relived.moments}
        unsendable += len(relived.unsendable)
    assert set(get_args(Input)) - fed == {inputs.Resumed}  # the engine knows it; no session is resumed yet
    assert unsendable == 2
