"""The tables of digests."""

from digests.models.allowance import Allowance
from digests.models.delivery import Channel, Delivery, new_key
from digests.models.edition import Digest, DigestQuerySet, Writing
from digests.models.language import Question, StorySummary

__all__ = [
    "Allowance",
    "Channel",
    "Delivery",
    "Digest",
    "DigestQuerySet",
    "Question",
    "StorySummary",
    "Writing",
    "new_key",
]
