"""The specification's rules as questions to a whole recorded story, asked when it is over.

Nothing here follows the engine step by step: each question looks at everything that was said from beginning
to end, so that it has no state that could be wrong in the same way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise

from turnlock.engine import Call, Fate, Item, Message, ModelItem, Note, Output, commands
from turnlock.engine.commands import Command

Requests = Sequence[tuple[Item, ...]]
"""The items of every request that left."""


def check_story(said: Sequence[Command], requests: Requests, history: Sequence[Item]) -> None:
    """Ask everything of a story that has come to its end: no turn is under way, nothing is held."""
    check_turns(said)
    check_calls(said)
    check_messages(said, requests)
    for items in (*requests, history):
        check_history(items)
    check_growth(requests, said)


def check_turns(said: Iterable[Command]) -> None:
    """R13: turns follow each other; each ends exactly once, behind the ends of all its calls."""
    open_calls: set[int] = set()
    turn, last = 0, 0
    for command in said:
        match command:
            case commands.TurnBegan():
                assert (turn, command.turn) == (0, last + 1)
                turn = last = command.turn
            case commands.TurnEnded():
                assert turn == command.turn
                assert not open_calls
                turn = 0
            case commands.CallRequested():
                assert turn
                open_calls.add(command.invocation.ordinal)
            case commands.CallEnded():
                open_calls.remove(command.invocation.ordinal)
            case commands.SendRequest():
                assert turn == command.turn
                assert not open_calls, "R3: a request left while a call was open"
    assert not turn


def check_calls(said: Sequence[Command]) -> None:
    """R1 and R6: one outcome for each call; what was not run says so, and what was run does not."""
    requested = [command.invocation for command in said if isinstance(command, commands.CallRequested)]
    ended = [command.invocation for command in said if isinstance(command, commands.CallEnded)]
    assert Counter(call.ordinal for call in ended) == Counter(call.ordinal for call in requested)
    ran = Counter(command.invocation.ordinal for command in said if isinstance(command, commands.RunCall))
    assert max(ran.values(), default=1) == 1
    for call in ended:
        assert call.outcome is not None
        was_not_run = "not run" in call.outcome.model_text and call.outcome.synthetic
        assert was_not_run is (call.ordinal not in ran), call.outcome.model_text
        assert call.outcome.model_text, "R10: an output is empty"


def check_messages(said: Sequence[Command], requests: Requests) -> None:
    """R5: one fate for each message; one mode keeps its order; the receipts say where they are."""
    letters = {
        command.letter.message.id: command.letter for command in said if isinstance(command, commands.Held)
    }
    delivered = [command.letter for command in said if isinstance(command, commands.Delivered)]
    returned = [command.letter for command in said if isinstance(command, commands.Returned)]
    assert max(Counter(id(letter) for letter in delivered).values(), default=1) == 1
    assert max(Counter(id(letter) for letter in returned).values(), default=1) == 1
    for letter in letters.values():
        assert letter.fate is (Fate.RETURNED if letter in returned else Fate.DELIVERED)
        assert letter in returned or letter in delivered
        assert bool(letter.reason) is (letter in returned)
    for letter in delivered:
        assert letter.request is not None
        assert letter.index is not None
        carried = [number for number, items in enumerate(requests, 1) if letter.message in items]
        assert carried[0] == letter.request
        assert requests[letter.request - 1][letter.index] is letter.message
    for mode in {letter.mode for letter in delivered}:
        numbers = [letter.number for letter in delivered if letter.mode is mode]
        assert numbers == sorted(numbers)
    for one, other in pairwise(delivered):
        assert one.request != other.request or one.number < other.number


def check_history(items: Sequence[Item]) -> None:
    """R4: behind each answer with calls one output per call, in call order, before anything else."""
    waiting: list[int] = []
    answer: int | None = None  # the request whose answer stands here
    for item in items:
        if isinstance(item, ModelItem):
            assert not waiting or item.request == answer, "an answer stands before the outputs of another"
            answer = item.request
            if isinstance(item, Call):
                waiting.append(item.ordinal)
        elif isinstance(item, Output):
            assert waiting, "an output without its call"
            assert waiting.pop(0) == item.ordinal
        else:
            assert isinstance(item, (Message, Note))
            assert not waiting, f"a call without its output: {waiting}"
    assert not waiting


def check_growth(requests: Requests, said: Sequence[Command]) -> None:
    """R16: requests only grow; but for what a refusal took back or replaced (R20)."""
    returned = [command.letter.message for command in said if isinstance(command, commands.Returned)]
    for one, other in pairwise(requests):
        kept = [item for item in one if item not in returned or item in other]
        for before, after in zip(kept, other[: len(kept)], strict=True):
            if before is not after:
                assert isinstance(before, Output)
                assert isinstance(after, Output)
                assert after.refused is not None
                assert (before.ordinal, before.outcome) == (after.ordinal, after.outcome)
