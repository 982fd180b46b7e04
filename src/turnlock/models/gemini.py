"""Gemini over the official ``google-genai`` client, at AI Studio and on Vertex AI, under trio.

The SDK says where a request goes and with which key; the bytes that leave are the bytes that were checked.
Its own methods would write the body anew from their types, and its asynchronous client wants asyncio: so the
bytes are posted with an ``httpx2`` client, the SDK's transport, and the answer is read as plain data
(``stream.py``). Nothing is retried here: every request that leaves is a dispatch of the table.

A part that calls is whole as it comes, and counts at once (R12). Texts and thoughts come in pieces: those
that follow each other are one part, as without streaming, and so is a signature that comes behind them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

import httpx2
import msgspec
import trio
from attrs import define, field
from google import genai

from turnlock._secrets import hiding
from turnlock.engine import Finish, Trouble
from turnlock.errors import ModelError
from turnlock.models.base import Request, Response, Sink, Usage
from turnlock.models.stream import lost, read_answer, retry_after
from turnlock.wire import Settings, ToolSpec
from turnlock.wire.common.jsontext import mended
from turnlock.wire.gemini import signs_calls

_VERTEX = ("GOOGLE_GENAI_USE_ENTERPRISE", "GOOGLE_GENAI_USE_VERTEXAI")  # as the SDK reads them


@define(eq=False)
class Gemini:
    """A model behind Gemini's API: ``Gemini("gemini-3-pro", {"generationConfig": {"temperature": 0.2}})``.

    Attributes:
        name: The model, as the provider calls it.
        options: What else goes into every body: ``generationConfig``, ``toolConfig``, ``safetySettings``, …
        client: The client; default: one of our own, with the key from ``GEMINI_API_KEY`` or
            ``GOOGLE_API_KEY``.
        owned: Closing the adapter closes the client.
    """

    name: str
    options: Mapping[str, Any] = field(factory=dict)
    client: genai.Client | None = field(default=None, repr=False, kw_only=True)
    owned: bool = field(default=False, kw_only=True)
    _http: httpx2.AsyncClient | None = field(init=False, default=None, repr=False)

    @property
    def dialect(self) -> str:
        """The wire format, and what is known of the server: ``gemini+3`` asks for signatures."""
        profiles = ("+3" if signs_calls(self.name) else "") + ("+vertex" if self._on_vertex else "")
        return "gemini" + profiles

    @property
    def _on_vertex(self) -> bool:
        if self.client is not None:
            return bool(self.client.vertexai)
        said = next((given for name in _VERTEX if (given := os.environ.get(name)) is not None), "")
        return said.lower() in ("true", "1")

    def settings(self, instructions: str, tools: Sequence[ToolSpec]) -> Settings:
        """What is the same in every request of a session."""
        return Settings(self.name, instructions, tuple(tools), self.options, stream=True)

    async def respond(self, request: Request, sink: Sink) -> Response:
        """Send the request; calls count as soon as their part is here (R12).

        Raises:
            ModelError: The response did not come to its end.
        """
        answer = _Answer(sink)
        with hiding(self._find_key):
            await self._post(request, answer)
            if answer.end is None:
                raise ModelError(Trouble.LOST, "the stream ended before a finishReason")
            if isinstance(answer.end, ModelError):
                raise answer.end
        return Response(answer.end, answer.usage, answer.id)

    async def aclose(self) -> None:
        """Close the connections, and the client if it is our own."""
        http, self._http = self._http, None
        if http is not None:
            await http.aclose()
        if self.owned and self.client is not None:
            client, self.client = self.client, None
            client.close()

    # ── the request ─────────────────────────────────────────────────────────────────────────────────

    def _open(self) -> httpx2.AsyncClient:
        """What posts: the HTTP client that the SDK's client was given, else one of our own."""
        if self._http is None:
            self._http = httpx2.AsyncClient(timeout=None)  # requests have the session's request_timeout
        if self.client is None:
            # The SDK would make an HTTP client for asyncio, unless it is given one.
            http_options = genai.types.HttpOptions(httpx_async_client=self._http)
            try:
                self.client = genai.Client(vertexai=self._on_vertex, http_options=http_options)
            except ValueError as error:  # there is no key, or on Vertex no project
                hint = "" if self._on_vertex else " Set GEMINI_API_KEY, or give a client that has a key."
                raise ModelError(Trouble.FATAL, f"{error}{hint}") from error
            self.owned = True
        given = self._sdk._http_options.httpx_async_client  # noqa: SLF001
        return given if isinstance(given, httpx2.AsyncClient) else self._http

    @property
    def _sdk(self) -> Any:  # noqa: ANN401 - the SDK's own, and private: it knows addresses, headers and keys
        assert self.client is not None
        return self.client._api_client  # noqa: SLF001

    def _find_key(self) -> str:
        key = None if self.client is None else self._sdk.api_key
        return key if isinstance(key, str) else ""  # a token of Vertex is known by its looks

    async def _address(self) -> tuple[str, dict[str, str]]:
        """Where the request goes, and with which headers."""
        sdk, name = self._sdk, self.name
        if sdk.vertexai:
            prefix = (
                ""
                if name.startswith(("projects/", "publishers/", "models/"))
                else "publishers/google/models/"
            )
        else:
            prefix = "" if name.startswith(("models/", "tunedModels/")) else "models/"
        made = sdk._build_request("post", f"{prefix}{name}:streamGenerateContent?alt=sse", {}, None)  # noqa: SLF001
        headers = dict(made.headers)
        if sdk.vertexai and (sdk.project or sdk.location) and not sdk.api_key:
            token = await trio.to_thread.run_sync(sdk._access_token, abandon_on_cancel=True)  # noqa: SLF001
            headers["Authorization"] = f"Bearer {token}"
        return str(made.url), headers

    async def _post(self, request: Request, answer: _Answer) -> None:
        """Send the request and hand on the events of the answer, until the stream ends.

        Raises:
            ModelError: There is no answer, or the stream broke off before the answer was whole.
        """
        http = self._open()
        url, headers = await self._address()
        leaves = http.build_request("POST", url, content=request.body, headers=headers, timeout=None)
        try:
            response = await http.send(leaves, stream=True)
        except httpx2.TransportError as error:
            raise lost(error) from error
        try:
            if response.status_code != 200:
                raise await _refusal(response)
            await read_answer(response, answer)
        finally:
            await response.aclose()


