"""What can go wrong with a language model, each said in a sentence for the log.

LanguageModelError
├── ModelOffError       none is configured
├── ModelAwayError      it cannot be reached, is too slow, or fails
├── ModelBusyError      it, or this installation, has too many calls at a time
├── ModelRefusedError   what was asked will never be answered: key, name, request
├── BadReplyError       what came is no usable answer
└── BudgetSpentError    the month's money is spent
"""

from feeds.core.errors import FeedError


class LanguageModelError(FeedError):
    """Root. Whoever catches it does without the model. `may_cost`: the server may have worked,
    and charge for it."""

    may_cost = False


class ModelOffError(LanguageModelError):
    """LLM_MODEL is empty."""


class ModelAwayError(LanguageModelError):
    """No answer. `is_brief`: it failed at once, so that asking again costs little time."""

    def __init__(
        self,
        message: str,
        *,
        is_brief: bool = False,
        may_cost: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.is_brief = is_brief
        self.may_cost = may_cost
        self.retry_after = retry_after


class ModelBusyError(ModelAwayError):
    """429, or no room among LLM_CONCURRENCY calls."""


class ModelRefusedError(LanguageModelError):
    """A 4xx status: the same again would be refused again. `said` is the server's own text."""

    def __init__(self, message: str, *, status: int, said: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.said = said


class BadReplyError(LanguageModelError):
    """Not JSON, or not what was asked for. `text` is what came; `was_cut` that it ended in the
    middle."""

    may_cost = True

    def __init__(self, message: str, *, text: str = "", was_cut: bool = False) -> None:
        super().__init__(message)
        self.text = text
        self.was_cut = was_cut


class BudgetSpentError(LanguageModelError):
    """LLM_MONTHLY_BUDGET leaves no room for this call."""
