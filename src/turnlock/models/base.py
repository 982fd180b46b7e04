"""What a model adapter is: it sends one body and tells what comes back.

An adapter decides nothing. It does not retry (every request that leaves is a dispatch of the table), does
not repair, and does not touch the bytes that it is given: they were checked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, overload

from attrs import field

from turnlock.engine import Finish, Item, ModelItem
from turnlock.engine.value import value
from turnlock.wire import Settings, ToolSpec


@value
class Usage:
    """Tokens, as the provider counted them."""

    input_tokens: int = 0
    output_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(self.input_tokens + other.input_tokens, self.output_tokens + other.output_tokens)


class Prefix(Sequence[Item]):
    """The first items of a transcript that only grows while a request is in flight: no copy."""

    __slots__ = ("_items", "_length")

    def __init__(self, items: list[Item], length: int) -> None:
        self._items = items
        self._length = length

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, index: int) -> Item: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Item]: ...

    def __getitem__(self, index: int | slice) -> Item | Sequence[Item]:
        if isinstance(index, slice):
            return [self._items[n] for n in range(*index.indices(self._length))]
        return self._items[range(self._length)[index]]


@value
class Request:
    """One request.

    Attributes:
        number: Its number in the session, from 1.
        body: The exact bytes to send; empty for a model without a dialect.
        items: The transcript that it was made of.
    """

    number: int
    body: bytes = field(repr=False)
    items: Sequence[Item] = field(repr=False)


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
