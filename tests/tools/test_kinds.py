"""Tools of built-in kinds: their calls' arguments are the provider's, and none of them is lost silently."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any

import pytest

from support.live import asked
from turnlock import Cause, DeclarationError, Scripted, Session, tool
from turnlock.engine import CallKind
from turnlock.models import Request, Response, Say, Sink
from turnlock.tools import BadArguments
from turnlock.tools.kinds import CARRIED
from turnlock.wire.openai_responses.kinds import SHAPES


def local_shell(command: list[str]) -> None: ...
def shell(commands: list[str]) -> None: ...
def apply_patch(type: str, path: str, diff: str = "") -> None: ...  # noqa: A002  # as the provider calls it
def computer(action: dict[str, Any]) -> None: ...
def mcp_approval(server_label: str, name: str, arguments: str) -> None: ...


FUNCTIONS: dict[str, Callable[..., None]] = {
    each.__name__: each for each in (local_shell, shell, apply_patch, computer, mcp_approval)
}
CALLS = {
    "local_shell": '{"type": "exec", "command": ["ls"], "env": {}, "user": null, "timeout_ms": 5}',
    "shell": '{"commands": ["ls"], "timeout_ms": 120000, "max_output_length": 4096}',
    "apply_patch": '{"type": "delete_file", "path": "a"}',
    "computer": '{"action": {"type": "click", "x": 0, "y": 0}}',
    "mcp_approval": '{"server_label": "s", "name": "n", "arguments": "{}"}',
}
READ: dict[str, dict[str, Any]] = {
    "local_shell": {"command": ["ls"]},
    "shell": {"commands": ["ls"]},
    "apply_patch": {"type": "delete_file", "path": "a", "diff": ""},
    "computer": {"action": {"type": "click", "x": 0, "y": 0}},
    "mcp_approval": {"server_label": "s", "name": "n", "arguments": "{}"},
}


@pytest.mark.parametrize("kind", FUNCTIONS)
def test_the_fields_of_a_kind(kind: str) -> None:
    """By name or by kind it is the same tool; what says nothing, or bounds the call, may be left out."""
    function = FUNCTIONS[kind]
    for made in (tool(name=kind)(function), tool(kind=kind)(function), tool(kind=kind, name=kind)(function)):
        assert (made.name, made.kind, made.parameters) == (kind, CallKind(kind), {})
        assert made.read(CALLS[kind]) == READ[kind]
        with pytest.raises(BadArguments, match="missing required field"):
            made.read("{}")


def test_null_is_what_the_model_left_out() -> None:
    """Providers write null for it: the tool's default stands, also where its annotation knows no null."""

    @tool(name="local_shell")
    def run(command: list[str], working_directory: str = ".", user: str | None = "me") -> None: ...

    called = '{"type": "exec", "command": ["ls"], "working_directory": null, "user": null, "env": {}}'
    assert run.read(called) == {"command": ["ls"], "working_directory": ".", "user": "me"}
    with pytest.raises(BadArguments, match="Expected `array`, got `null`"):
        run.read('{"command": null}')


def test_every_kind_is_known() -> None:
    """What the wire hands over is what tools are held to; tool_search has a schema of its own."""
    with_schema = {CallKind.FUNCTION, CallKind.CUSTOM, CallKind.TOOL_SEARCH}
    assert set(CARRIED) == set(CallKind) - with_schema
    for kind, carried in CARRIED.items():
        shape = SHAPES[kind]
        assert {*carried.needed, *carried.others} >= set(shape.parts or shape.blank), kind


@pytest.mark.parametrize(
    ("function", "arguments", "field"),
    [
        (local_shell, '{"command": ["rm", "a"], "working_directory": "/srv"}', "working_directory"),
        (local_shell, '{"command": ["ls"], "env": {"A": "1"}}', "env"),
        (local_shell, '{"command": ["ls"], "type": "something new"}', "type"),
        (shell, '{"commands": ["ls"], "stdin": "y"}', "stdin"),
        (computer, '{"action": {"type": "wait"}, "actions": [{"type": "wait"}]}', "actions"),
        (computer, '{"action": {"type": "wait"}, "dry_run": false}', "dry_run"),
    ],
)
def test_what_a_call_says_and_a_tool_does_not_take(
    function: Callable[..., None], arguments: str, field: str
) -> None:
    """C19: a command in the wrong folder is no command that was asked for; the model is told."""
    with pytest.raises(BadArguments, match=re.escape(f"Object contains unknown field `{field}`")):
        tool(kind=function.__name__)(function).read(arguments)


