"""Functions that a tool cannot be made of, and defaults that say something else than their annotations."""

from __future__ import annotations

import datetime as dt
import enum
import functools
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Any, Literal

import attrs
import msgspec
import pytest

from support.live import asked, call
from turnlock import DeclarationError, Scripted, Session, tool
from turnlock.models import Say
from turnlock.tools import BadArguments

# ── methods ─────────────────────────────────────────────────────────────────────────────────────────


class Notes:
    """Methods of every sort."""

    shelf = "A"

    def __init__(self) -> None:
        self.kept: list[str] = []

    def keep(self, text: str) -> str:
        """Keep a note."""
        self.kept.append(text)
        return f"{len(self.kept)} kept"

    async def find(self, text: str) -> list[str]:
        """Find notes."""
        return [note for note in self.kept if text in note]

    @classmethod
    def count(cls, of: str) -> str:
        """Count what stands on the shelf."""
        return f"no {of} on {cls.shelf}"

    @staticmethod
    async def upper(text: str) -> str:
        """Say it louder."""
        return text.upper()


async def test_methods_of_an_object() -> None:
    """Bound to it, they are tools like others: plain, async, of the class, or static."""
    notes = Notes()
    tools = [tool(each) for each in (notes.keep, notes.find, notes.count, notes.upper)]
    assert [list(each.parameters["properties"]) for each in tools] == [["text"], ["text"], ["of"], ["text"]]
    assert [each.is_async for each in tools] == [False, True, False, True]
    model = Scripted(
        [
            call("keep", "a", text="milk"),
            (call("find", "b", text="mi"), call("count", "c", of="pens"), call("upper", "d", text="x")),
            Say("A"),
        ]
    )
    async with Session(model, tools=tools) as session:
        await session.run("U1")
    assert asked(model)[2].endswith('O(b: ["milk"]) O(c: no pens on A) O(d: X)')


@pytest.mark.parametrize(
    ("function", "options"),
    [
        (Notes.keep, {}),
        (Notes.keep, {"parameters": {"type": "object"}}),
        (Notes.keep, {"kind": "custom"}),
        (functools.partial(Notes.keep, text="x"), {"name": "keep"}),
    ],
)
def test_methods_without_their_object(function: Callable[..., Any], options: dict[str, Any]) -> None:
    """The model would be asked for `self`, and no call could ever succeed."""
    with pytest.raises(DeclarationError) as caught:
        tool(**options)(function)
    assert str(caught.value) == (
        "the tool keep is not valid: it is a method of Notes without its object, and the model would have to "
        "give 'self': use tool(instance.keep), or a function"
    )


def test_decorators_in_the_body_of_a_class() -> None:
    """There is no object yet: each is refused with what to write instead; a static method needs none."""
    with pytest.raises(DeclarationError, match=r"method of Inner .* use tool\(instance.again\)"):

        class Inner:
            @tool
            def again(self) -> Inner:
                """Its annotation names the class in whose body it stands."""
                return self

    with pytest.raises(DeclarationError, match="give 'cls': use tool"):

        class Other:
            @classmethod
            @tool
            def count(cls) -> None: ...

    with pytest.raises(DeclarationError, match=r"use tool\(Class.method\) after it"):

        class Third:
            @tool
            @classmethod
            def count(cls) -> None: ...

    class Fourth:
        @tool
        @staticmethod
        async def upper(text: str) -> str:
            return text.upper()

    assert (Fourth.upper.name, Fourth.upper.is_async) == ("upper", True)
    assert list(Fourth.upper.parameters["properties"]) == ["text"]


def test_functions_that_take_a_self() -> None:
    """The name alone says nothing: only what stands in the body of a class is a method."""

    def greet(self: str) -> str:
        """Greet somebody."""
        return self

    def compare(self, other):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202  # this is what it is about
        """Stands in no class."""

    assert list(tool(greet).parameters["properties"]) == ["self"]
    assert list(tool(compare).parameters["properties"]) == ["self", "other"]
    bound = tool(name="keep")(functools.partial(Notes.keep, Notes()))
    assert list(bound.parameters["properties"]) == ["text"]


# ── generators ──────────────────────────────────────────────────────────────────────────────────────


def lines() -> Iterator[str]:
    """One after the other."""
    yield "a"


async def pages() -> AsyncIterator[str]:
    """The same, awaited."""
    yield "a"


class Pages:
    """An object that can be called."""

    def __call__(self, path: str) -> Iterator[str]:
        yield path

    async def read(self, path: str) -> AsyncIterator[str]:
        """A method."""
        yield path


