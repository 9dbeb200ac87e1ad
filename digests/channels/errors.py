"""What can go wrong with an edition on its way, each said in a sentence for the reader."""


class DigestError(Exception):
    """Root of the app's exceptions; `str()` is a sentence for the reader."""


class AllowanceError(DigestError):
    """The reader did it as often as the allowance lets them."""


class DeliveryError(DigestError):
    """It did not get through, for now.

    `is_final`: trying again cannot help. `is_gone`: nor will it with another edition.
    `may_have_arrived`: nobody knows. `retry_after` is in seconds, where the other side said.
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
