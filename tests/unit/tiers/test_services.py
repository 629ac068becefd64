"""What may be offered to others, and how an offer changes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.errors import InputFault
from sync.reasons import Reason
from tests.unit.tiers.test_datasets import CATALOGUE
from tiers.catalogue import Catalogue
from tiers.dataset import Sharing
from tiers.services import PUBLISHED, Offer, check_offer, offerable, publish, withdraw

CASE = CATALOGUE.datasets["case"]


@given(st.lists(st.sampled_from(["publish", "withdraw"]), max_size=12))
def test_at_most_one_version_is_offered_and_none_is_used_twice(story: list[str]) -> None:
    held: dict[int, Offer] = {}
    for step in story:
        before = dict(held)
        if step == "publish":
            replaced, new = publish(list(held.values()))
            assert new.version not in held
            changed = [*replaced, new]
        else:
            try:
                changed = withdraw(list(held.values()))
            except InputFault:
                assert not any(offer.state == PUBLISHED for offer in held.values())
                continue
        held |= {offer.version: offer for offer in changed}
        wanted = 1 if step == "publish" else 0
        assert sum(offer.state == PUBLISHED for offer in held.values()) == wanted
        assert held.keys() >= before.keys()


def test_what_is_not_to_be_shared_is_not_offered() -> None:
    """Neither a dataset of that class, nor a held-back column, nor what another tier owns."""
    secret = replace(CASE, sharing=Sharing.WITHHELD)
    catalogue = Catalogue({"case": secret, "component": CATALOGUE.datasets["component"]}, {})
    assert [dataset.id for dataset in offerable(catalogue, ("city",))] == ["component"]
    for dataset, columns, tiers, reason in (
        (secret, (), ("city",), Reason.NOT_OWNER),
        (CASE, (), ("national",), Reason.NOT_OWNER),
        (CASE, ("reporter_phone",), ("city",), Reason.HELD_BACK_PRESENT),
        (CASE, ("nonsense",), ("city",), Reason.UNKNOWN_COLUMN),
    ):
        with pytest.raises(InputFault) as found:
            check_offer(dataset, columns, tiers)
        assert found.value.reason is reason
    check_offer(CASE, ("case_id", "state"), ("city",))
