"""turnlock: the turn engine for agents.

Every tool call is an explicit state machine (requested -> running -> completed, cancelled, timed out) under
a turn machine whose guards let no message reach the model until every call has an outcome.

Layout, bottom up; nothing imports upwards:

    errors.py   every error that is raised on purpose
    machines/   the two tables and the machines made from them
    engine/     the pure core: inputs in, commands out
    wire/       dialects: encode, decode, check
    journal/    the record of a session
    models/     adapters over the providers' SDKs, and one that plays a script
    tools/      how tools are declared, and what they leave
    runtime/    the trio edge: Session
    strict/     a provider that refuses what providers refuse; imports nothing of turnlock
    explore/    every interleaving of small worlds
    diagrams/   pictures made from the tables
    cli/        the command line

What is listed here is the public API, and what the rooms ``engine``, ``wire``, ``journal``, ``models``,
``machines``, ``strict``, ``explore`` and ``diagrams`` list in theirs; all else may change without notice.
"""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING, Any

from turnlock._version import __version__ as __version__
from turnlock.engine import (
    Call as Call,
    CallKind as CallKind,
    Cause as Cause,
    Effect as Effect,
    Fate as Fate,
    Invocation as Invocation,
    Item as Item,
    Limits as Limits,
    Message as Message,
    Note as Note,
    Outcome as Outcome,
    Output as Output,
    Reasoning as Reasoning,
    StopReason as StopReason,
    Text as Text,
)
from turnlock.errors import (
    DeclarationError as DeclarationError,
    JournalError as JournalError,
    MissingExtra as MissingExtra,
    ModelError as ModelError,
    NothingToSend as NothingToSend,
    SessionBusy as SessionBusy,
    SessionClosed as SessionClosed,
    TransitionRefused as TransitionRefused,
    TurnlockError as TurnlockError,
)
from turnlock.journal import (
    Journal as Journal,
    JsonlJournal as JsonlJournal,
    MemoryJournal as MemoryJournal,
)
from turnlock.models import Model as Model, Scripted as Scripted, Usage as Usage
from turnlock.runtime import (
    Allow as Allow,
    Approve as Approve,
    Deny as Deny,
    EventStream as EventStream,
    Leak as Leak,
    Receipt as Receipt,
    Session as Session,
    TurnResult as TurnResult,
    TurnStream as TurnStream,
    Waiting as Waiting,
    WhenBusy as WhenBusy,
)
from turnlock.runtime.events import (
    ApprovalRequested as ApprovalRequested,
    CallEnded as CallEnded,
    CallFreed as CallFreed,
    CallLeaked as CallLeaked,
    CallOutput as CallOutput,
    CallRequested as CallRequested,
    CallStarted as CallStarted,
    CallStopping as CallStopping,
    Event as Event,
    MessageDelivered as MessageDelivered,
    MessageHeld as MessageHeld,
    MessageReturned as MessageReturned,
    ReasoningDelta as ReasoningDelta,
    RequestSent as RequestSent,
    RetryScheduled as RetryScheduled,
    Stalled as Stalled,
    TextDelta as TextDelta,
    TextDiscarded as TextDiscarded,
    TurnEnded as TurnEnded,
    TurnStarted as TurnStarted,
)
from turnlock.tools import (
    ProcessResult as ProcessResult,
    Tool as Tool,
    ToolContext as ToolContext,
    current_call as current_call,
    run_command as run_command,
    tool as tool,
)

if TYPE_CHECKING:
    from turnlock.models.anthropic import AnthropicMessages as AnthropicMessages
    from turnlock.models.gemini import Gemini as Gemini
    from turnlock.models.openai import OpenAIChat as OpenAIChat, OpenAIResponses as OpenAIResponses


def __getattr__(name: str) -> Any:  # noqa: ANN401  # whatever has this name
    """The adapters that need an SDK are imported when they are asked for."""
    if name not in _NEED_AN_EXTRA:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, extra = _NEED_AN_EXTRA[name]
    try:
        return getattr(_import_module(f"turnlock.models.{module}"), name)
    except ImportError as error:
        raise MissingExtra(name, extra, error) from error


_NEED_AN_EXTRA = {
    "OpenAIChat": ("openai", "openai"),
    "OpenAIResponses": ("openai", "openai"),
    "AnthropicMessages": ("anthropic", "anthropic"),
    "Gemini": ("gemini", "google-genai"),
}
"""Adapters: the module that holds each, and the extra that it needs."""
