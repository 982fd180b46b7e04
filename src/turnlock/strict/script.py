"""What the provider says: the script, a text of JSON lines, and which of its lines answers a request.

Owns the format of a script, its errors (with line number and repair), and the choice of a line. Must not know
a dialect's wire format: how a line becomes items and events is said in ``stream_responses`` and
``stream_chat``.

A line, all keys optional, but it says or refuses something::

    {"when": "part of the last user text",
     "reasoning": "…", "text": "…",
     "calls": [{"name": "ls", "arguments": {"path": "."}, "id": "call_1", "kind": "function"}],
     "finish": "length" | "content_filter" | "context" | "pause",
     "delay": seconds, "cut_after": items}
    {"status": 429, "message": "…", "code": "…", "retry_after": seconds, "when": …, "delay": …}

Reasoning comes first, then the text, then the calls. ``kind`` is one of function, custom, local_shell,
shell, apply_patch, computer, tool_search (run by the client), mcp_approval and server. Server is a tool of
the provider's own, by name: its result follows directly, or, with ``"open": true``, begins the next answer.
``arguments`` is an object, written compactly, or a string that is sent as it is, so that broken JSON can be
played; for ``custom`` it is the input, for ``local_shell``, ``shell`` and ``computer`` the action, for
``apply_patch`` the operation. An ``id`` is the call id (for mcp_approval the id of the request) and is played
verbatim, also an empty one or one of 70 characters.

``finish`` ends the answer incomplete. ``length``, ``content_filter`` (to Anthropic a refusal) and ``context``
(the model's window is full) cut its last item in half; ``pause`` ends it between two items, to be asked again
with what was said. ``cut_after`` cuts the connection after that many completed items, in the middle of the
next one, or before the end marker where there is none. Not every dialect has every kind and every end.

Which line answers. Lines with ``when`` answer requests whose last user text contains it: the first such line
the first request after that text, the second the next one, counted in the request itself by the answers that
stand in it. So they can be played any number of times, by any number of clients. A ``status`` or
``cut_after`` line among them fails once for each body; asked the same again, the next line answers. Where no
line with ``when`` answers, the lines without it do, in order, each once.
"""

from __future__ import annotations

import difflib
import importlib.resources
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec
from attrs import define, evolve, field, fields, frozen


class ScriptError(ValueError):
    """A script that cannot be played.

    Attributes:
        line: The number of the line, counted from 1; None when the whole file is meant.
        problem: What is wrong.
        repair: What to write instead.
    """

    def __init__(self, name: str, line: int | None, problem: str, repair: str) -> None:
        self.line = line
        self.problem = problem
        self.repair = repair
        place = name if line is None else f"{name}, line {line}"
        super().__init__(f"{place}: {problem}; {repair}")


class Kind(StrEnum):
    """The kinds of calls that a script can play."""

    FUNCTION = "function"
    CUSTOM = "custom"
    LOCAL_SHELL = "local_shell"
    SHELL = "shell"
    APPLY_PATCH = "apply_patch"
    COMPUTER = "computer"
    TOOL_SEARCH = "tool_search"
    MCP_APPROVAL = "mcp_approval"
    SERVER = "server"


#: Kinds whose arguments are an object of their own on the wire, never a text.
_OBJECT_KINDS = (
    Kind.LOCAL_SHELL,
    Kind.SHELL,
    Kind.APPLY_PATCH,
    Kind.COMPUTER,
    Kind.TOOL_SEARCH,
    Kind.SERVER,
)
_NAMED_KINDS = (Kind.FUNCTION, Kind.CUSTOM, Kind.MCP_APPROVAL, Kind.SERVER)
#: What the ids of calls begin with; all other kinds have ``call``.
_MARKS = {Kind.MCP_APPROVAL: "mcpr", Kind.SERVER: "srvtoolu"}


@frozen
class Call:
    """A call of a line; ``id`` None lets the provider make one, ``open`` leaves a server call unanswered."""

    name: str
    arguments: str | Mapping[str, Any]
    id: str | None = None
    kind: Kind = Kind.FUNCTION
    open: bool = False

    @property
    def text(self) -> str:
        """The arguments as text: as given, or encoded compactly."""
        return (
            self.arguments
            if isinstance(self.arguments, str)
            else msgspec.json.encode(self.arguments).decode()
        )


