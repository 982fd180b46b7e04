"""Everything that moves a state: two tables of rows, and the machines made from them.

Layout, bottom up:

    rows.py        Row and Table: what a declaration is made of
    checks.py      what a declaration must fulfil before a machine is made of it
    compiled.py    rows -> functions: how a state moves
    machine.py     rows -> one shared ``transitions`` machine per table, fired by these functions
    steps.py       fire(): the one door through which a state moves, and its typed refusal
    invocation.py  the table of one tool call
    turn.py        the table of the turn

Theory of operation. There are two kinds of rows. A row that an input fires has no guard: the event is
legal in this state, or it is refused and nothing changes. A row with guards is automatic: after every
input the automatic rows of the open invocations and then of the turn are tried in the order in which they
are declared, to a fixed point. So a false guard means "not yet" and is never a silent refusal. The
two machines are coupled through guards alone: ``all_terminal`` of the turn reads its invocations, and
``may_start`` of an invocation reads the others. The shape is that of h11's event-triggered and
state-triggered transitions.

This room knows nothing of messages, requests, time or tools: guards are names here, and the engine's
objects answer them.
"""

from turnlock.machines.checks import find_problems as find_problems, validate as validate
from turnlock.machines.compiled import Mover as Mover
from turnlock.machines.invocation import (
    INVOCATION as INVOCATION,
    INVOCATION_MACHINE as INVOCATION_MACHINE,
    InvocationEvent as InvocationEvent,
    InvocationGuard as InvocationGuard,
    InvocationState as InvocationState,
)
from turnlock.machines.machine import TableMachine as TableMachine, as_transitions as as_transitions
from turnlock.machines.rows import Row as Row, Table as Table, automatic as automatic, fired as fired
from turnlock.machines.steps import (
    Observer as Observer,
    Step as Step,
    Stepper as Stepper,
    Verdict as Verdict,
)
from turnlock.machines.turn import (
    TURN as TURN,
    TURN_MACHINE as TURN_MACHINE,
    TurnEvent as TurnEvent,
    TurnGuard as TurnGuard,
    TurnState as TurnState,
)
