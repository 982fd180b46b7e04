"""Anthropic Messages over the official ``AsyncAnthropic`` client, under trio.

How a request leaves is said in ``sdk.py``; this file owns what an answer says, and what an error means.

A block counts when it has ended, and what it says to a tool is JSON (R12); no input at all is ``{}``. One
whose input is not JSON waits for the event behind it, which tells whether the length limit has cut it; when
the stream breaks first, it was never a call.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import anthropic
from anthropic import AsyncAnthropic
from attrs import define, evolve, field

from turnlock._secrets import hiding
from turnlock.engine import Finish, Trouble
from turnlock.errors import ModelError
from turnlock.models.base import Request, Response, Sink, Usage
from turnlock.models.sdk import OverSDK
from turnlock.models.stream import retry_after
from turnlock.wire import Settings, ToolSpec
from turnlock.wire.anthropic.blocks import SERVER_USES, TEXT, TOOL_USE, block_type
from turnlock.wire.common.jsontext import arguments_of, as_object, mended

_BETAS = "betas"


@define(eq=False)
class AnthropicMessages(OverSDK[AsyncAnthropic]):
    """A model behind the Messages API: ``AnthropicMessages("claude-sonnet-4-5", {"max_tokens": 4096})``.

    ``options`` are ``max_tokens``, ``thinking``, ``tool_choice``, …; a list ``betas`` goes into the header
    that names them. The key is that of ``ANTHROPIC_API_KEY``.
    """

    status_error = anthropic.APIStatusError
    connection_error = anthropic.APIConnectionError
    sdk_error = (anthropic.AnthropicError, TypeError)  # the latter where it finds no key
    hint = ": set ANTHROPIC_API_KEY, or give a client that has a key"

    @property
    def dialect(self) -> str:
        """The wire format."""
        return "anthropic"

    def settings(self, instructions: str, tools: Sequence[ToolSpec]) -> Settings:
        """What is the same in every request of a session."""
        said = {name: value for name, value in self.options.items() if name != _BETAS}
        return evolve(super().settings(instructions, tools), options=said)

    async def respond(self, request: Request, sink: Sink) -> Response:
        """Send the request; blocks count as soon as the provider completed them (R12).

        Raises:
            ModelError: The response did not come to its end.
        """
        answer = _Answer(sink)
        path, headers = "/v1/messages", {}
        if betas := self.options.get(_BETAS):
            path, headers = f"{path}?beta=true", {"anthropic-beta": ",".join(betas)}
        with hiding(self.find_key):
            await self.post(path, request, answer, headers)
            if answer.end is None:
                raise ModelError(Trouble.LOST, "the stream ended before the message was complete")
            if isinstance(answer.end, ModelError):
                raise answer.end
        return answer.end

    def make_client(self) -> AsyncAnthropic:
        """A client of our own."""
        return AsyncAnthropic()

    def refusal(self, error: anthropic.APIStatusError) -> ModelError:
        """What an HTTP status means for the turn."""
        body = error.body if isinstance(error.body, Mapping) else {}
        told = body.get("error")
        status, wait = error.status_code, retry_after(error.response.headers)
        return _failure(told if isinstance(told, Mapping) else {}, status, error.message, wait)


# ── the answer ──────────────────────────────────────────────────────────────────────────────────────

_FINISHES = {
    "max_tokens": Finish.LENGTH,
    "refusal": Finish.FILTER,
    "pause_turn": Finish.PAUSE,
    "compaction": Finish.PAUSE,  # the provider has made room, and goes on when it is asked to
}
_CUT = frozenset({Finish.LENGTH, Finish.FILTER})
_NO_ROOM = "model_context_window_exceeded"


@define
class _Block:
    """A content block, as far as it has come.

    Attributes:
        raw: How it began, and what has come whole since.
        pieces: The texts that come in pieces, by the names of their fields.
    """

    raw: dict[str, Any]
    pieces: dict[str, list[str]] = field(factory=dict)

    def add(self, delta: Mapping[str, Any]) -> None:
        match delta.get("type"):
            case "citations_delta":
                self.raw["citations"] = [*(self.raw.get("citations") or ()), delta.get("citation")]
            case "signature_delta":
                self.raw["signature"] = delta.get("signature")
            case "compaction_delta":
                self.raw.update((key, value) for key, value in delta.items() if key != "type")
            case "text_delta" | "thinking_delta" | "input_json_delta":
                for key in (TEXT, "thinking", "partial_json"):
                    if isinstance(piece := delta.get(key), str):
                        self.pieces.setdefault(key, []).append(piece)

    def whole(self) -> dict[str, Any]:
        """The block as a server that does not stream would have sent it, but for the input of a call."""
        block = dict(self.raw)
        for key, pieces in self.pieces.items():
            said = mended("".join(pieces))  # an emoji may come in halves
            if key != "partial_json":
                block[key] = f"{block.get(key) or ''}{said}"
            elif said.strip():
                block["input"] = said
        return block


@define
class _Answer:
    """The events of one answer.

    Attributes:
        sink: Where blocks and text go.
        end: How the response ended, once its end marker has come.
        open: Blocks that have begun and not ended, by index.
        waiting: A call whose input is not JSON: the event behind it tells why.
        finish: Why the model stopped, as far as it has said so.
        counts: The tokens of each kind.
    """

    sink: Sink
    end: Response | ModelError | None = None
    open: dict[object, _Block] = field(factory=dict)
    waiting: dict[str, Any] | None = None
    finish: Finish = Finish.STOP
    counts: dict[str, int] = field(factory=dict)
    id: str = ""

    def take(self, event: Mapping[str, Any]) -> bool:
        if self.end is None:
            self._take(event)
        return self.end is not None

    def _take(self, event: Mapping[str, Any]) -> None:
        index = event.get("index")
        match event.get("type"):
            case "message_start":
                message = event["message"]
                self.id = message.get("id") or ""
                self._count(message.get("usage"))
            case "content_block_start":
                self._hand_on()
                self.open[index] = block = _Block(dict(event["content_block"]))
                self._show(block.raw)
            case "content_block_delta" if (grows := self.open.get(index)) is not None:
                grows.add(event["delta"])
                self._show(event["delta"])
            case "content_block_stop" if (ended := self.open.pop(index, None)) is not None:
                self._complete(ended.whole())
            case "message_delta":
                self._count(event.get("usage"))
                self._stop(event["delta"].get("stop_reason"))
            case "message_stop":
                self._hand_on()
                self.end = Response(self.finish, self._usage(), self.id)
            case "error":
                told = event.get("error")
                self.end = _failure(told if isinstance(told, Mapping) else {})

    def _show(self, said: Mapping[str, Any]) -> None:
        for key, show in ((TEXT, self.sink.text), ("thinking", self.sink.reasoning)):
            if isinstance(text := said.get(key), str):
                show(text)

    def _complete(self, block: dict[str, Any]) -> None:
        kind, given = block_type(block), block.get("input")
        if isinstance(given, str) and (kind == TOOL_USE or kind in SERVER_USES):
            _, why = arguments_of(given)
            if kind in SERVER_USES:
                block["input"] = as_object(given)  # it goes back as it is, and must be an object then
            if why:
                self.waiting = block
                return
        self.sink.item(block)

    def _hand_on(self, *, cut: bool = False) -> None:
        """What stands behind the call that waits says whether it was cut."""
        block, self.waiting = self.waiting, None
        if block is not None and not (cut and block_type(block) in SERVER_USES):
            self.sink.item(block, cut=cut)  # of the provider's own calls a part is none

    def _stop(self, reason: object) -> None:
        if reason is None:
            return
        if reason == _NO_ROOM:
            text = f"the model stopped because its context window is full ({_NO_ROOM})"
            self.end = ModelError(Trouble.OVERFLOW, text)
            return
        self.finish = _FINISHES.get(str(reason), Finish.STOP)
        self._hand_on(cut=self.finish in _CUT)

    def _count(self, told: object) -> None:
        """Counts are those of the whole message so far; the last ones hold."""
        if isinstance(told, Mapping):
            self.counts.update((key, count) for key, count in told.items() if isinstance(count, int))

    def _usage(self) -> Usage | None:
        """What it cost: what was read from a cache, or written to one, is input, too."""
        if not self.counts:
            return None
        read = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
        return Usage(sum(self.counts.get(key, 0) for key in read), self.counts.get("output_tokens", 0))


# ── how it fails ────────────────────────────────────────────────────────────────────────────────────

_RETRY = frozenset({408, 409, 425, 429})
_STATUSES = MappingProxyType(
    {
        "invalid_request_error": 400,
        "authentication_error": 401,
        "billing_error": 402,
        "permission_error": 403,
        "not_found_error": 404,
        "request_too_large": 413,
    }
)
"""What errors in the middle of a stream would have been as a status; all others may be better next time."""
_TOO_LONG = ("prompt is too long", "exceed context limit", "Input is too long")
_NO_MONEY = "credit balance is too low"  # which is a 400, too


def _failure(
    told: Mapping[str, Any], status: int | None = None, said: str = "", wait: float | None = None
) -> ModelError:
    """What an error means for the turn; a status of None is an error in the stream."""
    text = str(told.get("message") or said or "the response failed, and the provider did not say why")
    code = _STATUSES.get(str(told.get("type")), 500) if status is None else status
    return ModelError(_trouble(code, text), text, status=status, retry_after=wait)


def _trouble(status: int, text: str) -> Trouble:
    if status in _RETRY or status >= 500:
        return Trouble.LOST
    if status == 413 or (status == 400 and any(part in text for part in _TOO_LONG)):
        return Trouble.OVERFLOW
    if status not in {400, 422} or _NO_MONEY in text:
        return Trouble.FATAL
    return Trouble.REFUSED
