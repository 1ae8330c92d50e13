"""What is to be done so that a server has what is declared: on plain values, applied to a server that is one too."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.core.deployments.changes import (
    AddSchedule,
    Change,
    ChangeSchedule,
    Create,
    Difference,
    Kind,
    Leave,
    RemoveSchedule,
    Retire,
    Update,
    UpdateAutomation,
)
from orchestration.core.deployments.reconcile import (
    Undeclared,
    differences,
    reconcile,
    reconcile_automation,
    reconcile_pools,
)
from orchestration.core.deployments.values import (
    Automation,
    Declared,
    Found,
    FoundSchedule,
    Pool,
    Properties,
    Schedule,
)
from orchestration.core.errors import ConfigurationError

TAGS = ("aqi", "aqi-environment:default")
HOURLY, WEEKLY = Schedule("0 * * * *", "UTC"), Schedule("30 3 * * 0", "Asia/Ho_Chi_Minh")


def properties(**values: Any) -> Properties:
    given = {"entrypoint": "flows.one", "description": "", "tags": TAGS, "parameters": {}, "parameter_schema": {}}
    return Properties(**{**given, "pool": "aqi", **values})


def declared(name: str = "aqi-one", flow: str = "materialize", /, **values: Any) -> Declared:
    schedules = values.pop("schedules", {})
    return Declared(flow, name, properties(**values), schedules)


def found(item: Declared, *schedules: FoundSchedule, **values: Any) -> Found:
    return Found(f"id of {item.name}", item.flow, item.name, item.properties, schedules, **values)


def there(slug: str | None, schedule: Schedule, *, active: bool = True, number: int = 1) -> FoundSchedule:
    return FoundSchedule(f"{slug}-{number}", slug, active, schedule)


def lines(*changes: Change) -> list[str]:
    return [str(change) for change in changes]


def test_what_is_not_there_is_created_with_its_schedules() -> None:
    item = declared(schedules={"hourly": HOURLY, "weekly": WEEKLY})
    [change] = reconcile([item], [], TAGS)
    assert isinstance(change, Create)
    assert change.declared is item
    assert str(change) == (
        "create materialize/aqi-one: schedule hourly (0 * * * * UTC), weekly (30 3 * * 0 Asia/Ho_Chi_Minh)"
    )
    assert lines(*reconcile([declared()], [], TAGS)) == ["create materialize/aqi-one"]


def test_what_differs_is_updated_and_told_from_old_to_new() -> None:
    before = found(declared(parameters={"a": 1, "b": {"c": [1], "d": 2}}, description="Old.", limit=1))
    after = declared(parameters={"b": {"c": [1, 2], "d": 2}, "e": True}, description="New.")
    [change] = reconcile([after], [before], TAGS)
    assert isinstance(change, Update)
    assert (change.kind, change.id, change.declared) == (Kind.UPDATE, before.id, after)
    assert str(change) == (
        "update materialize/aqi-one: description 'Old.' → 'New.'; parameters.b.c [1] → [1, 2]; "
        "parameters.e nothing → True; parameters.a 1 → nothing; limit 1 → nothing"
    )
    assert change.to_json()["fields"][0] == {"field": "description", "old": "Old.", "new": "New."}


def test_true_is_not_1_and_nothing_is_not_null() -> None:
    assert list(differences({"a": 1, "b": None}, {"a": True})) == [
        Difference("a", 1, True),
        Difference("b", None, None),
    ]
    assert list(differences({"a": {}}, {"a": None})) == [Difference("a", {}, None)]


@pytest.mark.parametrize("paused", [True, False])
@pytest.mark.parametrize("active", [True, False])
def test_what_an_operator_switched_off_stays_off(active: bool, paused: bool) -> None:
    """No change says anything of ``paused`` or ``active``: there is none where only they could differ."""
    item = declared(schedules={"hourly": HOURLY})
    assert reconcile([item], [found(item, there("hourly", HOURLY, active=active), paused=paused)], TAGS) == ()
    [change] = reconcile([item], [found(item, there("hourly", WEEKLY, active=active), paused=paused)], TAGS)
    assert isinstance(change, ChangeSchedule)
    assert (change.kind, change.there.id, change.schedule) == (Kind.CHANGE_SCHEDULE, "hourly-1", HOURLY)


def test_schedules_that_are_not_declared_go_first() -> None:
    item = declared(schedules={"hourly": HOURLY, "new": WEEKLY})
    before = found(
        item,
        there(None, HOURLY),
        there("other", HOURLY),
        there("hourly", HOURLY, number=1),
        there("hourly", HOURLY, number=2),
    )
    changes = reconcile([item], [before], TAGS)
    assert lines(*changes) == [
        "remove schedule materialize/aqi-one (without a slug): 0 * * * * UTC",
        "remove schedule materialize/aqi-one hourly: 0 * * * * UTC",
        "remove schedule materialize/aqi-one other: 0 * * * * UTC",
        "add schedule materialize/aqi-one new: 30 3 * * 0 Asia/Ho_Chi_Minh",
    ]
    assert [change.there.id if isinstance(change, RemoveSchedule) else "" for change in changes] == [
        "None-1",
        "hourly-2",
        "other-1",
        "",
    ]


def test_parameters_of_a_schedule_are_taken_away() -> None:
    item = declared(schedules={"hourly": HOURLY})
    [change] = reconcile([item], [found(item, there("hourly", replace(HOURLY, parameters={"force": True})))], TAGS)
    assert str(change) == "change schedule materialize/aqi-one hourly: parameters.force True → nothing"


def test_only_what_carries_our_tags_is_retired() -> None:
    """And only where that is asked for; without, it is told; where deployments are named, not even that."""
    other, bare = declared("aqi-other"), declared("aqi-bare", tags=())
    dev, moved = declared("aqi-dev", tags=("aqi", "aqi-environment:dev")), declared("aqi-one", "maintenance")
    server = [found(item) for item in (declared(), other, bare, dev, moved)]
    assert lines(*reconcile([declared()], server, TAGS, Undeclared.IGNORE)) == [
        "leave maintenance/aqi-one: no longer declared, --all --prune retires it",  # it would do the same work again
    ]
    assert lines(*reconcile([declared()], server, TAGS, Undeclared.LEAVE)) == [
        "leave maintenance/aqi-one: no longer declared, --all --prune retires it",
        "leave materialize/aqi-other: no longer declared, --all --prune retires it",
    ]
    retired = reconcile([declared()], server, TAGS, Undeclared.RETIRE)
    assert [(change.kind, change.there.id) for change in retired if isinstance(change, Retire | Leave)] == [
        (Kind.RETIRE, "id of aqi-one"),
        (Kind.RETIRE, "id of aqi-other"),
    ]
    assert len(retired) == 2


def test_one_of_another_environment_is_not_taken_over() -> None:
    theirs = found(declared(tags=("aqi", "aqi-environment:dev")))
    with pytest.raises(ConfigurationError) as caught:
        reconcile([declared()], [theirs], TAGS)
    assert caught.value.message == "the server's materialize/aqi-one belongs to the environment 'dev'"
    made_by_hand = found(declared(tags=("mine",)))
    assert lines(*reconcile([declared()], [made_by_hand], TAGS)) == [
        "update materialize/aqi-one: tags ['mine'] → ['aqi', 'aqi-environment:default']"
    ]


def test_pools() -> None:
    wanted = [Pool("new", 2, True), Pool("bare"), Pool("less", 1, True), Pool("free", None, True), Pool("theirs")]
    changes = reconcile_pools(wanted, {"less": 5, "free": 3, "theirs": 7, "unknown": 1})
    assert lines(*changes) == [
        "create pool bare",
        "change pool free: limit 3 → nothing",
        "change pool less: limit 5 → 1",
        "create pool new: limit nothing → 2",
    ]
    assert reconcile_pools(wanted, {"new": 2, "bare": 9, "less": 1, "free": None, "theirs": None}) == ()


def test_an_automation_is_made_once_and_what_is_not_declared_of_it_stays() -> None:
    """The server adds keys of its own, and keeps sets in an order of its own."""
    wanted = Automation("rule", {"trigger": {"within": 90.0, "expect": ["a", "b"]}, "actions": [{"type": "x"}]})
    there = {
        "trigger": {"id": "7", "within": 90.0, "expect": ["b", "a"]},
        "actions": [{"type": "x", "force": False}],
        "enabled": False,
    }
    assert lines(*reconcile_automation(wanted, {})) == ["create automation rule"]
    assert reconcile_automation(wanted, {"id": there}) == ()
    other = {**there, "trigger": {"within": 30.0, "expect": ["a"]}, "actions": []}
    [change] = reconcile_automation(wanted, {"id": other})
    assert isinstance(change, UpdateAutomation)
    assert (change.id, change.automation) == ("id", wanted)
    assert str(change) == (
        "update automation rule: trigger.within 30.0 → 90.0; trigger.expect ['a'] → ['a', 'b']; "
        "actions [] → [{'type': 'x'}]"
    )


# --- any server, any declaration -------------------------------------------------------------------

slugs = st.sampled_from(["hourly", "weekly", "other"])
times = st.sampled_from([HOURLY, WEEKLY, Schedule("", None), replace(HOURLY, parameters={"force": True})])
values = st.builds(
    properties,
    description=st.sampled_from(["", "Text."]),
    parameters=st.dictionaries(st.sampled_from("abc"), st.sampled_from([1, True, "x", None, {"d": 1}, {}]), max_size=2),
    limit=st.sampled_from([None, 1]),
    tags=st.sampled_from([TAGS, ("mine",)]),
)
names = st.tuples(st.sampled_from(["materialize", "backfill"]), st.sampled_from(["aqi-a", "aqi-b", "aqi-c"]))
wishes = st.dictionaries(
    names, st.tuples(values.map(lambda it: replace(it, tags=TAGS)), st.dictionaries(slugs, times, max_size=2))
).map(lambda items: [Declared(*key, *item) for key, item in items.items()])
schedules_there = st.lists(st.tuples(st.none() | slugs, st.booleans(), times), max_size=4).map(
    lambda items: tuple(FoundSchedule(str(number), *item) for number, item in enumerate(items))
)
servers = st.dictionaries(names, st.tuples(values, schedules_there, st.booleans())).map(
    lambda items: [Found("/".join(key), *key, *item) for key, item in items.items()]
)


def made(server: list[Found], changes: tuple[Change, ...]) -> list[Found]:
    """A server after the changes, one after the other, as the API makes them."""
    state = {item.id: item for item in server}

    def without(of: Found, gone: FoundSchedule) -> tuple[FoundSchedule, ...]:
        return tuple(one for one in state[of.id].schedules if one.id != gone.id)

    for number, change in enumerate(changes):
        match change:
            case Create(wanted):
                fresh = tuple(there(slug, one, number=number) for slug, one in wanted.schedules.items())
                state[change.name] = Found(change.name, wanted.flow, wanted.name, wanted.properties, fresh)
            case Update(id, wanted):
                state[id] = replace(state[id], properties=wanted.properties)
            case Retire(gone):
                del state[gone.id]
            case RemoveSchedule(of, old):
                state[of.id] = replace(state[of.id], schedules=without(of, old))
            case AddSchedule(of, slug, schedule):
                more = (*state[of.id].schedules, there(slug, schedule, number=number))
                state[of.id] = replace(state[of.id], schedules=more)
            case ChangeSchedule(of, old, schedule):
                [now] = [one for one in state[of.id].schedules if one.id == old.id]
                kept = (*without(of, old), replace(now, schedule=schedule))
                state[of.id] = replace(state[of.id], schedules=kept)
            case _:
                assert isinstance(change, Leave)
    return list(state.values())


@given(wishes, servers, st.sampled_from(Undeclared))
def test_once_made_nothing_is_left_to_do(wanted: list[Declared], server: list[Found], rest: Undeclared) -> None:
    """And the server has exactly what is declared, with `paused` and `active` as they were."""
    after = made(server, reconcile(wanted, server, TAGS, rest))
    left = reconcile(wanted, after, TAGS, rest)
    assert {change.kind for change in left} <= {Kind.LEAVE}
    now, before = {item.key: item for item in after}, {item.key: item for item in server}
    for item in wanted:
        assert now[item.key].properties == item.properties
        assert {(one.slug, one.schedule.cron) for one in now[item.key].schedules} == {
            (slug, one.cron) for slug, one in item.schedules.items()
        }
        assert len(now[item.key].schedules) == len(item.schedules)
        if item.key in before:
            assert now[item.key].paused == before[item.key].paused
            states = {one.id: one.active for one in before[item.key].schedules}
            assert all(one.active == states.get(one.id, True) for one in now[item.key].schedules)
    theirs = [item for item in server if not set(TAGS) <= set(item.properties.tags)]
    assert all(now[item.key] == item for item in theirs if item.key not in {wish.key for wish in wanted})


@given(wishes, servers)
def test_one_that_is_named_is_all_that_changes(wanted: list[Declared], server: list[Found]) -> None:
    for item in wanted[:1]:
        changes = reconcile([item], server, TAGS)
        done = {change.name for change in changes if change.kind is not Kind.LEAVE}
        assert done <= {f"{item.flow}/{item.name}"}
