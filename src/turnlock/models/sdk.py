"""What the adapters over the official clients of OpenAI and Anthropic share: the two are made alike.

The bytes that leave are the bytes that were checked: they are posted as they are. The answer is read as plain
data (``stream.py``), without passing through the SDK's types. The SDK's own retries are off (its default is
2): every request that leaves is a dispatch of the table. Nothing of a provider's format is known here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Generic, TypeVar

import httpx2
from attrs import define, field

from turnlock.engine import Trouble
from turnlock.errors import ModelError
from turnlock.models.base import Request
from turnlock.models.stream import Answer, lost, read_answer
from turnlock.wire import Settings, ToolSpec

Client = TypeVar("Client")

_HEADERS = {"Content-Type": "application/json", "Accept": "text/event-stream"}


@define(eq=False)
class OverSDK(Generic[Client]):
    """A model behind an official client.

    Attributes:
        name: The model, as the provider calls it.
        options: What else goes into every body.
        client: The client; default: one of our own, with the key from the environment.
        owned: Closing the adapter closes the client.
    """

    name: str
    options: Mapping[str, Any] = field(factory=dict)
    client: Client | None = field(default=None, repr=False, kw_only=True)
    owned: bool = field(default=False, kw_only=True)

    status_error: ClassVar[type[Exception]]
    connection_error: ClassVar[type[Exception]]
    sdk_error: ClassVar[tuple[type[Exception], ...]]  # what it raises when there is no key, and the like
    hint: ClassVar[str] = ""  # what to do then, where the SDK does not say so

    @property
    def dialect(self) -> str:
        """The wire format."""
        raise NotImplementedError

    def settings(self, instructions: str, tools: Sequence[ToolSpec]) -> Settings:
        """What is the same in every request of a session."""
        return Settings(self.name, instructions, tuple(tools), self.options, stream=True)

    async def aclose(self) -> None:
        """Close the client, if it is our own."""
        if self.owned and self.client is not None:
            client: Any = self.client
            self.client = None
            await client.close()

    def make_client(self) -> Client:
        """A client of our own."""
        raise NotImplementedError

    def refusal(self, error: Any) -> ModelError:  # noqa: ANN401 - each SDK has an APIStatusError of its own
        """What an HTTP status means for the turn."""
        raise NotImplementedError

    def find_key(self) -> str:
        """The key that is used, to hide it; one that a function provides is known by its looks."""
        keys = (getattr(self.client, name, None) for name in ("api_key", "auth_token"))
        return next((key for key in keys if key and isinstance(key, str)), "")

    async def post(
        self, path: str, request: Request, answer: Answer, headers: Mapping[str, str] | None = None
    ) -> None:
        """Send the request and hand on the events of the answer, until the stream ends.

        Raises:
            ModelError: There is no answer, or the stream broke off before the answer was whole.
        """
        try:
            if self.client is None:
                self.client = self.make_client()
                self.owned = True
            client: Any = self.client
            response: httpx2.Response = await client.post(
                path,
                cast_to=httpx2.Response,
                content=request.body,
                options={"headers": {**_HEADERS, **(headers or {})}, "max_retries": 0},
                stream=True,
            )
        except self.status_error as error:
            raise self.refusal(error) from error
        except self.connection_error as error:
            raise lost(error.__cause__ or error) from error
        except self.sdk_error as error:
            raise ModelError(Trouble.FATAL, f"{error}{self.hint}") from error
        except httpx2.TransportError as error:  # while it read what a refusal says
            raise lost(error) from error
        try:
            await read_answer(response, answer)
        finally:
            await response.aclose()
