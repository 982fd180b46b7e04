"""How a story ends: everything that the test held goes on, and the agent must come to rest, and answer again.

Owns progress and the bounds of time. A deadline is a bound, and so is an interrupt, if the agent says that it
has them: when they are over, the turn goes on although the tool does not stop.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from turnlock.testing.gates import Fate, Visit
from turnlock.testing.scheduling import Deviations
from turnlock.testing.sequencing.harness import Factory
from turnlock.testing.sequencing.oracle import Rule, Violation, judge_end, judge_rest, rules
from turnlock.testing.sequencing.play import Play
from turnlock.testing.sequencing.record import Made
from turnlock.testing.sequencing.steps import Step, User

LAST = "Ulast"
"""What the user says at the end, to see whether the session still answers."""


def finish(play: Play) -> None:
    """End the story: let everything go on, then say one more thing.

    Raises:
        Violation: The agent does not come to rest, does not answer, or a rule is broken meanwhile.
    """
    with play.telling():
        play.act(play.model.let_go)
        _bounds(play)
        play.act(play.stage.let_tools_go)
        _rests(play, "the turn does not end, although every tool has returned and the model has answered")
        play.look()
        if play.model.undisturbed and play.turn_error() is None:
            play.raise_first(judge_rest(play.record))
        play.do(User(LAST))
        _rests(play, "the session does not come to rest after one more message")
        play.look()
        play.raise_first(_answered(play))
        play.raise_first(judge_end(play.record))
        play.raise_first(
            Violation(Rule.ADAPTER, problem) for problem in play.stage.optional("problems") or ()
        )


def replay(
    factory: Factory,
    steps: Sequence[Step],
    deviations: Deviations | None = None,
    *,
    ignore: Iterable[Rule | str] = (),
) -> None:
    """Play a story again: what ``turnlock fuzz`` writes into the tests that it keeps.

    Args:
        factory: Makes the agent's adapter.
        steps: The steps.
        deviations: The schedule, where the agent runs under trio.
        ignore: Names of rules that are not asked.

    Raises:
        Violation: A rule is still broken.
    """
    with Play(factory, deviations, rules(ignore)) as play:
        play_all(play, steps)


def play_all(play: Play, steps: Iterable[Step]) -> None:
    """Do the steps of a story, and end it.

    Raises:
        Violation: A rule is broken.
    """
    for step in steps:
        play.do(step)
    finish(play)


def _answered(play: Play) -> list[Violation]:
    asked = play.stage.provider.exchanges
    if asked and asked[-1].refusal is not None:
        return []  # said before, or not asked
    error = play.turn_error()
    if error is not None:
        what = f"the session cannot be used any more; one more message: {error!r}"
        return [Violation(Rule.PROGRESS, what)]
    if not any(said.text == LAST and said.seen for said in play.record.said):
        return [Violation(Rule.LOST, "one more message was taken, and no request carried it")]
    return []


def _rests(play: Play, otherwise: str) -> None:
    if not play.come_to_rest():
        play.raise_first([Violation(Rule.PROGRESS, otherwise)])
        play.give_up()


def _bounds(play: Play) -> None:
    """Tools that do not stop hold a turn no longer than until their deadline, or an interrupt, plus grace."""
    stage = play.stage
    stubborn = [visit for made in play.record.made.values() for visit in _holding_on(made)]
    if not stubborn or play.at_rest() or stage.asks.waiting:
        return  # nobody holds the turn, or it waits for the user, who has no deadline yet
    bounds = [_bound(play, visit) for visit in stubborn]
    if None in bounds:
        return  # the agent does not promise to go on without that one
    before = len(stage.provider.exchanges)
    bound = max(bound for bound in bounds if bound is not None) + stage.time.margin

    def moved() -> bool:
        return play.at_rest() or len(stage.provider.exchanges) > before

    with stage.fairly():
        went_on = stage.pass_by(bound, moved)
    if not went_on:
        first = stubborn[0]
        cause = "was asked to stop" if first.cancels else f"has had its deadline of {stage.deadline:g} s"
        what = f"call {first.step} {cause}, and {bound:g} s later the turn still waits for its tool"
        play.raise_first([Violation(Rule.BOUND, what)])
    play.look()


def _bound(play: Play, visit: Visit) -> float | None:
    """Seconds from now until the agent goes on without a tool that does not stop."""
    deadline, grace = play.stage.deadline, play.stage.grace
    # A tool that began behind the interrupt, in a turn that a message has opened, has its whole deadline.
    if (visit.cancels or visit.step in play.hit) and grace is not None:
        return grace
    return None if deadline is None else deadline + (grace or 0.0)


def _holding_on(made: Made) -> list[Visit]:
    """The tools of a call that will not stop, if no request has told of its end yet."""
    if made.output is not None:
        return []
    return [
        visit for visit in made.visits if visit.stubborn and visit.fate is Fate.WAITS and not visit.opened
    ]
