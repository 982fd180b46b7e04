"""HTTP clients for the SDKs: ready ones, and others that are put under guard where they stand.

Owns the few names of httpx2 that are private: a client that is given a transport ignores the proxies of the
environment, so its own transports, the proxies among them, are wrapped after it was made.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx2

from turnlock.guard.capture import Capture
from turnlock.guard.judge import Guard, OnRepair, OnViolation, OpenCalls
from turnlock.guard.transports import GuardedSyncTransport, GuardedTransport

_LIMITS = httpx2.Limits(max_connections=1000, max_keepalive_connections=100)
"""As the SDKs of OpenAI and Anthropic have it. Timeouts are theirs: they bring one with every request."""


def guarded(
    client: httpx2.AsyncClient | None = None,
    /,
    *,
    dialect: str = "",
    on_violation: OnViolation = "answer",
    on_repair: OnRepair | None = None,
    capture: Capture | None = None,
    open_calls: OpenCalls | None = None,
    **client_options: Any,  # noqa: ANN401 - those of httpx2
) -> httpx2.AsyncClient:
    """An HTTP client that refuses what the provider would refuse: ``AsyncOpenAI(http_client=guarded())``.

    Args:
        client: One to put under guard, such as ``anthropic.DefaultAsyncHttpxClient()``; default: a new one,
            as the SDKs make theirs.
        dialect: See ``Guard``, for this and the next four.
        on_violation: What happens to a body that breaks a rule.
        on_repair: Is told of repairs.
        capture: Where exchanges are told.
        open_calls: Says which calls the provider holds open.
        client_options: For a new client: everything that ``httpx2.AsyncClient`` takes.

    Raises:
        TypeError: The client sends by a way of its own, or has options already.
        ValueError: See ``Guard``.
    """
    guard = Guard(
        dialect=dialect,
        on_violation=on_violation,
        on_repair=on_repair,
        capture=capture,
        open_calls=open_calls,
    )
    if client is None:
        client = httpx2.AsyncClient(**{"limits": _LIMITS, "follow_redirects": True, **client_options})
    else:
        _refuse_options(client_options)
        _refuse_others(client, httpx2.AsyncClient)
    _wrap(client, lambda inner: GuardedTransport(inner, guard))
    return client


def guarded_sync(
    client: httpx2.Client | None = None,
    /,
    *,
    dialect: str = "",
    on_violation: OnViolation = "answer",
    on_repair: OnRepair | None = None,
    capture: Capture | None = None,
    open_calls: OpenCalls | None = None,
    **client_options: Any,  # noqa: ANN401 - those of httpx2
) -> httpx2.Client:
    """The same for code that is not async: ``OpenAI(http_client=guarded_sync())``.

    Args:
        client: One to put under guard, such as ``openai.DefaultHttpxClient()``; default: a new one.
        dialect: See ``Guard``, for this and the next four.
        on_violation: What happens to a body that breaks a rule.
        on_repair: Is told of repairs.
        capture: Where exchanges are told.
        open_calls: Says which calls the provider holds open.
        client_options: For a new client: everything that ``httpx2.Client`` takes.

    Raises:
        TypeError: The client sends by a way of its own, or has options already.
        ValueError: See ``Guard``.
    """
    guard = Guard(
        dialect=dialect,
        on_violation=on_violation,
        on_repair=on_repair,
        capture=capture,
        open_calls=open_calls,
    )
    if client is None:
        client = httpx2.Client(**{"limits": _LIMITS, "follow_redirects": True, **client_options})
    else:
        _refuse_options(client_options)
        _refuse_others(client, httpx2.Client)
    _wrap(client, lambda inner: GuardedSyncTransport(inner, guard))
    return client


def _wrap(client: Any, guarding: Callable[[Any], object]) -> None:  # noqa: ANN401 - sync or async
    """Put every way out of a client under guard, its proxies among them."""
    client._transport = guarding(client._transport)
    client._mounts = {
        pattern: None if inner is None else guarding(inner) for pattern, inner in client._mounts.items()
    }


def _refuse_options(options: dict[str, Any]) -> None:
    if options:
        names = ", ".join(options)
        raise TypeError(f"the client that was given has options of its own: give it {names} when it is made")


def _refuse_others(
    client: httpx2.Client | httpx2.AsyncClient, base: type[httpx2.Client | httpx2.AsyncClient]
) -> None:
    """What goes round the client's transport would go round the guard.

    google-genai's own async client is of that kind: it keeps a client for each event loop.
    """
    if not isinstance(client, base):
        raise TypeError(f"this guards an httpx2.{base.__name__}, not a {type(client).__name__}")
    ways = ("send", "_transport_for_url")
    if any(getattr(type(client), way) is not getattr(base, way) for way in ways):
        raise TypeError(f"{type(client).__name__} has a way of its own: give a plain httpx2.{base.__name__}")
