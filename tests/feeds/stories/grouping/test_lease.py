"""Who changes stories by hand takes the grouping process its right to go on."""

import pytest

from feeds.coordination.lease import lease
from feeds.coordination.revisions import GROUPING
from feeds.models import Lease, Revision
from feeds.stories.grouping.lease import grouping_lease, invalidate_grouping

pytestmark = pytest.mark.django_db


def grouping_revision() -> int:
    row = Revision.objects.filter(name=GROUPING).first()
    return row.number if row else 0


def test_whoever_groups_notices_that_stories_were_changed() -> None:
    with grouping_lease() as held:
        assert held is not None and held.renew()
        before = grouping_revision()

        invalidate_grouping()

        assert not held.renew()
        assert grouping_revision() > before


def test_whoever_groups_next_reads_the_stories_anew() -> None:
    with grouping_lease():
        pass
    invalidate_grouping()

    with grouping_lease() as held:
        assert held is not None and not held.was_mine


def test_tokens_grow_by_one() -> None:
    with grouping_lease():
        pass
    invalidate_grouping()

    assert list(Lease.objects.values_list("name", "holder", "token")) == [("group", "", 2)]


def test_other_leases_go_on() -> None:
    with lease("trends") as held:
        invalidate_grouping()

        assert held is not None and held.renew()