@frozen
class Line:
    """One line of a script. ``number`` counts from 1; times are in seconds."""

    number: int
    text: str | None = None
    calls: tuple[Call, ...] = ()
    reasoning: str | None = None
    finish: str | None = None
    status: int | None = None
    message: str | None = None
    code: str | None = None
    retry_after: float | None = None
    delay: float = 0.0
    cut_after: int | None = None
    when: str | None = None

    @property
    def fails(self) -> bool:
        """Whether the client gets no whole answer from this line."""
        return self.status is not None or self.cut_after is not None

    def call_id(self, call: Call, number: int) -> str:
        """The id that ``call`` gets: its own, or one that shows the line and is unique through ``number``."""
        return f"{self._mark(call)}{number:05d}" if call.id is None else call.id

    def made(self, ids: Iterable[str]) -> bool:
        """Whether a completed call of this line, whose connection was cut, is among ``ids``."""
        completed = (self.cut_after or 0) - (self.text is not None) - (self.reasoning is not None)
        given = tuple(ids)
        return any(
            one.startswith(self._mark(call)) if call.id is None else one == call.id
            for call in self.calls[: max(0, completed)]
            for one in given
        )

    def _mark(self, call: Call) -> str:
        return f"{_MARKS.get(call.kind, 'call')}_{self.number:03d}_"


@frozen
class Script:
    """The lines of a script, checked."""

    lines: tuple[Line, ...]

    @classmethod
    def parse(cls, text: str, *, name: str = "script") -> Script:
        """Read JSON lines; empty lines are skipped.

        Raises:
            ScriptError: A line is no JSON object of the format. ``name`` stands in its message.
        """
        lines = []
        for number, written in enumerate(text.split("\n"), start=1):
            if not written.strip():
                continue
            try:
                given = msgspec.json.decode(written)
            except msgspec.DecodeError as error:
                raise ScriptError(
                    name, number, f"this is no JSON ({error})", "write one JSON object a line"
                ) from error
            lines.append(_Reader(name, number).line(given))
        return cls(tuple(lines))

    @classmethod
    def of(cls, *lines: Mapping[str, Any]) -> Script:
        """The script of these lines, given as objects.

        Raises:
            ScriptError: A line is not of the format.
        """
        return cls(()).followed_by(*lines)

    def followed_by(self, *lines: Mapping[str, Any] | Script) -> Script:
        """This script with further lines at its end: objects, and whole scripts. Their numbers go on.

        Raises:
            ScriptError: A line is not of the format.
        """
        made = list(self.lines)
        for given in lines:
            number = made[-1].number + 1 if made else 1
            if isinstance(given, Script):
                made += [evolve(line, number=at) for at, line in enumerate(given.lines, start=number)]
            else:
                made.append(_Reader("script", number).line(dict(given)))
        return Script(tuple(made))

    @classmethod
    def load(cls, source: str | Path) -> Script:
        """Read a file; ``"demo"`` is the demo's own script, which comes with the package.

        Raises:
            ScriptError: The file cannot be read, or a line is not of the format.
        """
        if source == "demo":
            shipped = importlib.resources.files("turnlock.strict").joinpath("demo.jsonl")
            return cls.parse(shipped.read_text(encoding="utf-8"), name="demo")
        try:
            text = Path(source).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ScriptError(
                str(source), None, f"it cannot be read ({error})", 'give a UTF-8 file or "demo"'
            ) from error
        return cls.parse(text, name=str(source))


@frozen
class Asked:
    """What a request asks, as far as the choice of a line goes.

    Attributes:
        text: The text of the last user message; empty when there is none.
        answers: The answers of the model that stand after it, each as the ids of its calls.
        raw: The body as it came, bytes: what tells a request that is asked again from a new one.
    """

    text: str
    answers: tuple[tuple[str, ...], ...]
    raw: bytes


@define(eq=False)
class Player:
    """A script as it is played: remembers which lines are used up."""

    script: Script
    _played: set[int] = field(factory=set)
    _failed: set[tuple[int, bytes]] = field(factory=set)

    def choose(self, asked: Asked) -> Line | None:
        """The line that answers, which is then used up as the module says; None when nothing is left."""
        group = [line for line in self.script.lines if line.when is not None and line.when in asked.text]
        line = self._of_group(group, asked)
        if line is None:
            unplayed = (
                line for line in self.script.lines if line.when is None and line.number not in self._played
            )
            line = next(unplayed, None)
            if line is not None:
                self._played.add(line.number)
        return line

    def _of_group(self, group: Sequence[Line], asked: Asked) -> Line | None:
        answers = list(asked.answers)
        for line in group:
            if not line.fails:
                if not answers:
                    return line
                answers.pop(0)
            elif answers and line.made(answers[0]):
                # The connection was cut, and the client kept what was complete by then: an answer like
                # others.
                answers.pop(0)
            elif not answers and (line.number, asked.raw) not in self._failed:
                self._failed.add((line.number, asked.raw))
                return line
        return None


_LINE_KEYS = tuple(each.name for each in fields(Line) if each.name != "number")
_CALL_KEYS = tuple(each.name for each in fields(Call))
_SAYS = ("text", "calls", "reasoning", "finish", "cut_after")


