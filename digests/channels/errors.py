"""Exceptions of the digests app. Their messages are shown to readers."""


class DigestError(Exception):
    """Base of the app's exceptions. `str()` is a message for the reader."""


class AllowanceError(DigestError):
    """The reader has reached the rate limit of an action."""


class DeliveryError(DigestError):
    """An edition could not be delivered.

    `is_final`: a retry cannot succeed. `is_gone`: the address no longer works, so that other
    editions will fail too. `may_have_arrived`: the receiver may have accepted it nevertheless.
    `retry_after`: seconds until a retry, if the receiver asked for it.
    """

    def __init__(
        self,
        message: str,
        *,
        is_final: bool = False,
        is_gone: bool = False,
        may_have_arrived: bool = False,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.is_final = is_final or is_gone
        self.is_gone = is_gone
        self.may_have_arrived = may_have_arrived
        self.retry_after = retry_after
