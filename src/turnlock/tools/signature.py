"""What a function's signature and docstring say: the schema that a model reads, and how arguments are read.

Through msgspec: one struct per function gives both, so that what the model is told is what is accepted.
"""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Callable, Sequence
from contextlib import suppress
from copy import deepcopy
from functools import partial
from typing import Annotated, Any, TypeAlias

import msgspec
from attrs import define

from turnlock.errors import DeclarationError
from turnlock.tools.context import ToolContext

Function: TypeAlias = Callable[..., Any]
Reader: TypeAlias = Callable[[str], dict[str, Any]]


@define
class Signature:
    """What a function's signature and docstring say.

    Attributes:
        name: The function's name.
        description: Its docstring before the first section.
        fields: Its parameters: name, type and, where there is one, default.
        context: The parameter that gets the call's context.
        open: It takes keyword arguments beside the named ones.
        lenient: Fields that it does not know pass: the schema is the provider's, and ``kinds`` judges them.
    """

    name: str
    description: str
    fields: list[tuple[str, Any] | tuple[str, Any, Any]]
    context: str | None
    open: bool
    lenient: bool

    @classmethod
    def of(cls, function: Function, name: str, *, lenient: bool) -> Signature:
        """Read a function.

        Raises:
            DeclarationError: It cannot be called with arguments by name; the text says what to change.
        """
        called, bound = _unwrapped(function)
        described, about = _read_docstring(inspect.getdoc(called) or "")
        if not inspect.isroutine(called):  # an object that can be called
            called = type(called).__call__.__get__(called)
        made = cls(name, described, [], None, open=False, lenient=lenient)
        try:
            parameters = tuple(inspect.signature(function).parameters.values())
            made._check_shape(called, parameters[:1])
            hints = typing.get_type_hints(called, include_extras=True)
        except (NameError, TypeError, ValueError) as error:
            raise made.refused(
                f"its annotations cannot be read ({error}): they must be names of its module"
            ) from error
        for parameter in parameters:
            hint = hints.get(parameter.name, Any)
            if parameter.name in bound:
                continue  # the host has decided on it: no model may decide otherwise
            if _is_context(hint):
                made.context = parameter.name
            elif parameter.kind is parameter.VAR_KEYWORD:
                made.open = True
            elif parameter.kind in {parameter.VAR_POSITIONAL, parameter.POSITIONAL_ONLY}:
                raise made.refused(f"it takes {parameter} by position: models give arguments by name")
            else:
                if parameter.name in about:
                    hint = Annotated[hint, msgspec.Meta(description=about[parameter.name])]
                bare = parameter.default is parameter.empty
                made.fields.append(
                    (parameter.name, hint) if bare else (parameter.name, hint, parameter.default)
                )
        return made

    def _check_shape(self, called: Function, first: Sequence[inspect.Parameter]) -> None:
        """Refuse what no call could ever run, whatever its annotations say."""
        if inspect.isgeneratorfunction(called) or inspect.isasyncgenfunction(called):
            raise self.refused(
                "it is a generator, and a call has one result: return a list or a text, and say things "
                "as they come with ToolContext.output"
            )
        owner = _class_of(called)
        for each in first if owner else ():
            if each.name in {"self", "cls"} and each.annotation is each.empty:
                raise self.refused(
                    f"it is a method of {owner} without its object, and the model would have to give "
                    f"{each.name!r}: use tool(instance.{called.__name__}), or a function"
                )

    def refused(self, problem: str) -> DeclarationError:
        """The error that says what is wrong with it."""
        return DeclarationError(self.name, [problem], sort="tool")

    def _struct(self) -> type[msgspec.Struct]:
        fields = [
            each if len(each) == 2 else (each[0], each[1], self._default(*each)) for each in self.fields
        ]
        try:
            return msgspec.defstruct(
                "arguments", fields, kw_only=True, forbid_unknown_fields=not (self.open or self.lenient)
            )
        except TypeError as error:
            raise self.refused(f"{error}: give another default, or parameters=") from error

    def _default(self, name: str, hint: Any, default: Any) -> Any:  # noqa: ANN401  # it may be anything
        """A default as the function would get it from the model, made anew for each call.

        None is held to its annotation too: the model would be told of a text that is null by default, and be
        refused when it says so.
        """
        if default is not msgspec.UNSET:
            try:
                default = _converted(default, hint)
            except msgspec.ValidationError as error:
                optional = ", or annotate it `… | None`" if default is None else ""
                raise self.refused(
                    f"{name}={default!r} does not fit its annotation ({error}): "
                    f"give another default{optional}"
                ) from None
            except TypeError:  # no type that JSON can say: that is told where it is needed
                pass
        if isinstance(default, (list, dict, set)) and default:
            return msgspec.field(default_factory=lambda: deepcopy(default))  # a tool may change its arguments
        return default

    def schema(self) -> dict[str, Any]:
        """The JSON schema of the arguments.

        Raises:
            DeclarationError: A parameter is of a type that JSON cannot say.
        """
        try:
            (top,), others = msgspec.json.schema_components([self._struct()])
        except TypeError as error:
            what = str(error).splitlines()[-1]  # what stands before it is for users of msgspec
            raise self.refused(
                f"JSON cannot say one of its parameters ({what}): annotate it otherwise, or give parameters="
            ) from error
        schema: dict[str, Any] = others.pop(top["$ref"].rsplit("/", 1)[1])
        schema.pop("title", None)
        if others:
            schema["$defs"] = others
        return schema

    def reader(self) -> Reader:
        """What reads the arguments as the types that the function wants."""
        struct = self._struct()
        try:
            decode = msgspec.json.Decoder(struct).decode
        except TypeError as error:
            raise self.refused(
                f"JSON cannot say one of its parameters ({error}): annotate it otherwise, or give parameters="
            ) from error
        named = frozenset(struct.__struct_fields__)

        def read(arguments: str) -> dict[str, Any]:
            read = msgspec.structs.asdict(decode(arguments))
            if self.open:
                read.update((key, rest) for key, rest in read_object(arguments).items() if key not in named)
            return read

        return read

    def text_reader(self) -> Reader:
        """For a custom tool: its input is one text, given to the function's one parameter."""
        if len(self.fields) != 1:
            raise self.refused("its kind is custom: give its function one parameter, the text")
        name = self.fields[0][0]
        return lambda arguments: {name: read_object(arguments).get("input", "")}


