"""The limits of a session, and their defaults."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from attrs import Attribute, field, frozen

_DOUBLINGS_MAX = 64  # a float overflows soon after a thousand; nobody waits as long as these take


def is_number(value: object) -> bool:
    """A number that times can be reckoned with: finite, no text, and not True or False."""
    try:
        return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:  # a whole number beyond every float
        return False


def is_seconds(value: Any) -> bool:  # noqa: ANN401  # whatever a host gives
    """A limit in time: seconds above 0, or None for no limit."""
    return value is None or (is_number(value) and value > 0)


def _seconds(_instance: object, attribute: Attribute[Any], value: object) -> None:
    if not is_seconds(value):
        raise ValueError(
            f"{attribute.name} is {value!r}: give a number of seconds above 0, or None for no limit"
        )


def _pause(_instance: object, attribute: Attribute[Any], value: Any) -> None:  # noqa: ANN401  # see above
    if not (is_number(value) and value >= 0):
        raise ValueError(f"{attribute.name} is {value!r}: give a finite number of seconds, 0 or more")


def _at_least(lowest: int, unit: str) -> Callable[[object, Attribute[Any], Any], None]:
    def check(_instance: object, attribute: Attribute[Any], value: Any) -> None:  # noqa: ANN401  # see above
        if not is_number(value) or value != int(value) or value < lowest:
            raise ValueError(
                f"{attribute.name} is {value!r}: give a whole number of {unit}, at least {lowest}"
            )

    return check


@frozen(kw_only=True)
class Limits:
    """What a session allows. Times are in seconds, None is no limit.

    Attributes:
        deadline: How long a tool may run, unless the tool says otherwise.
        idle_deadline: How long a tool may run without progress.
        grace: How long a tool that was asked to stop may take before it is left behind (R8).
        approval_deadline: How long a call may wait for its approval.
        request_timeout: How long one request may take, from its start to its end marker.
        turn_timeout: How long a turn may take.
        max_requests: How many requests a turn may send.
        parallel: How many tools of a turn may run at the same time.
        output_cap: How many bytes of one output the model gets; a longer one is spooled whole to a file.
        retries: How often a lost response is asked again in a row.
        backoff: The wait before the first retry; it doubles with each.
        backoff_max: The longest wait before a retry, unless the provider asks for more.
    """

    deadline: float | None = field(default=300.0, validator=_seconds)
    idle_deadline: float | None = field(default=None, validator=_seconds)
    grace: float = field(default=2.0, validator=_pause)
    approval_deadline: float | None = field(default=900.0, validator=_seconds)
    request_timeout: float | None = field(default=600.0, validator=_seconds)
    turn_timeout: float | None = field(default=None, validator=_seconds)
    max_requests: int = field(default=100, validator=_at_least(1, "requests"))
    parallel: int = field(default=8, validator=_at_least(1, "tools"))
    output_cap: int = field(default=64_000, validator=_at_least(256, "bytes"))
    retries: int = field(default=4, validator=_at_least(0, "retries"))
    backoff: float = field(default=0.5, validator=_pause)
    backoff_max: float = field(default=30.0, validator=_pause)

    def retry_delay(self, failures: int) -> float:
        """Seconds to wait after this many failures in a row."""
        doublings = min(failures - 1, _DOUBLINGS_MAX)
        return min(self.backoff * 2.0**doublings, self.backoff_max)
