"""What the provider executes itself, and what it keeps: in the engine (R21, R22)."""

from __future__ import annotations

import pytest

from support.story import A, K, S, Story
from turnlock.engine import NOTES, Engine, Finish, Limits, StopReason, Trouble, commands
from turnlock.engine.items import Known, Note, ServerCall

SEARCH = S("web_search", label="s1")
FOUND = S("web_search_result", label="s1", result=True)
LEFT_OUT = "The provider was executing web_search when it ended; that has no result, and is left out."


def set_aside(story: Story) -> list[str]:
    """The provider's calls that were set aside, and reported."""
    found = [each.item for each in story.log if isinstance(each, commands.SetAside)]
    return [item.label for item in found if isinstance(item, ServerCall)]


def notes(story: Story) -> list[str]:
    """What the model is told of what was broken off."""
    return [item.text for item in story.engine.transcript.items if isinstance(item, Note)]


def known(story: Story) -> list[Known | None]:
    """What each request may go on from."""
    return [each.known for each in story.log if isinstance(each, commands.SendRequest)]


# ── calls that the provider executes ────────────────────────────────────────────────────────────────


def test_an_interrupt_while_the_provider_executes() -> None:
    """C46: the server call is set aside and reported, the note says so, and U2 follows."""
    story = Story()
    story.send("U1")
    assert story.reply(A(), SEARCH, finish=Finish.PAUSE) == ["send 2"]
    story.interrupt()
    story.send("U2")
    assert set_aside(story) == ["s1"]
    assert story.sent[1:] == ["U1 A S(web_search)", "U1 A M U2"]
    assert notes(story) == [f"{NOTES[StopReason.INTERRUPTED]} {LEFT_OUT}"]


def test_a_paused_answer_goes_back_with_nothing_behind_it() -> None:
    """C45 and R21: its request says so, and no other one does."""
    story = Story()
    story.send("U1")
    story.reply(A(), finish=Finish.PAUSE)
    story.reply(A())
    story.send("U2")
    sent = [each.paused for each in story.log if isinstance(each, commands.SendRequest)]
    assert sent == [False, True, False]


def test_what_was_found_stays() -> None:
    """C46 and R16: a server call with its result is a finished one, and nothing of it is set aside."""
    story = Story()
    story.send("U1")
    story.reply(SEARCH, finish=Finish.PAUSE)
    story.model(FOUND)
    story.interrupt()
    story.send("U2")
    assert set_aside(story) == []
    assert "S(web_search) S(web_search_result)" in story.sent[-1]


def test_outputs_may_follow_a_server_call_in_flight_and_messages_may_not() -> None:
    """R21: also when the response did not pause but asked for a client's tool; U2 waits one round trip."""
    story = Story()
    story.send("U1")
    story.send("U2")
    story.reply(SEARCH, K("a"))
    assert story.returns("a") == ["ended a: returned", "send 2"]
    assert story.reply(FOUND, A()) == ["send 3", "delivered U2"]
    assert story.sent[1] == "U1 S(web_search) K(a) O(a)"


def test_the_turn_s_limit_ends_a_server_call_too() -> None:
    """R21: a turn that ends by itself leaves no server call in flight behind, and a note says so."""
    story = Story(Limits(max_requests=1))
    story.send("U1")
    assert story.reply(SEARCH, finish=Finish.PAUSE)[-1] == "turn 1 ended: max_requests"
    story.send("U2")
    assert set_aside(story) == ["s1"]
    assert story.sent[-1] == "U1 M U2"
    assert notes(story) == [LEFT_OUT]


def test_a_session_without_notes_sets_it_aside_all_the_same() -> None:
    """R26: a session can leave the note out; the history must be valid in any case."""
    story = Story(engine=Engine(notes={}))
    story.send("U1")
    story.reply(SEARCH, finish=Finish.PAUSE)
    story.interrupt()
    story.send("U2")
    assert set_aside(story) == ["s1"]
    assert story.sent[-1] == "U1 U2"


