"""What the guard does with a request: send it, send it repaired, or answer it here.

Owns the decision and what is told of an exchange. Knows no event loop: the transports read, wait and send.
Keeps no history: a body is judged alone.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Literal, TypeAlias, cast

import httpx2
import msgspec
from attrs import define, field

from turnlock._secrets import without_keys
from turnlock.errors import RequestRefused
from turnlock.guard import capture as captured
from turnlock.guard.answers import AGAIN, again, as_data, refusal
from turnlock.guard.capture import Capture, Recorder
from turnlock.guard.dialects import dialect_of, plain, told_by_path
from turnlock.guard.memory import LARGEST, REFUSED, Answer, Memory
from turnlock.guard.watching import Copy, End
from turnlock.wire import DIALECTS, Severity, Violation, check, repair
from turnlock.wire.repair import Repaired

logger = logging.getLogger("turnlock.guard")

OnViolation: TypeAlias = Literal["answer", "raise", "repair", "log"]
OnRepair: TypeAlias = Callable[[Repaired], object]
OpenCalls: TypeAlias = Callable[[Mapping[str, Any]], Collection[str]]

_FAILED = 400  # statuses from here on are errors
_SIGNATURES = ("x-amz-content-sha256", "content-digest", "content-md5", "digest")
_ANSWERED_AS = ("content-type", "content-encoding", "x-request-id", "request-id")


@define(eq=False, kw_only=True)
class Guard:
    """What is checked, and what happens to a request that must not leave. One for a client.

    Attributes:
        dialect: The provider's format and strictness, such as ``"anthropic+4.6"``; empty: told by the
            address, the body and the model's name. Requests of other formats are judged by their own.
        on_violation: For a body that breaks a rule. ``answer``: nothing is sent, and the caller gets a 400
            as the provider would write it. ``raise``: ``RequestRefused``. ``repair``: the body is repaired
            and sent; what cannot be repaired is answered. ``log``: it is logged and sent.
        on_repair: Is given the ``Repaired`` before it is sent. What it raises leaves through the request.
        capture: A ``.jsonl`` file, a folder, or a function: each exchange is told there, without keys.
        open_calls: Is given a body, and says which calls the provider holds open for it (R22).

    Raises:
        ValueError: There is no such dialect, or no such way to treat a violation.
    """

    dialect: str = ""
    on_violation: OnViolation = "answer"
    on_repair: OnRepair | None = None
    capture: Capture | None = None
    open_calls: OpenCalls | None = None
    memory: Memory = field(init=False, factory=Memory, repr=False)
    recorder: Recorder | None = field(init=False, default=None, repr=False)

    def __attrs_post_init__(self) -> None:
        if self.dialect:
            check({}, self.dialect)
        if self.on_violation not in {"answer", "raise", "repair", "log"}:
            raise ValueError(f"on_violation is answer, raise, repair or log, not {self.on_violation!r}")
        if self.capture is not None:
            self.recorder = Recorder.to(self.capture)

    @staticmethod
    def reads(request: httpx2.Request) -> bool:
        """Whether a request goes to an address of ours, and so must be read though it may be a stream."""
        return _readable(request) and told_by_path(request.url.path) is True

    def look(self, request: httpx2.Request) -> Exchange | None:
        """What is to be done with a request; None: it is not one of ours, and passes untouched.

        Raises:
            RequestRefused: It must not leave, and that is to be raised.
        """
        body = _body(request)
        if body is None:
            return None
        dialect = dialect_of(request.url.host, request.url.path, body, self.dialect)
        if plain(dialect) not in DIALECTS:
            return None
        exchange = Exchange(self, request, dialect, body)
        exchange.judge()
        return exchange


@define(eq=False)
class Exchange:
    """One request of ours, and what came of it.

    Attributes:
        guard: Whose it is.
        request: What is to be sent: the caller's own, or a repaired one.
        dialect: What it speaks.
        body: What it says.
        answer: The local answer; None when the request is to be sent.
    """

    guard: Guard
    request: httpx2.Request
    dialect: str
    body: Mapping[str, Any]
    answer: httpx2.Response | None = field(init=False, default=None)
    _at: str = field(init=False, factory=captured.now)
    _violations: Sequence[Violation] = field(init=False, default=())
    _changes: Sequence[Mapping[str, Any]] = field(init=False, default=())

    def judge(self) -> None:
        """Check the exact body, and decide."""
        guard = self.guard
        held = () if guard.open_calls is None else guard.open_calls(self.body)
        self._violations = check(self.body, self.dialect, held)
        for one in self._violations:
            logger.info("%s %s at %s: %s", one.severity, one.rule, one.at or "/", without_keys(one.message))
        if guard.on_violation == "log":
            return
        errors = [one for one in self._violations if one.severity is Severity.ERROR]
        if errors and guard.on_violation == "repair":
            errors = self._repair(errors, held)
        if errors:
            refused = RequestRefused(
                self.dialect, errors[0].rule, errors[0].message, at=errors[0].at, call_ids=errors[0].call_ids
            )
            self._refuse(refused, refusal(self.request, self.dialect, errors))
        elif (known := guard.memory.recall(self.request)) is not None:
            refused = RequestRefused(self.dialect, AGAIN, known.text)
            self._refuse(refused, again(self.request, known))

    def _repair(self, errors: list[Violation], held: Collection[str]) -> list[Violation]:
        """Put a repaired request in the place of this one; the errors that are left."""
        if _signed(self.request):
            logger.info("not repaired: the body is signed (%s)", self.dialect)
            return errors
        repaired = repair(self.request.content, self.dialect, held)
        left = [one for one in repaired.left if one.severity is Severity.ERROR]
        if left:
            return left
        for one in repaired.changes:
            logger.info("repaired %s: %s", one.at or "/", without_keys(one.what))
        self._changes = [
            {
                "rule": one.rule,
                "at": one.at,
                "what": one.what,
                "call_ids": one.call_ids,
                "set_aside": one.set_aside,
            }
            for one in repaired.changes
        ]
        if self.guard.on_repair is not None:
            self.guard.on_repair(repaired)
        self.request = _with_body(self.request, repaired.body)
        self.body = repaired.value
        return []

    def _refuse(self, refused: RequestRefused, answer: httpx2.Response) -> None:
        logger.info("refused here: %s", without_keys(str(refused)))
        said = captured.said(answer.headers, b"".join(cast(httpx2.ByteStream, answer.stream)))
        self._record(error=said, refused=refused.rule)
        if self.guard.on_violation == "raise":
            raise refused
        self.answer = answer

    def failed(self, error: BaseException) -> None:
        """There is no response."""
        self._record(error=f"{type(error).__name__}: {error}", end="broken")

    def copy_of(self, response: httpx2.Response) -> Copy | None:
        """Where a copy of the response goes; None when nobody wants one, or it is here already."""
        if self.guard.recorder is not None:
            limit = captured.LARGEST
        elif response.status_code in REFUSED:
            limit = LARGEST
        else:
            return None
        copy = Copy(limit, lambda copy, end: self._answered(response, copy, end))
        if isinstance(response.stream, httpx2.ByteStream):  # from a cache, say: nobody will read the stream
            copy.add(b"".join(response.stream))
            copy.ended("complete")
            return None
        return copy

    def _answered(self, response: httpx2.Response, copy: Copy, end: End) -> None:
        """The response is over."""
        status, headers = response.status_code, response.headers
        if status in REFUSED and end == "complete" and copy.whole:
            kept = tuple((name, headers[name]) for name in _ANSWERED_AS if name in headers)
            text = captured.decoded(headers, copy.content)
            self.guard.memory.keep(self.request, Answer(status, kept, copy.content, text))
        if self.guard.recorder is not None:
            said = captured.said(headers, copy.content)
            told = {"error": said} if status >= _FAILED else {"response": said}
            self._record(
                status=status,
                request_id=captured.request_id(headers),
                end=end,
                bytes=copy.size,
                **told,
            )

    def _record(self, **what: object) -> None:
        if self.guard.recorder is None:
            return
        line = {
            "dialect": self.dialect,
            "status": None,
            "error": None,
            "body": self.body,
            "source": "turnlock.guard",
            "url": captured.address(self.request.url),
            "at": self._at,
            "request_id": None,
            "violations": [as_data(one) for one in self._violations],
            "repaired": self._changes,
            **what,
        }
        self.guard.recorder.record(line, self.request)


def _readable(request: httpx2.Request) -> bool:
    """It is a POST of JSON that we can read; what is compressed passes unread."""
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    return (
        request.method == "POST"
        and request.headers.get("content-encoding", "identity") == "identity"
        and (kind == "application/json" or kind.endswith("+json"))
    )


def _body(request: httpx2.Request) -> Mapping[str, Any] | None:
    """What a request says; None for what is no JSON object, or was not read."""
    if not _readable(request) or told_by_path(request.url.path) is False:
        return None
    try:
        body: object = msgspec.json.decode(request.content)
    except (httpx2.RequestNotRead, msgspec.DecodeError, RecursionError):
        return None
    return body if isinstance(body, Mapping) else None


def _signed(request: httpx2.Request) -> bool:
    """Other bytes would not be believed: a signature covers the body."""
    return request.headers.get("authorization", "").startswith("AWS4-") or any(
        name in request.headers for name in _SIGNATURES
    )


def _with_body(request: httpx2.Request, content: bytes) -> httpx2.Request:
    """The same request with another body, and its length."""
    headers = request.headers.copy()
    for name in ("content-length", "transfer-encoding"):
        headers.pop(name, None)
    return httpx2.Request(
        request.method, request.url, headers=headers, content=content, extensions=request.extensions
    )
