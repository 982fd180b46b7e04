"""What the fixtures of the pytest plugin do; pytest itself loads ``_turnlock_pytest``, which is light.

Owns when a test fails because of what the provider refused, and what it is told then. Must not be imported by
anything that pytest loads in every run.
"""

from __future__ import annotations

import pytest

from turnlock.strict import Exchange
from turnlock.testing import transcript
from turnlock.testing.gates import Gates
from turnlock.testing.loopback_server import loopback
from turnlock.testing.provider import Provider

_LONG = 2_000  # characters of a request as it is shown; a longer one is shown without its texts


def new_provider() -> Provider:
    """The provider of a test, without lines."""
    return loopback()


def new_gates(provider: Provider) -> Gates:
    """The gates of a test; what happens at them wakes those who wait for the provider."""
    return Gates(told=provider.look_again)


def complaint(provider: Provider) -> str | None:
    """What is wrong with what came in: requests that were refused, and nobody expected that. Said once."""
    refused = provider.unexpected
    if not refused:
        return None
    provider.expect_refusals()
    many = "a request" if len(refused) == 1 else f"{len(refused)} requests"
    return "\n".join(
        [
            f"The provider refused {many}:",
            *(_shown(exchange) for exchange in refused),
            "Mend the agent or the script, or say strict_provider.expect_refusals() where that is the point.",
        ]
    )


def judge(provider: Provider) -> None:
    """Fail the test where there is something to complain of.

    Raises:
        BaseException: What a function of the test raised inside of the provider.
    """
    provider.raise_failures()
    said = complaint(provider)
    if said is not None:
        pytest.fail(said, pytrace=False)


def end(provider: Provider) -> None:
    """Close the provider, and judge what came in since the test itself was judged.

    Raises:
        BaseException: What a function of the test raised inside of the provider.
    """
    provider.close()
    judge(provider)


def _shown(exchange: Exchange) -> str:
    assert exchange.refusal is not None
    entries = () if exchange.body is None else transcript.items(exchange.body)
    body = transcript.notation(entries, texts=True)
    if len(body) > _LONG:
        body = transcript.notation(entries)
    if not entries:
        body = repr(exchange.raw[:_LONG])
    refusal = exchange.refusal
    return f"  request {exchange.number}, {refusal.status} {refusal.rule}: {refusal.message}\n    {body}"
