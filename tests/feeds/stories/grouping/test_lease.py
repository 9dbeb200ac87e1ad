"""Who changes stories by hand takes the grouping process its right to go on."""

import pytest

from feeds.coordination.lease import lease
from feeds.coordination.revisions import GROUPING
from feeds.models import Lease, Revision
from feeds.stories.grouping.lease import forget_state, grouping_lease

pytestmark = pytest.mark.django_db


def grouping_revision() -> int:
    row = Revision.objects.filter(name=GROUPING).first()
    return row.number if row else 0


def test_whoever_groups_notices_that_stories_were_changed() -> None:
    with grouping_lease() as held:
        assert held is not None and held.renew()
        before = grouping_revision()

        forget_state()

        assert not held.renew()
        assert grouping_revision() > before


def test_whoever_groups_next_reads_the_stories_anew() -> None:
    with grouping_lease():
        pass
    forget_state()

    with grouping_lease() as held:
        assert held is not None and not held.was_mine


def test_tokens_grow_by_one() -> None:
    with grouping_lease():
        pass
    forget_state()

    assert list(Lease.objects.values_list("name", "holder", "token")) == [("group", "", 2)]


def test_other_leases_go_on() -> None:
    with lease("trends") as held:
        forget_state()

        assert held is not None and held.renew()
