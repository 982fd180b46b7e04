"""Gemini on loopback: streamGenerateContent as server-sent events, and a refusal of what Gemini refuses.

Every body is judged by ``turnlock.wire.check`` before it is answered; answers are steps of a ``WireServer``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx2
import msgspec
from attrs import define, field

from support.wire_server import END, OK, Step, WireServer, sse, status
from turnlock.wire import Severity, check

KEY = "AIzaSyA-not-a-key"


def sdk(base_url: str, http: httpx2.AsyncClient, **options: Any) -> Any:
    """The official client for this address; it needs the extra ``google-genai``."""
    from google import genai  # noqa: PLC0415 - tests that need it are skipped without it

    sync = httpx2.Client(verify=False)  # loading certificates takes longer than all the rest
    http_options = genai.types.HttpOptions(
        base_url=base_url, httpx_async_client=http, httpx_client=sync, **options
    )
    return genai.Client(vertexai=False, api_key=KEY, http_options=http_options)


def said(text: str, **more: Any) -> dict[str, Any]:
    """A part of text."""
    return {"text": text, **more}


def called(name: str, call_id: str = "", signature: str = "c2ln", **args: Any) -> dict[str, Any]:
    """A part that calls; without a signature it is a parallel sibling."""
    call: dict[str, Any] = {"name": name, "args": args} | ({"id": call_id} if call_id else {})
    return {"functionCall": call} | ({"thoughtSignature": signature} if signature else {})


def piece(*parts: Mapping[str, Any], finish: str = "", **more: Any) -> dict[str, Any]:
    """A chunk of an answer."""
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": list(parts)}, "index": 0}
    if finish:
        candidate["finishReason"] = finish
    told = {"promptTokenCount": 7, "candidatesTokenCount": 3, "thoughtsTokenCount": 2}
    return {"candidates": [candidate], "usageMetadata": told, "responseId": "resp", **more}


def answer(*parts: Mapping[str, Any], finish: str = "STOP") -> list[Step | None]:
    """A whole answer, each part a chunk of its own."""
    *pieces, last = parts
    return [OK, sse(*map(piece, pieces), piece(last, finish=finish)), END]


def refusal(code: int, message: str, name: str = "INVALID_ARGUMENT", *details: Any) -> bytes:
    """An answer that is an error of Google's."""
    error = {"code": code, "message": message, "status": name}
    return status(code, {"error": error | ({"details": list(details)} if details else {})})


@define(eq=False)
class GeminiServer:
    """Answers the n-th request with the n-th list of steps, unless its body breaks a rule.

    Attributes:
        script: What to say.
        dialect: The profiles of the server.
        broken: The rules that a request broke.
    """

    script: Sequence[Sequence[Step | None]]
    dialect: str = "gemini+3+vertex"
    broken: list[str] = field(init=False, factory=list)
    wire: WireServer = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.wire = WireServer(_Judged(self))

    def serving(self) -> AbstractAsyncContextManager[str]:
        """Serve on loopback; the base URL is given."""
        return self.wire.serving()

    @property
    def asked(self) -> list[str]:
        """Every request in the notation of the specification."""
        return [written(body) for body in self.wire.bodies]


@define(eq=False)
class _Judged(Sequence[Sequence[Step | None]]):
    server: GeminiServer

    def __len__(self) -> int:
        return len(self.server.script)

    def __getitem__(self, at: Any) -> Any:
        found = check(self.server.wire.bodies[at], self.server.dialect)
        errors = [violation for violation in found if violation.severity is Severity.ERROR]
        self.server.broken += [violation.rule for violation in errors]
        return [refusal(400, errors[0].message)] if errors else self.server.script[at]


def written(body: bytes) -> str:
    """A body as ``U1 K(a) O(a: a!) A M U2``; contents are told apart by ``|``."""
    return " | ".join(" ".join(_parts(row["parts"])) for row in msgspec.json.decode(body)["contents"])


def _parts(parts: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    for part in parts:
        if "functionCall" in part:
            yield f"K({part['functionCall'].get('id', part['functionCall']['name'])})"
        elif "functionResponse" in part:
            found = part["functionResponse"]
            yield f"O({found.get('id', found['name'])}: {next(iter(found['response'].values()))})"
        else:
            yield str(part.get("text", next(iter(part))))