# ── the answer ──────────────────────────────────────────────────────────────────────────────────────

_FILTERED = frozenset(
    {
        "BLOCKLIST",
        "IMAGE_PROHIBITED_CONTENT",
        "IMAGE_RECITATION",
        "IMAGE_SAFETY",
        "LANGUAGE",
        "PROHIBITED_CONTENT",
        "RECITATION",
        "SAFETY",
        "SPII",
    }
)
_NO_ANSWER = frozenset(
    {
        "FINISH_REASON_UNSPECIFIED",
        "MALFORMED_FUNCTION_CALL",
        "MALFORMED_RESPONSE",
        "OTHER",
        "TOO_MANY_TOOL_CALLS",
        "UNEXPECTED_TOOL_CALL",
    }
)
"""The model said what nobody can read, or nothing: it is asked again. Calls that were whole still count."""


@define
class _Answer:
    """The chunks of one answer.

    Attributes:
        sink: Where parts and text go.
        end: Why the model stopped, once it has said so; or what went wrong instead.
        pieces: Text, or thoughts, of a part that may go on.
    """

    sink: Sink
    end: Finish | ModelError | None = None
    usage: Usage | None = None
    id: str = ""
    pieces: list[str] = field(factory=list)
    thought: bool = False

    def take(self, event: Mapping[str, Any]) -> bool:
        if self.end is None:
            self._take(event)
        if isinstance(told := event.get("usageMetadata"), Mapping):
            self.usage = _usage(told)
        return self.end is not None

    def _take(self, chunk: Mapping[str, Any]) -> None:
        if isinstance(chunk.get("error"), Mapping):
            self.end = _failure(chunk, None, None)
            return
        self.id = str(chunk.get("responseId") or self.id)
        for candidate in (chunk.get("candidates") or ())[:1]:
            for part in (candidate.get("content") or {}).get("parts") or ():
                self._take_part(part)
            if reason := candidate.get("finishReason"):
                self._finish(str(reason), str(candidate.get("finishMessage") or ""))
        blocked = (chunk.get("promptFeedback") or {}).get("blockReason")
        if blocked and self.end is None:
            self.end = ModelError(Trouble.REFUSED, f"the prompt was blocked: {blocked}")

    def _take_part(self, part: Mapping[str, Any]) -> None:
        said = set(part) - {"text", "thought", "thoughtSignature"}
        if said:
            self._hand_on()
            self._take_whole(part)
            return
        text, thought = part.get("text") or "", bool(part.get("thought"))
        signature = part.get("thoughtSignature") or ""
        if thought is not self.thought and (text or signature):
            self._hand_on()
            self.thought = thought
        if text:
            self.pieces.append(text)
            (self.sink.reasoning if thought else self.sink.text)(text)
        if signature:
            self._hand_on(signature)

    def _take_whole(self, part: Mapping[str, Any]) -> None:
        call = part.get("functionCall")
        if isinstance(call, Mapping) and (call.get("willContinue") or call.get("partialArgs")):
            self.end = ModelError(
                Trouble.FATAL,
                "arguments came in pieces: leave streamFunctionCallArguments out of toolConfig",
            )
            return
        self.sink.item(part)

    def _hand_on(self, signature: str = "") -> None:
        """Nothing more will be said of the part that came in pieces."""
        text = mended("".join(self.pieces))  # an emoji may come in halves
        self.pieces.clear()
        if text or signature:
            part: dict[str, Any] = {"text": text}
            if self.thought:
                part["thought"] = True
            self.sink.item(part | ({"thoughtSignature": signature} if signature else {}))
        self.thought = False

    def _finish(self, reason: str, message: str) -> None:
        if self.end is not None:
            return
        if reason in _NO_ANSWER or reason == "MISSING_THOUGHT_SIGNATURE":
            trouble = Trouble.LOST if reason in _NO_ANSWER else Trouble.REFUSED
            self.end = ModelError(trouble, f"the model stopped with {reason}. {message}".rstrip())
            return
        self._hand_on()
        if reason == "MAX_TOKENS":
            self.end = Finish.LENGTH
        else:
            self.end = Finish.FILTER if reason in _FILTERED else Finish.STOP


