"""Records: every entry, as JSON text and back.

What there is to record is read off the declared unions, and what a field may hold off its annotation: a new
entry, item or field is tried without being named here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import attrs
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from turnlock import JournalError
from turnlock.engine import Call, Item, Limits, Message, ModelItem, Note, Outcome, Output, Policy, inputs
from turnlock.engine.outcome import Cause
from turnlock.journal import Entry, RequestSent, SessionOpened, from_record, to_record
from turnlock.journal.records import dumps
from turnlock.machines import InvocationState
from turnlock.wire.common.jsontext import dumps as wire_dumps, mended

ENTRIES: tuple[type, ...] = get_args(Entry)
BESIDE = {"seq", "session", "time", "type"}  # what journals write beside the fields
FEW = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


# ── what a field may hold ───────────────────────────────────────────────────────────────────────────────


def _one_way(text: str) -> bool:
    """Two halves of an emoji side by side are the emoji, for JSON as for UTF-16: no text says them apart."""
    return bool(json.loads(json.dumps(text)) == text)


half = st.sampled_from(["\ud83d", "cut \ud800", "\udfff and on"])
texts = st.text(max_size=8) | half | st.text(st.characters(codec=None), max_size=4).filter(_one_way)
numbers = st.floats(allow_nan=False, allow_infinity=False)
integers = st.integers(0, 2**53)
data = st.recursive(
    st.none() | st.booleans() | st.integers() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
plain: dict[Any, st.SearchStrategy[Any]] = {
    str: texts,
    float: numbers,
    int: integers,
    bool: st.booleans(),
    NoneType: st.none(),
    Any: data,
    Mapping[str, Any]: st.dictionaries(texts, data, max_size=3),
    bytes: st.dictionaries(texts, data, max_size=3).map(wire_dumps),  # as our encoders write bodies
    Limits: st.builds(
        Limits,
        deadline=st.none() | st.floats(0.001, 1e9),
        parallel=st.integers(1, 9),
        backoff=st.floats(0, 100),
    ),
}


def values(hint: Any) -> st.SearchStrategy[Any]:
    """Whatever a field with this annotation may hold."""
    if hint in plain:
        return plain[hint]
    origin, args = get_origin(hint), get_args(hint)
    if origin in {Union, UnionType}:
        return st.one_of([values(arg) for arg in args])
    if origin is tuple and args[1:] == (...,):
        return st.lists(values(args[0]), max_size=3).map(tuple)
    if origin is Mapping:
        return st.dictionaries(values(args[0]), values(args[1]), max_size=3)
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return st.sampled_from(hint)
    if isinstance(hint, type) and attrs.has(hint):
        return st.builds(hint, **{name: values(inner) for name, inner in get_type_hints(hint).items()})
    raise TypeError(f"no test knows what may stand in a field of type {hint}: say it in `plain`")


def read(line: bytes) -> dict[str, Any]:
    """A line, as anybody reads it who knows JSON."""
    assert b"\n" not in line
    record = json.loads(line)
    assert isinstance(record, dict)
    return record


# ── there and back ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", ENTRIES, ids=lambda kind: kind.__name__)
@FEW
@given(data=st.data())
def test_every_entry_comes_back(kind: type, data: st.DataObject) -> None:
    """R19: an entry that went through JSON text is equal, whatever is in it, half an emoji too."""
    entry = data.draw(values(kind))
    record = read(dumps({"seq": 1, "session": "s", "time": "now", **to_record(entry)}))
    assert from_record(record) == entry
    assert type(from_record(record)) is kind


@pytest.mark.parametrize("kind", get_args(Item), ids=lambda kind: kind.__name__)
@FEW
@given(data=st.data())
def test_every_item_comes_back(kind: type, data: st.DataObject) -> None:
    """R19: the items of a history keep their classes; those of an answer too."""
    item = data.draw(values(kind))
    opened = SessionOpened(0.0, "m", None, "", (), Limits(), {}, (item, Note("n"), item), "0")
    again = from_record(read(dumps(to_record(opened))))
    assert again == opened
    if kind in get_args(ModelItem):
        completed = inputs.ItemCompleted(1.0, 2, item, Policy(exclusive=True))
        assert from_record(read(dumps(to_record(completed)))) == completed


def test_nothing_is_forgotten() -> None:
    """R19: what can be recorded is what an engine can be fed, and how a session begins and what leaves."""
    assert set(ENTRIES) == {*get_args(inputs.Input), SessionOpened, RequestSent}
    assert len({kind.__name__ for kind in ENTRIES}) == len(ENTRIES)


@pytest.mark.parametrize("kind", [*ENTRIES, *get_args(Item)], ids=lambda kind: kind.__name__)
def test_names_that_are_taken(kind: type) -> None:
    """No field is called as what is written beside the fields: it would stand in its place."""
    assert not BESIDE & attrs.fields_dict(kind).keys()


@FEW
@given(body=st.dictionaries(texts, data, max_size=4).map(wire_dumps))
def test_a_body_is_the_bytes_that_left(body: bytes) -> None:
    """R19: in the file it stands byte for byte, and so it comes back."""
    line = dumps(to_record(RequestSent(1.0, 1, body)))
    assert body in line
    again = from_record(read(line))
    assert isinstance(again, RequestSent)
    assert again.body == body


def test_a_body_beside_half_an_emoji() -> None:
    """A session's own name may be half an emoji: what stands beside it is readable all the same."""
    line = dumps({"session": "\ud83d", **to_record(RequestSent(1.0, 1, b'{"x":"\xc3\xbc"}'))})
    assert read(line)["session"] == "\ud83d"
    assert from_record(read(line)) == RequestSent(1.0, 1, b'{"x":"\xc3\xbc"}')


