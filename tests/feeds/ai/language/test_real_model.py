"""A real model behind a real server answers in the form that it is asked for."""

from typing import Any

import pytest

from feeds.ai.language.complete import complete
from feeds.models import LanguageServer, LanguageUse
from tests import real_model

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(
        bool(real_model.missing()), reason=f"not installed: {', '.join(real_model.missing())}"
    ),
]
SCHEMA = {
    "type": "object",
    "properties": {"colour": {"enum": ["red", "green", "blue"]}},
    "required": ["colour"],
    "additionalProperties": False,
}


def test_it_answers_in_the_form_and_its_tokens_are_counted(settings: Any) -> None:
    asked = [{"role": "user", "content": "Which colour has the sky?"}]
    with real_model.RealModel() as server:
        settings.OPENAI_BASE_URL, settings.LLM_MODEL = server.url, "smollm2"

        found = complete(asked, SCHEMA, "test", version="1", max_tokens=40)

    assert found.data["colour"] in ("red", "green", "blue")
    assert LanguageServer.objects.get().lacks == []
    use = LanguageUse.objects.get()
    assert (use.calls, use.failed, use.estimated) == (1, 0, 0)
    assert 5 < use.tokens_in < 200 and 3 < use.tokens_out <= 40
