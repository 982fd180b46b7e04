"""The pytest plugin of turnlock: the fixtures ``strict_provider`` and ``gates``.

Owns what pytest loads in every run of everybody who has turnlock installed. So it imports nothing but pytest,
and stands outside of the package, whose import brings trio and more. What the fixtures do is said in
``turnlock.testing.plugin``, which the first test that uses one imports.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from types import ModuleType

    from turnlock.testing.gates import Gates
    from turnlock.testing.provider import Provider

#: The providers of a test.
_USED = pytest.StashKey["list[Provider]"]()


@pytest.fixture
def strict_provider(request: pytest.FixtureRequest) -> Iterator[Provider]:
    """A strict provider on loopback HTTP: give it its lines with ``strict_provider.answers(...)``.

    A request that it refused fails the test, unless the test says ``strict_provider.expect_refusals()``.
    """
    part = _part()
    provider: Provider = part.new_provider()
    request.node.stash.setdefault(_USED, []).append(provider)
    yield provider
    part.end(provider)


@pytest.fixture
def gates(strict_provider: Provider) -> Iterator[Gates]:
    """Gated tools, which wait until the test opens them; ``strict_provider.wait_for`` sees them arrive."""
    made: Gates = _part().new_gates(strict_provider)
    yield made
    made.open_all()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Fail the test, and not its teardown, for what was refused while it ran."""
    try:
        result = yield
    except BaseException:
        for provider in item.stash.get(_USED, ()):
            said = _part().complaint(provider)
            if said is not None:
                item.add_report_section("call", "strict provider", said)
        raise
    for provider in item.stash.get(_USED, ()):
        _part().judge(provider)
    return result


def _part() -> ModuleType:
    """The part of turnlock that has what the fixtures do."""
    try:
        from turnlock.testing import plugin  # noqa: PLC0415 - see the top
    except ImportError as error:
        missing = error
    else:
        return plugin
    pytest.fail(
        f"a fixture of turnlock needs a package that is not installed ({missing}): "
        "pip install 'turnlock[testing]'",
        pytrace=False,
    )