def test_a_broken_answer_leaves_no_call_in_flight_behind() -> None:
    """C46 and R21: an interrupt, or a lost connection, in the middle of the answer that holds the call."""
    story = Story()
    story.send("U1")
    story.model(A(), SEARCH)
    story.interrupt()
    assert set_aside(story) == ["s1"]
    assert not [item for item in story.engine.transcript.items if isinstance(item, ServerCall)]
    story.send("U2")
    assert story.sent[-1] == "U1 A M U2"

    story = Story(Limits(max_requests=1))
    story.send("U1")
    story.model(SEARCH, K("a"))
    story.fails(Trouble.LOST, "gone")
    story.returns("a")
    assert set_aside(story) == ["s1"]
    story.send("U2")
    assert story.sent[-1] == "U1 K(a) O(a) M U2"


def test_a_refusal_behind_it_takes_back_the_right_messages() -> None:
    """R20 and R21: what stands behind the call that is gone is still the same."""
    story = Story()
    story.send("U1")
    story.reply(SEARCH, finish=Finish.PAUSE)
    story.interrupt()
    story.send("U2")
    story.fails(Trouble.REFUSED, "no")
    assert story.receipt("U2").fate == "returned"
    assert story.receipt("U1").fate == "delivered"


# ── histories that the provider keeps ───────────────────────────────────────────────────────────────


def test_a_request_may_go_on_from_the_last_whole_response() -> None:
    """R22: what the provider knows is the transcript up to the last response that came to its end."""
    story = Story()
    story.send("U1")
    story.model(K("a"))
    story.ends(response="resp_1")
    story.returns("a")
    assert known(story) == [None, Known("resp_1", 2)]


def test_a_stream_breaks_while_the_provider_keeps_the_history() -> None:
    """C47: nothing goes on from the response that was cut; its call and output are the client's to carry."""
    story = Story()
    story.send("U1")
    story.model(A())
    story.ends(response="resp_1")
    story.send("U2")
    story.model(K("a"))
    story.fails()
    story.returns("a")
    assert story.wait(0.5) == ["send 3"]
    assert known(story)[1:] == [Known("resp_1", 2), Known("resp_1", 2)]
    assert story.sent[-1] == "U1 A U2 K(a) O(a)"


def test_an_interrupt_in_a_conversation() -> None:
    """C48: the call's response was whole: its output leaves with U2, in one request that goes on from it."""
    story = Story()
    story.send("U1")
    story.model(K("a"))
    story.ends(response="resp_1")
    story.interrupt()
    story.stopped("a")
    story.send("U2")
    assert known(story)[1:] == [Known("resp_1", 2)]


@pytest.mark.parametrize("finish", [Finish.LENGTH, Finish.FILTER, Finish.PAUSE])
def test_a_response_that_was_cut_is_not_gone_on_from(finish: Finish) -> None:
    """R22: only one that came to its own end."""
    story = Story()
    story.send("U1")
    story.model(A())
    story.ends(finish, response="resp_1")
    story.send("U2")
    assert known(story)[1:] == [None]


def test_a_provider_that_has_forgotten_is_told_everything() -> None:
    """R22: the response is not kept any more; the same is asked again, and goes on from nothing."""
    story = Story()
    story.send("U1")
    story.model(A())
    story.ends(response="resp_1")
    story.send("U2")
    story.fails(Trouble.FORGOTTEN, "Previous response with id 'resp_1' not found.")
    assert story.wait(0.5) == ["send 3"]
    assert known(story)[1:] == [Known("resp_1", 2), None]
    assert story.sent[-1] == "U1 A U2"


def test_what_was_set_aside_is_not_known_either() -> None:
    """R21 and R22: the provider knows a server call that the history no longer has."""
    story = Story()
    story.send("U1")
    story.model(SEARCH, K("a"))
    story.ends(response="resp_1")
    story.interrupt()
    story.stopped("a")
    story.send("U2")
    assert known(story)[1:] == [None]
