"""What must hold between two requests: of time, of tools that others cancel, of answers that overlap.

Looks at a play that has settled, and judges. It does nothing to the agent.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from turnlock.testing.gates import Fate
from turnlock.testing.sequencing.oracle import Rule, Violation
from turnlock.testing.sequencing.times import Virtual

if TYPE_CHECKING:
    from turnlock.testing.sequencing.play import Play

_HAIR = 1e-6  # seconds: sums of floats


def watch(play: Play) -> Iterator[Violation]:
    """Judge what the tools and the provider have seen so far.

    Yields:
        What is wrong.
    """
    yield from play.odd
    for made in play.record.made.values():
        if len(made.visits) > 1:
            yield Violation(Rule.RAN_TWICE, f"call {made.step} ran {len(made.visits)} times")
        for visit in made.visits:
            if visit.fate is Fate.CANCELLED and made.pressed is None:
                yield Violation(
                    Rule.BYSTANDER,
                    f"call {made.step} was cancelled, and nobody had interrupted it, nor was its time over",
                )
    agent = play.agent
    if play.at_rest() and (hasattr(agent, "busy") or not hasattr(agent, "send")):
        # A message that is sent may open a turn; only such an agent knows whether one is under way.
        yield from _left_running(play)
    if isinstance(play.time, Virtual) and play.deadline is not None:
        yield from _overdue(play, play.deadline)


def _left_running(play: Play) -> Iterator[Violation]:
    for visit in play.gates.visits:
        if visit.fate is Fate.WAITS and not (visit.opened or visit.stubborn or visit.blocking):
            yield Violation(Rule.RUNS_ON, f"the turn is over, and the tool of call {visit.step} runs on")


def _overdue(play: Play, deadline: float) -> Iterator[Violation]:
    """All tasks wait: nobody is starved, so whoever is past its deadline was forgotten."""
    for visit in play.gates.visits:
        age = play.time.now() - visit.began
        if visit.fate is Fate.WAITS and not (visit.cancels or visit.opened) and age > deadline + _HAIR:
            yield Violation(
                Rule.BOUND, f"the tool of call {visit.step} was not stopped {age:g} s after it began"
            )
