"""Tools as they are declared: what the model is told, how arguments are read, what cannot be declared."""

from __future__ import annotations

import datetime as dt
import enum
import functools
import re
import uuid
from collections.abc import Callable
from typing import Annotated, Any, Literal

import attrs
import msgspec
import pytest

from turnlock import DeclarationError, Tool, ToolContext, tool
from turnlock.engine import CallKind
from turnlock.tools import DEFAULT, BadArguments, as_tools


def test_a_whole_function() -> None:
    """Name, description and schema come from the function, and each parameter from its own line."""

    @tool
    async def find_files(pattern: str, folder: str = ".", *, limit: int | None = None) -> str:
        """Find files by name.

        Hidden ones too.

        Args:
            pattern: What to look for, with * for
                any number of characters.
            folder (str): Where: a path.
            limit: How many at most.

        Returns:
            One path a line.
        """
        return f"{pattern} {folder} {limit}"

    assert (find_files.name, find_files.kind, find_files.is_async) == ("find_files", CallKind.FUNCTION, True)
    assert find_files.description == "Find files by name.\n\nHidden ones too."
    assert find_files.parameters == {
        "type": "object",
        "properties": {
            "pattern": {
                "type": "string",
                "description": "What to look for, with * for any number of characters.",
            },
            "folder": {"type": "string", "description": "Where: a path.", "default": "."},
            "limit": {
                "anyOf": [{"type": "integer"}, {"type": "null"}],
                "description": "How many at most.",
                "default": None,
            },
        },
        "required": ["pattern"],
        "additionalProperties": False,
    }
    assert find_files.read('{"pattern": "*.md"}') == {"pattern": "*.md", "folder": ".", "limit": None}
    assert find_files.spec.strict is False


class Colour(enum.Enum):
    RED = "red"


@attrs.frozen
class Point:
    x: int
    y: int = 0


@pytest.mark.parametrize(
    ("annotation", "schema", "arguments", "value"),
    [
        (str, {"type": "string"}, '"x"', "x"),
        (bool, {"type": "boolean"}, "true", True),
        (list[int], {"type": "array", "items": {"type": "integer"}}, "[1]", [1]),
        (
            dict[str, int],
            {"type": "object", "additionalProperties": {"type": "integer"}},
            '{"a":1}',
            {"a": 1},
        ),
        (Literal["a", "b"], {"enum": ["a", "b"]}, '"b"', "b"),
        (Colour, {"$ref": "#/$defs/Colour"}, '"red"', Colour.RED),
        (Point, {"$ref": "#/$defs/Point"}, '{"x": 1}', Point(1)),
        (dt.date, {"type": "string", "format": "date"}, '"2026-01-02"', dt.date(2026, 1, 2)),
        (
            uuid.UUID,
            {"type": "string", "format": "uuid"},
            '"00000000-0000-0000-0000-000000000001"',
            uuid.UUID(int=1),
        ),
        (
            Annotated[int, msgspec.Meta(ge=1, description="A count.")],
            {"type": "integer", "minimum": 1, "description": "A count."},
            "1",
            1,
        ),
        (Any, {}, '{"a": [null]}', {"a": [None]}),
    ],
    ids=str,
)
def test_annotations(annotation: Any, schema: dict[str, Any], arguments: str, value: object) -> None:
    """What is told is what is read: one type says both."""

    def function(x: Any) -> None:
        """Take one value."""

    function.__annotations__["x"] = annotation
    made = tool(function)
    assert made.parameters["properties"]["x"] == schema
    assert made.read(f'{{"x": {arguments}}}') == {"x": value}


def test_types_of_ones_own_are_defined_once() -> None:
    """They stand in $defs, and are referred to."""

    @tool
    def function(p: Point, q: list[Point]) -> None: ...

    assert function.parameters["$defs"] == {
        "Point": {
            "title": "Point",
            "type": "object",
            "properties": {"x": {"type": "integer"}, "y": {"type": "integer", "default": 0}},
            "required": ["x"],
        }
    }


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ('{"n": "1"}', "Expected `int`, got `str` - at `$.n`"),
        ("{}", "Object missing required field `n`"),
        ('{"n": 1, "m": 2}', "Object contains unknown field `m`"),
        ('{"n": 0}', "Expected `int` >= 1"),
        ("[]", "Expected `object`, got `array`"),
        ('{"n": 1', "Input data was truncated"),
        ("\ud83d", "surrogates not allowed"),
        ('{"deep": ' + "[" * 100_000 + "]" * 100_000 + "}", "recursion"),
    ],
    ids=lambda text: text[:20].encode("ascii", "replace").decode(),
)
def test_arguments_that_do_not_fit(arguments: str, why: str) -> None:
    """C19: the reason is one that the model can act on; nothing else is ever raised."""

    @tool
    def function(n: Annotated[int, msgspec.Meta(ge=1)], deep: Any = None) -> None: ...

    with pytest.raises(BadArguments, match=re.escape(why)):
        function.read(arguments)


