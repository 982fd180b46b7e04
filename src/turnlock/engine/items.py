"""The transcript's items: what the model and its host have said, in no provider's format.

Frozen values. A dialect's encoder turns them into a body; a decoder makes them of a provider's answer.
What only the provider understands (signatures, encrypted reasoning, item ids) travels in ``Origin`` and
goes back to the model that made it, and to no other.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TypeAlias

from attrs import field

from turnlock._value import value
from turnlock.engine.outcome import Outcome, refused_text

Content: TypeAlias = str | tuple[Mapping[str, Any], ...]
"""Text, or content parts in the format of the dialect that the session speaks."""


class Role(StrEnum):
    """Who a message is from."""

    USER = "user"
    DEVELOPER = "developer"
    SYSTEM = "system"


class CallKind(StrEnum):
    """The kinds of call that a client answers (``wire/``: each has its own items on the wire)."""

    FUNCTION = "function"
    CUSTOM = "custom"
    LOCAL_SHELL = "local_shell"
    SHELL = "shell"
    APPLY_PATCH = "apply_patch"
    COMPUTER = "computer"
    TOOL_SEARCH = "tool_search"
    MCP_APPROVAL = "mcp_approval"


@value
class Origin:
    """The provider's own form of an item.

    Attributes:
        dialect: The wire format that it is in.
        model: The model that made it.
        item: The item as the provider sent it.
        known: The response that it is from came to its end, so that its provider may know it by its id.
    """

    dialect: str
    model: str
    item: Mapping[str, Any] = field(repr=False)
    known: bool = True


@value
class Message:
    """U: what a user, developer, job or sub-agent said. ``id`` is the sender's, or made by the session."""

    id: str
    content: Content
    role: Role = Role.USER


@value
class Note:
    """M: says that the turn before it was interrupted (R26). On the wire it has the role user."""

    text: str


@value
class Text:
    """A: text of the model. Without an origin it is what an interrupted answer had shown (R7)."""

    text: str
    request: int
    origin: Origin | None = None


@value
class Reasoning:
    """T: reasoning of the model. It belongs to the item of its answer that follows it."""

    text: str
    request: int
    origin: Origin | None = None


@value
class Call:
    """K: a tool call that the provider completed (R12).

    Attributes:
        ordinal: Our identity for it, unique and rising in a session (R2).
        call_id: The provider's label. It may be empty, too long or repeated.
        kind: Which family of call.
        name: The tool's name; for a built-in kind, the kind.
        arguments: A JSON object as text, valid for every dialect (C19).
        request: The number of the request that it answers.
        origin: The provider's own item.
    """

    ordinal: int
    call_id: str
    name: str
    arguments: str
    request: int
    kind: CallKind = CallKind.FUNCTION
    origin: Origin | None = None


@value
class Output:
    """O: the one output of a call.

    Attributes:
        ordinal: The call's.
        outcome: What became of the call.
        refused: The provider's text, when it refused the output (R20); the output itself is then left out.
    """

    ordinal: int
    outcome: Outcome
    refused: str | None = None

    @property
    def model_text(self) -> str:
        """What the model reads; never empty (R10)."""
        return self.outcome.model_text if self.refused is None else refused_text(self.refused)


@value
class ServerCall:
    """A call that the provider executes itself, or its result (R21): no invocation, replayed as it came.

    Attributes:
        name: What the provider calls the item.
        request: The number of the request that it answers.
        origin: The provider's own item.
        label: Of a call whose result is an item of its own, and of that result: the call's id. Empty where
            one item holds both.
        result: It is the result.
    """

    name: str
    request: int
    origin: Origin
    label: str = ""
    result: bool = False


@value
class Known:
    """What a provider knows of a transcript: its first ``length`` items, up to its response of this id."""

    response: str
    length: int


Item: TypeAlias = Message | Note | Text | Reasoning | Call | Output | ServerCall
ModelItem: TypeAlias = Text | Reasoning | Call | ServerCall
