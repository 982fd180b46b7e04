"""The other hunt: the driver of sequencing tests plays random stories to a session, as to anybody's agent.

It looks at what leaves the session, at its tools, and at what ``SessionAgent`` says of itself, and at nothing
else; so it does not reach what only a host of this library could see.
"""

from __future__ import annotations

import time

from attrs import define
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from turnlock.testing import SessionAgent, Violation
from turnlock.testing.hunting.machine import EXAMPLES, STEPS, story_machine
from turnlock.testing.sequencing.play import Play


@define(eq=False)
class Driven:
    """What became of it.

    Attributes:
        stories: How many were played until one broke a rule, that one counted in.
        rule: Which.
        what: What was wrong.
        seconds: How long it took.
    """

    stories: int = 0
    rule: str = ""
    what: str = ""
    seconds: float = 0.0

    def begin(self) -> None:
        """Before every story."""
        if not self.rule:
            self.stories += 1

    def note(self, _play: Play, violation: Violation) -> None:
        """A rule was broken."""
        if not self.rule:
            self.rule, self.what = violation.rule, violation.what


def drive(number: int, examples: int = EXAMPLES) -> Driven:
    """Play random stories to a session, as many as one test of CI has, until one breaks a rule.

    Args:
        number: The seed.
        examples: How many stories.
    """
    result, begin = Driven(), time.perf_counter()
    machine = seed(number)(story_machine(SessionAgent, found=result.note, began=result.begin))
    chosen = settings(
        max_examples=examples,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        derandomize=False,
        print_blob=False,
        report_multiple_bugs=False,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    try:
        run_state_machine_as_test(machine, settings=chosen)
    except Exception:
        if not result.rule:
            raise
    result.seconds = time.perf_counter() - begin
    return result
