"""Every call gets its one output, where the dialect wants it.

On pieces, so it knows no dialect: what differs is asked of the ``Means``. A call that nothing answers is
answered with the truth, that nobody knows what became of it; an output that stands elsewhere is moved; one
that answers nothing, or answers again, is set aside and reported (R16, C36 to C40). What is right already is
not touched.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import partial
from typing import Protocol

from attrs import define, field

from turnlock.engine.outcome import UNRECORDED
from turnlock.wire.repair.pieces import Change, Piece, Sort
from turnlock.wire.repair.waiting import AskedCall, Waiting

UNKNOWN_END = UNRECORDED.model_text
"""What a call is answered with whose output nobody has: it may have run (R6)."""


class Means(Protocol):
    """What the pairing asks of a dialect."""

    @property
    def adjacent(self) -> bool:
        """Outputs stand directly behind the answer that holds their calls."""

    @property
    def calls_last(self) -> bool:
        """In an answer, nothing but calls may follow a call (C42)."""

    @property
    def ids_once(self) -> bool:
        """No id may come again, also when its call has been answered."""

    def joins(self, run: Sequence[Piece], piece: Piece) -> bool:
        """Does a piece that the model made belong to the same answer as those before it?"""

    def accepts(self, call: Piece, output: Piece) -> bool:
        """Is this kind of output taken for this kind of call?"""

    def answer(self, call: Piece, output: Piece | None) -> Piece:
        """An output of the right kind for a call: with what another one says, else with ``UNKNOWN_END``."""

    def fits(self, label: str) -> bool:
        """Is this taken for a call id?"""

    def relabelled(self, piece: Piece, label: str) -> Piece:
        """The same call or output under another id."""

    def new_label(self, label: str, number: int) -> str:
        """An id that is taken, for a call whose own is not: ``number`` tells those of one body apart."""


@define(eq=False)
class Pairing:
    """One repair under way.

    Attributes:
        means: The dialect's.
        held: The provider holds history: an output may answer a call that the body does not show (R22).
        changes: What was done.
    """

    means: Means
    held: bool = False
    changes: list[Change] = field(init=False, factory=list)
    _runs: list[list[Piece]] = field(init=False, factory=list)  # answers, and what stands between them
    _calls: list[AskedCall] = field(init=False, factory=list)
    _kept: set[Piece] = field(init=False, factory=set)  # outputs that answer what the provider holds
    _kept_labels: set[str] = field(init=False, factory=set)
    _retypes: dict[Piece, Piece] = field(init=False, factory=dict)  # by output: it, of another kind
    _numbers: dict[str, int] = field(init=False, factory=dict)  # by label: the last with which one was made

    def mend(self, pieces: Iterable[Piece]) -> list[Piece]:
        """The pieces, with every pair as the dialect wants it."""
        self._split(pieces)
        self._match()
        mended = list(self._written())
        self._relabel(mended)
        return mended

    # ── what stands where ───────────────────────────────────────────────────────────────────────────

    def _split(self, pieces: Iterable[Piece]) -> None:
        """Runs: the pieces of an answer stand together, every other one stands alone."""
        for piece in pieces:
            run = self._runs[-1] if self._runs else []
            if piece.sort.by_model and run and run[-1].sort.by_model and self.means.joins(run, piece):
                run.append(piece)
            else:
                self._runs.append([piece])
            if piece.sort is Sort.CALL:
                self._calls.append(AskedCall(piece, len(self._runs) - 1))

    # ── who answers whom ────────────────────────────────────────────────────────────────────────────

    def _match(self) -> None:
        """An output belongs to the last answer before it with an open call of its id, else to a later one."""
        waiting: dict[str, Waiting] = defaultdict(Waiting)
        starts = {call.piece: call for call in self._calls}
        odd: list[tuple[int, Piece]] = []
        alone: list[Piece] = []
        for index, run in enumerate(self._runs):
            for piece in run:
                if piece.sort is Sort.CALL:
                    waiting[piece.label].add(starts[piece])
                elif piece.sort is Sort.OUTPUT:
                    before = waiting[piece.label]
                    call = before.first_of_last_run(partial(self._takes, piece))
                    if call is not None:
                        call.output = piece
                    elif before:
                        odd.append((index, piece))
                    else:
                        alone.append(piece)
        for index, piece in odd:  # of a kind that is not taken, for a call that got no better one
            self._match_odd(piece, waiting[piece.label].first_of_last_run(before=index))
        labels = {call.piece.label for call in self._calls}
        for piece in alone:
            self._match_alone(piece, waiting[piece.label].first(), labels)
        self._replace()

    def _takes(self, output: Piece, call: Piece) -> bool:
        return self.means.accepts(call, output)

    def _match_odd(self, piece: Piece, call: AskedCall | None) -> None:
        if call is None:
            self._set_aside(piece, again=True)
            return
        call.output = self._retyped(call, piece)
        self._note(
            f"The output is of a kind that is not taken for a {call.piece.kind}: its kind is changed.", piece
        )

    def _match_alone(self, piece: Piece, call: AskedCall | None, labels: Collection[str]) -> None:
        if call is not None:
            taken = self.means.accepts(call.piece, piece)
            call.output = piece if taken else self._retyped(call, piece)
            self._note("The output stands before its call: it is moved behind it.", piece)
        elif self.held and piece.label not in labels and piece.label not in self._kept_labels:
            self._kept.add(piece)
            self._kept_labels.add(piece.label)
        else:
            self._set_aside(piece, again=piece.label in labels or piece.label in self._kept_labels)

    def _set_aside(self, piece: Piece, *, again: bool) -> None:
        what = "is a second one for its call" if again else "answers no call of this history"
        self.changes.append(
            Change(
                f"The output {what}: it is set aside.",
                piece.at,
                call_ids=(piece.label,),
                set_aside=piece.raw,
            )
        )

    def _retyped(self, call: AskedCall, piece: Piece) -> Piece:
        self._retypes[piece] = retyped = self.means.answer(call.piece, piece)
        return retyped

    def _replace(self) -> None:
        for run in self._runs:
            run[:] = [self._retypes.get(piece, piece) for piece in run]

    # ── and in which order it is written ────────────────────────────────────────────────────────────

    def _written(self) -> Iterator[Piece]:
        owner = {call.output for call in self._calls if call.output is not None}
        behind = self._behind()
        moved = {output for outputs in behind.values() for output in outputs}
        for index, run in enumerate(self._runs):
            if run[0].sort is not Sort.OUTPUT:
                yield from self._answer(run)
                yield from behind.get(index, ())
            elif run[0] in self._kept or (run[0] in owner and run[0] not in moved):
                yield run[0]

    def _answer(self, run: list[Piece]) -> Sequence[Piece]:
        """The pieces of an answer, its calls last where the dialect wants that."""
        first = next((at for at, piece in enumerate(run) if piece.sort is Sort.CALL), len(run))
        late = [piece for piece in run[first:] if piece.sort in (Sort.SAID, Sort.REASONING)]
        if not self.means.calls_last or not late:
            return run
        for piece in late:
            self._note(
                f"What was {_WORDS[piece.sort]} behind a call of its answer is moved before it.", piece
            )
        return [*run[:first], *late, *(piece for piece in run[first:] if piece not in late)]

    def _behind(self) -> dict[int, list[Piece]]:
        """By answer, the outputs that must be written directly behind it; none where they stand well."""
        place = {piece: index for index, run in enumerate(self._runs) for piece in run}
        by_run: dict[int, list[AskedCall]] = defaultdict(list)
        for call in self._calls:
            by_run[call.run].append(call)
        behind: dict[int, list[Piece]] = {}
        for index, calls in by_run.items():
            end = index + 1
            while end < len(self._runs) and self._runs[end][0].sort is Sort.OUTPUT:
                end += 1
            stand = [self._stands(call, place, index, end) for call in calls]
            if not all(stand):
                first = range(index + 1, end)
                behind[index] = [
                    call.output
                    for call, well in zip(calls, stand, strict=True)
                    if call.output is not None and (not well or place[call.output] in first)
                ]
        return behind

    def _stands(self, call: AskedCall, place: dict[Piece, int], index: int, end: int) -> bool:
        """The call has an output where it may stand; without one, it is given one."""
        if call.output is None:
            call.output = self.means.answer(call.piece, None)
            self._note("The call has no output: it gets one that says so.", call.piece)
            return False
        at = place[call.output]
        if at < index:
            return False  # it was noted when it was found
        if not self.means.adjacent or at < end:
            return True
        self._note("The output stands too late: it is moved directly behind its call.", call.output)
        return False

    # ── ids ─────────────────────────────────────────────────────────────────────────────────────────

    def _relabel(self, pieces: list[Piece]) -> None:
        """Ids that are taken, and that tell calls apart whose outputs could be confused."""
        outputs = {call.output: call for call in self._calls if call.output is not None}
        open_labels: dict[str, int] = defaultdict(int)
        used = {piece.label for piece in pieces}
        runs = {call.piece: call.run for call in self._calls}
        in_run: dict[str, int] = {}
        new: dict[Piece, str] = {}  # by the call's piece
        for at, piece in enumerate(pieces):
            if piece.sort is Sort.CALL:
                label, run = piece.label, runs[piece]
                confused = open_labels[label] > 0 or in_run.get(label) == run
                confused = confused or (self.means.ids_once and label in in_run)
                if confused or not self.means.fits(label):
                    new[piece] = self._new_label(label, used)
                    pieces[at] = self.means.relabelled(piece, new[piece])
                    self._note(
                        f"The id {label!r} is not taken here: the call and its output get another.", piece
                    )
                in_run[label] = run
                open_labels[label] += 1
            elif piece in outputs:
                call = outputs[piece].piece
                open_labels[call.label] -= 1
                if call in new:
                    pieces[at] = self.means.relabelled(piece, new[call])

    def _new_label(self, label: str, used: set[str]) -> str:
        number = self._numbers.get(label, 1) + 1
        while (wanted := self.means.new_label(label, number)) in used:
            number += 1
        self._numbers[label] = number
        used.add(wanted)
        return wanted

    def _note(self, what: str, piece: Piece) -> None:
        self.changes.append(Change(what, piece.at, call_ids=(piece.label,) if piece.label else ()))


_WORDS = {Sort.SAID: "said", Sort.REASONING: "thought"}
