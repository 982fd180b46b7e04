"""OpenAI Responses and Chat Completions, over the official ``AsyncOpenAI`` client, under trio.

The bytes that leave are the bytes that were checked: they are posted as they are, and the events of the
stream are read as plain data, without passing through the SDK's types. The SDK's own retries are off
(its default is 2): every request that leaves is a dispatch of the table.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from email.utils import parsedate_to_datetime
from time import time
from typing import Any

import openai
import trio
from attrs import define, field
from openai import AsyncOpenAI, AsyncStream

from turnlock.engine import Finish, Trouble
from turnlock.errors import ModelError
from turnlock.models.base import Request, Response, Sink, Usage
from turnlock.wire import Settings, ToolSpec

_DRAIN = 5.0  # seconds to wait for the end of a stream whose end marker has come
_TYPES = {"Content-Type": "application/json", "Accept": "text/event-stream"}
_RETRY = frozenset({408, 409, 425, 429})
_FATAL = frozenset({"insufficient_quota", "model_not_found", "invalid_api_key", "billing_hard_limit_reached"})
_NOT_THE_BODY = frozenset({401, 403, 405})  # keys, rights and addresses: asking again will not help


@define(eq=False)
class _OpenAI:
    """What both APIs share.

    Attributes:
        name: The model, as the provider calls it.
        options: What else goes into every body: ``temperature``, ``store``, ``reasoning``, …
        client: The client; default: one of our own, with the key from ``OPENAI_API_KEY``.
        owned: Closing the adapter closes the client.
    """

    name: str
    options: Mapping[str, Any] = field(factory=dict)
    client: AsyncOpenAI | None = field(default=None, repr=False, kw_only=True)
    owned: bool = field(default=False, kw_only=True)

    @property
    def dialect(self) -> str:
        """The wire format."""
        raise NotImplementedError

    def settings(self, instructions: str, tools: Sequence[ToolSpec]) -> Settings:
        """What is the same in every request of a session."""
        return Settings(self.name, instructions, tuple(tools), self.options, stream=True)

    async def aclose(self) -> None:
        """Close the client, if it is our own."""
        if self.owned and self.client is not None:
            client, self.client = self.client, None
            await client.close()

    def _without_retries(self) -> AsyncOpenAI:
        if self.client is None:
            try:
                self.client = AsyncOpenAI()
            except openai.OpenAIError as error:  # there is no key
                raise ModelError(Trouble.FATAL, str(error)) from error
            self.owned = True
        return self.client.with_options(max_retries=0)

    @asynccontextmanager
    async def _stream(self, path: str, request: Request) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
        """The events of the answer as plain data; what goes wrong on the way becomes a ``ModelError``."""
        try:
            stream: AsyncStream[Any] = await self._without_retries().post(
                path,
                cast_to=object,
                content=request.body,
                options={"headers": _TYPES},
                stream=True,
                stream_cls=AsyncStream[Any],
            )
            async with stream:
                yield stream
        except openai.APIStatusError as error:
            raise _refusal(error) from error
        except openai.APIConnectionError as error:
            cause = error.__cause__ or error
            raise ModelError(
                Trouble.LOST, f"the connection was lost ({type(cause).__name__}: {cause})"
            ) from error
        except openai.APIError as error:  # an error event in the stream
            raise ModelError(_trouble(None, str(error.code or "")), error.message) from error


class OpenAIResponses(_OpenAI):
    """A model behind the Responses API: ``OpenAIResponses("gpt-5", {"store": False})``."""

    @property
    def dialect(self) -> str:
        """The wire format."""
        return "openai_responses"

    async def respond(self, request: Request, sink: Sink) -> Response:
        """Send the request; items count as soon as the provider completed them (R12).

        Raises:
            ModelError: The response did not come to its end.
        """
        end: Response | ModelError | None = None
        async with self._stream("/responses", request) as events:
            with trio.CancelScope() as drain:
                async for event in events:
                    end = end or _take(event, sink)
                    if end is not None and drain.deadline == math.inf:
                        # The end marker was the last event. The rest is read, not dropped, so that the
                        # connection can be used again; a server that keeps it open is not waited for.
                        drain.deadline = trio.current_time() + _DRAIN
        if end is None:
            raise ModelError(Trouble.LOST, "the stream ended before the response was completed")
        if isinstance(end, ModelError):
            raise end
        return end


def _take(event: Mapping[str, Any], sink: Sink) -> Response | ModelError | None:
    """Hand on one event; the end of the response, good or bad, is the result."""
    match event.get("type"):
        case "response.output_text.delta" | "response.refusal.delta":
            sink.text(event["delta"])
        case "response.reasoning_summary_text.delta" | "response.reasoning_text.delta":
            sink.reasoning(event["delta"])
        case "response.output_item.done":
            item = event["item"]
            sink.item(item, cut=item.get("status") == "incomplete")
        case "response.completed":
            return _response(event["response"], Finish.STOP)
        case "response.incomplete":
            details = event["response"].get("incomplete_details") or {}
            filtered = details.get("reason") == "content_filter"
            return _response(event["response"], Finish.FILTER if filtered else Finish.LENGTH)
        case "response.failed":
            return _failure(event["response"].get("error") or {})
        case "error":
            return _failure(event)
    return None


def _failure(error: Mapping[str, Any]) -> ModelError:
    text = error.get("message") or "the response failed, and the provider did not say why"
    return ModelError(_trouble(None, str(error.get("code") or "")), str(text))


class OpenAIChat(_OpenAI):
    """A model behind Chat Completions, OpenAI's or a compatible server's.

    Nothing of an answer counts before its ``finish_reason`` (R12): there is no marker per call.
    """

    @property
    def dialect(self) -> str:
        """The wire format."""
        return "openai_chat"

    async def respond(self, request: Request, sink: Sink) -> Response:
        """Send the request, put the pieces together, and hand them on when the answer is complete.

        Raises:
            ModelError: The response did not come to its end.
        """
        answer = _ChatAnswer()
        async with self._stream("/chat/completions", request) as events:
            with trio.CancelScope() as drain:
                async for event in events:
                    answer.add(event, sink)
                    if answer.finish is not None and drain.deadline == math.inf:
                        drain.deadline = trio.current_time() + _DRAIN  # what comes now is the usage
        if answer.finish is None:
            raise ModelError(Trouble.LOST, "the stream ended before a finish_reason")
        finish = {"length": Finish.LENGTH, "content_filter": Finish.FILTER}.get(answer.finish, Finish.STOP)
        sink.item(answer.message(), cut=finish is not Finish.STOP)
        return Response(finish, answer.usage, answer.id)


@define
class _ChatAnswer:
    """The pieces of one answer, joined by index."""

    text: list[str] = field(factory=list)
    refusal: list[str] = field(factory=list)
    calls: dict[int, dict[str, Any]] = field(factory=dict)
    finish: str | None = None
    usage: Usage = field(factory=Usage)
    id: str = ""

    def add(self, chunk: Mapping[str, Any], sink: Sink) -> None:
        self.id = chunk.get("id") or self.id
        if usage := chunk.get("usage"):
            self.usage = Usage(usage.get("prompt_tokens") or 0, usage.get("completion_tokens") or 0)
        for choice in chunk.get("choices") or ():
            delta = choice.get("delta") or {}
            for key, pieces in (("content", self.text), ("refusal", self.refusal)):
                if delta.get(key):
                    pieces.append(delta[key])
                    sink.text(delta[key])
            if thought := delta.get("reasoning_content") or delta.get("reasoning"):
                sink.reasoning(thought)
            for piece in delta.get("tool_calls") or ():
                self._add_call(piece)
            self.finish = choice.get("finish_reason") or self.finish

    def _add_call(self, piece: Mapping[str, Any]) -> None:
        call = self.calls.setdefault(piece.get("index", len(self.calls)), {"id": "", "type": "function"})
        call["id"] = piece.get("id") or call["id"]
        call["type"] = piece.get("type") or call["type"]
        for kind, text in (("function", "arguments"), ("custom", "input")):
            if part := piece.get(kind):
                body = call.setdefault(kind, {"name": "", text: ""})
                body["name"] = part.get("name") or body["name"]
                body[text] += part.get(text) or ""

    def message(self) -> dict[str, Any]:
        """The whole message, as a server that does not stream would have sent it."""
        text, refusal = "".join(self.text), "".join(self.refusal)
        message: dict[str, Any] = {"role": "assistant", "content": text or None}
        if refusal:
            message["refusal"] = refusal
        if self.calls:
            message["tool_calls"] = [self.calls[index] for index in sorted(self.calls)]
        return message


def _response(data: Mapping[str, Any], finish: Finish) -> Response:
    usage = data.get("usage") or {}
    return Response(
        finish, Usage(usage.get("input_tokens") or 0, usage.get("output_tokens") or 0), data.get("id") or ""
    )


def _refusal(error: openai.APIStatusError) -> ModelError:
    """What an HTTP status means for the turn."""
    body = error.body if isinstance(error.body, Mapping) else {}
    code, text = str(body.get("code") or ""), body.get("message") or error.message
    wait = _retry_after(error.response.headers)
    return ModelError(
        _trouble(error.status_code, code), str(text), status=error.status_code, retry_after=wait
    )


def _trouble(status: int | None, code: str) -> Trouble:
    """What goes wrong, by status and code; a status of None is an error in the stream."""
    if code == "context_length_exceeded":
        return Trouble.OVERFLOW
    if code in _FATAL or status in _NOT_THE_BODY:
        return Trouble.FATAL
    if code == "invalid_prompt":
        return Trouble.REFUSED
    if code == "conversation_locked" or status is None or status in _RETRY or status >= 500:
        return Trouble.LOST
    return Trouble.REFUSED


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the provider asks to wait: in milliseconds, in seconds, or as a date (RFC 9110)."""
    with suppress(ValueError):
        return max(0.0, float(headers.get("retry-after-ms", "")) / 1000)
    given = headers.get("retry-after", "")
    with suppress(ValueError):
        return max(0.0, float(given))
    with suppress(ValueError):
        return max(0.0, parsedate_to_datetime(given).timestamp() - time())
    return None
