"""OpenAI Responses and Chat Completions, over the official ``AsyncOpenAI`` client, under trio.

How a request leaves is said in ``sdk.py``; this file owns what an answer says, and what an error means.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import openai
from attrs import define, evolve, field
from openai import AsyncOpenAI

from turnlock._secrets import hiding
from turnlock.engine import Finish, Trouble
from turnlock.errors import ModelError
from turnlock.models.base import Request, Response, Sink, Usage
from turnlock.models.sdk import OverSDK
from turnlock.models.stream import retry_after
from turnlock.wire import Settings, ToolSpec
from turnlock.wire.common.jsontext import mended

_RETRY = frozenset({408, 409, 425, 429})
_FATAL = frozenset({"insufficient_quota", "model_not_found", "invalid_api_key", "billing_hard_limit_reached"})
_THE_BODY = frozenset({400, 413, 422})  # all others are about keys, rights, addresses, money
_SAYS_WHETHER_CUT = frozenset({"completed", "incomplete"})  # statuses of items


@define(eq=False)
class _OpenAI(OverSDK[AsyncOpenAI]):
    """What both APIs share; the key is that of ``OPENAI_API_KEY``.

    ``options`` are ``temperature``, ``store``, ``reasoning``, …
    """

    status_error = openai.APIStatusError
    connection_error = openai.APIConnectionError
    sdk_error = (openai.OpenAIError,)

    def make_client(self) -> AsyncOpenAI:
        """A client of our own."""
        return AsyncOpenAI()

    def refusal(self, error: openai.APIStatusError) -> ModelError:
        """What an HTTP status means for the turn."""
        return _refusal(error)


# ── Responses ───────────────────────────────────────────────────────────────────────────────────────


@define(eq=False)
class OpenAIResponses(_OpenAI):
    """A model behind the Responses API: ``OpenAIResponses("gpt-5", {"store": False})``.

    Attributes:
        continues: A request names the last whole response and carries only what came after it, so the
            provider must keep responses (``store``). With the option ``conversation`` it is so in any case.
    """

    continues: bool = field(default=False, kw_only=True)

    def __attrs_post_init__(self) -> None:
        if self.continues and self.options.get("store") is False:
            raise ValueError("continues=True needs responses that are kept: leave out the option store=False")

    def settings(self, instructions: str, tools: Sequence[ToolSpec]) -> Settings:
        """What is the same in every request of a session."""
        return evolve(super().settings(instructions, tools), continues=self.continues)

    @property
    def dialect(self) -> str:
        """The wire format."""
        return "openai_responses"

    async def respond(self, request: Request, sink: Sink) -> Response:
        """Send the request; items count as soon as the provider completed them (R12).

        Raises:
            ModelError: The response did not come to its end.
        """
        answer = _ResponsesAnswer(sink)
        with hiding(self.find_key):
            try:
                await self.post("/responses", request, answer)
            finally:
                answer.hand_on()
            if answer.end is None:
                raise ModelError(Trouble.LOST, "the stream ended before the response was completed")
            if isinstance(answer.end, ModelError):
                raise answer.end
        return answer.end


@define
class _ResponsesAnswer:
    """The events of one answer.

    Attributes:
        sink: Where items and text go.
        end: How the response ended, once its end marker has come.
        waiting: A call whose item does not say whether the length limit has cut it, as those of custom tools
            do not: the event behind it does.
    """

    sink: Sink
    end: Response | ModelError | None = None
    waiting: Mapping[str, Any] | None = None

    def take(self, event: Mapping[str, Any]) -> bool:
        if self.end is None:
            self._take(event)
        return self.end is not None

    def _take(self, event: Mapping[str, Any]) -> None:
        match event.get("type"):
            case "response.output_text.delta" | "response.refusal.delta":
                self.sink.text(event["delta"])
            case "response.reasoning_summary_text.delta" | "response.reasoning_text.delta":
                self.sink.reasoning(event["delta"])
            case "response.output_item.added":
                self.hand_on()
            case "response.output_item.done":
                self.hand_on()
                self._take_item(event["item"])
            case "response.completed":
                self.hand_on()
                self.end = _response(event["response"], Finish.STOP)
            case "response.incomplete":
                self.hand_on(cut=True)
                details = event["response"].get("incomplete_details") or {}
                filtered = details.get("reason") == "content_filter"
                self.end = _response(event["response"], Finish.FILTER if filtered else Finish.LENGTH)
            case "response.failed":
                self.end = _failure(event["response"].get("error") or {})
            case "error":
                self.end = _failure(event.get("error") or event)

    def _take_item(self, item: Mapping[str, Any]) -> None:
        kind, status = str(item.get("type")), item.get("status")
        is_call = kind.endswith("_call") or kind == "mcp_approval_request"
        if is_call and status not in _SAYS_WHETHER_CUT:
            self.waiting = item
        else:
            self.sink.item(item, cut=status == "incomplete")

    def hand_on(self, *, cut: bool = False) -> None:
        """Nothing more will be said of the call that waits."""
        item, self.waiting = self.waiting, None
        if item is not None:
            self.sink.item(item, cut=cut)


# ── Chat Completions ────────────────────────────────────────────────────────────────────────────────


@define(eq=False)
class OpenAIChat(_OpenAI):
    """A model behind Chat Completions, OpenAI's or a compatible server's.

    Nothing of an answer counts before its ``finish_reason`` (R12): there is no marker per call.

    Attributes:
        dialect: The wire format, as the server takes it: ``deepseek_chat+thinking``, ``groq``, …
    """

    dialect: str = field(default="openai_chat", kw_only=True)

    async def respond(self, request: Request, sink: Sink) -> Response:
        """Send the request, put the pieces together, and hand them on when the answer is complete.

        Raises:
            ModelError: The response did not come to its end.
        """
        answer = _ChatAnswer(sink)
        with hiding(self.find_key):
            await self.post("/chat/completions", request, answer)
            if answer.error is not None:
                raise answer.error
        if answer.finish is None:
            raise ModelError(Trouble.LOST, "the stream ended before a finish_reason")
        return Response(answer.finish, answer.usage, answer.id)


_FINISHES = {"length": Finish.LENGTH, "content_filter": Finish.FILTER}


@define
class _ChatAnswer:
    """The pieces of one answer, joined by index.

    Attributes:
        sink: Where text goes as it comes.
        finish: What the finish_reason means: the message is complete and handed on, and only the usage may
            follow.
        error: What the provider said instead.
        thoughts: The reasoning, by the names that servers have for it: it may have to go back.
    """

    sink: Sink
    text: list[str] = field(factory=list)
    refusal: list[str] = field(factory=list)
    thoughts: dict[str, list[str]] = field(factory=lambda: {"reasoning_content": [], "reasoning": []})
    calls: dict[int, dict[str, Any]] = field(factory=dict)
    finish: Finish | None = None
    error: ModelError | None = None
    usage: Usage | None = None
    id: str = ""

    def take(self, event: Mapping[str, Any]) -> bool:
        if isinstance(event.get("error"), Mapping) and self.finish is None and self.error is None:
            self.error = _failure(event["error"])
        elif self.error is None:
            self._take(event)
        return self.finish is not None or self.error is not None

    def _take(self, chunk: Mapping[str, Any]) -> None:
        self.id = chunk.get("id") or self.id
        if usage := chunk.get("usage"):
            self.usage = _usage(usage, "prompt_tokens", "completion_tokens")
        for choice in chunk.get("choices") or ():
            delta = choice.get("delta") or {}
            for key, pieces in (("content", self.text), ("refusal", self.refusal)):
                if delta.get(key):
                    pieces.append(delta[key])
                    self.sink.text(delta[key])
            said = {key: delta[key] for key in self.thoughts if delta.get(key)}
            for key, piece in said.items():
                self.thoughts[key].append(piece)
            if said:  # servers that have both names say the same under each
                self.sink.reasoning(next(iter(said.values())))
            for call in delta.get("tool_calls") or ():
                self._add_call(call)
            if (reason := choice.get("finish_reason")) and self.finish is None:
                self.finish = _FINISHES.get(reason, Finish.STOP)
                self.sink.item(self.message(), cut=self.finish is not Finish.STOP)

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
        # An emoji may come in halves, in two chunks.
        text, refusal = mended("".join(self.text)), mended("".join(self.refusal))
        message: dict[str, Any] = {"role": "assistant", "content": text or None}
        if refusal:
            message["refusal"] = refusal
        for name, pieces in self.thoughts.items():
            if pieces:
                message[name] = mended("".join(pieces))
        for call in self.calls.values():
            for kind, words in (("function", "arguments"), ("custom", "input")):
                if body := call.get(kind):
                    body[words] = mended(body[words])
        if self.calls:
            message["tool_calls"] = [self.calls[index] for index in sorted(self.calls)]
        return message


# ── how a response ends ─────────────────────────────────────────────────────────────────────────────


def _usage(told: Mapping[str, Any], *names: str) -> Usage:
    """What it cost; a count that is no number counts for nothing."""
    counts = (told.get(name) for name in names)
    return Usage(*(count if isinstance(count, int) else 0 for count in counts))


def _response(data: Mapping[str, Any], finish: Finish) -> Response:
    usage = None
    if told := data.get("usage"):
        usage = _usage(told, "input_tokens", "output_tokens")
    return Response(finish, usage, data.get("id") or "")


def _failure(error: Mapping[str, Any]) -> ModelError:
    text = error.get("message") or "the response failed, and the provider did not say why"
    return ModelError(_trouble(None, str(error.get("code") or "")), str(text))


def _refusal(error: openai.APIStatusError) -> ModelError:
    """What an HTTP status means for the turn."""
    body = error.body if isinstance(error.body, Mapping) else {}
    code, text = str(body.get("code") or ""), body.get("message") or error.message
    wait = retry_after(error.response.headers)
    return ModelError(
        _trouble(error.status_code, code), str(text), status=error.status_code, retry_after=wait
    )


def _trouble(status: int | None, code: str) -> Trouble:
    """What goes wrong, by status and code; a status of None is an error in the stream."""
    if code == "previous_response_not_found":
        return Trouble.FORGOTTEN
    if code == "context_length_exceeded":
        return Trouble.OVERFLOW
    if code in _FATAL:
        return Trouble.FATAL
    if code == "invalid_prompt":
        return Trouble.REFUSED
    if code == "conversation_locked" or status is None or status in _RETRY or status >= 500:
        return Trouble.LOST
    return Trouble.REFUSED if status in _THE_BODY else Trouble.FATAL
