"""Call ids on the wire: one per call, unique in a request, within the provider's limits.

The provider's label is kept where it can be; where it repeats, is empty or too long, the call's ordinal
makes it unique (R2, R4, C20 to C22). An id is given in the order of the transcript and depends on nothing
that stands behind it, so that it never changes while the history grows (R10).
"""

from __future__ import annotations

from collections.abc import Container
from hashlib import sha256
from itertools import count

from attrs import define, field, frozen

from turnlock.engine.items import Call, CallKind
from turnlock.wire.common.jsontext import mended

ID_MAX = 64
"""Characters that a call id may have (RESP-CALLID-LEN, CHAT-ID-LEN)."""

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_KEPT = 40  # characters of a long id that stay readable; its hash and ordinal still fit behind them


@frozen
class IdStyle:
    """What a provider takes for a call id.

    Attributes:
        length: Characters that it may have.
        exact: It has exactly that many, and is made of digits and small letters where it has not.
        charset: The characters that it may have beside ASCII letters and digits; None: any.
    """

    length: int = ID_MAX
    exact: bool = False
    charset: str | None = None

    def fits(self, label: str) -> bool:
        """Is this id taken as it is?"""
        right = len(label) == self.length if self.exact else 0 < len(label) <= self.length
        if not right or self.charset is None:
            return right
        for character in self.charset:
            label = label.replace(character, "")
        return not label or (label.isascii() and label.isalnum())

    def _takes(self, character: str) -> bool:
        if self.charset is None:
            return True
        return (character.isascii() and character.isalnum()) or character in self.charset

    def written(self, label: str, mark: str) -> str:
        """An id that is taken, as near to the label as can be; ``mark`` tells calls of one label apart."""
        if self.fits(label):
            return label
        digest = sha256(f"{label}\0{mark}".encode())
        if self.exact:
            return _in_base_36(int.from_bytes(digest.digest()), self.length)
        clean = "".join(character if self._takes(character) else "_" for character in label)
        if not clean:
            return f"call_{mark}"
        if len(clean) <= self.length:
            return clean
        return f"{clean[:_KEPT]}_{sha256(clean.encode()).hexdigest()[:8]}_{mark}"[: self.length]

    def told_apart(self, wanted: str, mark: str) -> str:
        """Another id for a call whose own is taken already."""
        if self.exact:
            return self.written(f"{wanted}\0", mark)
        suffix = f"_{mark}"
        return wanted[: self.length - len(suffix)] + suffix


PLAIN_IDS = IdStyle()
"""Up to 64 characters of any sort (RESP-CALLID-LEN, CHAT-ID-LEN)."""


def _in_base_36(number: int, length: int) -> str:
    written = ""
    for _ in range(length):
        number, digit = divmod(number, len(_DIGITS))
        written += _DIGITS[digit]
    return written


@define(eq=False)
class WireIds:
    """The call ids that a session has used, and the call of each ordinal."""

    style: IdStyle = PLAIN_IDS
    _calls: dict[int, tuple[Call, str]] = field(init=False, factory=dict)
    _taken: set[str] = field(init=False, factory=set)
    _server: dict[tuple[CallKind, str], str] = field(init=False, factory=dict)

    def give(self, call: Call, *, also_taken: Container[str] = ()) -> str:
        """The id of a call, given once: ask ``of`` afterwards.

        Args:
            call: The next call of the transcript.
            also_taken: Other ids that it must not be equal to.
        """
        wire_id = self._unique(call.call_id, str(call.ordinal), also_taken)
        self._calls[call.ordinal] = call, wire_id
        return wire_id

    def hold(self, call: Call) -> None:
        """A call that the provider knows by its own label, whatever that is."""
        self._calls[call.ordinal] = call, call.call_id
        self._taken.add(call.call_id)

    def of(self, ordinal: int) -> tuple[Call, str] | None:
        """The call of an ordinal and its id; None when the transcript does not hold it."""
        return self._calls.get(ordinal)

    def give_server(self, kind: CallKind, label: str, request: int) -> str:
        """The id of a call that the provider executed: it has no ordinal, and its output comes with it."""
        wire_id = self._server[kind, label] = self._unique(label, f"r{request}", ())
        return wire_id

    def take_server(self, kind: CallKind, label: str) -> str | None:
        """The id of the last such call of this label, for its one output; None when there is none left."""
        return self._server.pop((kind, label), None)

    def _unique(self, label: str, mark: str, also_taken: Container[str]) -> str:
        wanted = wire_id = self.style.written(mended(label), mark)
        attempts = count(1)
        other = mark
        while wire_id in self._taken or wire_id in also_taken:
            wire_id = self.style.told_apart(wanted, other)
            other = f"{mark}_{next(attempts)}"
        self._taken.add(wire_id)
        return wire_id
