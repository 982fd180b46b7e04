"""What must hold of every request that an agent sends, whatever the agent is.

Pure functions of the record. Each returns nothing or raises ``Violation`` with the rule and what is wrong, in
words of the story. Refusals are the strict provider's business, and bounds of time are ``play``'s.

    refused      no request is refused
    erased       a call that the agent has read stays in the history
    one output   every call has exactly one output, and that never changes
    truthful     an output says what happened: a finished call keeps its result, a begun one did not "not run"
    ran twice    no call runs twice
    lost         a message that was taken, or was carried once, is carried by every request from then on
    doubled      and once only
    reordered    and in the order in which messages of its sort were taken
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from turnlock.testing.gates import Fate
from turnlock.testing.sequencing.record import Made, Record, Said, Taken
from turnlock.testing.transcript import Entry


class Violation(AssertionError):
    """An agent has broken a rule of sequencing.

    Attributes:
        rule: Which, in a word or two.
        what: What is wrong.
        story: What led to it, a line each; filled in by whoever plays it.
        literal: What the provider answered, if it refused.
    """

    def __init__(self, rule: str, what: str, literal: str = "") -> None:
        self.rule = rule
        self.what = what
        self.literal = literal
        self.story: tuple[str, ...] = ()
        super().__init__(rule, what)

    def __str__(self) -> str:
        return "\n".join([f"{self.rule}: {self.what}", *self.story])


_NEVER_RAN = re.compile(
    r"\b(?:was|were|is)?\s*(?:not|never)\s+(?:been\s+)?(?:run|ran|executed|started|invoked|called)\b"
    r"|\bdid not (?:run|start|execute)\b|\bbefore it (?:started|ran)\b|\bskipped\b",
    re.IGNORECASE,
)
_FAILED = re.compile(r"error|fail|exception|raised", re.IGNORECASE)


def judge(record: Record, number: int, body: Sequence[Entry]) -> None:
    """Judge a request that was not refused, and note what it says.

    Args:
        record: What is known of the story.
        number: The request, counted from 1.
        body: What it carries.

    Raises:
        Violation: A rule is broken.
    """
    _messages(record, body, number)
    calls = _calls(record, body)
    for made in record.made.values():
        found = calls.get(made.step, [])
        if not found:
            if made.answer < number and record.known(made):
                raise Violation("erased", f"request {number} does not hold call {made.step}, which was made")
            continue
        if len(found) > 1:
            raise Violation("one output", f"request {number} holds call {made.step} {len(found)} times")
        _output(made, found[0], number)


def _output(made: Made, outputs: Sequence[str], number: int) -> None:
    if len(outputs) != 1:
        raise Violation(
            "one output", f"request {number} holds {len(outputs)} outputs of call {made.step}, not one"
        )
    text = outputs[0]
    if made.output is not None and made.output != text:
        raise Violation(
            "one output",
            f"the output of call {made.step} was {made.output!r}, and request {number} says {text!r}",
        )
    made.output = text
    _truth(made, text, number)


def _truth(made: Made, text: str, number: int) -> None:
    says = f"request {number} says of call {made.step}: {text!r}"
    if not text.strip():
        raise Violation("truthful", f"{says}, which is nothing")
    if len(made.visits) > 1:
        raise Violation("ran twice", f"call {made.step} ran {len(made.visits)} times")
    if not made.visits:
        return
    (visit,) = made.visits
    if _NEVER_RAN.search(text):
        raise Violation("truthful", f"{says}; but it was begun")
    if made.pressed:
        return
    if visit.fate is Fate.RETURNED and visit.result not in text:
        raise Violation("truthful", f"{says}; but it had returned {visit.result!r}")
    if visit.fate is Fate.RAISED and not (visit.result in text or _FAILED.search(text)):
        raise Violation("truthful", f"{says}; but it had raised {visit.result!r}")


def _calls(record: Record, body: Sequence[Entry]) -> dict[str, list[list[str]]]:
    """For every call of the story that a body holds, as often as it does, the texts of its outputs."""
    found: dict[str, list[list[str]]] = {}
    by_id: dict[str | None, list[str]] = {}
    for entry in body:
        if entry.kind == "call":
            outputs: list[str] = []
            by_id[entry.call_id] = outputs
            step = step_of(entry.text)
            if step in record.made:
                found.setdefault(step, []).append(outputs)
        elif entry.kind == "output" and entry.call_id in by_id:
            by_id[entry.call_id].append(entry.text)
    return found


def step_of(arguments: str) -> str:
    """The step that a call's arguments name; empty when they name none."""
    try:
        given = json.loads(arguments)
    except ValueError:
        return ""
    step = given.get("step") if isinstance(given, dict) else None
    return step if isinstance(step, str) else ""


# ── messages ────────────────────────────────────────────────────────────────────────────────────────────


def _messages(record: Record, body: Sequence[Entry], number: int) -> None:
    texts = [entry.text for entry in body if entry.kind == "user"]
    last: dict[str, tuple[int, Said]] = {}
    for said in record.said:
        places = [place for place, text in enumerate(texts) if re.search(rf"\b{said.text}\b", text)]
        if len(places) > 1:
            raise Violation("doubled", f"request {number} carries {said.text} {len(places)} times")
        if not places:
            if said.seen and said.taken is not Taken.RETURNED:
                raise Violation(
                    "lost", f"request {said.seen} carried {said.text}, and request {number} does not"
                )
            continue
        said.seen = said.seen or number
        place, before = last.get(said.mode, (-1, said))
        if places[0] < place:
            raise Violation(
                "reordered",
                f"request {number} carries {said.text} before {before.text}, which was said first",
            )
        last[said.mode] = places[0], said


def judge_end(record: Record) -> None:
    """Judge what became of the messages once the agent has answered the last one.

    Raises:
        Violation: A message that was taken has reached no request.
    """
    for said in record.said:
        if said.taken is Taken.ACCEPTED and not said.seen:
            raise Violation("lost", f"{said.text} was accepted, and no request ever carried it")
