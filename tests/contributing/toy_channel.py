"""A channel as CONTRIBUTING.md describes it: a pager that is reached through a gateway."""

from typing import Any

from django.core.exceptions import ValidationError

from digests.channels.message import EditionFacts
from digests.channels.posting import ChatKind


class Pager(ChatKind):
    name, label = "pager", "Pager"
    target_help = "For a pager, enter the address of its gateway, which ends in /page."

    def clean_target(self, target: str) -> str:
        if not target.endswith("/page"):
            raise ValidationError("Enter an address that ends in /page.")
        return super().clean_target(target)

    def message(self, edition: EditionFacts) -> dict[str, Any]:
        headlines = "; ".join(story.headline for story in edition.stories)
        return {"page": f"{edition.title}: {headlines or edition.quiet}"[:200]}

    def plain(self, text: str) -> dict[str, Any]:
        return {"page": text}


KIND = Pager()
