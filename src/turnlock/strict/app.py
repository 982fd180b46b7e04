"""The strict provider: takes requests, judges them, lets the script answer, and remembers what it was sent.

Owns the paths, the record of every exchange, and what the provider holds for its clients (stored responses,
conversations). It is an ASGI application without a server: ``server`` has the doors. Must not judge or word
anything of a dialect itself. Runs under trio.

A response becomes part of what is held in the instant before its last bytes leave, and only if they leave:
one that was cut or aborted can never be continued from. A conversation takes in none that ended incomplete.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any, Literal, TypeAlias

import attrs
import msgspec
import trio
from attrs import define, field, frozen, validators

from turnlock.strict import chat, responses, stream_chat, stream_responses, verdict
from turnlock.strict.answers import EPOCH, Answer, Ids
from turnlock.strict.anthropic import judge as messages, stream as stream_messages
from turnlock.strict.script import Asked, Line, Player, Script
from turnlock.strict.verdict import Refusal

Dialect: TypeAlias = Literal["openai_responses", "openai_chat", "anthropic"]
End: TypeAlias = Literal["complete", "cut", "aborted"]
Headers: TypeAlias = tuple[tuple[str, str], ...]
_Message: TypeAlias = MutableMapping[str, Any]

_PATHS: Mapping[str, Dialect] = {
    "/responses": "openai_responses",
    "/chat/completions": "openai_chat",
    "/messages": "anthropic",
}
_SECRET = ("authorization", "proxy-authorization", "api-key", "x-api-key", "cookie")
_ERROR_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
_DECIDED = 900  # lines that ``answer`` decided are numbered from here: their call ids show it
_JSON_TYPE = ("content-type", "application/json")
_STREAM_TYPE = ("content-type", "text/event-stream; charset=utf-8")


class ConnectionCut(ConnectionError):
    """Raised out of the application where the script cuts the connection: the server must just close it."""


@frozen
class Exchange:
    """A request that came in, and what was answered.

    Attributes:
        number: Counts the POST requests of this provider, from 1.
        dialect: The dialect of the path.
        headers: In the order sent, names in lower case; keys and tokens are replaced by ``"[redacted]"``.
        raw: The body as it came, bytes.
        body: The decoded body; None when it is no JSON object.
        status: The HTTP status of the answer.
        refusal: Why it was refused; None when the script answered.
        answer: The items that the client saw complete; for Chat Completions the one message, for Anthropic
            the blocks.
        ended: How the answer ended; None while it is on its way.
        held: The items that the provider held for the client, which the body continues.
    """

    number: int
    dialect: Dialect
    headers: Headers
    raw: bytes
    body: Mapping[str, Any] | None
    status: int = 200
    refusal: Refusal | None = None
    answer: tuple[Mapping[str, Any], ...] = ()
    ended: End | None = None
    held: tuple[Mapping[str, Any], ...] = ()

    @property
    def whole(self) -> Mapping[str, Any]:
        """The body with what the provider held for it: all that the model reads."""
        body = self.body or {}
        if not self.held:
            return body
        given = body.get("input", ())
        new = [{"type": "message", "role": "user", "content": given}] if isinstance(given, str) else given
        return {**body, "input": [*self.held, *new]}

    @property
    def rule(self) -> str | None:
        """The rule that the request broke, if it broke one."""
        return None if self.refusal is None else self.refusal.rule


@define(eq=False)
class Reply:
    """An answer on its way to the client.

    Whoever carries it awaits what ``waits`` says, sends the chunks, and calls ``finish`` once: with
    ``"complete"`` just before the last chunk leaves, with ``"cut"`` behind the last chunk of a reply that is
    ``cut`` and then breaks the connection, with ``"aborted"`` when the client has gone.

    ``pace`` says what to await before the head (0) and before each chunk (its number, from 1): an awaitable,
    or None to go on at once. Before the head it may still change what is sent. A ``ConnectionCut`` out of it
    breaks the connection. Tests hold an answer there.
    """

    status: int
    headers: Headers
    chunks: tuple[bytes, ...]
    delay: float = 0.0
    cut: bool = False
    ended: End | None = field(default=None, init=False)
    on_end: Callable[[End], None] | None = field(default=None, repr=False)
    pace: Callable[[int], Awaitable[None] | None] | None = field(default=None, repr=False)

    def waits(self, at: int) -> Awaitable[None] | None:
        """What to await before the head (0, with its delay) or a chunk may be sent; None when nothing."""
        if at == 0 and self.delay:
            return self._late()
        return None if self.pace is None else self.pace(at)

    async def _late(self) -> None:
        await trio.sleep(self.delay)
        held = None if self.pace is None else self.pace(0)
        if held is not None:
            await held

    def finish(self, how: End) -> None:
        """Record how the answer ended; the first time counts."""
        if self.ended is None:
            self.ended = how
            if self.on_end is not None:
                self.on_end(how)


#: Decides on the answer to a request: method, path, headers, body. See ``StrictProvider.respond``.
Respond: TypeAlias = Callable[[str, str, Iterable[tuple[str, str]], bytes], Reply]


@define(eq=False)
class StrictProvider:
    """A provider that answers from a script, and refuses every history that OpenAI or Anthropic would refuse.

    Args:
        script: What it says.
        dialect: The only dialect that it speaks; requests of another one get a 404. None speaks all.
        answer: Says what a request is answered with, as a line of a script; None leaves that to the script.

    It answers ``POST …/responses``, ``POST …/chat/completions``, ``POST …/messages``, ``GET …/models`` and
    ``GET …/exchanges`` (what came in so far) under any prefix. A refused request uses up nothing of the
    script. A conversation begins with the first request that names it.
    """

    script: Script
    dialect: Dialect | None = field(
        default=None, kw_only=True, validator=validators.optional(validators.in_(tuple(_PATHS.values())))
    )
    answer: Callable[[Asked], Mapping[str, Any] | None] | None = field(default=None, kw_only=True)
    _player: Player = field(init=False)
    _ids: Ids = field(factory=Ids, init=False)
    _exchanges: list[Exchange] = field(factory=list, init=False)
    _held: dict[str, tuple[responses.Item, ...]] = field(factory=dict, init=False)
    _stored: dict[str, responses.Item] = field(factory=dict, init=False)
    _busy: set[str] = field(factory=set, init=False)
    _paused: set[messages.Trace] = field(factory=set, init=False)
    _decided: int = field(default=0, init=False)

    @_player.default
    def _new_player(self) -> Player:
        return Player(self.script)

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        """Every POST request of a dialect so far, in the order of arrival."""
        return tuple(self._exchanges)

    @property
    def bodies(self) -> tuple[Mapping[str, Any], ...]:
        """The decoded bodies of the exchanges; what was no JSON object is left out."""
        return tuple(exchange.body for exchange in self._exchanges if exchange.body is not None)

    def add(self, *lines: Mapping[str, Any] | Script) -> None:
        """Put further lines at the end of the script: objects, and whole scripts.

        Raises:
            ScriptError: A line is not of the format; none is added then.
        """
        self.script = self._player.script = self.script.followed_by(*lines)

    # --- one request

    def respond(self, method: str, path: str, headers: Iterable[tuple[str, str]], raw: bytes) -> Reply:
        """Take a request and decide on its answer, without sending anything.

        Args:
            method: The HTTP method.
            path: The path, under any prefix.
            headers: Names and values.
            raw: The body, bytes.
        """
        path = path.rstrip("/")
        wanted = next((wanted for end, wanted in _PATHS.items() if path.endswith(end)), None)
        if wanted is None:
            return self._look(method, path)
        if method != "POST":
            refusal = Refusal(
                "HTTP-METHOD", f"Not allowed to {method} on {path}.", 405, code="method_not_supported"
            )
            return _json(405, _error(wanted, refusal), ("allow", "POST"))
        exchange = Exchange(len(self._exchanges) + 1, wanted, _redacted(headers), raw, _decoded(raw))
        if self.dialect not in {None, wanted}:
            return self._refuse(exchange, _unknown_url(method, path))
        if exchange.body is None:
            return self._refuse(
                exchange, Refusal("HTTP-JSON", "We could not parse the JSON body of your request.")
            )
        answers = {
            "openai_responses": self._responses,
            "openai_chat": self._chat,
            "anthropic": self._messages,
        }
        return answers[wanted](exchange, exchange.body)

    def _look(self, method: str, path: str) -> Reply:
        if method == "GET" and path.endswith("/models"):
            model = {"id": "script", "object": "model", "created": EPOCH, "owned_by": "turnlock"}
            return _json(200, {"object": "list", "data": [model]})
        if method == "GET" and path.endswith("/exchanges"):
            return _json(200, [_shown(exchange) for exchange in self._exchanges])
        return _json(404, _unknown_url(method, path).body())

    def _chat(self, exchange: Exchange, body: Mapping[str, Any]) -> Reply:
        refusal = chat.judge(body)
        if refusal is not None:
            return self._refuse(exchange, refusal)
        asked = stream_chat.asked(body["messages"], exchange.raw)
        line = self._line(exchange, asked, stream_chat.lacks)
        if isinstance(line, Reply):
            return line
        answer = stream_chat.answer(line, body, self._ids)
        return self._send(exchange, line, answer)

    def _responses(self, exchange: Exchange, body: Mapping[str, Any]) -> Reply:
        conversation = _conversation(body)
        before, refusal = self._holdings(body, conversation)
        exchange = attrs.evolve(exchange, held=before)
        refusal = refusal or responses.judge(body, held=before, stored=self._stored)
        if refusal is not None:
            return self._refuse(exchange, refusal)
        sent = responses.resolved(body, self._stored)
        asked = stream_responses.asked([*before, *sent], exchange.raw)
        line = self._line(exchange, asked, stream_responses.lacks)
        if isinstance(line, Reply):
            return line
        answer = stream_responses.answer(line, body, self._ids)
        if conversation is not None:
            self._busy.add(conversation)

        def settle(how: End) -> None:
            self._busy.discard(conversation or "")
            if how == "complete":
                now = (*before, *sent, *answer.items)
                if conversation is not None and line.finish is None:
                    self._held[conversation] = now
                if body.get("store") is not False:
                    self._held[answer.id] = now
                    self._stored.update(
                        (item["id"], item) for item in (*sent, *answer.items) if item.get("id")
                    )

        return self._send(exchange, line, answer, settle)

    def _messages(self, exchange: Exchange, body: Mapping[str, Any]) -> Reply:
        refusal = messages.judge(body, paused=self._paused)
        if refusal is not None:
            return self._refuse(exchange, refusal)
        asked = stream_messages.asked(body["messages"], exchange.raw, self._paused)
        line = self._line(exchange, asked, stream_messages.lacks)
        if isinstance(line, Reply):
            return line
        answer = stream_messages.answer(line, body, self._ids)

        def settle(how: End) -> None:
            if how == "complete" and line.finish == "pause":
                self._paused.add(messages.trace(answer.items))

        return self._send(exchange, line, answer, settle)

    def _line(self, exchange: Exchange, asked: Asked, lacks: Callable[[Line], str | None]) -> Line | Reply:
        """The line that answers, or the error that is answered instead."""
        line = self._choose(asked)
        if line is None:
            return self._refuse(exchange, _nothing_left(asked))
        if line.status is not None:
            return self._fail(exchange, line, line.status)
        lacking = lacks(line)
        if lacking is not None:
            return self._refuse(exchange, Refusal("SCRIPT", lacking, 422, code="no_such_kind"))
        return line

    def _choose(self, asked: Asked) -> Line | None:
        given = None if self.answer is None else self.answer(asked)
        if given is None:
            return self._player.choose(asked)
        self._decided += 1  # numbered apart from the lines of the script, so that call ids stay unique
        return attrs.evolve(Script.of(given).lines[0], number=_DECIDED + self._decided)

    def _holdings(
        self, body: Mapping[str, Any], conversation: str | None
    ) -> tuple[tuple[responses.Item, ...], Refusal | None]:
        """What is held for a request, or why that cannot be said."""
        previous = body.get("previous_response_id")
        if conversation in self._busy:
            message = (
                "Another process is currently operating on this conversation. Please retry in a few seconds."
            )
            return (), Refusal("RESP-CONV-LOCK", message, code="conversation_locked", param="conversation")
        if previous is None:
            return self._held.get(conversation or "", ()), None
        if not isinstance(previous, str):
            return (), verdict.wrong_type("previous_response_id", "a string", previous)
        if previous not in self._held:
            message = f"Previous response with id '{previous}' not found."
            code = "previous_response_not_found"
            return (), Refusal("PREVIOUS-NOT-FOUND", message, code=code, param="previous_response_id")
        return self._held[previous], None

    # --- how it is answered and recorded

    def _refuse(self, exchange: Exchange, refusal: Refusal) -> Reply:
        self._exchanges.append(
            attrs.evolve(exchange, status=refusal.status, refusal=refusal, ended="complete")
        )
        headers = [_request_id(exchange)] if exchange.dialect == "anthropic" else []
        return _json(refusal.status, _error(exchange.dialect, refusal, exchange.number), *headers)

    def _fail(self, exchange: Exchange, line: Line, status: int) -> Reply:
        self._exchanges.append(attrs.evolve(exchange, status=status))
        kind = _ERROR_TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")
        message = line.message or f"The script answers this request with status {status}."
        refusal = Refusal("SCRIPT", message, status, type=kind, code=line.code)
        body = _error(exchange.dialect, refusal, exchange.number)
        headers = [_JSON_TYPE, _request_id(exchange)]
        if line.retry_after is not None:
            headers.append(("retry-after", f"{line.retry_after}"))
        return Reply(
            status,
            tuple(headers),
            (msgspec.json.encode(body),),
            delay=line.delay,
            on_end=lambda how: self._ended(exchange.number, how),
        )

    def _send(
        self, exchange: Exchange, line: Line, answer: Answer, settle: Callable[[End], None] | None = None
    ) -> Reply:
        self._exchanges.append(attrs.evolve(exchange, answer=answer.items))

        def on_end(how: End) -> None:
            if settle is not None:
                settle(how)
            self._ended(exchange.number, how)

        streams = exchange.body is not None and bool(exchange.body.get("stream"))
        headers = (_STREAM_TYPE if streams else _JSON_TYPE, _request_id(exchange))
        return Reply(200, headers, answer.chunks, delay=line.delay, cut=answer.cut, on_end=on_end)

    def _ended(self, number: int, how: End) -> None:
        self._exchanges[number - 1] = attrs.evolve(self._exchanges[number - 1], ended=how)

    # --- ASGI

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[_Message]],
        send: Callable[[_Message], Awaitable[None]],
    ) -> None:
        """The ASGI application.

        Raises:
            ConnectionCut: The script cuts the connection here.
        """
        await handle(self.respond, scope, receive, send)


async def handle(
    respond: Respond,
    scope: MutableMapping[str, Any],
    receive: Callable[[], Awaitable[_Message]],
    send: Callable[[_Message], Awaitable[None]],
) -> None:
    """One call of an ASGI application that answers with what ``respond`` decides.

    Raises:
        ConnectionCut: The reply cuts the connection here.
    """
    if scope["type"] == "lifespan":
        await _live(receive, send)
    elif scope["type"] == "http":
        raw = await _read(receive)
        if raw is not None:
            headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
            await _carry(respond(scope["method"], scope["path"], headers, raw), receive, send)


async def _live(
    receive: Callable[[], Awaitable[_Message]], send: Callable[[_Message], Awaitable[None]]
) -> None:
    for stage in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{stage}.complete"})


async def _read(receive: Callable[[], Awaitable[_Message]]) -> bytes | None:
    """The whole body; None when the client left before it had sent it."""
    raw = b""
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        raw += message.get("body", b"")
        more = message.get("more_body", False)
    return raw


async def _carry(
    reply: Reply, receive: Callable[[], Awaitable[_Message]], send: Callable[[_Message], Awaitable[None]]
) -> None:
    """Send a reply, unless the client leaves first."""
    broken: ConnectionCut | None = None
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_watch, receive, nursery.cancel_scope)
            try:
                await _send(reply, send)
            except ConnectionCut as cut:
                broken = cut  # raised outside of the nursery, which would make a group of it
            nursery.cancel_scope.cancel()
    finally:
        reply.finish("aborted")  # says nothing where it has ended otherwise
    if broken is not None:
        raise broken


async def _send(reply: Reply, send: Callable[[_Message], Awaitable[None]]) -> None:
    await _due(reply, 0)
    headers = [(name.encode(), value.encode()) for name, value in reply.headers]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    for at, chunk in enumerate(reply.chunks, start=1):
        await _due(reply, at)
        whole = at == len(reply.chunks) and not reply.cut
        if whole:
            reply.finish("complete")
        await send({"type": "http.response.body", "body": chunk, "more_body": not whole})
    if reply.cut:
        reply.finish("cut")
        raise ConnectionCut("the script cuts the connection here")


async def _due(reply: Reply, at: int) -> None:
    waits = reply.waits(at)
    if waits is None:
        await trio.lowlevel.checkpoint()
    else:
        await waits


async def _watch(receive: Callable[[], Awaitable[_Message]], sending: trio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    sending.cancel()


# --- small parts


def _json(status: int, body: object, *headers: tuple[str, str]) -> Reply:
    return Reply(status, (_JSON_TYPE, *headers), (msgspec.json.encode(body),))


def _error(dialect: Dialect, refusal: Refusal, number: int = 0) -> dict[str, Any]:
    """The error envelope of a dialect, for the exchange of this number."""
    return stream_messages.error(refusal, _id(number)) if dialect == "anthropic" else refusal.body()


def _unknown_url(method: str, path: str) -> Refusal:
    return Refusal("HTTP-PATH", f"Unknown request URL: {method} {path}.", 404, code="unknown_url")


def _nothing_left(asked: Asked) -> Refusal:
    said = f"the last user text is {_short(asked.text)!r}" if asked.text else "it has no user text"
    message = (
        f"The script has no line for this request: {said}, and {len(asked.answers)} answers stand behind it. "
        'Add a line, with "when" if it is for this text only.'
    )
    return Refusal("SCRIPT", message, 422, code="no_line_left")


def _short(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:80]}…"


def _request_id(exchange: Exchange) -> tuple[str, str]:
    name = "request-id" if exchange.dialect == "anthropic" else "x-request-id"
    return name, _id(exchange.number)


def _id(number: int) -> str:
    return f"req_{number:05d}"


def _redacted(headers: Iterable[tuple[str, str]]) -> Headers:
    lower = ((name.lower(), value) for name, value in headers)
    return tuple((name, "[redacted]" if name in _SECRET else value) for name, value in lower)


def _decoded(raw: bytes) -> Mapping[str, Any] | None:
    try:
        body = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):  # the last one is nested too deeply
        return None
    return body if isinstance(body, dict) else None


def _conversation(body: Mapping[str, Any]) -> str | None:
    named = body.get("conversation")
    if isinstance(named, dict):
        named = named.get("id")
    return named if isinstance(named, str) else None


def _shown(exchange: Exchange) -> dict[str, Any]:
    """An exchange as JSON; the raw bytes are left out, the body says the same."""
    message = None if exchange.refusal is None else exchange.refusal.message
    return {
        "number": exchange.number,
        "dialect": exchange.dialect,
        "status": exchange.status,
        "rule": exchange.rule,
        "message": message,
        "ended": exchange.ended,
        "headers": exchange.headers,
        "body": exchange.body,
        "answer": exchange.answer,
    }
