"""What happened in a story, in words and as a diagram."""

from __future__ import annotations

from turnlock.testing import Entry, Open, User
from turnlock.testing.sequencing.record import Made, Record, Said
from turnlock.testing.sequencing.story import Story, numbered


def told() -> Story:
    story = Story(Record(said=[Said("U1"), Said("U2")], made={"a": Made("a", 1, 0.0)}))
    story.step(User("U1"))
    story.request(1, [Entry("user", "U1")], ["a"])
    story.step(Open("a"), source="Tools")
    body = [
        Entry("user", "U1 and U2"),
        Entry("call", '{"step": "a"}', "1", "work"),
        Entry("output", "a result;\nlong " + "x" * 80, "1"),
        Entry("assistant", "hello"),
        Entry("call", "{}", "2", "other"),
        Entry("output", "what", "9"),
        Entry("user", "somebody else"),
    ]
    story.request(2, body, [], "400 <No tool output>")
    story.agent("U2: it was not taken")
    story.wrong("request 2 is refused")
    return story


LONG = "a result; long " + "x" * 44 + "…"


def test_the_story_in_words() -> None:
    """Steps are numbered, what followed stands indented; bodies stand there with the names of the story."""
    assert numbered(told().lines) == [
        "  1. the user says U1; the model will answer with a text",
        "       → request 1 carries U1",
        "  2. the tool of call a returns",
        f"       → request 2 carries U1 U2 K(a) O(a, '{LONG}') A K(other) O(?, 'what') U",
        "       → request 2 is refused: 400 <No tool output>",
        "       → U2: it was not taken",
    ]


def test_the_story_as_a_diagram() -> None:
    """Each arrow is a line of mermaid; what mermaid would not take for text is written as a number."""
    assert told().mermaid().splitlines() == [
        "sequenceDiagram",
        "    participant User",
        "    participant Agent",
        "    participant Model",
        "    participant Tools",
        "    User->>Agent: the user says U1#59; the model will answer with a text",
        "    Agent->>Model: 1: U1",
        "    Model->>Agent: K(a)",
        "    Tools->>Agent: the tool of call a returns",
        f"    Agent->>Model: 2: U1 U2 K(a) O(a, '{LONG.replace(';', '#59;')}') A K(other) O(?, 'what') U",
        "    Model->>Agent: refused: 400 #60;No tool output#62;",
        "    Agent->>User: U2: it was not taken",
        "    Agent->>Agent: WRONG: request 2 is refused",
    ]
