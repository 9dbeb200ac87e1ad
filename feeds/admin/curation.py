# mypy: disable-error-code="type-arg"
# Django's admin classes take no parameters at run time.
"""The admin pages on which administrators curate sources, items and stories."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest

from accounts.models import User
from ainews_site.infra import db_clock
from feeds.coordination.revisions import CONTENT, GROUPING, bump_revision
from feeds.models import FetchLog, Folder, Item, Source, Story, Subscription
from feeds.stories.grouping.edit import (
    delete_items,
    delete_stories,
    merge_stories,
    move_item,
    refresh_visibility,
    split_story,
)
from feeds.stories.grouping.refresh import refresh_stories

_WRITTEN_BY_POLLING = (
    "etag",
    "last_modified",
    "body_hash",
    "lease_until",
    "lease_token",
    "last_fetched_at",
    "last_succeeded_at",
    "last_full_fetch_at",
    "last_new_at",
    "items_per_day",
    "failures",
    "failing_since",
    "error",
    "complaint",
    "moved_to",
    "moved_since",
    "trusts_guid",
    "interval",
    "kind",
)
"""Columns that polling writes. They are shown read-only."""


def _bump_revisions_on_commit(*names: str) -> None:
    """Bump revisions after the transaction of the page. Within it, the order of locks would differ
    from that of the grouping task, which could deadlock."""
    transaction.on_commit(lambda: bump_revision(*names))


def _sources(count: int) -> str:
    return f"{count} source{'' if count == 1 else 's'}"


class FetchLogInline(admin.TabularInline):
    model = FetchLog
    fields = readonly_fields = ("at", "status", "milliseconds", "size", "new", "updated", "error")
    ordering = ("-id",)
    extra = 0
    max_num = 0
    can_delete = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[FetchLog]:
        """The last 20 fetches. They are selected by id, because inlines cannot be sliced."""
        source = request.resolver_match.kwargs.get("object_id") if request.resolver_match else None
        newest = FetchLog.objects.filter(source=source).order_by("-id").values("pk")[:20]
        return (
            super().get_queryset(request).filter(pk__in=list(newest.values_list("pk", flat=True)))
        )


@admin.register(Source)
class SourceAdmin(admin.ModelAdmin):
    list_display = ("title", "pack", "is_public", "weight", "state_word", "last_new_at", "error")
    list_filter = ("pack", "is_public", "status", "language", "full_text")
    list_editable = ("weight", "is_public")
    search_fields = ("title", "url", "site_url")
    readonly_fields = _WRITTEN_BY_POLLING
    actions = ("poll_soon", "pause", "resume", "make_public")
    inlines = (FetchLogInline,)
    fieldsets = (
        (None, {"fields": ("url", "title", "site_url", "description", "status", "is_public")}),
        ("Curation", {"fields": ("pack", "topics", "language", "weight", "full_text")}),
        ("Polling", {"fields": ("next_poll_at", *_WRITTEN_BY_POLLING), "classes": ("collapse",)}),
    )

    def save_model(self, request: HttpRequest, source: Source, form: Any, change: bool) -> None:
        super().save_model(request, source, form, change)
        if change and "is_public" in form.changed_data:
            self._refresh_visibility(request, [source])
        else:
            _bump_revisions_on_commit(CONTENT)

    def _refresh_visibility(self, request: HttpRequest, sources: Sequence[Source]) -> None:
        """Warn that private items became public, and refresh the stories after the commit."""
        changed = [source.pk for source in sources]
        transaction.on_commit(lambda: refresh_visibility(changed))
        public = [source.pk for source in sources if source.is_public]
        readers = Subscription.objects.filter(source__in=public).values("source").distinct()
        if count := readers.count():
            text = (
                f"Everyone can now see the past items of {_sources(count)} that readers followed"
                " privately."
            )
            self.message_user(request, text, messages.WARNING)

    def delete_model(self, request: HttpRequest, source: Source) -> None:
        super().delete_model(request, source)
        _bump_revisions_on_commit(CONTENT, GROUPING)

    def delete_queryset(self, request: HttpRequest, sources: QuerySet[Source]) -> None:
        super().delete_queryset(request, sources)
        _bump_revisions_on_commit(CONTENT, GROUPING)

    @admin.action(description="Poll soon")
    def poll_soon(self, request: HttpRequest, sources: QuerySet[Source]) -> None:
        count = Source.objects.filter(pk__in=sources).change(next_poll_at=db_clock.now())
        self.message_user(request, f"Scheduled {_sources(count)} to be polled within a minute.")

    @admin.action(description="Pause polling")
    def pause(self, request: HttpRequest, sources: QuerySet[Source]) -> None:
        count = Source.objects.filter(pk__in=sources).change(status=Source.Status.PAUSED)
        self.message_user(request, f"Paused polling of {_sources(count)}.")

    @admin.action(description="Resume polling")
    def resume(self, request: HttpRequest, sources: QuerySet[Source]) -> None:
        count = Source.objects.filter(pk__in=sources).change(
            status=Source.Status.ACTIVE, next_poll_at=db_clock.now()
        )
        self.message_user(request, f"Resumed polling of {_sources(count)}.")

    @admin.action(description="Make public: show in everyone's catalogue")
    def make_public(self, request: HttpRequest, sources: QuerySet[Source]) -> None:
        private = list(Source.objects.filter(pk__in=sources, is_public=False))
        count = Source.objects.filter(pk__in=sources).change(is_public=True)
        for source in private:
            source.is_public = True
        self._refresh_visibility(request, private)
        self.message_user(request, f"Made {_sources(count)} public.")


@admin.register(Item)
class ItemAdmin(admin.ModelAdmin):
    """Items. An item that is moved to another story here stays there."""

    list_display = ("title", "source", "published_at", "story")
    list_select_related = ("source", "story")
    search_fields = ("title",)
    raw_id_fields = ("story",)
    fields = ("title", "source", "url", "published_at", "summary", "topics", "story")
    readonly_fields = ("source", "url", "published_at", "summary")
    actions = ("split_off",)
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def save_model(self, request: HttpRequest, item: Item, form: Any, change: bool) -> None:
        super().save_model(request, item, form, change)
        _bump_revisions_on_commit(CONTENT, GROUPING)
        if "story" in form.changed_data and item.story is not None:
            before = form.initial.get("story")
            item.story_id, target = before, item.story
            move_item(item, target)

    def delete_model(self, request: HttpRequest, item: Item) -> None:
        delete_items([item])

    def delete_queryset(self, request: HttpRequest, items: QuerySet[Item]) -> None:
        delete_items(items)

    @admin.action(description="Split into a separate story")
    def split_off(self, request: HttpRequest, items: QuerySet[Item]) -> None:
        stories = {item.story_id for item in items}
        story = Story.objects.filter(pk=next(iter(stories), None) or 0).first()
        if len(stories) != 1 or story is None:
            self.message_user(request, "Choose items of a single story.", messages.ERROR)
            return
        try:
            new = split_story(story, items)
        except ValueError as error:
            self.message_user(request, str(error), messages.ERROR)
        else:
            self.message_user(request, f"The items are now the story “{new}”.")


class StoryItemInline(admin.TabularInline):
    model = Item
    fk_name = "story"
    fields = readonly_fields = ("title", "source", "published_at", "story_pinned", "copy_of")
    extra = 0
    max_num = 0
    can_delete = False
    show_change_link = True


@admin.register(Story)
class StoryAdmin(admin.ModelAdmin):
    list_display = ("title", "item_count", "source_count", "last_at", "title_pinned")
    search_fields = ("title",)
    fields = ("title", "title_pinned", "topics", "item_count", "source_count", "last_at")
    readonly_fields = ("item_count", "source_count", "last_at")
    ordering = ("-last_at",)
    inlines = (StoryItemInline,)
    actions = ("merge",)
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def save_model(self, request: HttpRequest, story: Story, form: Any, change: bool) -> None:
        if "title" in form.changed_data:
            story.title_pinned = True
        super().save_model(request, story, form, change)
        _bump_revisions_on_commit(CONTENT)
        if "title_pinned" in form.changed_data and not story.title_pinned:
            refresh_stories([story.pk])

    def delete_model(self, request: HttpRequest, story: Story) -> None:
        delete_stories([story])

    def delete_queryset(self, request: HttpRequest, stories: QuerySet[Story]) -> None:
        delete_stories(stories)

    @admin.action(description="Merge into the story with the most items")
    def merge(self, request: HttpRequest, stories: QuerySet[Story]) -> None:
        chosen = sorted(stories, key=lambda story: (-story.item_count, story.pk))
        if len(chosen) < 2:
            self.message_user(request, "Choose at least two stories.", messages.ERROR)
            return
        merge_stories(chosen[0], chosen[1:])
        self.message_user(request, f"Merged {len(chosen)} stories into “{chosen[0]}”.")


@admin.register(Folder)
class FolderAdmin(admin.ModelAdmin):
    list_display = ("name", "user", "parent")
    list_select_related = ("user", "parent")

    def save_model(self, request: HttpRequest, folder: Folder, form: Any, change: bool) -> None:
        super().save_model(request, folder, form, change)
        transaction.on_commit(folder.user.bump_cache_version)

    def delete_model(self, request: HttpRequest, folder: Folder) -> None:
        super().delete_model(request, folder)
        transaction.on_commit(folder.user.bump_cache_version)

    def delete_queryset(self, request: HttpRequest, folders: QuerySet[Folder]) -> None:
        readers = list(folders.values_list("user", flat=True))
        super().delete_queryset(request, folders)
        transaction.on_commit(lambda: User.bump_cache_versions(readers))


@admin.register(Subscription)
class SubscriptionAdmin(admin.ModelAdmin):
    list_display = ("source", "user", "folder", "created_at")
    list_select_related = ("source", "user", "folder")
    raw_id_fields = ("source", "folder")
    search_fields = ("source__title", "user__username")

    def save_model(
        self, request: HttpRequest, subscription: Subscription, form: Any, change: bool
    ) -> None:
        super().save_model(request, subscription, form, change)
        transaction.on_commit(subscription.user.bump_cache_version)

    def delete_model(self, request: HttpRequest, subscription: Subscription) -> None:
        super().delete_model(request, subscription)
        transaction.on_commit(subscription.user.bump_cache_version)

    def delete_queryset(self, request: HttpRequest, subscriptions: QuerySet[Subscription]) -> None:
        readers = list(subscriptions.values_list("user", flat=True))
        super().delete_queryset(request, subscriptions)
        transaction.on_commit(lambda: User.bump_cache_versions(readers))
