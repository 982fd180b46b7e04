"""What may be said of a tool, and of tools: a wrong value is named where it is given, never in a turn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import pytest

from turnlock import DeclarationError, Scripted, Session, Tool, tool
from turnlock.tools import as_tools


def ls() -> None: ...


SECONDS = "give a number of seconds above 0, or None for no limit; left out, it is the session's"
SWITCH = "give True or False"
NO_SECONDS = ["5", True, False, 0, -1.0, float("nan"), float("inf"), 10**400, [5]]


@pytest.mark.parametrize(
    ("option", "value", "repair"),
    [
        *((option, value, SECONDS) for option in ("deadline", "idle_deadline") for value in NO_SECONDS),
        *(
            (option, value, SWITCH)
            for option in ("exclusive", "ends_turn", "strict")
            for value in ("no", 1, None)
        ),
        ("approval", "yes", "give True, False, or None for as the session says"),
        ("approval", 0, "give True, False, or None for as the session says"),
        ("description", 3, "give a text"),
        ("description", b"x", "give a text"),
        ("parameters", [], "give a dict that JSON can say"),
        ("parameters", '{"type": "object"}', "give a dict that JSON can say"),
        ("parameters", {"type": object}, "give a dict that JSON can say"),
        ("parameters", {"enum": {1j}}, "give a dict that JSON can say"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_values_that_cannot_be(option: str, value: object, repair: str) -> None:
    """The error names the option, what was given, and what to give."""
    options: dict[str, Any] = {option: value}
    with pytest.raises(DeclarationError) as caught:
        tool(**options)(ls)
    assert str(caught.value) == f"the tool ls is not valid: {option} is {value!r}: {repair}"


@pytest.mark.parametrize("value", [3, True, "", "no spaces", "x" * 65, b"ls", ["ls"]], ids=str)
def test_names_that_cannot_be(value: object) -> None:
    """A name is a text; nothing is made into one."""
    name: Any = value
    with pytest.raises(DeclarationError) as caught:
        tool(name=name)(ls)
    expected = f"the tool {value!r} is not valid: a name has 1 to 64 letters, digits, _ or -: give name="
    assert str(caught.value) == expected
    with pytest.raises(DeclarationError, match="calls of kind shell go to the tool of that name"):
        tool(name=name, kind="shell")(ls)


def test_all_that_is_wrong_is_said_at_once() -> None:
    """Nobody mends a declaration value by value."""
    wrong: dict[str, Any] = {"deadline": "5", "exclusive": "yes"}
    with pytest.raises(DeclarationError) as caught:
        tool(**wrong)(ls)
    assert caught.value.problems == (f"deadline is '5': {SECONDS}", f"exclusive is 'yes': {SWITCH}")


def test_a_tool_that_is_changed() -> None:
    """A copy with other options is judged like the first."""
    made = tool(ls)
    wrong: dict[str, Any] = {"deadline": "5"}
    assert attrs.evolve(made, deadline=5).deadline == 5
    with pytest.raises(DeclarationError, match="deadline is '5'"):
        attrs.evolve(made, **wrong)


def test_whole_seconds_are_seconds() -> None:
    """5 is as good as 5.0."""
    assert tool(deadline=5, idle_deadline=None)(ls).deadline == 5


@pytest.mark.parametrize("given", ["ls", 3, None], ids=str)
def test_what_is_no_function(given: object) -> None:
    """`@tool("name")` reads well, and is not how it is written."""
    make: Any = tool()
    with pytest.raises(DeclarationError) as caught:
        make(given)
    assert str(caught.value) == (
        f"the argument of tool is not valid: {given!r} is no function: "
        "write @tool, @tool(name=...) or tool(function)"
    )


# ── tools= ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (ls, "ls is no list: give a list of tools or functions, tools=[ls]"),
        ("abc", "'abc' is no list: give a list of tools or functions, tools=[...]"),
        (None, "None is no list: give a list of tools or functions, tools=[...]"),
        (3, "3 is no list: give a list of tools or functions, tools=[...]"),
        ([3], "3 is neither a tool nor a function: give a list of them"),
        ({"ls": ls}, "'ls' is neither a tool nor a function: give a list of them"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_is_no_list_of_tools(given: Any, problem: str) -> None:
    """The error says what was given, and how it is written; a session says the same."""
    makers: tuple[Callable[[], object], ...] = (
        lambda: as_tools(given),
        lambda: Session(Scripted([]), tools=given),
    )
    for make in makers:
        with pytest.raises(DeclarationError) as caught:
            make()
        assert str(caught.value) == f"the argument tools= is not valid: {problem}"


def test_one_tool_that_stands_for_a_list() -> None:
    """A tool is told by its name."""
    alone: Any = tool(name="list_files")(ls)
    with pytest.raises(DeclarationError, match=r"list_files is no list: .* tools=\[list_files\]"):
        as_tools(alone)


def test_lists_of_any_sort() -> None:
    """What gives tools one after the other is a list of them."""
    other = tool(name="b")(ls)
    for given in ([ls, other], (ls, other), {"ls": ls, "b": other}.values(), iter([ls, other])):
        several: Any = given
        made = as_tools(several)
        assert list(made) == ["ls", "b"]
        assert all(isinstance(each, Tool) for each in made.values())
