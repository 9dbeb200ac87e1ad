"""Exceptions of language models. Their messages are for logs and operators.

LanguageModelError
├── ModelNotConfiguredError  no model is configured
├── ModelUnavailableError    the server cannot be reached, is too slow, or fails
│   └── ModelBusyError       the server or this installation has too many calls
├── ModelRefusedError        the server rejected the request: key, model name or content
├── BadReplyError            the reply is not usable
└── BudgetExceededError      the budget of the month is spent
"""

from feeds.core.errors import FeedError


class LanguageModelError(FeedError):
    """Base class. Callers that catch it go on without the model.

    `may_cost`: the server may charge for the call.
    """

    may_cost = False


class ModelNotConfiguredError(LanguageModelError):
    """LLM_MODEL is empty."""


class ModelUnavailableError(LanguageModelError):
    """There was no reply.

    `failed_fast`: the call failed at once, so a retry takes little time. `retry_after` is in
    seconds, if the server asked for it.
    """

    def __init__(
        self,
        message: str,
        *,
        failed_fast: bool = False,
        may_cost: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.failed_fast = failed_fast
        self.may_cost = may_cost
        self.retry_after = retry_after


class ModelBusyError(ModelUnavailableError):
    """The server answered 429, or LLM_CONCURRENCY calls are running."""


class ModelRefusedError(LanguageModelError):
    """The server answered with a 4xx status, so a retry would fail too. `server_message` is the
    text of the response."""

    def __init__(self, message: str, *, status: int, server_message: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.server_message = server_message


class BadReplyError(LanguageModelError):
    """The reply is not JSON or does not fit the schema. `text` is the reply; `is_truncated` is
    whether the token limit cut it off."""

    may_cost = True

    def __init__(self, message: str, *, text: str = "", is_truncated: bool = False) -> None:
        super().__init__(message)
        self.text = text
        self.is_truncated = is_truncated


class BudgetExceededError(LanguageModelError):
    """The call could exceed LLM_MONTHLY_BUDGET."""
