"""A finding made small, and as a test: it fails as long as the bug is there, and passes when it is mended."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.wrong_agents import TriesAgain
from turnlock.testing import (
    Answer,
    Deviations,
    Fail,
    Finding,
    Interrupt,
    Open,
    Rule,
    Send,
    Together,
    User,
    Violation,
)
from turnlock.testing.hunting.kept import as_test
from turnlock.testing.hunting.smaller import Shrinker, _without, finding_of
from turnlock.testing.sequencing.play import Play
from turnlock.testing.sequencing.steps import Step

TESTS = Path(__file__).parents[2]
AGENTS = """
from support.agents import Plain
from support.wrong_agents import TriesAgain
from pathlib import Path
Adapter = Plain if Path(__file__).with_name("mended").exists() else TriesAgain
"""


def finding(*steps: Step, deviations: Deviations | None = None, what: str = "call a ran 2 times") -> Finding:
    return Finding(
        Rule.RAN_TWICE,
        what,
        "",
        steps,
        deviations or Deviations(),
        ("  1. one", "  2. two"),
        "",
        (0,) * len(steps),
    )


SMALL = finding(User("U1", (Answer(1),)), Fail("a"))


def pytest_says(folder: Path) -> str:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([*sys.path, str(TESTS)])}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:randomly",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        ".",
    ]
    ran = subprocess.run(
        [*command, "test_kept_one.py"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return ran.stdout + ran.stderr


def test_it_fails_until_the_agent_is_mended(tmp_path: Path) -> None:
    """The file needs nothing but pytest and the agent; the failure tells the story again."""
    (tmp_path / "agent_of_mine.py").write_text(AGENTS)
    (tmp_path / "test_kept_one.py").write_text(as_test(SMALL, "agent_of_mine", "Adapter"))
    wrong = pytest_says(tmp_path)
    assert "1 failed" in wrong
    assert "Violation: ran-twice: call a ran 2 times" in wrong
    (tmp_path / "mended").touch()
    assert "1 passed" in pytest_says(tmp_path)


def test_the_text() -> None:
    """It says what was found, tells the story, and imports what it uses."""
    odd = finding(
        User("U1"),
        Together((Open("a"), Interrupt())),
        deviations=Deviations({3: 1, 7: "jump"}),
        what='it said """ and \\n',
    )
    text = as_test(odd, "my.agents", "Adapter", frozenset({Rule.LOST, Rule.BOUND}))
    assert "from my.agents import Adapter\n" in text
    assert "from turnlock.testing import Deviations, Interrupt, Open, Together, User, replay\n" in text
    assert "def test_ran_twice() -> None:\n" in text
    assert '        Deviations({3: 1, 7: "jump"}),\n' in text
    assert "        ignore=['bound', 'lost'],\n" in text
    module = compile(text, "kept", "exec")
    doc = module.co_consts[0]
    assert "it said ''' and \\n" in doc
    assert "      1. one\n" in doc


def test_what_is_as_always_is_left_out() -> None:
    """Without deviations and ignored rules there are none in the text."""
    text = as_test(SMALL, "agents", "Adapter")
    assert "Deviations" not in text
    assert "ignore" not in text


# ── smaller ─────────────────────────────────────────────────────────────────────────────────────────────


def of_story(*steps: Step, deviations: Deviations | None = None) -> Finding:
    with Play(TriesAgain, deviations) as play:
        with pytest.raises(Violation) as caught:
            for step in steps:
                play.do(step)
        return finding_of(play, caught.value)


def small(until: float, deviations: Deviations | None = None) -> Finding:
    steps: list[Step] = [User("U3", (Answer(3, text=True),)), Open("c"), Together((Open("b"), Fail("a")))]
    return Shrinker(TriesAgain, frozenset()).made_small(of_story(*steps, deviations=deviations), until)


def test_a_long_story_becomes_short() -> None:
    """Steps, answers, calls and choices that are not needed go, and the messages are counted anew."""
    made = small(float("inf"), Deviations({0: 1, 2: 1}))
    assert made.steps == (User("U1", (Answer(1),)), Fail("a"))
    assert made.deviations == Deviations()
    assert made.again == (3, 3)


def test_without_time_it_stays_long() -> None:
    """Then it is only tried again, and has its names."""
    made = small(float("-inf"))
    assert made.steps == (User("U1", (Answer(3, text=True),)), Open("c"), Together((Open("b"), Fail("a"))))
    assert made.again == (3, 3)


def test_smaller_means_fewer_steps_and_choices() -> None:
    """First both, then choices, then what the model says."""
    order = [
        finding(User("U1")),
        finding(User("U1", (Answer(1),))),
        finding(User("U1", (Answer(1, text=True),))),
        finding(User("U1", (Answer(1), Answer(1)))),
        finding(User("U1", (Answer(1),)), Open("a")),
        finding(User("U1", (Answer(1),)), Together((Open("a"), Send("U2")))),
        finding(User("U1"), deviations=Deviations({1: 1})),
    ]
    sizes = [each.size for each in order]
    assert sizes == sorted(sizes)
    assert len(set(sizes)) == len(sizes)


@pytest.mark.parametrize(
    ("number", "left"),
    [(0, {0: 1, 4: 1}), (1, {1: 1, 4: 1}), (2, {1: 1, 3: 1})],
    ids=["first", "second", "last"],
)
def test_the_choices_behind_a_step_that_is_left_out_move_up(number: int, left: dict[int, int]) -> None:
    """Those within the step go with it, and those before it stay."""
    steps = (User("U1", (Answer(1),)), Open("a"), Together((Open("b"), Open("c"))))
    choices = Deviations({1: 1, 3: 1, 7: 1})
    long = Finding(Rule.LOST, "", "", steps, choices, (), "", marks=(0, 3, 6), calls=(0, 1, 1))
    fewer, deviations = _without(long, number, number + 1)
    assert deviations == Deviations(left)
    assert len(fewer) == 2


def test_the_names_of_calls_behind_a_step_that_is_left_out_move_up() -> None:
    """Whoever leaves out a step in which the model made two calls means what is then called so."""
    steps = (
        User("U1", (Answer(2),)),
        User("U2", (Answer(2),)),
        Open("c"),
        Together((Fail("d"), Interrupt())),
    )
    long = Finding(Rule.LOST, "", "", steps, Deviations(), (), "", marks=(0,) * 4, calls=(0, 2, 4, 4))
    fewer, _deviations = _without(long, 0, 1)
    assert fewer == (User("U2", (Answer(2),)), Open("a"), Together((Fail("b"), Interrupt())))