def test_functions_without_annotations() -> None:
    """Everything is taken, as it comes."""

    def function(a, b=3):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202  # this is what it is about
        """Take two values."""

    made = tool(function)
    assert made.parameters["properties"] == {"a": {}, "b": {"default": 3}}
    assert made.read('{"a": {"x": [1]}}') == {"a": {"x": [1]}, "b": 3}


def test_keyword_arguments_of_any_name() -> None:
    """`**rest` takes what is not named, and the schema allows it."""

    @tool
    def function(a: int, **rest: Any) -> None: ...

    assert "additionalProperties" not in function.parameters
    assert function.read('{"a": 1, "b": [2], "c": null}') == {"a": 1, "b": [2], "c": None}


def test_defaults_are_not_shared() -> None:
    """What one call does to a default, no other call sees."""

    @tool
    def function(x: list[int] = [1], y: dict[str, list[int]] = {"a": []}, z: list[int] = []) -> None:  # noqa: B006  # this is what it is about
        """Take values that can change."""

    for values in function.read("{}").values():
        values.append(2) if isinstance(values, list) else values["a"].append(2)
    assert function.read("{}") == {"x": [1], "y": {"a": []}, "z": []}


@pytest.mark.parametrize("annotation", [ToolContext, ToolContext | None], ids=str)
def test_the_context_is_not_told(annotation: Any) -> None:
    """A parameter that wants the call's context is given it, and is no business of the model's."""

    def function(a: int, context: Any = None) -> None:
        """Take a value and a context."""

    function.__annotations__["context"] = annotation
    made = tool(function)
    assert made.context == "context"
    assert list(made.parameters["properties"]) == ["a"]
    with pytest.raises(BadArguments):
        made.read('{"a": 1, "context": 2}')


class Counter:
    """Counts things."""

    def __init__(self, start: int) -> None:
        self.count = start

    async def __call__(self, by: int = 1) -> int:
        """Not what the model reads."""
        self.count += by
        return self.count

    def reset(self, to: int) -> None:
        """Begin anew."""
        self.count = to


async def test_callable_objects_and_methods() -> None:
    """An object is called by its class's __call__, and described by its own docstring."""
    counter = Counter(5)
    made = tool(name="count")(counter)
    assert (made.description, made.is_async) == ("Counts things.", True)
    assert list(made.parameters["properties"]) == ["by"]
    assert await made(2) == 7
    reset = tool(counter.reset)
    assert (reset.name, reset.description, reset.is_async) == ("reset", "Begin anew.", False)
    reset(to=1)
    assert counter.count == 1


def test_partial_functions() -> None:
    """What the host has bound is not told, and no model can bind it otherwise."""

    async def read_file(root: str, path: str, *, lines: int = 10) -> str:
        """Read a file.

        Args:
            root: Where.
            path: Which.
            lines: How many.
        """
        return f"{root}/{path}:{lines}"

    for bound in (
        functools.partial(read_file, root="/safe"),
        functools.partial(read_file, "/safe"),
        functools.partial(functools.partial(read_file, root="/safe"), lines=10),
    ):
        made = tool(name="read_file")(bound)
        assert (made.description, made.is_async) == ("Read a file.", True)
        assert "root" not in made.parameters["properties"]
        assert made.parameters["properties"]["path"] == {"type": "string", "description": "Which."}
        with pytest.raises(BadArguments, match="unknown field `root`"):
            made.read('{"path": "a", "root": "/"}')


def test_wrapped_functions() -> None:
    """A decorator that says what it wraps is looked through."""

    def inner(x: int) -> str:
        """The wrapped one."""
        return str(x)

    @functools.wraps(inner)
    def outer(*args: Any, **kwargs: Any) -> str:
        return inner(*args, **kwargs)

    made = tool(outer)
    assert (made.name, made.description) == ("inner", "The wrapped one.")
    assert list(made.parameters["properties"]) == ["x"]


