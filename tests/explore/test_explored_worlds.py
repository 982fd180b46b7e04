"""Every interleaving of small worlds: nothing is wrong, and what was seen is what there is."""

from __future__ import annotations

import msgspec
import pytest

from turnlock.engine import Call, Message
from turnlock.explore import Survey, World, all_rows, explore, plain, small_worlds, survey
from turnlock.explore.facts import Wrong
from turnlock.explore.verdicts import Verdicts
from turnlock.strict import judge_responses

WORLDS = {world.name: world for world in small_worlds()}
FEWEST = {
    "answers": 1_000,
    "modes": 8_000,
    "stops": 3_500,
    "approvals": 2_000,
    "exclusive": 500,
    "failures": 1_800,
    "retries": 300,
    "refusals": 1_600,
    "pauses": 900,
    "max_requests": 900,
    "control": 1_500,
    "labels": 500,
    "ids": 600,
    "late": 4_500,
    "crash": 7_000,
    "crashes": 3_000,
}
"""States that each world has at the least: one that has lost a part would show nothing wrong either."""


@pytest.mark.parametrize("world", WORLDS.values(), ids=WORLDS)
def test_nothing_is_wrong_in_a_small_world(world: World) -> None:
    """R1-R26 as far as they concern the engine: zero violations, in as many states as there were."""
    explored = explore(world)
    assert explored.violation is None
    assert explored.states >= FEWEST[world.name]
    assert explored.edges > explored.states


@pytest.mark.parametrize(
    ("calls", "messages", "fewest"), [(1, 1, 40), (1, 3, 150), (2, 2, 400), (3, 3, 2_800), (4, 2, 5_500)]
)
def test_nothing_is_wrong_in_the_plain_world(calls: int, messages: int, fewest: int) -> None:
    """Calls, messages, an interrupt, deadlines and late results, in every order."""
    explored = explore(plain(calls, messages))
    assert explored.violation is None
    assert explored.states >= fewest


def test_the_same_worlds_give_the_same_exploration() -> None:
    """No chance is involved: states, edges and requests are equal, in their order."""
    worlds = [WORLDS["labels"], WORLDS["ids"], WORLDS["crashes"], plain(2, 1)]
    one, other = survey(worlds), survey(worlds)
    assert one == other
    assert one.states == sum(each.states for each in one.explorations)
    assert one.edges == sum(each.edges for each in one.explorations)


@pytest.fixture(scope="module")
def everywhere() -> Survey:
    return survey([*small_worlds(), plain(2, 2)])


def test_every_row_of_the_tables_is_exercised(everywhere: Survey) -> None:
    """The worlds together leave out none; one world alone leaves out some, and says so."""
    assert everywhere.rows == set(all_rows())
    alone = explore(plain(1, 1)).rows
    assert {str(row) for row in set(all_rows()) - alone} == {
        "invocation: requested -cancel-> cancelled",
        "invocation: requested -expire-> timed_out",
        "turn: responding -fail-> settling",
        "turn: settling -wake-> settling",
        "turn: responding -hold-> responding",
        "turn: settling -hold-> settling",
        "turn: interrupting -hold-> interrupting",
        "turn: interrupting -interrupt-> interrupting",
    }


TEXTS = (
    "Tool cancelled before it started: it was not run.",
    "Tool cancelled while it was running, after 0 s: it may have had effects.\\nOutput so far",
    "Tool timed out after 0 s: it may have had effects.",
    "Tool error: ValueError: no",
    "Tool denied: it was not run. no",
    "Tool not run: nobody approved it within 0 s.",
    "Tool not run: there is no tool c.",
    "The output was refused by the provider (boom) and is left out.",
    "The user interrupted this turn.",
    "Tool lost in a crash: it may have run, wholly or in part.",
    "This turn ran out of time and was stopped.",
    '"id":"rs_1"',
    '"id":"ws_2"',
    '"call_id":"call_2"',  # the label of another call, made unique
    '"content":"hal"',
)
"""What only some interleavings bring about: the exploration is as wide as it claims to be."""


def test_every_request_is_accepted_and_different(everywhere: Survey) -> None:
    """R15: the bodies as they would leave, judged once more by the strict provider."""
    bodies = everywhere.bodies
    assert len(set(bodies)) == len(bodies) > 400
    assert all(b"\n" not in body for body in bodies)
    assert [judge_responses(msgspec.json.decode(body)) for body in bodies] == [None] * len(bodies)
    seen = b"\n".join(bodies).decode()
    assert [text for text in TEXTS if text not in seen] == []


def test_a_refused_history_is_found() -> None:
    """What the oracles would not see, the provider's verdict does."""
    call = Call(1, "call_1", "ls", "{}", 1)
    with pytest.raises(Wrong, match="No tool output found for function call call_1"):
        Verdicts().judge([Message("U1", "U1"), call, Message("U2", "U2")])


def test_looking_no_further() -> None:
    """A depth bounds the search: what lies behind it is not seen."""
    assert explore(plain(1, 1), depth=0).states == 1
    assert explore(plain(1, 1), depth=1).states == 3
    assert explore(plain(1, 1), depth=2).edges < explore(plain(1, 1)).edges


def test_progress_is_told() -> None:
    """Now and then, with the world's name and how far it is."""
    told: list[tuple[str, int, int]] = []
    explore(plain(3, 1), exact=True, progress=lambda *what: told.append(what))
    assert [(name, states) for name, states, _ in told] == [("plain", 5_000)]


@pytest.mark.parametrize(
    ("calls", "messages", "text"),
    [
        (0, 1, "0 calls: a world without calls shows nothing, give 1 to 5"),
        (6, 1, "6 calls are too many: give 1 to 5"),
        (1, 0, "0 messages: a world without messages"),
        (1, 5, "5 messages are too many"),
    ],
)
def test_a_world_has_a_size(calls: int, messages: int, text: str) -> None:
    """Too small shows nothing, too large never ends: both are said at once."""
    with pytest.raises(ValueError, match=text):
        plain(calls, messages)