def _usage(told: Mapping[str, Any]) -> Usage:
    """What it cost; a count that is no number counts for nothing. Thoughts are paid as output."""

    def total(*names: str) -> int:
        return sum(count for name in names if isinstance(count := told.get(name), int))

    return Usage(
        total("promptTokenCount", "toolUsePromptTokenCount"),
        total("candidatesTokenCount", "thoughtsTokenCount"),
    )


# ── how it fails ────────────────────────────────────────────────────────────────────────────────────

_RETRY = frozenset({408, 409, 425, 429, 499})
_THE_BODY = frozenset({400, 413, 422})  # all others are about keys, rights, addresses
_NOT_THE_BODY = frozenset({"FAILED_PRECONDITION", "PERMISSION_DENIED", "UNAUTHENTICATED"})  # a 400, too
_TOO_LONG = re.compile(
    r"input token count.*exceeds|exceeds the maximum number of tokens|payload size exceeds", re.IGNORECASE
)


async def _refusal(response: httpx2.Response) -> ModelError:
    """What an HTTP status means for the turn."""
    try:
        raw = await response.aread()
        body = msgspec.json.decode(raw)
    except httpx2.TransportError as error:
        return lost(error)
    except (msgspec.DecodeError, UnicodeDecodeError):
        body = {}
    if isinstance(body, list) and body:
        body = body[0]
    return _failure(
        body if isinstance(body, Mapping) else {}, response.status_code, retry_after(response.headers)
    )


def _failure(body: Mapping[str, Any], status: int | None, wait: float | None) -> ModelError:
    """What Google's error means for the turn; a status of None is an error in the stream."""
    error = body.get("error")
    error = error if isinstance(error, Mapping) else {}
    details = [each for each in error.get("details") or () if isinstance(each, Mapping)]
    text = str(error.get("message") or f"the request failed with status {status}, and nobody said why")
    code = error.get("code") if status is None else status
    if wait is None:
        wait = next((seconds for each in details if (seconds := _delay(each)) is not None), None)
    trouble = _trouble(code, str(error.get("status") or ""), text, details)
    return ModelError(trouble, text, status=status, retry_after=wait)


def _trouble(code: object, name: str, text: str, details: Sequence[Mapping[str, Any]]) -> Trouble:
    if not isinstance(code, int) or code in _RETRY or code >= 500:
        return Trouble.LOST
    if code not in _THE_BODY or name in _NOT_THE_BODY:
        return Trouble.FATAL
    if any(str(each.get("reason", "")).startswith("API_KEY") for each in details):
        return Trouble.FATAL
    return Trouble.OVERFLOW if _TOO_LONG.search(text) else Trouble.REFUSED


def _delay(detail: Mapping[str, Any]) -> float | None:
    """The seconds of a RetryInfo: ``"33s"``, ``"1.5s"``."""
    given = detail.get("retryDelay")
    found = re.fullmatch(r"(\d+(?:\.\d+)?)s", given) if isinstance(given, str) else None
    return float(found[1]) if found else None
