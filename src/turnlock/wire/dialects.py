"""The dialects that there are, and the three things that can be asked of one.

Names are those of the shared table of wire rules. A dialect is one row here and one room beside this file.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import Any, Protocol, TypeVar

import msgspec

from turnlock.wire import openai_chat, openai_responses
from turnlock.wire.encoding import Encoder
from turnlock.wire.openai_chat.rules import RULES as CHAT_RULES
from turnlock.wire.openai_responses.rules import DEEPSEEK_RULES, RULES as RESPONSES_RULES
from turnlock.wire.request import Decoded
from turnlock.wire.rules import UNREADABLE, Rule, Violation

_T = TypeVar("_T")


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


_CHECKS: Mapping[str, Callable[[Mapping[str, Any], Collection[str]], list[Violation]]] = MappingProxyType(
    {
        "openai_responses": openai_responses.check_responses,
        "openai_chat": openai_chat.check_chat,
        "deepseek_responses": openai_responses.check_deepseek,
    }
)
_ENCODERS: Mapping[str, Callable[[], Encoder]] = MappingProxyType(
    {"openai_responses": openai_responses.ResponsesEncoder, "openai_chat": openai_chat.ChatEncoder}
)
_DECODERS: Mapping[str, _Decode] = MappingProxyType(
    {"openai_responses": openai_responses.decode_responses, "openai_chat": openai_chat.decode_chat}
)

RULES: Mapping[str, tuple[Rule, ...]] = MappingProxyType(
    {"openai_responses": RESPONSES_RULES, "openai_chat": CHAT_RULES, "deepseek_responses": DEEPSEEK_RULES}
)
"""The rules that ``check`` looks for, by dialect."""


def check(
    body: Mapping[str, Any] | bytes | str, dialect: str, open_calls: Collection[str] = ()
) -> tuple[Violation, ...]:
    """Every rule of a provider that a request body breaks, in the order of the body (R15).

    Args:
        body: The exact bytes that would leave, or the value that they say.
        dialect: The provider's format and strictness.
        open_calls: Ids of calls that the provider holds open (``previous_response_id``, a conversation):
            their outputs are no orphans, and they must be answered (R22). While the provider holds history
            and none are named, outputs without a call in the body are taken to answer what it holds.

    Returns:
        The violations. A body that is no JSON object is one violation of ``UNREADABLE``.

    Raises:
        ValueError: There is no such dialect.
    """
    find = _known(_CHECKS, dialect)
    value: object = body
    if isinstance(body, bytes | str):
        try:
            value = msgspec.json.decode(body)
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            return (UNREADABLE.broken("", problem=f"it is not JSON: {error}"),)
    if not isinstance(value, Mapping):
        return (UNREADABLE.broken("", problem="it is not a JSON object"),)
    return tuple(find(value, open_calls))


def encoder(dialect: str) -> Encoder:
    """A new encoder, for one session.

    Raises:
        ValueError: There is no such dialect.
    """
    return _known(_ENCODERS, dialect)()


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
        raw: Responses: one completed output item, as it is on the wire. Chat: the whole assistant message.
        request: The number of the request that it answers.
        model: The model that was asked.
        next_ordinal: Called once for each call, in order.
        cut: The length limit or a filter ended the answer here.

    Raises:
        ValueError: There is no such dialect.
    """
    read = _known(_DECODERS, dialect)
    return read(raw, request=request, model=model, next_ordinal=next_ordinal, cut=cut)


def _known(table: Mapping[str, _T], dialect: str) -> _T:
    try:
        return table[dialect]
    except KeyError:
        raise ValueError(f"there is no dialect {dialect!r} here; known: {', '.join(table)}") from None
