"""Call ids on the wire."""

from __future__ import annotations

from hypothesis import given, strategies as st

from turnlock.engine import Call, CallKind
from turnlock.wire.common.ids import ID_MAX, WireIds

LABELS = st.one_of(
    st.sampled_from(["", "a", "a_1", "a_2", "a_2_1", "call_1", "call_2", "x" * 64, "x" * 65, "x" * 66]),
    st.text(),
)


def given_to(*labels: str) -> list[str]:
    ids = WireIds()
    return [ids.give(Call(ordinal, label, "f", "{}", 1)) for ordinal, label in enumerate(labels, 1)]


def test_a_label_is_kept_where_it_can_be() -> None:
    """C22: the provider's own ids go back as they came, odd ones too."""
    assert given_to("call_9", "terminal:0", "x" * 64) == ["call_9", "terminal:0", "x" * 64]


def test_a_repeated_label_gets_its_ordinal() -> None:
    """R4, C20, C21: the first use keeps the id, every later one is told apart."""
    assert given_to("a", "b", "a", "a") == ["a", "b", "a_3", "a_4"]


def test_an_empty_label_is_made_of_the_ordinal() -> None:
    """C22: providers take no empty id."""
    assert given_to("", "") == ["call_1", "call_2"]


def test_a_long_label_keeps_its_beginning() -> None:
    """C22: shortened the same way every time, and never to the same id as its twin."""
    first, second = given_to("x" * 70, "x" * 71)
    assert (first[:40], second[:40]) == ("x" * 40, "x" * 40)
    assert first != second
    assert max(len(first), len(second)) <= ID_MAX
    assert given_to("x" * 70) == [first]


def test_a_made_id_is_not_taken_by_a_later_label() -> None:
    """R4: a label that is literally an id of ours gets its ordinal in turn."""
    assert given_to("", "call_1", "a", "a", "a_4") == ["call_1", "call_1_2", "a", "a_4", "a_4_5"]
    assert given_to("a_3", "a", "a") == ["a_3", "a", "a_3_1"]


def test_a_full_length_label_is_cut_for_its_ordinal() -> None:
    """C20: the suffix stays within the limit."""
    assert given_to("x" * 64, "x" * 64)[1] == "x" * 62 + "_2"


def test_a_call_that_the_provider_executed_has_an_id_of_its_own() -> None:
    """R21, R4: without an ordinal its request tells it apart; its output follows it."""
    ids = WireIds()
    shell, patch = CallKind.SHELL, CallKind.APPLY_PATCH
    assert ids.give_server(shell, "srv", 3) == ids.take_server(shell, "srv") == "srv"
    assert ids.give(Call(1, "srv", "f", "{}", 1)) == "srv_1"
    assert ids.give_server(shell, "srv", 4) == "srv_r4"
    assert ids.take_server(patch, "srv") is None  # of another kind
    assert ids.take_server(shell, "srv") == "srv_r4"
    assert ids.take_server(shell, "srv") is None  # one output each
    assert ids.take_server(shell, "never seen") is None


def test_other_ids_are_avoided_where_they_share_a_room() -> None:
    """RESP-DUP-ITEM-ID: an approval request has one id for both purposes."""
    call = Call(2, "q", "f", "{}", 1)
    assert WireIds().give(call, also_taken={"q", "q_2"}) == "q_2_1"


@given(labels=st.lists(LABELS, max_size=12))
def test_ids_are_unique_short_and_never_change(labels: list[str]) -> None:
    """R4, R10: whatever the labels, and whatever comes behind them."""
    ids = given_to(*labels)
    assert len(set(ids)) == len(ids)
    assert all(0 < len(each) <= ID_MAX and each.encode() for each in ids)
    for length in range(len(labels)):
        assert given_to(*labels[:length]) == ids[:length]


def test_an_ordinal_that_was_never_given_has_no_call() -> None:
    """R2: outputs find their call by ordinal; one without a call is known to have none."""
    ids = WireIds()
    call = Call(1, "a", "f", "{}", 1)
    ids.give(call)
    assert ids.of(1) == (call, "a")
    assert ids.of(2) is None
