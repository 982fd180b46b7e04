"""What must hold of every request that an agent sends, and of its tools, whatever the agent is.

Pure functions of the record, and the names of all rules. Refusals are the strict provider's business; what
must hold at the end of a story is said in ``ending``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum

from turnlock.testing.gates import Fate, Visit
from turnlock.testing.sequencing.record import Made, Record, Said, Taken
from turnlock.testing.transcript import Entry


class Rule(StrEnum):
    """What a sequencing test asks of an agent; the worst to break come first."""

    REFUSED = "refused"
    ERASED = "erased"
    ONE_OUTPUT = "one-output"
    TRUTHFUL = "truthful"
    RAN_TWICE = "ran-twice"
    LOST = "lost"
    UNANSWERED = "unanswered"
    DOUBLED = "doubled"
    REORDERED = "reordered"
    PROGRESS = "progress"
    BOUND = "bound"
    BYSTANDER = "bystander"
    RUNS_ON = "runs-on"
    TOO_SOON = "too-soon"
    TWO_AT_ONCE = "two-at-once"
    ADAPTER = "adapter"

    @property
    def asked(self) -> str:
        """The rule in words."""
        return _ASKED[self]


_ASKED: Mapping[Rule, str] = {
    Rule.REFUSED: "no request is refused",
    Rule.ERASED: "a call that the agent has read stays in the history",
    Rule.ONE_OUTPUT: "every call stands there once, with one output, and that output never changes",
    Rule.TRUTHFUL: "an output says what happened to the call",
    Rule.RAN_TWICE: "no call runs twice",
    Rule.LOST: "a message that was taken, or was carried once, is carried from then on",
    Rule.UNANSWERED: "when the agent rests by itself, every message and result has reached the model",
    Rule.DOUBLED: "a message is carried once",
    Rule.REORDERED: "messages of one sort are carried in the order in which they were taken",
    Rule.PROGRESS: "when nothing is held the turn ends, and the session answers the next message",
    Rule.BOUND: "a deadline, or an interrupt, ends a call although its tool does not stop",
    Rule.BYSTANDER: "no call is cancelled because another one failed",
    Rule.RUNS_ON: "when a turn is over, its tools are too: what runs on may still change things",
    Rule.TOO_SOON: "nothing is asked again before the time that the provider named",
    Rule.TWO_AT_ONCE: "no request leaves while the answer to another one is under way",
    Rule.ADAPTER: "what the adapter itself asks",
}


def rules(names: Iterable[Rule | str]) -> frozenset[Rule]:
    """The rules of these names.

    Raises:
        ValueError: There is no such rule; the text lists all.
    """
    try:
        return frozenset(Rule(name) for name in names)
    except ValueError as error:
        raise ValueError(f"{error}; the rules are {', '.join(Rule)}") from None


class Violation(AssertionError):
    """An agent has broken a rule of sequencing.

    Attributes:
        rule: Which.
        what: What is wrong.
        story: What led to it, a line each; filled in by whoever plays it.
        literal: What the provider answered, if it refused.
    """

    def __init__(self, rule: Rule, what: str, literal: str = "") -> None:
        self.rule = rule
        self.what = what
        self.literal = literal
        self.story: tuple[str, ...] = ()
        super().__init__(rule, what)

    def __str__(self) -> str:
        return "\n".join([f"{self.rule}: {self.what}", *self.story])


_HAIR = 1e-6  # seconds: sums of floats
_NEVER_RAN = re.compile(
    r"\b(?:(?:was|were|is)?\s*(?:not|never)\s+(?:been\s+)?(?:run|ran|executed|started|invoked|called(?!\s+off))"
    r"|did not (?:run|start|execute))\b(?!\s+(?:to|until|till|through|completely|fully|entirely|in full)\b)"
    r"|\bbefore it (?:started|ran)\b|\bskipped\b(?!\s+(?:the|its|all|some|any|over)\b)",
    re.IGNORECASE,
)
_FAILED = re.compile(
    r"error|fail|exception|raised|traceback|crash|abort|unable|could not|did not (?:work|succeed)"
    r"|unsuccessful|\bexit(?:ed)?\b.*[1-9]",
    re.IGNORECASE,
)


def judge(record: Record, number: int, body: Sequence[Entry]) -> Iterator[Violation]:
    """Judge a request that was not refused, and note what it says.

    Args:
        record: What is known of the story.
        number: The request, counted from 1.
        body: What it carries.

    Yields:
        What is wrong.
    """
    yield from _messages(record, body, number)
    calls = _calls(record, body)
    for made in tuple(record.made.values()):
        found = calls.get(made.step, [])
        if len(found) > 1:
            yield Violation(Rule.ONE_OUTPUT, f"request {number} holds call {made.step} {len(found)} times")
        elif found:
            yield from _output(record, made, found[0], number)
        elif made.answer < number and record.known(made):
            yield Violation(Rule.ERASED, f"request {number} does not hold call {made.step}, which was made")


def watch(record: Record, *, over: bool) -> Iterator[Violation]:
    """Judge what the tools have seen so far.

    Args:
        record: What is known of the story.
        over: No turn is under way.

    Yields:
        What is wrong.
    """
    for made in record.made.values():
        if len(made.visits) > 1:
            yield Violation(Rule.RAN_TWICE, f"call {made.step} ran {len(made.visits)} times")
        for visit in made.visits:
            if visit.fate is Fate.CANCELLED and made.pressed is None:
                what = f"call {made.step} was cancelled, and nobody had interrupted it, nor was its time over"
                yield Violation(Rule.BYSTANDER, what)
            stops = not (visit.opened or visit.stubborn or visit.blocking)
            if over and visit.fate is Fate.WAITS and stops:
                what = f"the turn is over, and the tool of call {visit.step} runs on"
                yield Violation(Rule.RUNS_ON, what)


def overdue(record: Record, deadline: float, now: float) -> Iterator[Violation]:
    """Judge who should have been stopped by now. All tasks wait: nobody is starved, only forgotten.

    Args:
        record: What is known of the story.
        deadline: Seconds that a tool has.
        now: The time, in seconds.

    Yields:
        What is wrong.
    """
    for made in record.made.values():
        for visit in made.visits:
            age = now - visit.began
            deaf = visit.cancels or visit.opened or visit.blocking  # nobody can tell whether it was asked
            if visit.fate is Fate.WAITS and not deaf and age > deadline + _HAIR:
                what = f"the tool of call {visit.step} was not stopped {age:g} s after it began"
                yield Violation(Rule.BOUND, what)


def _output(record: Record, made: Made, outputs: Sequence[str], number: int) -> Iterator[Violation]:
    where = f"request {number}"
    if len(outputs) != 1:
        yield Violation(Rule.ONE_OUTPUT, f"{where} holds {len(outputs)} outputs of call {made.step}, not one")
        return
    text = outputs[0]
    if made.output is not None and made.output != text:
        yield Violation(
            Rule.ONE_OUTPUT, f"the output of call {made.step} was {made.output!r}, and {where} says {text!r}"
        )
    made.output = text
    says = f"{where} says of call {made.step}: {text!r}"
    if not text.strip():
        yield Violation(Rule.TRUTHFUL, f"{says}, which is nothing")
    if len(made.visits) == 1:
        yield from _truth(record, made, made.visits[0], says)


def _truth(record: Record, made: Made, visit: Visit, says: str) -> Iterator[Violation]:
    text = made.output or ""
    if _NEVER_RAN.search(text):
        yield Violation(Rule.TRUTHFUL, f"{says}; but it was begun")
    if not record.counts(made, visit):
        return
    if visit.fate is Fate.RETURNED and visit.result not in text:
        yield Violation(Rule.TRUTHFUL, f"{says}; but it had returned {visit.result!r}")
    if visit.fate is Fate.RAISED and not (visit.result in text or _FAILED.search(text)):
        yield Violation(Rule.TRUTHFUL, f"{says}; but it had raised {visit.result!r}")


def _calls(record: Record, body: Sequence[Entry]) -> Mapping[str, list[list[str]]]:
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


def _messages(record: Record, body: Sequence[Entry], number: int) -> Iterator[Violation]:
    texts = [entry.text for entry in body if entry.kind == "user"]
    last: dict[str, tuple[int, Said]] = {}
    for said in record.said:
        places = [place for place, text in enumerate(texts) if re.search(rf"\b{said.text}\b", text)]
        if not places:
            if said.seen and said.taken is not Taken.RETURNED:
                yield Violation(
                    Rule.LOST, f"request {said.seen} carried {said.text}, and request {number} does not"
                )
            continue
        if len(places) > 1:
            yield Violation(Rule.DOUBLED, f"request {number} carries {said.text} {len(places)} times")
        said.seen = said.seen or number
        place, before = last.get(said.mode, (-1, said))
        if places[0] < place and said.instant != before.instant:
            yield Violation(
                Rule.REORDERED,
                f"request {number} carries {said.text} before {before.text}, which was said first",
            )
        last[said.mode] = places[0], said


def judge_rest(record: Record) -> Iterator[Violation]:
    """Judge an agent that has come to rest by itself: nobody stopped it, nothing failed.

    Yields:
        The messages and the results that no request has carried.
    """
    for said in _unheard(record):
        what = f"{said.text} was accepted, and the agent rests without an answer"
        yield Violation(Rule.UNANSWERED, what)
    for made in record.made.values():
        done = [visit for visit in made.visits if visit.fate in {Fate.RETURNED, Fate.RAISED}]
        if done and made.output is None:
            what = f"call {made.step} has {done[0].fate}, and the agent rests without telling the model"
            yield Violation(Rule.UNANSWERED, what)


def judge_end(record: Record) -> Iterator[Violation]:
    """Judge what became of the messages once the agent has answered the last one.

    Yields:
        The messages that were taken, and that no request has carried.
    """
    for said in _unheard(record):
        yield Violation(Rule.LOST, f"{said.text} was accepted, and no request ever carried it")


def _unheard(record: Record) -> Iterator[Said]:
    return (said for said in record.said if said.taken is Taken.ACCEPTED and not said.seen)