def _converted(default: Any, hint: Any) -> Any:  # noqa: ANN401  # it may be anything
    """The default as its annotation has it; members of enumerations are also read by their values.

    Raises:
        msgspec.ValidationError: It does not fit.
        TypeError: The annotation is no type that JSON can say.
    """
    try:
        return msgspec.convert(default, hint)
    except msgspec.ValidationError:
        with suppress(TypeError, msgspec.ValidationError):
            return msgspec.convert(msgspec.to_builtins(default, builtin_types=(bytes, bytearray)), hint)
        raise


def _unwrapped(function: Function) -> tuple[Function, frozenset[str]]:
    """The function inside partial ones, and the parameters that are bound by name."""
    bound: set[str] = set()
    while isinstance(function, partial):
        bound.update(function.keywords)
        function = function.func
    return function, frozenset(bound)


def _class_of(called: Function) -> str:
    """The class in whose body a function stands; empty when it stands in none."""
    return str(getattr(called, "__qualname__", "")).rpartition("<locals>.")[2].rpartition(".")[0]


def _is_context(hint: object) -> bool:
    """The parameter wants the call's context, or may have it."""
    if isinstance(hint, type):
        return issubclass(hint, ToolContext)
    return any(_is_context(inner) for inner in typing.get_args(hint) if isinstance(inner, type))


def read_object(arguments: str) -> dict[str, Any]:
    """The arguments as the model sent them: an object, unchecked."""
    read: dict[str, Any] = msgspec.json.decode(arguments, type=dict[str, Any])
    return read


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
