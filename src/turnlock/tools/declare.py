"""Tools: a function, what the model is told of it, and how its arguments are read.

The schema comes from the signature and the docstring, through msgspec; arguments are read with the same
types. A plain function always runs in a thread, so that it can be abandoned (R8). It owns nothing of a
call's life.
"""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Annotated, Any, Final, TypeAlias, overload

import msgspec
from attrs import define, field

from turnlock.engine import CallKind
from turnlock.errors import DeclarationError
from turnlock.tools.context import ToolContext
from turnlock.wire import ToolSpec


class Default(Enum):
    """Stands for "as the session's limits say"."""

    DEFAULT = "default"


DEFAULT: Final = Default.DEFAULT
Seconds: TypeAlias = float | None | Default
Function: TypeAlias = Callable[..., Any]

BUILT_IN = frozenset(CallKind) - {CallKind.FUNCTION, CallKind.CUSTOM}
"""Kinds whose calls go to the tool that is registered under the kind's name."""

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


class BadArguments(Exception):  # says what the model did, and is never seen by a host
    """The arguments of a call do not fit the tool."""


@define(eq=False, kw_only=True)
class Tool:
    """A tool that the model may call. Made by ``@tool``; calling it calls the function.

    Attributes:
        function: The function, async or plain.
        name: What the model calls it.
        description: What the model is told of it.
        parameters: The JSON schema of its arguments.
        kind: The kind of call that it answers.
        deadline: Seconds it may run; None for no deadline.
        idle_deadline: Seconds it may run without output or progress.
        exclusive: It runs alone: after all earlier calls of the turn, before all later ones.
        ends_turn: When it has returned, the turn is over (R23). One that raises lets the turn go on, so that
            the model can mend its call.
        approval: True: every call needs an answer. False: none does. None: as the session's ``approve=``.
        context: The parameter that gets the call's context.
        is_async: The function is awaited; otherwise it runs in a thread.
    """

    function: Function
    name: str
    description: str = ""
    parameters: Mapping[str, Any] = field(repr=False)
    kind: CallKind = CallKind.FUNCTION
    deadline: Seconds = DEFAULT
    idle_deadline: Seconds = DEFAULT
    exclusive: bool = False
    ends_turn: bool = False
    approval: bool | None = None
    _reader: Reader = field(repr=False, alias="reader")
    context: str | None = field(default=None, repr=False)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  # whatever the function takes
        return self.function(*args, **kwargs)

    is_async: bool = field(init=False, repr=False)

    @is_async.default
    def _find_async(self) -> bool:
        """The function is awaited; otherwise it runs in a thread. An object may have an async __call__."""
        return any(
            inspect.iscoroutinefunction(each) for each in (self.function, type(self.function).__call__)
        )

    @property
    def spec(self) -> ToolSpec:
        """What the model is told."""
        return ToolSpec(self.name, self.description, self.parameters, self.kind)

    @property
    def declared(self) -> dict[str, Any]:
        """The same as plain data, for the record of a session."""
        return {
            "name": self.name,
            "description": self.description,
            "parameters": self.parameters,
            "kind": self.kind.value,
        }

    def read(self, arguments: str) -> dict[str, Any]:
        """The keyword arguments for the function.

        Raises:
            BadArguments: With a reason that the model can act on.
        """
        try:
            return self._reader(arguments)
        except msgspec.MsgspecError as error:
            raise BadArguments(str(error)) from None


Reader: TypeAlias = Callable[[str], dict[str, Any]]


@overload
def tool(function: Function, /) -> Tool: ...


@overload
def tool(
    *,
    name: str | None = None,
    description: str | None = None,
    parameters: Mapping[str, Any] | None = None,
    kind: CallKind | str | None = None,
    deadline: Seconds = DEFAULT,
    idle_deadline: Seconds = DEFAULT,
    exclusive: bool = False,
    ends_turn: bool = False,
    approval: bool | None = None,
) -> Callable[[Function], Tool]: ...


def tool(
    function: Function | None = None,
    /,
    *,
    name: str | None = None,
    description: str | None = None,
    parameters: Mapping[str, Any] | None = None,
    kind: CallKind | str | None = None,
    deadline: Seconds = DEFAULT,
    idle_deadline: Seconds = DEFAULT,
    exclusive: bool = False,
    ends_turn: bool = False,
    approval: bool | None = None,
) -> Tool | Callable[[Function], Tool]:
    """Make a tool of a function.

    The name is the function's, the description its docstring, and the schema comes from its annotations;
    an ``Args:`` section describes the parameters. A parameter annotated ``ToolContext`` is given the call's
    context and is not shown to the model.

    Args:
        function: An async function, or a plain one, which then runs in a thread.
        name: Another name.
        description: Another description.
        parameters: A JSON schema of your own; the function then gets what the model sent, unchecked.
        kind: The kind of call that it answers. A tool that is named like a built-in kind (``local_shell``,
            ``shell``, ``apply_patch``, ``computer``, ``tool_search``) answers that kind.
        deadline: Seconds it may run; None for no deadline. Default: the session's.
        idle_deadline: Seconds it may run without output or progress. Default: the session's.
        exclusive: Run it alone.
        ends_turn: The turn is over when it has returned.
        approval: Whether its calls need an answer; default: as the session says.

    Raises:
        DeclarationError: The signature cannot be told to a model; the text says what to change.
    """

    def make(function: Function) -> Tool:
        tool_name = str(name or getattr(function, "__name__", ""))
        if not _NAME.fullmatch(tool_name):
            raise DeclarationError(
                "tool", [f"{tool_name!r} is no name for a tool: 1 to 64 letters, digits, _ or -; give name="]
            )
        answered = CallKind(kind) if kind is not None else _kind_of(tool_name)
        signature = _Signature.of(function, lenient=answered in BUILT_IN)
        return Tool(
            function=function,
            name=tool_name,
            description=signature.description if description is None else description,
            parameters=signature.schema() if parameters is None else parameters,
            kind=answered,
            deadline=deadline,
            idle_deadline=idle_deadline,
            exclusive=exclusive,
            ends_turn=ends_turn,
            approval=approval,
            reader=signature.reader() if parameters is None else _read_object,
            context=signature.context,
        )

    return make if function is None else make(function)


