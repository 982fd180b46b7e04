"""Where an answer can be held back, and what a test holds in its hand while it is.

Owns the points of an answer: before its head, and behind so many whole items (of Anthropic: blocks). Must not
know how an answer is carried.
"""

from __future__ import annotations

import msgspec
from attrs import define, field

from turnlock.testing.bell import Bell

PATIENCE = 10.0  # seconds that a blocking wait takes at most, unless told otherwise


@define(eq=False)
class Hold:
    """A point at which an answer waits until it is released.

    Attributes:
        number: The request whose answer waits, by ``exchange.number``.
        items: How many whole items leave before it waits; None to wait before the head of the answer.
        reached: Whether the answer waits there, or has waited there.
        released: Whether it may go on.
    """

    number: int
    items: int | None
    _bell: Bell = field(repr=False)
    reached: bool = field(default=False, init=False)
    released: bool = field(default=False, init=False)

    def release(self) -> None:
        """Let the answer go on, or not wait at all if it is not there yet. From any thread."""
        with self._bell.changes():
            self.released = True

    def wait(self, timeout: float = PATIENCE) -> None:
        """Block this thread until the answer waits here; under trio use ``until_reached``.

        Raises:
            TimeoutError: It did not come here in ``timeout`` seconds.
        """
        if not self._bell.wait_for(lambda: self.reached, timeout):
            raise TimeoutError(f"request {self.number} did not come to this hold in {timeout} s")

    async def until_reached(self) -> None:
        """Wait, under trio, until the answer waits here."""
        await self._bell.until(lambda: self.reached)

    def stands_before(self, at: int, done: tuple[int, ...]) -> bool:
        """Whether an answer waits here before its head (0) or a chunk (its number).

        Args:
            at: Which of the two.
            done: How many items are complete before each chunk.
        """
        if self.released:
            return False
        if self.items is None or at == 0:
            return self.items is None and at == 0
        return self.items <= done[at - 1] or at == len(done)


#: How a chunk begins that ends an item, of Responses and of Anthropic.
_ENDS = (b"event: response.output_item.done", b"event: content_block_stop")


def items_before(chunks: tuple[bytes, ...]) -> tuple[int, ...]:
    """How many items are complete before each chunk of an answer, of any dialect."""
    counts = []
    begun = complete = 0
    for chunk in chunks:
        opens, ends = _chat_items(chunk, begun)
        if opens or ends:  # Chat Completions says that an item ends by beginning the next one
            complete = begun
        begun += opens
        counts.append(complete)
        complete += chunk.startswith(_ENDS)
    return tuple(counts)


def _chat_items(chunk: bytes, begun: int) -> tuple[bool, bool]:
    """Whether a chunk of Chat Completions begins an item, and whether it ends the message."""
    try:
        (choice,) = msgspec.json.decode(chunk.removeprefix(b"data: "))["choices"]
        delta = choice["delta"]
    except (msgspec.DecodeError, KeyError, ValueError):
        return False, False  # not of this dialect, not streamed, torn, or one without a choice
    text = delta.get("content") is not None and begun == 0
    call = any("id" in call for call in delta.get("tool_calls", ()))
    return text or call, choice["finish_reason"] is not None
