"""The shapes of the REST API."""

from rest_framework import serializers

from feeds.models import Source, Story
from feeds.stories.life import Stage


class SourceSerializer(serializers.ModelSerializer[Source]):
    """A source. `title` is the reader's custom name if there is one; `state` is new, ok,
    failing, paused or gone; `error` is the reason in words."""

    title = serializers.CharField(read_only=True, source="shown_title")
    state = serializers.CharField(source="state_word", read_only=True)
    is_followed = serializers.BooleanField(read_only=True)
    folder = serializers.IntegerField(read_only=True, allow_null=True, source="folder_id")
    unread = serializers.IntegerField(read_only=True)

    class Meta:
        model = Source
        fields = [
            "id",
            "url",
            "title",
            "site_url",
            "description",
            "kind",
            "language",
            "topics",
            "pack",
            "state",
            "error",
            "last_fetched_at",
            "next_poll_at",
            "items_per_day",
            "is_followed",
            "folder",
            "unread",
        ]
        read_only_fields = fields


class NewSourceSerializer(serializers.Serializer[Source]):
    """`url` is the address of a feed; `folder` is the id of one of the reader's folders."""

    url = serializers.CharField(max_length=2048)
    title = serializers.CharField(max_length=300, required=False, default="")
    folder = serializers.IntegerField(required=False, allow_null=True, default=None)


class ItemSerializer(serializers.Serializer[object]):
    """An item in a list, with the reader's state."""

    id = serializers.IntegerField()
    seq = serializers.IntegerField()
    source = serializers.IntegerField(source="source_id")  # type: ignore[assignment]
    source_title = serializers.CharField()
    story = serializers.IntegerField(source="story_id", allow_null=True)
    copy_of = serializers.IntegerField(allow_null=True)
    url = serializers.CharField()
    title = serializers.CharField()
    author = serializers.CharField()
    summary = serializers.CharField()
    image_url = serializers.CharField()
    language = serializers.CharField()
    topics = serializers.ListField(child=serializers.CharField())
    published_at = serializers.DateTimeField()
    fetched_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField(allow_null=True)
    is_read = serializers.BooleanField()
    is_saved = serializers.BooleanField()


class EnclosureSerializer(serializers.Serializer[object]):
    url = serializers.CharField()
    type = serializers.CharField(allow_blank=True)
    length = serializers.IntegerField(allow_null=True)


class FullItemSerializer(ItemSerializer):
    """One item with its body: `html` is sanitised, `text` is plain text."""

    html = serializers.CharField(source="body.shown_html")
    text = serializers.CharField(source="body.text")
    enclosures = EnclosureSerializer(source="body.enclosures", many=True)


class StorySerializer(serializers.ModelSerializer[Story]):
    """A story as this reader sees it."""

    title = serializers.CharField(source="shown_title")
    first_at = serializers.DateTimeField(source="shown_first")
    last_at = serializers.DateTimeField(source="shown_last")

    class Meta:
        model = Story
        fields = [
            "id",
            "title",
            "first_at",
            "last_at",
            "item_count",
            "source_count",
            "copy_count",
            "topics",
        ]


class CoverageSerializer(serializers.Serializer[object]):
    """An article that covers a story."""

    id = serializers.IntegerField()
    source = serializers.IntegerField(source="source_id")  # type: ignore[assignment]
    source_title = serializers.CharField(source="source.title")
    url = serializers.CharField()
    title = serializers.CharField()
    summary = serializers.CharField()
    published_at = serializers.DateTimeField()
    is_read = serializers.BooleanField()
    is_saved = serializers.BooleanField()


class RelatedSerializer(serializers.Serializer[object]):
    """A related story, shown by its most similar article."""

    id = serializers.IntegerField(source="story_id")
    title = serializers.CharField()


class FullStorySerializer(serializers.Serializer[object]):
    """One story with its coverage in chronological order; copies are listed separately."""

    id = serializers.IntegerField(source="story.pk")
    title = serializers.CharField()
    lead = serializers.IntegerField(source="lead.pk")
    source_count = serializers.IntegerField()
    updated_at = serializers.DateTimeField()
    stage = serializers.ChoiceField(choices=[stage.value for stage in Stage])
    topics = serializers.ListField(child=serializers.CharField())
    unread = serializers.BooleanField()
    coverage = CoverageSerializer(many=True)
    copies = CoverageSerializer(many=True)
    related = RelatedSerializer(many=True)


class StatesSerializer(serializers.Serializer[object]):
    """The states to set and the items to set them for. Omitted states are unchanged."""

    items = serializers.ListField(child=serializers.IntegerField(), max_length=1000)
    read = serializers.BooleanField(required=False)
    saved = serializers.BooleanField(required=False)
    hidden = serializers.BooleanField(required=False)


class ChangedSerializer(serializers.Serializer[object]):
    """`changed` items were set; `unknown` items don't exist or aren't the reader's to see."""

    changed = serializers.ListField(child=serializers.IntegerField())
    unknown = serializers.ListField(child=serializers.IntegerField())


class MarkReadSerializer(serializers.Serializer[object]):
    """Everything with a `seq` up to `upto_seq`, in these sources or in all."""

    upto_seq = serializers.IntegerField(min_value=0)
    sources = serializers.ListField(
        child=serializers.IntegerField(min_value=0, max_value=2**62),
        max_length=10_000,
        required=False,
        allow_null=True,
        default=None,
    )


class MarkedSerializer(serializers.Serializer[object]):
    """POST `undo` to /api/v1/undo/ within a day to reverse it."""

    undo = serializers.IntegerField()


class FoundSerializer(ItemSerializer):
    """`marked_title` and `marked_snippet` are escaped HTML with `<mark>` around matches."""

    source_title = serializers.CharField(source="source.title")
    marked_title = serializers.CharField()
    marked_snippet = serializers.CharField()
    has_all = serializers.BooleanField(help_text="whether it contains all words of the query")


class SearchSerializer(serializers.Serializer[object]):
    """A page of results. `problems` are messages about the query."""

    found = serializers.IntegerField()
    with_all = serializers.IntegerField(
        help_text="matches with all words, which come first; the rest have some of them"
    )
    is_capped = serializers.BooleanField()
    next_page = serializers.IntegerField(allow_null=True)
    milliseconds = serializers.IntegerField()
    problems = serializers.ListField(child=serializers.CharField())
    archived = serializers.CharField(
        source="archived.note",
        default=None,
        allow_null=True,
        help_text="which archived items were not searched",
    )
    results = FoundSerializer(many=True, source="items")
