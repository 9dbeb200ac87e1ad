# mypy: disable-error-code="type-arg"
# Django's admin classes take no parameters at run time.
"""The list of what readers reported, where administrators act on it and take that back."""

from collections.abc import Callable, Iterable

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from ainews_site.infra import db_clock
from feeds.models import Item, Report, Story, StoryRedirect
from feeds.stories.grouping.edit import move_item, split_story

NOT_ALLOWED = "You are not allowed to change stories."


@admin.register(Report)
class ReportAdmin(admin.ModelAdmin):
    """Reports. A reader sees what became of theirs on the page on which they sent it."""

    list_display = ("about", "kind", "in_story", "place", "user", "created_at", "state")
    list_filter = ("state", "kind")
    search_fields = ("sentence", "story_title", "note", "user__username")
    list_select_related = ("user",)
    fields = (
        *("kind", "sentence", "sources", "in_story", "place", "written_by", "note", "user"),
        *("created_at", "state", "handled_by", "handled_at"),
    )
    readonly_fields = tuple(name for name in fields if name != "state")
    actions = ("split_off", "put_back", "mark_done", "dismiss", "reopen")
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def save_model(self, request: HttpRequest, report: Report, form: object, change: bool) -> None:
        _handle(request, report, Report.State(report.state))

    @admin.display(description="story")
    def in_story(self, report: Report) -> SafeString:
        address = reverse("admin:feeds_story_change", args=[report.story])
        return format_html('<a href="{}" dir="auto">{}</a>', address, report.story_title)

    @admin.display(description="articles")
    def sources(self, report: Report) -> SafeString:
        rows = (
            (reverse("admin:feeds_item_change", args=[a["item"]]), a["title"], a["source"])
            for a in report.articles
        )
        return format_html_join(SafeString("<br>"), '<a href="{}" dir="auto">{}</a> {}', rows)

    @admin.action(description="Split the article into a separate story")
    def split_off(self, request: HttpRequest, reports: QuerySet[Report]) -> None:
        self._move(request, reports, _split_off)

    @admin.action(description="Put the article back into the story")
    def put_back(self, request: HttpRequest, reports: QuerySet[Report]) -> None:
        self._move(request, reports, _put_back)

    @admin.action(description="Mark as done")
    def mark_done(self, request: HttpRequest, reports: QuerySet[Report]) -> None:
        _handle_all(request, reports, Report.State.DONE)

    @admin.action(description="Dismiss")
    def dismiss(self, request: HttpRequest, reports: QuerySet[Report]) -> None:
        _handle_all(request, reports, Report.State.DISMISSED)

    @admin.action(description="Reopen")
    def reopen(self, request: HttpRequest, reports: QuerySet[Report]) -> None:
        _handle_all(request, reports, Report.State.OPEN)

    def _move(
        self,
        request: HttpRequest,
        reports: Iterable[Report],
        move: Callable[[HttpRequest, Report], str],
    ) -> None:
        if not request.user.has_perm("feeds.change_story"):
            self.message_user(request, NOT_ALLOWED, messages.ERROR)
            return
        for report in reports:
            try:
                self.message_user(request, move(request, report))
            except ValueError as error:
                self.message_user(request, f"{report.about}: {error}", messages.ERROR)


def _split_off(request: HttpRequest, report: Report) -> str:
    item = _item(report)
    if item.story is None:
        raise ValueError("The article is in no story.")
    before = item.story.pk
    new = split_story(item.story, [item])
    report.split_from = before
    _handle(request, report, Report.State.DONE)
    return f"{report.about}: now the story {new}."


def _put_back(request: HttpRequest, report: Report) -> str:
    item = _item(report)
    if report.split_from is None:
        raise ValueError("No report split this article from a story.")
    moved = StoryRedirect.objects.filter(old_id=report.split_from).values_list("story", flat=True)
    story = Story.objects.filter(pk=moved.first() or report.split_from).first()
    if story is None:
        raise ValueError("The story no longer exists.")
    move_item(item, story)
    report.split_from = None
    _handle(request, report, Report.State.OPEN)
    return f"{report.about}: back in the story {story}."


def _item(report: Report) -> Item:
    if report.item is None:
        raise ValueError("The report is not about an article.")
    item = Item.objects.select_related("story").filter(pk=report.item).first()
    if item is None:
        raise ValueError("The article was deleted or archived.")
    return item


def _handle_all(request: HttpRequest, reports: Iterable[Report], state: Report.State) -> None:
    for report in reports:
        _handle(request, report, state)


def _handle(request: HttpRequest, report: Report, state: Report.State) -> None:
    is_open = state == Report.State.OPEN
    report.state = state
    report.handled_by_id = None if is_open else request.user.pk
    report.handled_at = None if is_open else db_clock.now()
    report.save(update_fields=["state", "split_from", "handled_by", "handled_at"])
