"""What must hold after chaos, whatever happened. Each check returns the problems that it finds."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import httpx

from benchmarks.chaos.readers import Reader
from tests.workers import Outlets

PAGES = ("/", "/river/", "/sources/", "/trends/", "/search/?q=model", "/digest/", "/health")


def items_are_those_served(outlets: Outlets) -> list[str]:
    """Each entry that the feeds have is one item, with a body and a row in the ledger."""
    from feeds.models import Item, ItemBody, ItemKey

    served = {
        link
        for entries in outlets.entries.values()
        for entry in entries
        for link in re.findall(r"<link>(.*?)</link>", entry)
    }
    stored = Counter(Item.objects.values_list("url", flat=True))
    doubled = [url for url, count in stored.items() if count > 1]
    bodies, keys = ItemBody.objects.count(), ItemKey.objects.exclude(item_id=None).count()
    return [
        *_some("lost items", served - stored.keys()),
        *_some("items that no feed served", stored.keys() - served),
        *_some("doubled items", doubled),
        *([f"{bodies} bodies of {len(served)} items"] if bodies != len(served) else []),
        *([f"{keys} keys of {len(served)} items"] if keys != len(served) else []),
        *_some("feeds polled twice at a time", set(outlets.overlaps)),
    ]


def acknowledged_writes_are_there(readers: Iterable[Reader]) -> list[str]:
    from feeds.models import ItemState, Subscription

    problems = []
    for reader in readers:
        saved = ItemState.objects.filter(user=reader.pk, is_saved=True)
        missing = reader.saved - set(saved.values_list("item", flat=True))
        problems += _some(f"saved items of reader {reader.pk} that are lost", missing)
        behind = Subscription.objects.filter(user=reader.pk, read_up_to__lt=reader.upto).count()
        if behind:
            problems.append(f"{behind} watermarks of reader {reader.pk} are lost")
    return problems


def no_lease_is_left() -> list[str]:
    from ainews_site.infra import db_clock
    from feeds.models import Lease, Source

    now = db_clock.exact_now()
    sources = Source.objects.filter(lease_until__gt=now).count()
    named = list(Lease.objects.filter(until__gt=now).values_list("name", flat=True))
    return [
        *([f"{sources} sources have a lease"] if sources else []),
        *([f"the leases {named} are held"] if named else []),
    ]


def stories_are_consistent() -> list[str]:
    """Each item has a story that exists; each story has its items' number, newest and lead."""
    from django.db.models import Count, Max

    from feeds.models import Item, Story

    problems = []
    if alone := Item.objects.filter(story=None).count():
        problems.append(f"{alone} items have no story")
    rows = Item.objects.exclude(story=None).values("story_id")
    actual = {
        row["story_id"]: (row["n"], row["newest"])
        for row in rows.annotate(n=Count("pk"), newest=Max("seq")).order_by()
    }
    leads = dict(Item.objects.values_list("pk", "story_id"))
    stories = {story.pk: story for story in Story.objects.all()}
    problems += _some("items of stories that do not exist", actual.keys() - stories.keys())
    problems += _some("stories without items", stories.keys() - actual.keys())
    for pk, (count, newest) in actual.items():
        story = stories.get(pk)
        if story is None:
            continue
        if (story.item_count, story.last_seq) != (count, newest):
            problems.append(
                f"story {pk} has {count} items up to {newest}, but says {story.item_count} up to"
                f" {story.last_seq}"
            )
        if leads.get(story.lead_id or 0) != pk:
            problems.append(f"the lead of story {pk} is not one of its items")
    return problems


def counts_are_those_recomputed(readers: Iterable[Reader], port: int) -> list[str]:
    """The unread counts that the API answers, from its cache, are those of the rows."""
    from accounts.models import User
    from feeds.models import ItemKey
    from feeds.reading.unread import unread_up_to

    newest = ItemKey.objects.order_by("-seq").values_list("seq", flat=True)[0]
    problems = []
    for reader in readers:
        headers = {"Authorization": f"Bearer {reader.token}"}
        url = f"http://127.0.0.1:{port}/api/v1/sources/"
        answer = httpx.get(url, headers=headers, timeout=30).json()
        shown = sum(source["unread"] for source in answer)
        actual = unread_up_to(User.objects.get(pk=reader.pk), newest)
        if shown != actual:
            problems.append(f"reader {reader.pk} is shown {shown} unread items of {actual}")
    return problems


def schedules_are_there(before: Mapping[str, int]) -> list[str]:
    from django_q.models import Schedule

    after = Counter(Schedule.objects.values_list("name", flat=True))
    return [] if after == before else [f"schedules were {before}, and are {dict(after)}"]


def pages_answer(port: int, session: str) -> list[str]:
    problems = []
    for path in PAGES:
        answer = httpx.get(
            f"http://127.0.0.1:{port}{path}",
            headers={"Cookie": f"sessionid={session}"},
            timeout=30,
            follow_redirects=False,
        )
        if answer.status_code != 200:
            problems.append(f"{path} answers {answer.status_code}")
        elif path == "/health" and answer.json()["status"] != "ok":
            problems.append(f"/health says {answer.text}")
    return problems


def _some(what: str, found: "Iterable[Any]") -> list[str]:
    several: Sequence[Any] = sorted(found)
    return [f"{len(several)} {what}, such as {several[0]}"] if several else []