def test_two_halves_of_an_emoji() -> None:
    """An emoji that arrived in two pieces is read as the emoji that the wire writes for it."""
    pieces = "\ud83d" + "\ude00"
    again = from_record(read(dumps(to_record(inputs.Interrupt(1.0, shown=pieces)))))
    assert again == inputs.Interrupt(1.0, shown="\N{GRINNING FACE}")
    assert mended(pieces) == "\N{GRINNING FACE}"


@pytest.mark.parametrize("text", ["plain", "cut \ud83d"])
def test_what_is_no_number(text: str) -> None:
    """JSON has no NaN: it is written as null, as the wire writes it, beside half an emoji too."""
    native = {"text": text, "x": float("nan"), "y": [float("inf")]}
    line = dumps(to_record(inputs.Returned(1.0, 1, "", native=native)))
    record = json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert record["native"] == {"text": text, "x": None, "y": [None]}


def test_whole_numbers_of_any_sort() -> None:
    """Limits that were given as 3.0 are 3 when they are read."""
    whole: Any = 3.0
    limits = Limits(max_requests=whole, parallel=whole)
    opened = SessionOpened(0.0, "m", None, "", (), limits, {}, (), "0")
    again = from_record(read(dumps(to_record(opened))))
    assert isinstance(again, SessionOpened)
    assert (again.limits.max_requests, again.limits.parallel) == (3, 3)


def test_deep_content() -> None:
    """What a host or a provider nested deeply is recorded as deep as JSON readers go."""
    deep: dict[str, Any] = {}
    for _ in range(800):
        deep = {"in": deep}
    sent = inputs.Send(0.0, Message("m", (deep,)))
    assert from_record(read(dumps(to_record(sent)))) == sent


# ── what does not fit ───────────────────────────────────────────────────────────────────────────────────

SENT = to_record(inputs.Send(1.0, Message("m", "U1"), inputs.Mode.QUEUE))
COMPLETED = to_record(inputs.ItemCompleted(1.0, 2, Call(3, "a", "ls", "{}", 2)))
OUTPUT = to_record(Output(1, Outcome(InvocationState.COMPLETED, Cause.RETURNED, "x")))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["Unheard", "", None, 5, ["Send"], {}, "Text"])
def test_an_unknown_type(name: object) -> None:
    """It is named, with what may have happened; nothing is guessed."""
    with pytest.raises(JournalError, match="a later release may have written it"):
        from_record({"type": name, "at": 1.0})
    with pytest.raises(JournalError, match="unknown record type None"):
        from_record({"at": 1.0})


@pytest.mark.parametrize("kind", ENTRIES, ids=lambda kind: kind.__name__)
@FEW
@given(data=st.data())
def test_a_missing_field(kind: type, data: st.DataObject) -> None:
    """Every field that has no default must be there, and is named; one that has one need not."""
    record = read(dumps(to_record(data.draw(values(kind)))))
    for known in attrs.fields(kind):
        less = {name: value for name, value in record.items() if name != known.name}
        if known.default is attrs.NOTHING:
            with pytest.raises(JournalError, match=f"{kind.__name__} record .* it has no {known.name}$"):
                from_record(less)
        else:
            from_record(less)


@pytest.mark.parametrize("kind", ENTRIES, ids=lambda kind: kind.__name__)
@FEW
@given(data=st.data())
def test_an_unknown_field(kind: type, data: st.DataObject) -> None:
    """A later release may say more: whatever is not known is ignored, in the record and in what is in it."""
    entry = data.draw(values(kind))
    record = read(dumps(to_record(entry)))
    ours = {name for name in ("item", "limits", "message", "policy") if name in record}
    more: dict[str, Any] = {name: {**record[name], "more": 1} for name in ours}
    assert from_record({**record, **more, "more": {"later": True}}) == entry


@pytest.mark.parametrize("wrong", ["x", None, [], {}, True])
def test_a_field_of_another_sort(wrong: object) -> None:
    """What does not fit is an error that names the record and the field."""
    with pytest.raises(JournalError, match="a Send record is not readable: at: "):
        from_record({**SENT, "at": wrong})
    with pytest.raises(JournalError, match="a Send record is not readable: mode: "):
        from_record({**SENT, "mode": wrong})
    with pytest.raises(JournalError, match="a ItemCompleted record is not readable: request: "):
        from_record({**COMPLETED, "request": wrong})


@pytest.mark.parametrize(
    "item", ["x", None, [], {}, 5, {"type": "Unheard"}, {"type": ["Call"]}, {"type": "Call"}, OUTPUT]
)
def test_no_item(item: object) -> None:
    """What stands in place of an item must be one, and one that may stand there."""
    with pytest.raises(JournalError, match="a ItemCompleted record is not readable: item: "):
        from_record({**COMPLETED, "item": item})
    if item is not OUTPUT:
        opened = to_record(SessionOpened(0.0, "m", None, "", (), Limits(), {}, (), "0"))
        with pytest.raises(JournalError, match="a SessionOpened record is not readable: history: "):
            from_record({**opened, "history": [OUTPUT, item]})


@pytest.mark.parametrize("value", [object(), {"x": {object(): 1}}, {(1, 2): 3}, msgspec])
def test_what_json_cannot_say(value: object) -> None:
    """It is refused before anything is written."""
    with pytest.raises(TypeError):
        dumps(to_record(inputs.Returned(1.0, 1, "", native=value)))
