"""Tools: a function, what the model is told of it, and how its arguments are read.

The schema comes from the signature and the docstring, through msgspec; arguments are read with the same
types. A plain function always runs in a thread, so that it can be abandoned (R8). It owns nothing of a
call's life.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, overload

import msgspec
from attrs import define, field

from turnlock.engine import CallKind
from turnlock.errors import DeclarationError
from turnlock.tools.kinds import CARRIED, kind_reader
from turnlock.tools.options import Default, Seconds, problems
from turnlock.tools.signature import Function, Reader, Signature, read_object
from turnlock.wire import ToolSpec

DEFAULT: Final = Default.DEFAULT

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
        strict: The provider holds the arguments to the schema, which must then fit its strict mode. Off by
            default, and said so: OpenAI's own default would change schemas with optional parameters.
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
    strict: bool = False
    _reader: Reader = field(repr=False, alias="reader")
    context: str | None = field(default=None, repr=False)

    def __attrs_post_init__(self) -> None:
        wrong = problems(self)
        if wrong:
            raise DeclarationError(str(self.name), wrong, sort="tool")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  # whatever the function takes
        """Call the function, as if it were none."""
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
        strict = self.strict if self.kind is CallKind.FUNCTION else None
        return ToolSpec(self.name, self.description, self.parameters, self.kind, strict)

    @property
    def declared(self) -> dict[str, Any]:
        """The same as plain data, for the record of a session."""
        return {
            "name": self.name,
            "description": self.description,
            "parameters": self.parameters,
            "kind": self.kind.value,
            "strict": self.strict,
        }

    def read(self, arguments: str) -> dict[str, Any]:
        """The keyword arguments for the function.

        Raises:
            BadArguments: With a reason that the model can act on.
        """
        try:
            return self._reader(arguments)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            raise BadArguments(str(error)) from None


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
    strict: bool = False,
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
    strict: bool = False,
) -> Tool | Callable[[Function], Tool]:
    """Make a tool of a function.

    The name is the function's, the description its docstring, and the schema comes from its annotations;
    an ``Args:`` section describes the parameters. A parameter annotated ``ToolContext`` is given the call's
    context and is not shown to the model.

    Args:
        function: An async function, or a plain one, which then runs in a thread.
        name: Another name; a built-in kind's tool has the kind's.
        description: Another description.
        parameters: A JSON schema of your own; the function then gets what the model sent, unchecked. For a
            built-in kind, what its entry in the request carries beside its type; for ``custom``, the format
            of its input.
        kind: The kind of call that it answers. Calls of a built-in kind (``local_shell``, ``shell``,
            ``apply_patch``, ``computer``, ``tool_search``) go to the tool that is given its name, here or by
            ``name=``. A function that merely is called so stays a function. A built-in kind's function takes,
            by name, what the kind's calls carry, or ``**arguments``.
        deadline: Seconds it may run; None for no deadline. Default: the session's.
        idle_deadline: Seconds it may run without output or progress. Default: the session's.
        exclusive: Run it alone.
        ends_turn: The turn is over when it has returned.
        approval: Whether its calls need an answer; default: as the session says.
        strict: Whether the provider holds the arguments to the schema.

    Raises:
        DeclarationError: The signature cannot be told to a model; the text says what to change.
    """

    def make(function: Function) -> Tool:
        function = _called(function)
        tool_name, answered = _identity(function, name, kind)
        signature = Signature.of(function, tool_name, lenient=answered in CARRIED)
        told: Mapping[str, Any] = {} if parameters is None else parameters
        reader: Reader = read_object
        if answered is CallKind.CUSTOM:
            reader = signature.text_reader()
        elif answered in CARRIED:
            reader = kind_reader(signature, answered)
        elif parameters is None:
            reader = signature.reader()
            told = signature.schema()
        return Tool(
            function=function,
            name=tool_name,
            description=signature.description if description is None else description,
            parameters=told,
            kind=answered,
            deadline=deadline,
            idle_deadline=idle_deadline,
            exclusive=exclusive,
            ends_turn=ends_turn,
            approval=approval,
            strict=strict,
            reader=reader,
            context=signature.context,
        )

    return make if function is None else make(function)


def _called(given: object) -> Function:
    """The function that a tool is made of.

    Raises:
        DeclarationError: It is none.
    """
    if isinstance(given, staticmethod):  # as it stands in the body of its class
        given = given.__func__
    if callable(given):
        return given
    problem = f"{given!r} is no function: write @tool, @tool(name=...) or tool(function)"
    if isinstance(given, classmethod):
        problem = "a class method has no class in the class's own body: use tool(Class.method) after it"
    raise DeclarationError("tool", [problem], sort="argument of")


def _identity(function: Function, name: str | None, kind: CallKind | str | None) -> tuple[str, CallKind]:
    """What a tool is called, and the kind of call that it answers.

    Raises:
        DeclarationError: One of them cannot be.
    """
    if kind is not None and kind not in tuple(CallKind):
        problem = f"{str(kind)!r} is no kind of call: give one of {', '.join(CallKind)}"
        raise DeclarationError(str(name or getattr(function, "__name__", "")), [problem], sort="tool")
    if kind in BUILT_IN:
        if name is not None and name != kind:
            problem = f"calls of kind {kind} go to the tool of that name: leave out name="
            raise DeclarationError(str(name), [problem], sort="tool")
        return str(kind), CallKind(kind)
    made = getattr(function, "__name__", "") if name is None else name
    if not (isinstance(made, str) and _NAME.fullmatch(made)):
        problem = "a name has 1 to 64 letters, digits, _ or -: give name="
        raise DeclarationError(repr(made), [problem], sort="tool")
    if kind is None:  # not by the function's own name: one that is called `shell` is a function like others
        kind = CallKind(made) if name in BUILT_IN else CallKind.FUNCTION
    return made, CallKind(kind)


def as_tools(tools: Sequence[Tool | Function]) -> dict[str, Tool]:
    """Tools by name; plain functions become tools.

    Raises:
        DeclarationError: It is no list of tools or functions, or two tools have one name.
    """
    named: dict[str, Tool] = {}
    for given in _listed(tools):
        made = given if isinstance(given, Tool) else tool(given)
        if made.name in named:
            problem = "two tools have this name: give one of them name="
            raise DeclarationError(made.name, [problem], sort="tool")
        named[made.name] = made
    return named


def _listed(tools: object) -> list[Tool | Function]:
    """What stands in ``tools=``, when it is a list of tools or functions.

    Raises:
        DeclarationError: It is not; the text says what was given instead.
    """
    if isinstance(tools, (str, bytes)) or not isinstance(tools, Iterable):
        one = tools.name if isinstance(tools, Tool) else getattr(tools, "__name__", "")
        wrong = [
            f"{one or repr(tools)} is no list: give a list of tools or functions, tools=[{one or '...'}]"
        ]
        raise DeclarationError("tools=", wrong, sort="argument")
    listed = list(tools)
    wrong = [
        f"{given!r} is neither a tool nor a function: give a list of them"
        for given in listed
        if not callable(given)
    ]
    if wrong:
        raise DeclarationError("tools=", wrong, sort="argument")
    return listed