def test_keyword_arguments_take_everything() -> None:
    """A function with `**rest` decides on its own what it leaves out, whatever its others are called."""

    @tool(kind="local_shell")
    def run(*, dry_run: bool = False, **rest: Any) -> None: ...

    said = '{"command": ["ls"], "working_directory": "/srv", "timeout_ms": null}'
    assert run.read(said) == {
        "dry_run": False,
        "command": ["ls"],
        "working_directory": "/srv",
        "timeout_ms": None,
    }


def test_what_the_entry_carries_changes_no_reading() -> None:
    """`parameters=` of a built-in kind stands in the request beside its type: it is no schema."""
    options = {"environment": {"type": "local"}}
    made = tool(kind="shell", parameters=options)(shell)
    assert made.parameters == options
    assert made.read(CALLS["shell"]) == READ["shell"]
    own = tool(kind="shell", parameters=options)(lambda **arguments: None)
    assert (own.parameters, own.read('{"x": 1}')) == (options, {"x": 1})


def defaults_only(action: str = "default", *, dry_run: bool = False) -> None: ...
def nothing() -> None: ...
def folder(command: list[str], cwd: str = ".") -> None: ...
def path_only(path: str) -> None: ...


NEVER = (
    "calls of kind local_shell carry command, type, env, timeout_ms, user, working_directory, and never {}: "
    "leave it out, bind it with functools.partial, or take **arguments"
)
NOT_TAKEN = (
    "it does not take {}, by which calls of kind {} say what to do: add the parameter, or take **arguments"
)


@pytest.mark.parametrize(
    ("function", "kind", "problems"),
    [
        (
            defaults_only,
            "local_shell",
            (NEVER.format("action, dry_run"), NOT_TAKEN.format("command", "local_shell")),
        ),
        (folder, "local_shell", (NEVER.format("cwd"),)),
        (path_only, "apply_patch", (NOT_TAKEN.format("type", "apply_patch"),)),
        (nothing, "apply_patch", (NOT_TAKEN.format("type and path", "apply_patch"),)),
        (nothing, "computer", (NOT_TAKEN.format("action or actions", "computer"),)),
    ],
)
def test_parameters_that_no_call_carries(
    function: Callable[..., None], kind: str, problems: tuple[str, ...]
) -> None:
    """Such a tool would run on its defaults while the model's command is lost: it cannot be declared."""
    with pytest.raises(DeclarationError) as caught:
        tool(kind=kind)(function)
    assert caught.value.problems == problems


def test_parameters_that_are_bound() -> None:
    """The host has decided on them: no call needs to carry them, and none may."""
    made = tool(kind="local_shell")(functools.partial(folder, cwd="/srv"))
    assert made.read('{"command": ["ls"]}') == {"command": ["ls"]}
    with pytest.raises(DeclarationError, match="it does not take command"):
        tool(kind="local_shell")(functools.partial(local_shell, command=["ls"]))


def test_functions_that_are_called_like_a_kind() -> None:
    """A function named `shell` is told to the model as a function; the kind is chosen, never guessed."""

    @tool
    def shell(command: str) -> None: ...

    assert (shell.name, shell.kind) == ("shell", CallKind.FUNCTION)
    assert shell.parameters["required"] == ["command"]


def test_tool_search() -> None:
    """Of the built-in kinds it alone has a schema of arguments, and is held to it as functions are."""

    @tool(kind="tool_search")
    def find(goal: str) -> None:
        """Find tools."""

    assert (find.name, find.parameters["required"]) == ("tool_search", ["goal"])
    assert find.parameters["additionalProperties"] is False
    assert find.read('{"goal": "x"}') == {"goal": "x"}
    with pytest.raises(BadArguments, match="unknown field `limit`"):
        find.read('{"goal": "x", "limit": 3}')


class Shell(Scripted):
    """A model that begins with a command in a folder of its own."""

    async def respond(self, request: Request, sink: Sink) -> Response:
        if request.number == 1:
            action = {"type": "exec", "command": ["make"], "env": {}, "working_directory": "/srv"}
            sink.item({"type": "local_shell_call", "id": "l_1", "call_id": "a", "action": action})
        return await super().respond(request, sink)


async def test_a_command_in_a_folder_that_is_not_taken() -> None:
    """C19: it does not run, and the model reads why."""
    ran: list[list[str]] = []

    @tool(kind="local_shell")
    async def run(command: list[str]) -> str:
        ran.append(command)
        return "ran"

    model = Shell([Say("Hm."), Say("A")])
    async with Session(model, tools=[run]) as session:
        result = await session.run("U1")
    assert ran == []
    assert result.calls[0].outcome is not None
    assert result.calls[0].outcome.cause is Cause.BAD_ARGUMENTS
    assert "unknown field `working_directory`" in asked(model)[1]
