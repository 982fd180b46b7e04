"""The pure core: inputs in, commands out.

Layout:

    items.py     the transcript's items
    outcome.py   what became of a call, and the text that says so
    limits.py    what a session allows
    inputs.py    what the engine is fed
    commands.py  what it asks of its runtime, and tells
    inbox.py     messages and their fates
    calls.py     invocations: order, slots, approvals, exclusive calls
    transcript.py  the items in canonical order, and what of a response counts
    turn.py      the guards of the turn
    engine.py    receive(): one input, its rows, the automatic rows to a fixed point

No trio, clock, I/O, logging or randomness: the same inputs give the same states and commands, so a session
can be replayed, explored exhaustively, and run under any event loop. Times arrive inside inputs. Text
deltas and progress never come here.
"""

from turnlock.engine.calls import Invocation as Invocation, Wait as Wait
from turnlock.engine.commands import Command as Command, StopReason as StopReason
from turnlock.engine.engine import NOTES as NOTES, Engine as Engine
from turnlock.engine.inbox import Fate as Fate, Letter as Letter
from turnlock.engine.inputs import (
    Finish as Finish,
    Input as Input,
    Mode as Mode,
    OnInterrupt as OnInterrupt,
    Policy as Policy,
    Trouble as Trouble,
)
from turnlock.engine.items import (
    Call as Call,
    CallKind as CallKind,
    Content as Content,
    Item as Item,
    Message as Message,
    ModelItem as ModelItem,
    Note as Note,
    Origin as Origin,
    Output as Output,
    Reasoning as Reasoning,
    Role as Role,
    ServerCall as ServerCall,
    Text as Text,
)
from turnlock.engine.limits import Limits as Limits
from turnlock.engine.outcome import Cause as Cause, Effect as Effect, Outcome as Outcome
from turnlock.engine.transcript import Transcript as Transcript
