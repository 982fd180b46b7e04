"""States that count as one: the exact search proves of the images what the quick search takes for granted."""

from __future__ import annotations

from typing import Any

import pytest

from turnlock.explore import GUARDS, SOUND, Machines, explore, images, plain, without_guard
from turnlock.explore.search import Search
from turnlock.explore.verdicts import Verdicts

SIZES = [(1, 2), (2, 1), (2, 2), (3, 1), (2, 3), (3, 2)]


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


@pytest.mark.parametrize("guard", GUARDS)
def test_both_searches_find_the_same_mistakes(guard: str) -> None:
    """A missing guard: the same thing is wrong, after equally many moves."""
    machines = without_guard(guard)
    quick, whole = (explore(plain(2, 2), machines=machines, exact=exact).violation for exact in (False, True))
    assert (quick is None) is (whole is None)
    if quick is not None and whole is not None:
        assert (quick.text, len(quick.moves)) == (whole.text, len(whole.moves))


def test_an_image_that_forgets_too_much_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the exact search compares can differ: this image does not tell whether a turn was stopped."""
    image = images.image
    monkeypatch.setattr(images, "image", lambda *about: (*image(*about)[2:3], *image(*about)[4:]))
    found = explore(plain(1, 1), exact=True).violation
    assert found is not None
    assert found.text == "another state with the same image goes on differently"


def test_a_history_that_could_not_leave_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The quick search has the history judged behind each step, not only what its requests carry."""
    search = Search(plain(1, 1), SOUND, Verdicts())
    judged: list[bool] = []
    judge = Verdicts.judge

    def noted(verdicts: Verdicts, items: Any, *, leaves: bool = True) -> None:
        judged.append(leaves)
        judge(verdicts, items, leaves=leaves)

    monkeypatch.setattr(Verdicts, "judge", noted)
    assert search.run() is None
    assert judged.count(False) > judged.count(True) > 3
