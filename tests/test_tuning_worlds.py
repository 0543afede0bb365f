"""The optimiser in worlds of which it is known whether there is anything to find; a few of the many that the command runs."""

import json
from io import StringIO

import numpy as np
from django.core.management import call_command

from analytics.tuning import campaign
from analytics.tuning.lane import Kind
from analytics.tuning.worlds import World, drawn, flipped_share, naive_changes, played


def test_without_an_edge_nothing_is_promoted_where_the_naive_rule_always_changes_something():
    for seed in (1, 2):
        world = World(seed)
        kinds = [kind for _, kind, _ in played(world)]
        assert kinds.count(Kind.REFUSED) > 100
        assert Kind.PROMOTED not in kinds
        assert naive_changes(world) > 100


def test_rare_crashes_promote_nothing_either():
    noise = drawn((1, 2), 2_000_000, True)
    assert abs(noise.mean()) < 0.003
    assert (noise < -9).mean() > 0.001
    assert Kind.PROMOTED not in [kind for _, kind, _ in played(World(3, skewed=True))]


def test_a_planted_edge_is_promoted_and_taken_back_when_it_turns():
    found = campaign.edge(4, 5, seed=1, workers=1)
    assert found["promoted_in"]["count"] >= 3
    assert found["taken_back_in"]["count"] == found["turned_bad_after_promotion"]
    assert 60 <= found["median_sessions_in_shadow"] <= 756


def test_what_turned_has_less_than_half_of_the_money_half_a_year_later():
    ends = [flipped_share(seed)[-1] for seed in range(10)]
    assert np.mean(np.array(ends) < 0.5) >= 0.9


def test_the_command_prints_counts_with_intervals_and_the_naive_rule_beside():
    out = StringIO()
    call_command("simulate_worlds", "null", worlds=1, years=1, workers=1, stdout=out)
    answer = json.loads(out.getvalue())
    assert set(answer["false_change_in"]) == {"optimiser", "evidence_alone", "naive_rule"}
    assert answer["false_change_in"]["naive_rule"]["share"] == 1.0
    assert answer["false_change_in"]["optimiser"]["low"] <= answer["false_change_in"]["optimiser"]["high"]


def test_the_same_seed_gives_the_same_world():
    assert list(played(World(5, years=2))) == list(played(World(5, years=2)))
