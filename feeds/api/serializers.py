"""The shapes of the REST API."""

from rest_framework import serializers

from feeds.models import Source, Story
from feeds.stories.life import Stage


class SourceSerializer(serializers.ModelSerializer[Source]):
    """A source. `title` is the reader's own name for it where they gave one; `state` is new,
    ok, failing, paused or gone; `error` says why in words."""

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
    """`url` is the address of a feed; `folder` the id of one of the reader's folders."""

    url = serializers.CharField(max_length=2048)
    title = serializers.CharField(max_length=300, required=False, default="")
    folder = serializers.IntegerField(required=False, allow_null=True, default=None)


class ItemSerializer(serializers.Serializer[object]):
    """An item of a list, with the reader's state."""

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
    """One item with its body: `html` is sanitised, `text` plain."""

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
    """A telling of a story."""

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
    """Another story, by the telling of it that is most like this one."""

    id = serializers.IntegerField(source="story_id")
    title = serializers.CharField()


class FullStorySerializer(serializers.Serializer[object]):
    """One story with its coverage in order of time; copies apart."""

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
    """What to set of which items; what is left out stays as it is."""

    items = serializers.ListField(child=serializers.IntegerField(), max_length=1000)
    read = serializers.BooleanField(required=False)
    saved = serializers.BooleanField(required=False)
    hidden = serializers.BooleanField(required=False)


class ChangedSerializer(serializers.Serializer[object]):
    """The items that were set; `unknown` are not there, or not the reader's to see."""

    changed = serializers.ListField(child=serializers.IntegerField())
    unknown = serializers.ListField(child=serializers.IntegerField())


class MarkReadSerializer(serializers.Serializer[object]):
    """Everything that arrived up to `upto_seq` (see `seq` of items), of these or all sources."""

    upto_seq = serializers.IntegerField(min_value=0)
    sources = serializers.ListField(
        child=serializers.IntegerField(min_value=0, max_value=2**62),
        max_length=10_000,
        required=False,
        allow_null=True,
        default=None,
    )


class MarkedSerializer(serializers.Serializer[object]):
    """POST the `undo` to /api/v1/undo/ to take it back within a day."""

    undo = serializers.IntegerField()


class FoundSerializer(ItemSerializer):
    """`marked_title` and `marked_snippet` are HTML: escaped, with `<mark>` around matches."""

    source_title = serializers.CharField(source="source.title")
    marked_title = serializers.CharField()
    marked_snippet = serializers.CharField()
    has_all = serializers.BooleanField(help_text="whether it has all words of the query")


class SearchSerializer(serializers.Serializer[object]):
    """A page of results. `problems` are sentences about the query."""

    found = serializers.IntegerField()
    with_all = serializers.IntegerField(
        help_text="so many, which come first, have all words; the others have some of them"
    )
    is_capped = serializers.BooleanField()
    next_page = serializers.IntegerField(allow_null=True)
    milliseconds = serializers.IntegerField()
    problems = serializers.ListField(child=serializers.CharField())
    archived = serializers.CharField(
        source="archived.note", default=None, allow_null=True, help_text="what was not searched"
    )
    results = FoundSerializer(many=True, source="items")