@frozen
class _Reader:
    """Checks one line of a script; every problem names its line and its repair."""

    name: str
    number: int

    def line(self, given: object) -> Line:
        """Check a line and read it."""
        if not isinstance(given, dict):
            raise self._error("a line is a JSON object", 'write for example {"text": "Hello."}')
        self._known(given, _LINE_KEYS, "a line")
        refuses = given.get("status") is not None
        if not refuses and given.get("text") is None and not given.get("calls"):
            raise self._error("it answers nothing", 'give "text", "calls" or "status"')
        for key in _SAYS if refuses else ("message", "code", "retry_after"):
            if given.get(key) is not None:
                other = "without" if refuses else "only with"
                raise self._error(f'"{key}" stands {other} "status"', f'leave out "{key}" or "status"')
        line = Line(
            number=self.number,
            calls=tuple(self._call(call) for call in self._list(given.get("calls") or [])),
            finish=self._one_of(given, "finish", ("length", "content_filter", "context", "pause")),
            status=self._number(given, "status"),
            retry_after=self._seconds(given, "retry_after"),
            delay=self._seconds(given, "delay") or 0.0,
            cut_after=self._number(given, "cut_after"),
            **{key: self._string(given, key) for key in ("text", "reasoning", "message", "code", "when")},
        )
        if line.status is not None and not 400 <= line.status <= 599:
            raise self._error('"status" is an HTTP error', "write a number from 400 to 599")
        if line.finish == "pause" and any(call.kind is not Kind.SERVER for call in line.calls):
            raise self._error(
                "an answer with calls for the client is not paused", 'leave out "finish" or the calls'
            )
        self._cut(line)
        return line

    def _call(self, given: object) -> Call:
        if not isinstance(given, dict):
            raise self._error("a call is an object", 'write {"name": "ls", "arguments": {}}')
        self._known(given, _CALL_KEYS, "a call")
        kind = Kind(self._one_of(given, "kind", tuple(Kind)) or Kind.FUNCTION)
        name = self._string(given, "name")
        if name is None and kind in _NAMED_KINDS:
            raise self._error(f"a {kind} call has no name", 'give it a "name"')
        arguments = given.get("arguments", {})
        if not isinstance(arguments, dict) and (kind in _OBJECT_KINDS or not isinstance(arguments, str)):
            allowed = "an object" if kind in _OBJECT_KINDS else "an object, or a string that is sent as it is"
            raise self._error(f'"arguments" of a {kind} call is {allowed}', f"write {allowed}")
        is_open = given.get("open", False)
        if not isinstance(is_open, bool) or (is_open and kind is not Kind.SERVER):
            raise self._error(
                '"open" is true of a server call only', 'give it "kind": "server", or no "open"'
            )
        return Call(name or kind, arguments, self._string(given, "id"), kind, is_open)

    def _cut(self, line: Line) -> None:
        items = (line.reasoning is not None) + (line.text is not None) + len(line.calls)
        cut = line.cut_after
        if cut is None:
            return
        if not 0 <= cut <= items:
            raise self._error(
                '"cut_after" is a number of items of the line', f"write a number from 0 to {items}"
            )
        if line.finish is not None:
            raise self._error('"cut_after" and "finish" are two ends of one answer', "leave out one of them")

    def _known(self, given: Mapping[str, Any], keys: Sequence[str], what: str) -> None:
        for key in given:
            if key not in keys:
                near = difflib.get_close_matches(key, keys, n=1)
                repair = f'did you mean "{near[0]}"?' if near else f"its keys are {', '.join(keys)}"
                raise self._error(f'{what} has no key "{key}"', repair)

    def _list(self, given: object) -> list[Any]:
        if not isinstance(given, list):
            raise self._error('"calls" is a list', 'write "calls": [{"name": "ls", "arguments": {}}]')
        return given

    def _string(self, given: Mapping[str, Any], key: str) -> str | None:
        value = given.get(key)
        if value is not None and not isinstance(value, str):
            raise self._error(f'"{key}" is a string', "put it in quotes")
        return value

    def _one_of(self, given: Mapping[str, Any], key: str, words: Sequence[str]) -> str | None:
        value = self._string(given, key)
        if value is not None and value not in words:
            raise self._error(f'"{key}" is not "{value}"', f"it is one of {', '.join(words)}")
        return value

    def _seconds(self, given: Mapping[str, Any], key: str) -> float | None:
        value = given.get(key)
        if value is not None and (
            isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0
        ):
            raise self._error(f'"{key}" is a time in seconds', "write a number, 0 or more")
        return value

    def _number(self, given: Mapping[str, Any], key: str) -> int | None:
        value = given.get(key)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
            raise self._error(f'"{key}" is a whole number', "write it without quotes")
        return value

    def _error(self, problem: str, repair: str) -> ScriptError:
        return ScriptError(self.name, self.number, problem, repair)
