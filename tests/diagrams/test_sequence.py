"""Sequence diagrams: drawn from plain values, whatever their texts hold."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, strategies as st

from turnlock.diagrams import MODEL, SESSION, USER, Arrow, Kind, Participant
from turnlock.diagrams.sequence import render

TOOL = Participant("call_1", "grep (call 1)")
people = st.sampled_from([USER, SESSION, MODEL, TOOL])
arrows = st.builds(
    Arrow,
    at=st.floats(0, 1e6),
    source=people,
    dest=people,
    text=st.text(max_size=200),
    kind=st.sampled_from(Kind),
)


def plain(text: str) -> str:
    return re.sub(r"#(\d+);", lambda found: chr(int(found[1])), text.replace("<br/>", " "))


def lines(*drawn: Arrow) -> list[str]:
    """What stands below the participants."""
    return [line.strip() for line in render(drawn).splitlines() if "participant" not in line][1:]


def test_participants_stand_in_a_fixed_order() -> None:
    """User, session and model come first and always, tools as they appear: pictures can be compared."""
    text = render([Arrow(0, SESSION, TOOL, "run")])
    assert re.findall("participant (.*)", text) == [
        "user as user",
        "session as session",
        "model as model",
        "call_1 as grep (call 1)",
    ]


def test_time_stands_where_it_changes() -> None:
    """What happened at the same time as the line above carries no time; a clock may begin anywhere."""
    moments = (
        Arrow(70.5, USER, SESSION, "a"),
        Arrow(70.5, SESSION, MODEL, "b"),
        Arrow(71.75, USER, SESSION, "c"),
    )
    assert lines(*moments) == ["user->>session: 0.0 s · a", "session->>model: b", "user->>session: 1.2 s · c"]


@pytest.mark.parametrize(
    ("kind", "drawn"),
    [
        (Kind.SAID, ["session->>model: 0.0 s · x"]),
        (Kind.TOLD, ["session-->>model: 0.0 s · x"]),
        (Kind.BEGUN, ["session->>model: 0.0 s · x", "activate model", "deactivate model"]),
        (Kind.ENDED, ["session-->>model: 0.0 s · x"]),
        (Kind.LOST, ["session-xmodel: 0.0 s · x"]),
        (Kind.ABORTED, ["session-xmodel: 0.0 s · x"]),
        (Kind.NOTE, ["Note over session,model: 0.0 s · x"]),
    ],
)
def test_each_kind_has_its_arrow(kind: Kind, drawn: list[str]) -> None:
    """Questions are solid, answers dashed, what came to nothing has a cross; no bar ends without a begin."""
    assert lines(Arrow(0, SESSION, MODEL, "x", kind)) == drawn


@pytest.mark.parametrize(
    ("source", "dest", "kind"),
    [(MODEL, SESSION, Kind.ENDED), (MODEL, SESSION, Kind.LOST), (SESSION, MODEL, Kind.ABORTED)],
)
def test_bar_ends_with_the_work(source: Participant, dest: Participant, kind: Kind) -> None:
    """An answer, a loss and an abort all end the bar of whoever was at work."""
    drawn = lines(
        Arrow(0, SESSION, MODEL, "ask", Kind.BEGUN),
        Arrow(1, source, dest, "end", kind),
        Arrow(2, USER, USER, "n", Kind.NOTE),
    )
    assert [line for line in drawn if "activate" in line] == ["activate model", "deactivate model"]
    assert drawn.index("deactivate model") == 3


def test_note_about_one_participant() -> None:
    """A note may stand over one line alone."""
    assert lines(Arrow(0, SESSION, SESSION, "x", Kind.NOTE)) == ["Note over session: 0.0 s · x"]


@given(st.lists(arrows, max_size=12))
def test_no_text_breaks_the_picture(drawn: list[Arrow]) -> None:
    """Semicolons, hashes, quotes, line breaks, control characters: a text stays on the line of its arrow."""
    text = render(drawn)
    body = [line.lstrip() for line in text.split("\n")[1:-1] if "participant " not in line.split(":")[0]]
    said = [line for line in body if not re.fullmatch(r"(de)?activate \w+", line)]
    assert len(said) == len(drawn)
    for line in said:
        head, _, rest = line.partition(": ")
        assert re.fullmatch(r"\w+--?(>>|x)\w+|Note over \w+(,\w+)?", head)
        bare = re.sub(r"#\d+;|<br/>", "", rest)
        assert not set(bare) & set('#;:&<%$"*\\')
        assert bare.isprintable()


@given(st.lists(arrows, max_size=12))
def test_bars_are_balanced(drawn: list[Arrow]) -> None:
    """Mermaid refuses an end without a begin, and does not draw a begin without an end."""
    at_work: dict[str, int] = {}
    for line in lines(*drawn):
        found = re.fullmatch(r"(de)?activate (\w+)", line)
        if found:
            at_work[found[2]] = at_work.get(found[2], 0) + (-1 if found[1] else 1)
            assert at_work[found[2]] >= 0
    assert not any(at_work.values())


def test_text_is_shown_as_it_was_said() -> None:
    """A reader sees the very characters, broken into short lines."""
    said = 'rm "a;b" #1 <b> & 50% of $x: {"k": [*]}'
    [line] = lines(Arrow(0, USER, SESSION, said))
    assert plain(line) == f"user->>session: 0.0 s · {said}"
    assert "<br/>" in line


@pytest.mark.parametrize("text", ["word " * 100_000, "x" * 100_000], ids=["words", "one word"])
def test_long_text_is_cut(text: str) -> None:
    """A megabyte of output takes three short lines, and shows that it was cut."""
    [line] = lines(Arrow(0, USER, SESSION, text))
    assert len(line) < 150
    assert line.endswith("…")


@pytest.mark.parametrize("name", ["", "a b", "call-1", "a;b", "é"])
def test_id_of_a_participant_is_plain(name: str) -> None:
    """An id that mermaid would not take is refused where it is made."""
    with pytest.raises(ValueError, match="id"):
        Participant(name, "label")
