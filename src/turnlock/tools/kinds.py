"""The built-in kinds of call, as their tools see them: what a call carries, and what a tool must take.

Their arguments are the provider's: the model is told no schema of ours, so a tool that does not take them
would run on its defaults while what the model asked for is lost. ``tool_search`` stands apart: it has a
schema, and is read as functions are.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import msgspec
from attrs import frozen

from turnlock.engine import CallKind
from turnlock.errors import DeclarationError
from turnlock.tools.signature import Reader, Signature, read_object


@frozen
class _Carried:
    """What the calls of one kind carry.

    Attributes:
        needed: What every call carries, and no tool can do without.
        others: What a call may carry.
    """

    needed: tuple[str, ...] = ()
    others: tuple[str, ...] = ()


CARRIED: Mapping[CallKind, _Carried] = MappingProxyType(
    {
        CallKind.LOCAL_SHELL: _Carried(
            ("command",), ("type", "env", "timeout_ms", "user", "working_directory")
        ),
        CallKind.SHELL: _Carried(("commands",), ("timeout_ms", "max_output_length")),
        CallKind.APPLY_PATCH: _Carried(("type", "path"), ("diff",)),
        CallKind.COMPUTER: _Carried((), ("action", "actions")),  # older models send one, newer ones a list
        CallKind.MCP_APPROVAL: _Carried(("server_label", "name", "arguments")),
    }
)
"""As ``wire`` hands them over; the fields are those of the OpenAI SDK's types."""

_BOUNDS = frozenset({"timeout_ms", "max_output_length"})
"""May be left to the session, which has a deadline and an output cap of its own."""


def kind_reader(signature: Signature, kind: CallKind) -> Reader:
    """What reads the arguments of a kind's calls; a call that says more than the tool takes is refused.

    Raises:
        DeclarationError: The tool cannot take what these calls carry.
    """
    read = signature.reader()
    if signature.open:
        return read
    taken = frozenset(each[0] for each in signature.fields)
    wrong = _problems(taken, kind)
    if wrong:
        raise DeclarationError(signature.name, wrong, sort="tool")

    defaulted = frozenset(each[0] for each in signature.fields if len(each) == 3)

    def read_all(arguments: str) -> dict[str, object]:
        said = read_object(arguments)
        for name, value in said.items():
            if name not in taken and _says_something(name, value):
                raise msgspec.ValidationError(f"Object contains unknown field `{name}`")
        # Providers write null for what the model left out.
        left_out = [name for name, value in said.items() if value is None and name in defaulted]
        return read(msgspec.json.encode({k: v for k, v in said.items() if k not in left_out}).decode())

    return read_all


def _problems(taken: frozenset[str], kind: CallKind) -> list[str]:
    carried = CARRIED[kind]
    known = (*carried.needed, *carried.others)
    wrong = []
    unknown = sorted(taken.difference(known))
    if unknown:
        wrong.append(
            f"calls of kind {kind} carry {', '.join(known)}, and never {', '.join(unknown)}: leave it out, "
            "bind it with functools.partial, or take **arguments"
        )
    left = [name for name in carried.needed if name not in taken]
    if left or not taken:
        what = " and ".join(left) or " or ".join(known)
        wrong.append(
            f"it does not take {what}, by which calls of kind {kind} say what to do: add the parameter, or "
            "take **arguments"
        )
    return wrong


def _says_something(name: str, value: object) -> bool:
    if value in (None, "", [], {}) or name in _BOUNDS:
        return False
    return (name, value) != ("type", "exec")  # the one sort of action that a local shell knows
