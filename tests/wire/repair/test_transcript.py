"""Transcripts from elsewhere: mended, and cut (C36 to C43), so that every dialect can say them."""

from __future__ import annotations

import pytest

from turnlock.engine import Call, Item, Message, Output, Reasoning, Text
from turnlock.engine.items import Note, Origin, ServerCall
from turnlock.engine.outcome import UNRECORDED, Cause, Outcome
from turnlock.machines import InvocationState
from turnlock.wire.repair import cut_to_last, mend_transcript

U = Message("m1", "U1")
DONE = Outcome(InvocationState.COMPLETED, Cause.RETURNED, "done")


def _call(ordinal: int, request: int = 1) -> Call:
    return Call(ordinal, f"call_{ordinal}", "f", "{}", request)


def out(ordinal: int) -> Output:
    return Output(ordinal, DONE)


def _lost(ordinal: int) -> Output:
    return Output(ordinal, UNRECORDED)


def _text(request: int = 1) -> Text:
    return Text("A", request)


K, L, A = _call, _lost, _text


@pytest.mark.parametrize(
    ("given", "mended"),
    [
        ([U, K(1)], [U, K(1), L(1)]),  # C36
        ([U, K(1), U], [U, K(1), L(1), U]),  # C38
        ([U, K(1), U, out(1)], [U, K(1), out(1), U]),  # C39
        ([out(1), K(1)], [K(1), out(1)]),  # C40
        ([K(1), out(1), out(1)], [K(1), out(1)]),  # C40
        ([out(7), U], [U]),  # C37
        ([U, K(1), K(2), out(2), out(1)], [U, K(1), K(2), out(2), out(1)]),  # both are there
        ([U, K(1), K(2), U, out(2), out(1)], [U, K(1), K(2), out(1), out(2), U]),  # in call order
        ([U, K(1), A(), K(2, request=2), out(1), out(2)], [U, K(1), A(), out(1), K(2, request=2), out(2)]),
        ([U, K(1), Note("stopped"), out(1)], [U, K(1), out(1), Note("stopped")]),  # R4
    ],
)
def test_pairs(given: list[Item], mended: list[Item]) -> None:
    """C36 to C40: every call has its one output behind it, and mending again changes nothing."""
    done = mend_transcript(given)
    assert list(done.items) == mended
    assert bool(done.changes) is (given != mended)
    assert mend_transcript(done.items) == (type(done))(done.items, ())


def test_two_calls_with_one_ordinal() -> None:
    """C40 and R2: each call is one call, whatever a history numbers them."""
    done = mend_transcript([U, K(1), K(1), out(1)])
    first, second, answer, other = done.items[1:]
    assert isinstance(first, Call)
    assert isinstance(second, Call)
    assert first.ordinal != second.ordinal
    assert (answer, other) == (out(first.ordinal), L(second.ordinal))


def test_reasoning_stays_with_the_item_that_it_precedes() -> None:
    """C41: at the end of an answer its partner is not here, and it is set aside."""
    thought = Reasoning("hm", 1)
    assert mend_transcript([U, thought, K(1), out(1)]).changes == ()
    done = mend_transcript([U, A(), thought, U])
    assert list(done.items) == [U, A(), U]
    assert [(change.at, change.set_aside) for change in done.changes] == [("/2", thought)]
    found = ServerCall("web_search", 1, Origin("x", "m", {}))
    assert mend_transcript([U, thought, thought, found]).changes == ()


LONG: list[Item] = [U, K(1), out(1), A(2), Message("m2", "U2"), Message("m3", "U3"), K(2, 3), out(2), A(4)]


@pytest.mark.parametrize(("count", "start"), [(99, 0), (9, 0), (8, 4), (5, 4), (4, 4), (1, 4)], ids=str)
def test_a_history_is_cut_where_no_pair_is_split(count: int, start: int) -> None:
    """C43 and R18: it begins with the first of the messages that open a turn; the last turn stays whole."""
    assert list(cut_to_last(LONG, count)) == LONG[start:]


def test_a_history_without_any_message_is_not_cut() -> None:
    """C43: there is no safe place in it."""
    assert cut_to_last([K(1), out(1), A(2)], 1) == (K(1), out(1), A(2))


def test_nothing_cannot_be_kept() -> None:
    """Bad input: a clear error."""
    with pytest.raises(ValueError, match="keep at least one"):
        cut_to_last(LONG, 0)
