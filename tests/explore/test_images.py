"""States that count as one: the exact search proves of the images what the quick search takes for granted."""

from __future__ import annotations

from typing import Any

import pytest

from support.mistakes import MISTAKES, make
from turnlock.engine import Output
from turnlock.explore import GUARDS, SOUND, Machines, explore, images, plain, without_guard
from turnlock.explore.facts import Wrong
from turnlock.explore.search import Search
from turnlock.explore.verdicts import Verdicts

SIZES = [(1, 2), (1, 4), (2, 1), (2, 2), (3, 1), (2, 3), (3, 2)]


def searched(calls: int, messages: int, machines: Machines = SOUND, *, exact: bool) -> Search:
    search = Search(plain(calls, messages), machines, Verdicts(), exact)
    assert search.run() is None
    return search


@pytest.mark.parametrize(("calls", "messages"), SIZES)
def test_both_searches_see_the_same_images(
    calls: int, messages: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """States with one image go on alike, and the quick search misses no image and makes none up."""
    whole = searched(calls, messages, exact=True)
    seen: set[Any] = set()
    image = images.image

    def noted(*about: Any) -> Any:
        seen.add(made := image(*about))
        return made

    monkeypatch.setattr(images, "image", noted)
    quick = searched(calls, messages, exact=False)
    assert seen == set(whole.links)
    assert len(quick.came) == len(whole.links) < len(whole.came)
    assert quick.coverage.rows == whole.coverage.rows


def found(calls: int, messages: int, machines: Machines = SOUND, *, exact: bool) -> tuple[str, int] | None:
    violation = explore(plain(calls, messages), machines=machines, exact=exact).violation
    return None if violation is None else (violation.text, len(violation.moves))


@pytest.mark.parametrize("guard", GUARDS)
def test_both_searches_find_the_same_dropped_guards(guard: str) -> None:
    """The same thing is wrong, after equally many moves."""
    machines = without_guard(guard)
    assert found(2, 2, machines, exact=False) == found(2, 2, machines, exact=True)


@pytest.mark.parametrize("name", MISTAKES)
def test_both_searches_find_the_same_mistakes(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One wrong method: the same thing is wrong, after equally many moves, or nothing in this world."""
    make(name, monkeypatch)
    assert found(2, 1, exact=False) == found(2, 1, exact=True)


def test_some_of_the_mistakes_show_in_the_plain_world(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the two searches would agree on nothing."""
    seen = 0
    for name in MISTAKES:
        with monkeypatch.context() as patch:
            make(name, patch)
            seen += found(2, 1, exact=False) is not None
    assert seen >= 6


def test_an_image_that_forgets_too_much_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the exact search compares can differ: this image does not tell whether a turn was stopped."""
    image = images.image
    monkeypatch.setattr(images, "image", lambda *about: (*image(*about)[2:3], *image(*about)[4:]))
    violation = explore(plain(1, 1), exact=True).violation
    assert violation is not None
    assert violation.text == "another state with the same image goes on differently"


def test_every_history_is_judged_not_only_those_that_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the quick search goes no further, the history that led there is judged all the same."""
    judge = Verdicts.judge
    judged: list[bool] = []

    def noted(verdicts: Verdicts, items: Any, *, leaves: bool = True) -> None:
        judged.append(leaves)
        judge(verdicts, items, leaves=leaves)
        if not leaves and any(isinstance(item, Output) and "ValueError" in item.model_text for item in items):
            raise Wrong("a provider that takes no errors")

    monkeypatch.setattr(Verdicts, "judge", noted)
    violation = explore(plain(1, 1)).violation
    assert violation is not None
    assert (violation.text, violation.moves[-1]) == ("a provider that takes no errors", "tool a raises")
    assert judged.count(False) > judged.count(True)