def test_names_descriptions_and_schemas_of_ones_own() -> None:
    """They replace what the function says; a schema of one's own is not checked."""

    def function(**arguments: Any) -> None:
        """Not this."""

    schema = {"type": "object", "properties": {"x": {"type": "integer"}}}
    made = tool(name="mine", description="This.", parameters=schema)(function)
    assert (made.name, made.description, made.parameters) == ("mine", "This.", schema)
    assert made.read('{"x": "no integer"}') == {"x": "no integer"}
    assert tool(description="")(function).description == ""


def test_options() -> None:
    """They stand on the tool as they were given; times default to the session's."""

    def function() -> None: ...

    plain = tool(function)
    assert (plain.deadline, plain.idle_deadline, plain.exclusive, plain.ends_turn, plain.approval) == (
        DEFAULT,
        DEFAULT,
        False,
        False,
        None,
    )
    made = tool(
        deadline=1.5, idle_deadline=None, exclusive=True, ends_turn=True, approval=False, strict=True
    )(function)
    assert (made.deadline, made.idle_deadline, made.exclusive, made.ends_turn, made.approval) == (
        1.5,
        None,
        True,
        True,
        False,
    )
    assert made.spec.strict is True
    assert made.declared == {
        "name": "function",
        "description": "",
        "parameters": {"type": "object", "properties": {}, "required": [], "additionalProperties": False},
        "kind": "function",
        "strict": True,
    }


# ── kinds ───────────────────────────────────────────────────────────────────────────────────────────


def test_a_custom_tool() -> None:
    """Its function has one parameter, the text; its parameters are the format of its input."""

    def grep(pattern: str, context: ToolContext) -> None:
        """Search."""

    grammar = {"type": "grammar", "syntax": "regex", "definition": ".*"}
    made = tool(kind="custom", parameters=grammar)(grep)
    assert (made.kind, made.parameters, made.context) == (CallKind.CUSTOM, grammar, "context")
    assert made.read('{"input": "a b"}') == {"pattern": "a b"}
    assert made.read("{}") == {"pattern": ""}
    assert made.spec.strict is None


# ── what cannot be declared ─────────────────────────────────────────────────────────────────────────


def positional(a: int, /) -> None: ...


def variadic(*args: int) -> None: ...


def unsayable(where: complex) -> None: ...


def unnamed(x: Missing) -> None: ...  # type: ignore[name-defined]  # noqa: F821  # this is what it is about


def two(a: str, b: str) -> None: ...


class Mutable:
    """A default that JSON cannot say."""


def odd_default(x: Mutable = Mutable()) -> None: ...  # noqa: B008  # this is what it is about


@pytest.mark.parametrize(
    ("function", "options", "error"),
    [
        (positional, {}, "the tool positional is not valid: it takes a: 'int' by position: models give"),
        (variadic, {}, "it takes \\*args: 'int' by position"),
        (
            unsayable,
            {},
            "type <class 'complex'> is not supported.*annotate it otherwise, or give parameters=",
        ),
        (odd_default, {}, "Mutable.*parameters="),
        (unnamed, {}, "name 'Missing' is not defined.*names of its module"),
        (two, {"kind": "custom"}, "give its function one parameter, the text"),
        (two, {"kind": "telepathy"}, "'telepathy' is no kind of call: give one of function, custom, local_"),
        (two, {"kind": "shell", "name": "run"}, "calls of kind shell go to the tool of that name"),
        (two, {"name": "no spaces"}, "1 to 64 letters, digits, _ or -: give name="),
        (two, {"name": "x" * 65}, "1 to 64 letters"),
        (functools.partial(two, a="x"), {}, "give name="),
        (print, {}, "by position"),
    ],
)
def test_what_cannot_be_declared(function: Callable[..., Any], options: dict[str, Any], error: str) -> None:
    """Every error names the tool, what is wrong, and the repair."""
    with pytest.raises(DeclarationError, match=error):
        tool(**options)(function)


def test_two_tools_of_one_name() -> None:
    """A model could not tell them apart."""

    def a() -> None: ...

    made = as_tools([a, tool(name="b")(a)])
    assert {name: each.name for name, each in made.items()} == {"a": "a", "b": "b"}
    assert all(isinstance(each, Tool) for each in made.values())
    with pytest.raises(DeclarationError, match="the tool a is not valid: two tools have this name"):
        as_tools([a, tool(a)])
