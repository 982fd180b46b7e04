"""The dialects that there are, and what can be asked of one.

Names are those of the shared table of wire rules; a profile, joined with ``+``, says more of a server:
``gemini+3``. A dialect is one row here and one room beside this file; a compatible server is a row, and data.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, Protocol

from attrs import field, frozen

from turnlock.wire import anthropic, bedrock, gemini, mistral, openai_chat, openai_responses
from turnlock.wire.anthropic.rules import RULES as ANTHROPIC_RULES
from turnlock.wire.anthropic.servers import is_in_blocks
from turnlock.wire.bedrock.rules import RULES as BEDROCK_RULES, UNMIXED_ASSISTANT, UNMIXED_USER
from turnlock.wire.common.encoding import Encoder
from turnlock.wire.common.history import History
from turnlock.wire.common.request import Decoded
from turnlock.wire.common.rules import UNREADABLE, Rule, Violation
from turnlock.wire.common.walk import Growing, Walk, body_of, walk_all
from turnlock.wire.gemini.rules import RULES as GEMINI_RULES
from turnlock.wire.mistral.rules import COMMON, HOSTED, RULES as MISTRAL_RULES, V3, V13
from turnlock.wire.openai_responses.rules import DEEPSEEK_RULES, RULES as RESPONSES_RULES
from turnlock.wire.repair.pieces import Repaired
from turnlock.wire.repair.repairer import Repairer, repair_body


class _Start(Protocol):
    def __call__(
        self, envelope: Mapping[str, Any], profiles: frozenset[str], open_calls: frozenset[str], /
    ) -> Walk: ...


class _Decode(Protocol):
    def __call__(
        self,
        raw: Mapping[str, Any],
        /,
        *,
        request: int,
        model: str,
        next_ordinal: Callable[[], int],
        cut: bool = False,
    ) -> list[Decoded]: ...


@frozen
class _Dialect:
    """One row.

    Attributes:
        rules: What the check looks for.
        walk: Begins a check.
        profiles: What may stand behind a ``+``.
        encoder: Makes an encoder for a server with these profiles.
        decode: Reads what a provider completed of an answer.
        read: Reads a whole body.
        repairer: Makes the means of repair for a body: profiles and open calls in.
        in_blocks: What reads and repairs a body in Anthropic's format, where the server takes that too.
    """

    rules: tuple[Rule, ...]
    walk: _Start
    profiles: frozenset[str] = field(default=frozenset(), kw_only=True)
    encoder: Callable[[frozenset[str]], Encoder] = field(kw_only=True)
    decode: _Decode = field(kw_only=True)
    read: Callable[[Mapping[str, Any]], History] = field(kw_only=True)
    repairer: Callable[[frozenset[str], frozenset[str]], Repairer] = field(kw_only=True)
    in_blocks: _Dialect | None = field(default=None, kw_only=True)

    def of(self, body: Mapping[str, Any]) -> _Dialect:
        """The row for the format that a body is in."""
        return self.in_blocks if self.in_blocks is not None and is_in_blocks(body) else self


_ANTHROPIC = _Dialect(
    ANTHROPIC_RULES,
    anthropic.AnthropicWalk,
    profiles=frozenset({"4.6", "tools_required"}),
    encoder=anthropic.AnthropicEncoder,
    decode=anthropic.decode_anthropic,
    read=anthropic.read_anthropic,
    repairer=anthropic.AnthropicRepairer,
)


def _chat(server: openai_chat.Server) -> _Dialect:
    """Chat Completions, as one server takes it."""
    return _Dialect(
        server.rules,
        partial(openai_chat.TwoFormatsWalk if server.blocks else openai_chat.ChatWalk, server=server),
        profiles=server.profiles,
        encoder=partial(openai_chat.encoder_for, server),
        decode=partial(openai_chat.decode_chat, dialect=server.name),
        read=partial(openai_chat.read_chat, dialect=server.name),
        repairer=partial(openai_chat.ChatRepairer, server=server),
        in_blocks=_ANTHROPIC if server.blocks else None,
    )


_DIALECTS: Mapping[str, _Dialect] = MappingProxyType(
    {
        "openai_responses": _Dialect(
            RESPONSES_RULES,
            openai_responses.ResponsesWalk,
            profiles=frozenset({"stored", "unique_ids"}),
            encoder=openai_responses.ResponsesEncoder,
            decode=openai_responses.decode_responses,
            read=openai_responses.read_responses,
            repairer=openai_responses.ResponsesRepairer,
        ),
        "openai_chat": _chat(openai_chat.OPENAI),
        "anthropic": _ANTHROPIC,
        "gemini": _Dialect(
            GEMINI_RULES,
            gemini.GeminiWalk,
            profiles=frozenset({"3", "vertex"}),
            encoder=gemini.GeminiEncoder,
            decode=gemini.decode_gemini,
            read=gemini.read_gemini,
            repairer=gemini.GeminiRepairer,
        ),
        "bedrock_converse": _Dialect(
            BEDROCK_RULES,
            bedrock.BedrockWalk,
            profiles=frozenset({UNMIXED_ASSISTANT, UNMIXED_USER}),
            encoder=bedrock.BedrockEncoder,
            decode=bedrock.decode_bedrock,
            read=bedrock.read_bedrock,
            repairer=bedrock.BedrockRepairer,
        ),
        "mistral": _Dialect(
            MISTRAL_RULES,
            mistral.MistralWalk,
            profiles=frozenset({COMMON, HOSTED, V3, V13}),
            encoder=mistral.MistralEncoder,
            decode=mistral.decode_mistral,
            read=mistral.read_mistral,
            repairer=mistral.MistralRepairer,
        ),
        "deepseek_responses": _Dialect(
            DEEPSEEK_RULES,
            openai_responses.DeepSeekWalk,
            encoder=openai_responses.DeepSeekEncoder,
            decode=partial(openai_responses.decode_responses, dialect="deepseek_responses"),
            read=partial(openai_responses.read_responses, dialect="deepseek_responses"),
            repairer=openai_responses.DeepSeekRepairer,
        ),
        **{name: _chat(server) for name, server in openai_chat.COMPATIBLE.items()},
    }
)

DIALECTS: tuple[str, ...] = tuple(_DIALECTS)
"""The names, without profiles."""

RULES: Mapping[str, tuple[Rule, ...]] = MappingProxyType({name: row.rules for name, row in _DIALECTS.items()})
"""The rules that ``check`` looks for, by dialect."""


def check(
    body: Mapping[str, Any] | bytes | str, dialect: str, open_calls: Collection[str] = ()
) -> tuple[Violation, ...]:
    """Every rule of a provider that a request body breaks, in the order of the body (R15).

    Args:
        body: The exact bytes that would leave, or the value that they say.
        dialect: The provider's format, with profiles of the server: ``gemini+3``.
        open_calls: Ids of calls that the provider holds open (``previous_response_id``, a conversation):
            their outputs are no orphans, and they must be answered (R22). While the provider holds history
            and none are named, outputs without a call in the body are taken to answer what it holds.

    Returns:
        The violations. A body that is no JSON object is one violation of ``UNREADABLE``.

    Raises:
        ValueError: There is no such dialect.
    """
    known = _known(dialect)
    value, problem = body_of(body)
    if problem:
        return (UNREADABLE.broken("", problem=problem),)
    return walk_all(known.walk(value, _profiles(dialect), frozenset(open_calls)), value)


def walk(dialect: str, envelope: Mapping[str, Any], open_calls: Collection[str] = ()) -> Walk:
    """A check that is fed the rows of a growing history, and asked whenever a request ends.

    Args:
        dialect: As for ``check``.
        envelope: The body without its list; what stands in the list is not looked at.
        open_calls: As for ``check``.

    Raises:
        ValueError: There is no such dialect.
    """
    return _known(dialect).walk(envelope, _profiles(dialect), frozenset(open_calls))


def growing(dialect: str) -> Growing:
    """A check for the bodies that one session sends.

    Raises:
        ValueError: There is no such dialect.
    """
    _known(dialect)
    return Growing(lambda envelope, open_calls: walk(dialect, envelope, open_calls))


def encoder(dialect: str) -> Encoder:
    """A new encoder, for one session.

    Raises:
        ValueError: There is no such dialect.
    """
    return _known(dialect).encoder(_profiles(dialect))


def decode(
    dialect: str,
    raw: Mapping[str, Any],
    *,
    request: int,
    model: str,
    next_ordinal: Callable[[], int],
    cut: bool = False,
) -> list[Decoded]:
    """Read what a provider completed of an answer (R12).

    Arguments that are not a JSON object become ``{}``, so that what is stored is valid for every dialect
    (C19); ``Decoded.problem`` says so. Nothing that a provider sends makes it fail.

    Args:
        dialect: The provider's format.
        raw: What it completes at once, as it is on the wire. Responses: an output item. Anthropic: a content
            block. Chat, Mistral, DeepSeek, Bedrock: the assistant message. Gemini: a part of a content.
        request: The number of the request that it answers.
        model: The model that was asked.
        next_ordinal: Called once for each call, in order.
        cut: The length limit or a filter ended the answer here.

    Raises:
        ValueError: There is no such dialect.
    """
    return _known(dialect).decode(raw, request=request, model=model, next_ordinal=next_ordinal, cut=cut)


def read(body: Mapping[str, Any] | bytes | str, dialect: str) -> History:
    """Read a whole body back into a transcript, as it stands: also a wrong one.

    Raises:
        ValueError: There is no such dialect, or the body is no JSON object.
    """
    known = _known(dialect)
    value, problem = body_of(body)
    if problem:
        raise ValueError(f"the body cannot be read: {problem}")
    return known.of(value).read(value)


def repair(body: Mapping[str, Any] | bytes | str, dialect: str, open_calls: Collection[str] = ()) -> Repaired:
    """Make a body valid: what is open is closed, and nothing is erased (R16, C36 to C42).

    Deterministic; a repaired body is not changed by another repair, and a valid one is given back as it was.

    Args:
        body: The bytes that would leave, or the value that they say.
        dialect: As for ``check``.
        open_calls: As for ``check``; one that the body does not answer is closed.

    Raises:
        ValueError: There is no such dialect, or the body is no JSON object.
    """
    known = _known(dialect)
    value, problem = body_of(body)
    if problem:
        raise ValueError(f"the body cannot be repaired: {problem}")
    given = body.encode() if isinstance(body, str) else body if isinstance(body, bytes) else None
    means = known.of(value).repairer(_profiles(dialect), frozenset(open_calls))
    return repair_body(value, given, means, lambda mended: check(mended, dialect, open_calls))


def _known(dialect: str) -> _Dialect:
    name, *profiles = dialect.split("+")
    row = _DIALECTS.get(name)
    if row is None:
        raise ValueError(f"there is no dialect {name!r} here; known: {', '.join(_DIALECTS)}")
    for profile in profiles:
        if profile not in row.profiles:
            known = ", ".join(f"{name}+{other}" for other in sorted(row.profiles)) or "none"
            raise ValueError(f"{name} has no profile {profile!r}; known: {known}")
    return row


def _profiles(dialect: str) -> frozenset[str]:
    return frozenset(dialect.split("+")[1:])
