"""What an adapter sees of the test, and what it may offer.

Owns the contract between a sequencing test and the agent under test. The adapter connects the two: it makes
the agent with the provider's address and the gated tools, and hands it the user's messages.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeAlias, runtime_checkable

from attrs import define, field

from turnlock.hosts.loops import Library
from turnlock.testing.gates import Gates, ToolFailed
from turnlock.testing.provider import Door, Provider, Request, Response


@define(eq=False)
class Harness:
    """The test, as the agent's adapter sees it.

    The model calls two tools, each with one text argument ``step``: ``work``, and ``risky``, which is for
    agents that ask the user before they run it. Give the agent the functions as its tools, in whatever way it
    takes tools; do not wrap them in anything that catches their cancellation.

    Attributes:
        work: The async tool, for agents under asyncio or trio.
        blocking_work: The same as a plain function, for agents that run tools in threads.
        risky: As ``work``.
    """

    provider: Provider = field(repr=False)
    gates: Gates = field(repr=False)
    asks: Gates = field(repr=False)
    work: Callable[[str], Awaitable[str]] = field(init=False)
    blocking_work: Callable[[str], str] = field(init=False)
    risky: Callable[[str], Awaitable[str]] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.work = self.gates.tool("work")
        self.blocking_work = self.gates.blocking_tool("work")
        self.risky = self.gates.tool("risky", "Do one step that needs an approval.")

    @property
    def base_url(self) -> str:
        """Where the provider listens: OpenAI Responses and Chat Completions, with any key."""
        return self.provider.base_url

    @property
    def work_url(self) -> str:
        """For agents in another process: ``GET {work_url}/<step>`` is the tool; status 500 is its failure."""
        return self.provider.mount("/work", work_door(self.gates))

    def transport(self) -> Any:  # noqa: ANN401  # of httpx2, which is an extra
        """The provider without sockets, for an ``httpx2.AsyncClient`` under trio."""
        return self.provider.transport()

    async def approval(self, step: str) -> bool:
        """Ask the user to approve a call; the story says when and what the user answers."""
        try:
            await self.asks.pass_through(step)
        except ToolFailed:
            return False
        return True


@runtime_checkable
class Agent(Protocol):
    """An adapter: what a sequencing test drives.

    An adapter may also have, and what it does not have is not tried:

    - ``loop``: ``"asyncio"`` (default), ``"trio"``, or ``"thread"`` where all methods are plain functions;
    - ``deadline``: seconds that the agent gives a tool;
    - ``grace``: seconds after which a deadline or an interrupt is through, although a tool does not stop;
    - ``keeps``: True when a tool that was asked to stop may still return within the grace, and that counts;
    - ``patience``: seconds (5) that a turn may stand still in which nothing is left to do;
    - ``approvals``: True when the agent asks ``harness.approval(step)`` before it runs ``risky``;
    - ``retries``: True when the agent asks again after an error of the provider or a broken connection;
    - ``repeated_ids``: True when the agent is to be tried with a provider that gives several calls one id;
    - ``send(text)``: takes a message while a turn is under way, and returns when it is accepted; an exception
      says that it is not. With ``modes = ("steer", …)`` it is ``send(text, mode)``;
    - ``turn_mode``: which of the ``modes`` the messages of ``turn`` share their order with, if any;
    - ``busy()``: whether a turn is under way, where ``send`` may open one;
    - ``interrupt()``: the user's interrupt. Without it, the task that runs ``turn`` is cancelled;
    - ``returned()``: the texts of messages that the agent has given back to their sender;
    - ``problems()``: what the adapter itself finds wrong at the end, as texts;
    - ``__aenter__`` and ``__aexit__``: entered before the story, left behind it; or just ``aclose()``.
    """

    def turn(self, text: str) -> Awaitable[object] | object:
        """Hand the agent a message of the user, and return when it rests."""


Factory: TypeAlias = Callable[[Harness], Agent]


def loop_of(agent: Agent) -> Library | None:
    """Which event loop the agent runs in; None for plain threads.

    Raises:
        TypeError: It says something else.
    """
    loops: dict[str, Library | None] = {"asyncio": "asyncio", "trio": "trio", "thread": None}
    loop = getattr(agent, "loop", "asyncio")
    if loop not in loops:
        raise TypeError(f'{type(agent).__name__}.loop is {loop!r}: write "asyncio", "trio" or "thread"')
    return loops[loop]


def work_door(gates: Gates) -> Door:
    """The gated tool as a door of the provider, for agents in other processes."""

    async def work(request: Request) -> Response:
        try:
            return Response(await gates.pass_through(request.path))
        except ToolFailed as failure:
            return Response(str(failure), 500)

    return work
