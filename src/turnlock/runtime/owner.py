"""The one writer of a session's engine: inbox, journal, engine, commands, in that order.

Any task may post an input, at any time, also from a cancelled ``finally``: posting never waits. What has come
is taken as one batch, recorded, fed to the engine, and only then are its commands performed. A journal that
fails stops the session: nothing of the batch is performed.

Where appending takes no time (the journal in memory) the batch is applied within ``post``, and no task is
needed; a task that posts while a batch is being applied only adds to the inbox. Where appending waits, one
task per session does the same work, and is woken. Either way there is one writer and one order, and what goes
wrong leaves through a task of the session: whoever posts (a tool, a timer, a thread) is never told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeAlias

import trio
from attrs import define, field
from trio.lowlevel import enable_ki_protection

from turnlock.engine import Engine, Input, inputs
from turnlock.errors import JournalError, SessionClosed, TransitionRefused
from turnlock.journal import Entry, InstantJournal, Journal

Apply: TypeAlias = Callable[[Iterable[Any], Callable[[Entry], object] | None], None]
Make: TypeAlias = Callable[[], Input | None]


@define(eq=False)
class Reply:
    """Where a host waits for what became of its call."""

    done: trio.Event = field(factory=trio.Event)
    error: BaseException | None = None


@define(eq=False)
class Owner:
    """Runs the engine of one session.

    Attributes:
        engine: The engine; nobody else feeds it.
        journal: Where inputs are recorded.
        session: The session's id.
        perform: By the class of a command, the method of ``performer`` that performs it.
        performer: Whose methods they are.
        spawn: Starts a task of the session.
        failed: Called with the error that stops the owner.
        applied: Called when a batch was applied that had to be waited for.
        may_be_known: The id is the host's choice: there may be a record of it.
        taken: The input whose commands are being performed.
        ended: The record was given up.
        error: Why the owner stopped, once it failed.
    """

    engine: Engine
    journal: Journal
    session: str
    perform: Mapping[type, Callable[[Any, Any], None]]
    performer: object
    spawn: Callable[..., None]
    failed: Callable[[BaseException], None]
    applied: Callable[[], None]
    may_be_known: bool
    taken: Input | None = field(default=None, init=False)
    ended: trio.Event = field(factory=trio.Event, init=False)
    error: BaseException | None = field(default=None, init=False)
    _epoch: int = field(default=0, init=False)
    _sequence: int = field(default=1, init=False)
    _write: Callable[[Entry], object] | None = field(default=None, init=False)  # for an instant journal
    _applying: bool = field(default=False, init=False)
    _inbox: list[Input | Make] = field(factory=list, init=False)
    _writing: list[Input] = field(factory=list, init=False)  # taken, and not applied
    _notes: list[Entry] = field(factory=list, init=False)
    _apply: Apply = field(init=False)
    _replies: dict[int, Reply] = field(factory=dict, init=False)
    _barriers: list[trio.Event] = field(factory=list, init=False)
    _sleeping: trio.Event | None = field(default=None, init=False)
    _stopping: bool = field(default=False, init=False)
    _over: bool = field(default=False, init=False)  # nothing is applied any more

    def __attrs_post_init__(self) -> None:
        self._apply = self._applier()

    # ── opening and closing ─────────────────────────────────────────────────────────────────────────

    async def open(self, first: Entry) -> None:
        """Acquire the session's record, write the first entry, and start to apply what is posted.

        Raises:
            JournalError: The record is owned by somebody else, cannot be written, or is not empty.
        """
        self._epoch = await self.journal.acquire(self.session)
        try:
            if self.may_be_known:
                await self._refuse_second_life()
            if isinstance(self.journal, InstantJournal):
                self._write = self.journal.writer(self.session, self._epoch)
                self._write(first)
            else:
                await self._append([first])
                self.spawn(self._run, name=f"turnlock session {self.session}")
        except BaseException:
            await self._release()
            raise

    async def _refuse_second_life(self) -> None:
        """Two sessions under one id would share ordinals, and the idempotency keys made of them (R2)."""
        if await self.journal.read(self.session):
            raise JournalError(f"session {self.session} has a record already: give the new one another id")

    async def close(self) -> None:
        """Apply everything that was posted, and give the record up."""
        self.stop()
        if self._write is not None:
            await self._release()
            self.ended.set()
        await self.ended.wait()

    def stop(self) -> None:
        """Apply what was posted, and nothing any more."""
        self._stopping = True
        self._over = self._over or self._write is not None
        self._wake()

    async def _release(self) -> None:
        with trio.CancelScope(shield=True):  # whoever is cancelled must not leave the record locked
            await self.journal.release(self.session, self._epoch)

    # ── what others call ────────────────────────────────────────────────────────────────────────────

    @enable_ki_protection  # a Ctrl-C between a record and its effect would leave half an input
    def post(self, taken: Input) -> None:
        """Take an input in. Never waits and never raises; nothing is taken in once the session is over."""
        if self._over:
            return
        self._inbox.append(taken)
        if self._applying:
            return
        if self._write is None:
            self._wake()
            return
        self._applying = True
        try:
            self._apply(self._inbox, self._write)
            self._inbox.clear()
        except BaseException as error:  # noqa: BLE001  # raised again, in a task of the session
            self._fail(error)
            with suppress(RuntimeError):  # the nursery may be closed: then who waits is told, nobody else
                self.spawn(self._raise, name=f"turnlock session {self.session}")
        finally:
            self._applying = False
            if self._barriers:
                self._pass_barriers()

    def post_made(self, make: Make) -> None:
        """Post what ``make`` gives when everything that was posted before has been applied; None is nothing.

        It keeps its place among the inputs: what is posted after it comes after it.
        """
        if self._over:
            return
        if self._write is None:
            self._inbox.append(make)
            self._wake()
        elif (made := make()) is not None:  # what was posted before has been applied
            self.post(made)

    def retract(self, posted: Input) -> bool:
        """Take an input back that is not recorded yet, nor about to be; False when it is."""
        rest = [entry for entry in self._inbox if entry is not posted]
        if self._write is not None or len(rest) == len(self._inbox):
            return False
        self._inbox[:] = rest
        self._replies.pop(id(posted), None)
        return True

    @property
    def may_stop(self) -> bool:
        """Something waits for its record that may stop the turn."""
        return self._write is None and any(map(_may_stop, (*self._writing, *self._inbox)))

    def note(self, entry: Entry) -> None:
        """Have something recorded that is no input."""
        if self._write is None:
            self._notes.append(entry)
            self._wake()
        elif not self._over:
            self._write(entry)

    def _wake(self) -> None:
        if self._sleeping is not None:
            self._sleeping.set()

    async def ask(self, asked: Input) -> None:
        """Post an input of the host, and wait until it was recorded and applied.

        Raises:
            TransitionRefused: No row allows it.
            JournalError: It could not be recorded; the session is over.
            SessionClosed: The session is closed.
        """
        if self.error is not None:
            raise self.error
        if self._over:
            raise SessionClosed(f"session {self.session} is closed")
        reply = Reply()
        self._replies[id(asked)] = reply
        self.post(asked)
        await reply.done.wait()
        if reply.error is not None:
            raise reply.error

    async def settled(self) -> None:
        """Return when everything that was posted so far has been applied, or never will be."""
        if self._inbox or self._applying:
            barrier = trio.Event()
            self._barriers.append(barrier)
            await barrier.wait()

    # ── applying ────────────────────────────────────────────────────────────────────────────────────

    @enable_ki_protection
    async def _run(self) -> None:
        """The task. Shielded: the inputs of cancelled tasks must still be recorded and applied."""
        with trio.CancelScope(shield=True):
            try:
                while self._inbox or self._notes or not self._stopping:
                    if self._inbox or self._notes:
                        self._applying = True
                        batch, entries = self._take()
                        if entries:
                            await self._append(entries)
                        self._apply(batch, None)
                        self._writing = []
                        self.applied()
                        continue
                    self._applying = False
                    self._pass_barriers()
                    self._sleeping = trio.Event()
                    await self._sleeping.wait()
                    self._sleeping = None
            except BaseException as error:
                self._fail(error)
                raise
            finally:
                self._over = True
                self._applying = False
                self._pass_barriers()
                try:
                    await self._release()
                finally:
                    self.ended.set()

    async def _raise(self) -> None:
        """What went wrong leaves through the session's nursery, whoever posted."""
        assert self.error is not None
        raise self.error

    def _take(self) -> tuple[list[Input], Sequence[Entry]]:
        # What is to be made waits until all that stands before it has been applied: it begins a batch.
        promises = (index for index, entry in enumerate(self._inbox) if index and callable(entry))
        end = next(promises, len(self._inbox))
        posted, self._inbox = self._inbox[:end], self._inbox[end:]
        made = (entry() if callable(entry) else entry for entry in posted)
        batch = self._writing = [entry for entry in made if entry is not None]
        if not self._notes:
            return batch, batch
        notes, self._notes = self._notes, []
        return batch, [*notes, *batch]

    async def _append(self, entries: Sequence[Entry]) -> None:
        await self.journal.append(self.session, self._epoch, self._sequence, entries)
        self._sequence += len(entries)

    def _applier(self) -> Apply:
        """What feeds the engine and performs its commands; a closure, as every input pays for look-ups."""
        receive, perform, performer, replies = (
            self.engine.receive,
            self.perform,
            self.performer,
            self._replies,
        )

        def apply(batch: Iterable[Any], write: Callable[[Entry], object] | None) -> None:
            for taken in batch:  # which may grow meanwhile, if it is the inbox
                if write is not None:
                    write(taken)
                self.taken = taken
                try:
                    commands = receive(taken)
                except TransitionRefused as refused:
                    self._reply(taken, refused)
                    continue
                for command in commands:
                    perform[type(command)](performer, command)
                if replies:
                    self._reply(taken)

        return apply

    def _reply(self, taken: Input, refused: TransitionRefused | None = None) -> None:
        """Tell whoever asked. The runtime's own inputs are always legal: a bug must not go on."""
        reply = self._replies.pop(id(taken), None)
        if reply is not None:
            reply.error = refused
            reply.done.set()
        elif refused is not None:
            raise refused

    def _pass_barriers(self) -> None:
        for barrier in self._barriers:
            barrier.set()
        self._barriers.clear()

    def _fail(self, error: BaseException) -> None:
        """Nobody waits for ever for an answer that will not come."""
        self.error = error
        self._over = True
        self._inbox.clear()
        for reply in self._replies.values():
            reply.error = error
            reply.done.set()
        self._replies.clear()
        self.failed(error)


def _may_stop(entry: Input | Make) -> bool:
    if isinstance(entry, inputs.Send):
        return entry.mode is inputs.Mode.INTERRUPT
    return callable(entry) or isinstance(entry, (inputs.Interrupt, inputs.TurnExpired))