@pytest.mark.parametrize(
    "function",
    [lines, pages, Pages(), Pages().read, functools.partial(Pages().read, path="x")],
    ids=["generator", "async generator", "object", "method", "partial"],
)
def test_generators(function: Callable[..., Any]) -> None:
    """A call has one result: what cannot be sent is not found out when the model calls it."""
    with pytest.raises(DeclarationError) as caught:
        tool(name="read")(function)
    assert str(caught.value) == (
        "the tool read is not valid: it is a generator, and a call has one result: return a list or a text, "
        "and say things as they come with ToolContext.output"
    )


def test_a_generator_that_is_collected() -> None:
    """A decorator that makes a list of it makes a tool of it."""

    @functools.wraps(lines)
    def collected() -> list[str]:
        return list(lines())

    assert tool(collected)() == ["a"]


# ── defaults ────────────────────────────────────────────────────────────────────────────────────────


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    LOW = 1


@attrs.frozen
class Point:
    x: int


def with_default(annotation: Any, default: object) -> Callable[..., object]:
    def function(a: Any = default) -> object:
        """Take one value."""
        return a

    function.__annotations__["a"] = annotation
    return function


@pytest.mark.parametrize(
    ("annotation", "default", "why"),
    [
        (int, "x", "Expected `int`, got `str`"),
        (int, True, "Expected `int`, got `bool`"),
        (bool, 0, "Expected `bool`, got `int`"),
        (str, b"x", "Expected `str`, got `bytes`"),
        (list[int], ["x"], "Expected `int`, got `str` - at `$[0]`"),
        (Literal["a", "b"], "c", "Invalid enum value 'c'"),
        (Colour, "green", "Invalid enum value 'green'"),
        (Point, 3, "Expected `object`, got `int`"),
        (Annotated[int, msgspec.Meta(ge=1)], 0, "Expected `int` >= 1"),
    ],
    ids=str,
)
def test_defaults_that_do_not_fit(annotation: Any, default: object, why: str) -> None:
    """The model would be told of a default that it may not give, and the function get what it never takes."""
    for kind in (None, "tool_search"):
        with pytest.raises(DeclarationError) as caught:
            tool(kind=kind)(with_default(annotation, default))
        assert caught.value.problems == (
            f"a={default!r} does not fit its annotation ({why}): give another default",
        )


def test_none_is_a_default_like_others() -> None:
    """It is not taken for an optional annotation: it is refused, like others that do not fit.

    What the model would be told is `{"type": "string", "default": null}`; if it says null, as it was told
    it may, its call is refused. mypy refuses it too, and the repair is short.
    """
    with pytest.raises(DeclarationError) as caught:
        tool(with_default(str, None))
    (problem,) = caught.value.problems
    assert problem == (
        "a=None does not fit its annotation (Expected `str`, got `null`): "
        "give another default, or annotate it `… | None`"
    )
    made = tool(with_default(str | None, None))
    assert made.parameters["properties"]["a"]["anyOf"] == [{"type": "string"}, {"type": "null"}]
    assert made.read("{}") == made.read('{"a": null}') == {"a": None}


@pytest.mark.parametrize(
    ("annotation", "default", "value"),
    [
        (float, 3, 3.0),
        (Colour, Colour.RED, Colour.RED),
        (Colour, "red", Colour.RED),
        (int, Level.LOW, 1),
        (Point, Point(1), Point(1)),
        (dt.date, dt.date(2026, 1, 2), dt.date(2026, 1, 2)),
        (dt.date, "2026-01-02", dt.date(2026, 1, 2)),
        (list[int], (), []),
        (Sequence[int], (1, 2), [1, 2]),
        (Mapping[str, int], MappingProxyType({"a": 1}), {"a": 1}),
        (int | msgspec.UnsetType, msgspec.UNSET, msgspec.UNSET),
        (Any, {1, 2}, {1, 2}),
    ],
    ids=str,
)
def test_defaults_are_read_like_arguments(annotation: Any, default: object, value: object) -> None:
    """The function gets what it would get, had the model sent the default."""
    made = tool(with_default(annotation, default))
    read = made.read("{}")["a"]
    assert (read, type(read)) == (value, type(value))


def test_a_schema_of_ones_own_says_the_defaults() -> None:
    """What the function has by itself is then no business of the model's, and is not judged."""
    made = tool(parameters={"type": "object"})(with_default(int, "x"))
    assert made.read("{}") == {}
    with pytest.raises(BadArguments):
        made.read("[]")


def test_members_of_enumerations_as_defaults() -> None:
    """Also of those that count: the model is told the value, the function gets the member."""

    class Level(enum.Enum):
        LOW = enum.auto()
        HIGH = enum.auto()

    def logs(level: Level = Level.LOW, levels: tuple[Level, ...] = (Level.HIGH,)) -> None: ...

    logs.__annotations__ = {"level": Level, "levels": tuple[Level, ...], "return": None}
    made = tool(logs)
    assert made.parameters["properties"]["level"]["default"] == 1
    assert made.read("{}") == {"level": Level.LOW, "levels": (Level.HIGH,)}