def as_tools(tools: Sequence[Tool | Function]) -> dict[str, Tool]:
    """Tools by name; plain functions become tools.

    Raises:
        DeclarationError: Two tools have one name.
    """
    named: dict[str, Tool] = {}
    for given in tools:
        made = given if isinstance(given, Tool) else tool(given)
        if made.name in named:
            raise DeclarationError("tool", [f"two tools are named {made.name!r}: give one of them name="])
        named[made.name] = made
    return named


@define
class _Signature:
    """What a function's signature and docstring say."""

    name: str
    description: str
    fields: list[tuple[str, Any] | tuple[str, Any, Any]]
    context: str | None
    open: bool  # it takes keyword arguments beside the named ones
    lenient: bool  # a built-in kind: the provider's schema may have more fields than the function wants

    @classmethod
    def of(cls, function: Function, *, lenient: bool) -> _Signature:
        described, about = _read_docstring(inspect.getdoc(function) or "")
        made = cls(getattr(function, "__name__", "tool"), described, [], None, open=False, lenient=lenient)
        try:
            hints = typing.get_type_hints(function, include_extras=True)
            parameters = inspect.signature(function).parameters.values()
        except (NameError, TypeError, ValueError) as error:
            raise DeclarationError(
                "tool", [f"the signature of {made.name} cannot be read: {error}"]
            ) from error
        for parameter in parameters:
            hint = hints.get(parameter.name, Any)
            if hint is ToolContext or (isinstance(hint, type) and issubclass(hint, ToolContext)):
                made.context = parameter.name
            elif parameter.kind is parameter.VAR_KEYWORD:
                made.open = True
            elif parameter.kind in {parameter.VAR_POSITIONAL, parameter.POSITIONAL_ONLY}:
                raise DeclarationError(
                    "tool", [f"{made.name} takes {parameter} by position: models give arguments by name"]
                )
            else:
                if parameter.name in about:
                    hint = Annotated[hint, msgspec.Meta(description=about[parameter.name])]
                bare = parameter.default is parameter.empty
                made.fields.append(
                    (parameter.name, hint) if bare else (parameter.name, hint, _field(parameter.default))
                )
        return made

    def _struct(self) -> type[msgspec.Struct]:
        return msgspec.defstruct(
            self.name, self.fields, kw_only=True, forbid_unknown_fields=not (self.open or self.lenient)
        )

    def schema(self) -> dict[str, Any]:
        try:
            (top,), others = msgspec.json.schema_components([self._struct()])
        except TypeError as error:
            raise DeclarationError(
                "tool",
                [
                    f"{self.name} has a parameter that JSON cannot say ({error}): annotate it, or give parameters="
                ],
            ) from error
        schema: dict[str, Any] = others.pop(top["$ref"].rsplit("/", 1)[1])
        schema.pop("title", None)
        if others:
            schema["$defs"] = others
        return schema

    def reader(self) -> Reader:
        struct = self._struct()
        decode = msgspec.json.Decoder(struct).decode
        names = struct.__struct_fields__
        named = frozenset(names)

        def read(arguments: str) -> dict[str, Any]:
            value = decode(arguments)
            read = {name: getattr(value, name) for name in names}
            if self.open:
                read.update((key, rest) for key, rest in _read_object(arguments).items() if key not in named)
            return read

        return read


def _field(default: Any) -> Any:  # noqa: ANN401  # the default of a parameter may be anything
    """A default that msgspec takes: it copies lists, dicts and sets, and refuses other mutable values."""
    if isinstance(default, (list, dict, set)) and default:
        return msgspec.field(default_factory=lambda: default)
    return default


def _read_object(arguments: str) -> dict[str, Any]:
    read: dict[str, Any] = msgspec.json.decode(arguments, type=dict[str, Any])
    return read


def _kind_of(name: str) -> CallKind:
    return CallKind(name) if name in BUILT_IN else CallKind.FUNCTION


_SECTION = re.compile(
    r"^(Args|Arguments|Parameters|Returns|Raises|Yields|Examples?|Notes?):\s*$", re.MULTILINE
)
_ARGUMENT = re.compile(r"^ {2,8}\*{0,2}(\w+)\s*(?:\([^)]*\))?:\s*(.+)$")


def _read_docstring(text: str) -> tuple[str, dict[str, str]]:
    """The description before the first section, and what the ``Args:`` section says of each parameter."""
    sections = _SECTION.split(text)
    about: dict[str, str] = {}
    for title, body in zip(sections[1::2], sections[2::2], strict=True):
        if title not in {"Args", "Arguments", "Parameters"}:
            continue
        name = ""
        indent = min(
            (len(line) - len(line.lstrip()) for line in body.splitlines() if line.strip()), default=0
        )
        for line in body.splitlines():
            found = _ARGUMENT.match(line)
            if found and len(line) - len(line.lstrip()) == indent:
                name = found[1]
                about[name] = found[2].strip()
            elif line.strip() and name:
                about[name] += " " + line.strip()
    return sections[0].strip(), about
