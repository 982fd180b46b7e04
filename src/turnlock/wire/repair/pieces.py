"""What a history is made of when it is repaired, and what the repair says that it did.

A piece is a row of the body's list, or one block of a row that holds several. It keeps what the body had, so
that a repair loses no field of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import msgspec
from attrs import define, field, frozen

from turnlock.wire.common.rules import Violation


class Sort(StrEnum):
    """What a piece is."""

    CALL = "call"  # that a client answers
    OUTPUT = "output"
    SAID = "said"  # text of the model
    REASONING = "reasoning"
    SERVER = "server"  # a call that the provider executes, or its result
    MESSAGE = "message"  # a user, a developer, the system

    @property
    def by_model(self) -> bool:
        """The model made it."""
        return self not in (Sort.OUTPUT, Sort.MESSAGE)


@define(eq=False)
class Piece:
    """A row, or a block of one.

    Attributes:
        sort: What it is.
        raw: It, as the body has it, or as the repair has changed it.
        at: Where it stood in the body, as a JSON pointer; empty for what the repair made.
        row: Which row it stood in; -1 for what the repair made. Blocks of one row that stay neighbours stay
            in one row.
        shell: The fields of the row beside the list of its blocks, where it has such a list.
        label: The call id of a call or an output.
        kind: Which kind of call or output, in the dialect's own words.
        note: A row behind it that says in words what an output of its kind cannot.
    """

    sort: Sort
    raw: Any
    at: str = ""
    row: int = -1
    shell: Mapping[str, Any] = field(factory=dict)
    label: str = ""
    kind: str = ""
    note: Any = None


@frozen
class Change:
    """One thing that a repair did.

    Attributes:
        what: What, in a sentence.
        at: Where, as a JSON pointer; empty when it is about the whole. Of pairs: into the body as it was
            given. Of a rule: into the body as it stood by then, with its pairs and the rules before mended.
        rule: The rule that asked for it; empty when the pairs did.
        call_ids: The provider's labels of the calls that it is about.
        set_aside: What no longer stands in the body: an output without a call, a second one, reasoning
            without the item that it belongs to (R16). None when nothing was taken out.
    """

    what: str
    at: str = ""
    rule: str = ""
    call_ids: tuple[str, ...] = ()
    set_aside: Any = None


@frozen
class Repaired:
    """A repaired body.

    Attributes:
        value: The body. It is the one that was given when nothing had to be done.
        body: Its bytes: those that were given when nothing had to be done.
        changes: What was done: the pairs first, then rule by rule.
        left: What is still wrong, and no repair can know better than whoever built the body.
    """

    value: Mapping[str, Any]
    body: bytes = field(repr=lambda body: f"<{len(body)} bytes>")
    changes: tuple[Change, ...]
    left: tuple[Violation, ...] = ()

    @property
    def ok(self) -> bool:
        """The body may leave."""
        return not self.left


def copied(value: Any) -> Any:  # noqa: ANN401 - any JSON value, and the same one back
    """A JSON value that can be changed without changing the one that was given."""
    return msgspec.to_builtins(value)
