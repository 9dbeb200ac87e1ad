"""The pages on which a reader reports a mistake in a summary, or an article in the wrong story."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core import signing
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.formats import date_format
from django.views.decorators.http import require_http_methods, require_POST

from accounts.models import User
from accounts.types import ReaderRequest
from digests.editions.edition import CitedSentence
from digests.editions.story_summary import story_summary
from digests.editions.summarise import EXTRACTIVE
from digests.models import Digest
from feeds.models import Item, Story
from feeds.reading.reports import (
    LIMIT_REACHED,
    MAX_NOTE,
    LimitReached,
    ReportedArticle,
    Subject,
    report,
    reports_on,
    withdraw,
)
from feeds.reading.sources import own_names
from feeds.stories.story_page import StoryPage, both_ends, story_page
from feeds.web.views.common import back, not_found, read_number, wants_json

SALT = "digests.web.views.reports"
NOTHING_CHOSEN = "Choose the sentence or the article."
MAX_TITLE, MAX_WRITER = 500, 100


@dataclass(frozen=True, slots=True)
class Choice:
    """Something that can be reported. `value` is the signed subject, so that what the reader saw
    is reported even if the story goes on meanwhile."""

    value: str
    text: str
    sources: str
    item: int = 0

    @classmethod
    def of(cls, subject: Subject) -> "Choice":
        sources = ", ".join(dict.fromkeys(article["source"] for article in subject.articles))
        text = subject.sentence or subject.articles[0]["title"]
        item = 0 if subject.sentence else subject.articles[0]["item"]
        return cls(_signed(subject), text, sources, item)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def story_report(request: ReaderRequest, pk: int) -> HttpResponse:
    """Report something on the page of a story. `?item=` selects an article."""
    try:
        page = story_page(request.user, pk, both_ends)
    except Story.DoesNotExist:
        return not_found(request, pk)
    if isinstance(page, int):
        return redirect("story_report", pk=page)
    context = {
        "title": page.title,
        "sentences": _sentences_of_page(request.user, page),
        "articles": _articles(request, page),
        "item": read_number(request.GET.get("item")) or 0,
    }
    return _answer(request, page.story.pk, reverse("story", args=[page.story.pk]), context)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def digest_report(
    request: ReaderRequest, day: date, pk: int, is_global: bool = False
) -> HttpResponse:
    """Report a mistake on a story of an edition."""
    digest = Digest.objects.of(None if is_global else request.user).filter(date=day).first()
    stories = digest.content["stories"] if digest else []
    numbers = [n for n, entry in enumerate(stories, 1) if entry["story_id"] == pk]
    if digest is None or not numbers:
        raise Http404("The edition does not have this story.")
    entry = stories[numbers[0] - 1]
    name = "digest_global_day" if is_global else "digest_day"
    context = {
        "title": entry["headline"],
        "sentences": _sentences_of_edition(digest, entry),
        "articles": [],
        "item": 0,
    }
    return _answer(request, pk, reverse(name, args=[day]), context, f"#story-{numbers[0]}")


@login_required
@require_POST
def report_withdraw(request: ReaderRequest, pk: int) -> HttpResponse:
    if withdraw(request.user, pk):
        messages.success(request, "The report was withdrawn.")
    else:
        messages.error(request, "This report is no longer open.")
    return back(request, reverse("stories"))


def _answer(
    request: ReaderRequest, story: int, page: str, context: dict[str, Any], anchor: str = ""
) -> HttpResponse:
    """Show the form, or record what was chosen and go back to `page`, which offers to undo it."""
    problem, status = "", 200
    if request.method == "POST":
        subject = _subject(request.POST.get("wrong", ""), story)
        if subject is None:
            problem, status = NOTHING_CHOSEN, 400
        else:
            try:
                sent = report(request.user, subject, request.POST.get("note", ""))
            except LimitReached:
                problem, status = LIMIT_REACHED, 429
            else:
                return _sent(request, f"{page}?reported={sent.pk}{anchor}")
        if wants_json(request):
            return JsonResponse({"problem": problem}, status=status)
    context |= {
        "page": page + anchor,
        "problem": problem,
        "chosen": request.POST.get("wrong", ""),
        "note": request.POST.get("note", ""),
        "max_note": MAX_NOTE,
        "reports": reports_on(request.user, story),
        "can_move": request.user.is_staff and request.user.has_perm("feeds.change_item"),
    }
    return render(request, "digests/report.html", context, status=status)


def _sent(request: HttpRequest, address: str) -> HttpResponse:
    return JsonResponse({"url": address}) if wants_json(request) else redirect(address)


def _sentences_of_page(user: User, page: StoryPage) -> list[Choice]:
    summary = story_summary(user, page)
    if summary is None:
        return []
    wanted = [pk for pk in summary.cited.values() if pk in page.item_ids]
    items = Item.objects.filter(pk__in=wanted).select_related("source").in_bulk()
    names = own_names(user, {item.source_id for item in items.values()})
    articles = {
        number: _article(items[pk], names) for number, pk in summary.cited.items() if pk in items
    }
    sentences = (*summary.sentences, *([summary.why] if summary.why else []))
    return _choices(sentences, articles, page.story.pk, page.title, "story", summary.written_by)


def _sentences_of_edition(digest: Digest, entry: dict[str, Any]) -> list[Choice]:
    articles = {
        cited["number"]: ReportedArticle(
            item=cited["item_id"], title=cited["title"], url=cited["url"], source=cited["source"]
        )
        for cited in entry["citations"]
    }
    plain = [*entry["sentences"], *([entry["why"]] if entry.get("why") else [])]
    sentences = [CitedSentence(one["text"], tuple(one["cites"])) for one in plain]
    kind = "site digest" if digest.is_global else "digest"
    place = f"{kind} of {date_format(digest.date, 'j F Y')}"
    writer = entry.get("written_by", "")
    return _choices(sentences, articles, entry["story_id"], entry["headline"], place, writer)


def _choices(
    sentences: Iterable[CitedSentence],
    articles: dict[int, ReportedArticle],
    story: int,
    title: str,
    place: str,
    written_by: str,
) -> list[Choice]:
    model = "" if written_by == EXTRACTIVE else written_by
    return [
        Choice.of(
            Subject(
                story=story,
                story_title=title[:MAX_TITLE],
                place=place,
                articles=[articles[number] for number in sentence.cites if number in articles],
                sentence=sentence.text,
                written_by=model[:MAX_WRITER],
            )
        )
        for sentence in sentences
    ]


def _articles(request: ReaderRequest, page: StoryPage) -> list[Choice]:
    """The articles of the story, of a large one the first and the latest and the selected one.

    A story of one article has nothing that could be in the wrong place.
    """
    if page.item_count < 2:
        return []
    items = {item.pk: item for item in (*page.coverage, *page.fresh, *page.copies)}
    wanted = read_number(request.GET.get("item"))
    if wanted in page.item_ids and wanted not in items:
        items |= Item.objects.select_related("source").in_bulk([wanted])
    names = own_names(request.user, {item.source_id for item in items.values()})
    return [
        Choice.of(Subject(page.story.pk, page.title[:MAX_TITLE], "story", [_article(item, names)]))
        for item in sorted(items.values(), key=lambda item: item.pk)
    ]


def _article(item: Item, names: dict[int, str]) -> ReportedArticle:
    source = names.get(item.source_id) or str(item.source)
    return ReportedArticle(item=item.pk, title=item.title, url=item.url, source=source)


def _signed(subject: Subject) -> str:
    values: Sequence[object] = (
        subject.story,
        subject.story_title,
        subject.place,
        list(subject.articles),
        subject.sentence,
        subject.written_by,
    )
    return signing.dumps(values, salt=SALT, compress=True)


def _subject(value: str, story: int) -> Subject | None:
    """The subject of a choice of this story, or None."""
    try:
        subject = Subject(*signing.loads(value, salt=SALT))
    except (signing.BadSignature, TypeError):
        return None
    return subject if subject.story == story else None
