"""What a model adapter is: it sends one body and tells what comes back.

An adapter decides nothing. It does not retry (every request that leaves is a dispatch of the table), does
not repair, and does not touch the bytes that it is given: they were checked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from attrs import field

from turnlock._value import value
from turnlock.engine import Finish, Item, ModelItem
from turnlock.wire import Settings, ToolSpec


@value
class Usage:
    """Tokens, as the provider counted them."""

    input_tokens: int = 0
    output_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(self.input_tokens + other.input_tokens, self.output_tokens + other.output_tokens)


@value
class Request:
    """One request.

    Attributes:
        number: Its number in the session, from 1.
        body: The exact bytes to send; empty for a model without a dialect.
        transcript: The session's transcript, to read; it does not change before the response has ended.
        length: How many of its items this request carries.
    """

    number: int
    body: bytes = field(repr=False)
    transcript: Sequence[Item] = field(repr=False)
    length: int

    @property
    def items(self) -> Sequence[Item]:
        """The items that this request carries: a copy."""
        return self.transcript[: self.length]


@value
class Response:
    """How a response ended that came to its end.

    Attributes:
        finish: Why the model stopped.
        usage: What it cost; None when the provider did not say.
        id: The provider's id of the response.
    """

    finish: Finish = Finish.STOP
    usage: Usage | None = None
    id: str = ""


class Sink(Protocol):
    """Where an adapter puts what arrives, in the order in which it arrives. All calls return at once."""

    def text(self, delta: str) -> None:
        """Text that the host may show."""

    def reasoning(self, delta: str) -> None:
        """Reasoning that the host may show."""

    def item(self, raw: Mapping[str, Any], *, cut: bool = False) -> None:
        """An item in the model's dialect that the provider completed (R12).

        ``cut``: the length limit cut it off.
        """

    def add(self, item: ModelItem) -> None:
        """The same from a model without a dialect, as an item of the transcript."""

    def next_ordinal(self) -> int:
        """The ordinal for a call given to ``add``."""


class Model(Protocol):
    """A model behind a provider's API, or anything that answers like one."""

    @property
    def name(self) -> str:
        """The model's name."""

    @property
    def dialect(self) -> str | None:
        """The wire format of its bodies; None when it wants the items and no body."""

    def settings(self, instructions: str, tools: Sequence[ToolSpec]) -> Settings:
        """What is the same in every request of a session."""

    async def respond(self, request: Request, sink: Sink) -> Response:
        """Send the request, tell the sink what arrives, and return when the response has come to its end.

        Raises:
            ModelError: The response did not come to its end.
        """

    async def aclose(self) -> None:
        """Release what the adapter holds. A session closes the adapters that it made of a name."""
