"""`aqi lineage ASSET --partitions DAY --locations A`: what one partition was made from, to the kept answers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from orchestration.core.partitions.keys import NULL_KEY, PartitionKey, PartitionSet
from orchestration.core.runs.journal import Attempt, RunEntry, RunState
from orchestration.core.runs.outcome import Outcome, Problem
from orchestration.core.state.partition_record import Answer, PartitionRecord, Question
from orchestration.core.state.provenance import Provenance
from orchestration.core.state.versions import Equal
from orchestration.reports.lineage.words.partition import hours_in_words
from resources.storage.journal import Journal
from tests.support.cli_calls import DAILY, EPISODE, Aqi
from tests.support.raw_bronze import ALL_HOURS, BRONZE, PM25, RawBronze, ago, key
from tests.support.recorded_columns import HOURLY, SILVER

DAY, BEFORE = key("2025-08-18"), key("2025-08-17")
ONE = "--partitions asks what one partition was made from"
RUN, AT = "run-9", "2025-08-19T07:00:00Z"
ASKED = Question("open_meteo", "auto", ("pm2_5", "us_aqi"), 21.0278, 105.8342)


class Audited(RawBronze):
    """Two days at a location, made from two answers; and what was made of them."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.keep(ago(1.5), "2025-08-17", {})
        self.first, self.second = (self.keep(ago(days), "2025-08-18", {}, run_id=f"run-{days}") for days in (1, 0.5))
        owners = (Answer(ago(1), "d1", hours=ALL_HOURS - 1, question=ASKED.id), Answer(ago(0.5), "d2", True, 1))
        bronze = {DAY: replace(self.made(BRONZE, DAY, {}), answers=owners, as_of=ago(0.5), question=ASKED.id)}
        bronze[BEFORE] = replace(self.made(BRONZE, BEFORE, {}), answers=(Answer(ago(1.5), "d0"),))
        self.put(BRONZE, bronze, {ASKED.id: ASKED})
        for asset, of in ((SILVER, BRONZE), (HOURLY, SILVER), (DAILY, HOURLY)):
            self.put(asset, {one: self.made(asset, one, {of: {str(one): f"{of} {one}"}}) for one in (DAY, BEFORE)})
        run = {HOURLY: {str(one): f"{HOURLY} {one}" for one in (BEFORE, DAY)} | {"2025-08-19/hanoi": "absent"}}
        self.put(EPISODE, {DAY: self.made(EPISODE, DAY, run)})
        self.put("gold.dim_time", {NULL_KEY: self.made("gold.dim_time", NULL_KEY, {})})

    def made(self, asset: str, of: PartitionKey, inputs: Mapping[str, Mapping[str, str]]) -> PartitionRecord:
        current, declared = self.workspace.current(), self.workspace.catalog[asset]
        code = current.code(declared, of.location)
        return PartitionRecord(24, f"{asset} {of}", inputs, code, current.contracts[asset])

    def put(
        self,
        asset: str,
        records: Mapping[PartitionKey, PartitionRecord],
        questions: Mapping[str, Question] | None = None,
        run_id: str = RUN,
    ) -> None:
        declared, warehouse = self.workspace.catalog[asset], self.workspace.warehouse
        warehouse.create(declared, self.workspace.contracts[asset])
        said = Provenance(run_id, asset, AT, records, PartitionSet.empty(), questions=questions or {})
        warehouse.record(declared, said)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Audited:
    return Audited(tmp_path_factory.mktemp("audited") / "lake")


@pytest.fixture
def copied(made: Audited, tmp_path: Path) -> Audited:
    """To be changed."""
    shutil.copytree(made.folder, tmp_path / "lake")
    copy = Audited.__new__(Audited)
    RawBronze.__init__(copy, tmp_path / "lake")
    return copy


Ask = Callable[..., Any]


@pytest.fixture
def ask(aqi: Aqi) -> Ask:
    def audit(lake: RawBronze, *call: str) -> Any:
        options = call or (DAILY, "--partitions", "2025-08-18", "--locations", "hanoi")
        return aqi.json("lineage", *options, AQI_WAREHOUSE__URI=str(lake.folder))

    return audit


def test_from_the_partition_to_the_answers_in_words(aqi: Aqi, made: Audited) -> None:
    call = ("lineage", DAILY, "--partitions", "2025-08-18", "--locations", "hanoi")
    paragraphs = aqi.text(*call, AQI_WAREHOUSE__URI=str(made.folder)).split("\n\n")
    assert [paragraph.split("  ")[0] for paragraph in paragraphs] == [
        f"{asset} 2025-08-18 × hanoi" for asset in (DAILY, HOURLY, SILVER, BRONZE)
    ]
    head, *lines = paragraphs[0].splitlines()
    assert head.endswith("  fresh")
    assert lines[0] == f"  made  {AT} by run {RUN}, version 1 of the table"
    assert lines[1] == f"  rows  24, fingerprint {DAILY} {DAY}"
    assert "(as today's); contract " in lines[2]
    assert lines[3] == f"  from  {HOURLY} 2025-08-18 × hanoi: as it is still ({HOURLY} {DAY})"
    bronze = paragraphs[-1].splitlines()
    assert bronze[4] == f"  from  open_meteo, asked at {ago(1)}: owns 23 rows (01–23), digest d1"
    assert bronze[5].startswith(f"          kept in _aqi/raw/{BRONZE}/2025-08-19/{made.first}, SHA-256 ")
    assert bronze[6] == "          asked for 2 variables at 21.0278, 105.8342, auto"
    assert bronze[7] == f"        open_meteo, asked at {ago(0.5)}, forced: owns 1 row (00), digest d2"


def test_as_json_with_every_fact(ask: Ask, made: Audited) -> None:
    found = ask(made)
    assert (found["format"], found["asset"], found["partition"]) == (1, DAILY, "2025-08-18/hanoi")
    assert [hop["asset"] for hop in found["hops"]] == [DAILY, HOURLY, SILVER, BRONZE]
    (day,) = found["hops"][0]["partitions"]
    assert (day["state"], day["run_id"], day["at"], day["version"]) == ("fresh", RUN, AT, 1)
    assert day["reads"] == [
        {
            "asset": HOURLY,
            "partition": str(DAY),
            "fingerprint": f"{HOURLY} {DAY}",
            "now": f"{HOURLY} {DAY}",
            "still_that": True,
        }
    ]
    (sent,) = found["hops"][-1]["partitions"]
    first, second = sent["answers"]
    assert (first["asked"], first["digest"], first["hours"]) == (ago(1), "d1", list(range(1, 24)))
    assert first["kept"]["path"] == f"_aqi/raw/{BRONZE}/2025-08-19/{made.first}"
    assert (made.folder / first["kept"]["path"]).is_file()
    assert first["kept"]["run_id"] == "run-1"
    assert (second["forced"], second["hours"]) == (True, [0])
    assert first["question"] == {
        "id": ASKED.id,
        "source": "open_meteo",
        "domain": "auto",
        "variables": ["pm2_5", "us_aqi"],
        "latitude": 21.0278,
        "longitude": 105.8342,
    }


@pytest.mark.parametrize(
    ("recorded", "asked"), [("cams_global", "auto"), ("domains=cams_europe", "cams_europe"), ("auto", "auto")]
)
def test_a_domain_is_told_as_it_was_asked_for(aqi: Aqi, ask: Ask, copied: Audited, recorded: str, asked: str) -> None:
    """Records of before a domain was sent have the name of one that was not."""
    question = replace(ASKED, domain=recorded)
    bronze = replace(copied.made(BRONZE, DAY, {}), answers=(Answer(ago(1), "d1"),), question=question.id)
    copied.put(BRONZE, {DAY: bronze}, {question.id: question})
    call = (BRONZE, "--partitions", "2025-08-18", "--locations", "hanoi")
    assert f"at 21.0278, 105.8342, {asked}\n" in aqi.text("lineage", *call, AQI_WAREHOUSE__URI=str(copied.folder))
    (sent,) = ask(copied, *call)["hops"][-1]["partitions"]
    assert (sent["question"]["id"], sent["question"]["domain"]) == (question.id, asked)
    assert sent["answers"][0]["question"]["domain"] == asked


def test_a_run_of_days_is_told_as_one_and_in_json_day_by_day(aqi: Aqi, ask: Ask, made: Audited) -> None:
    call = (EPISODE, "--partitions", "2025-08-18", "--locations", "hanoi")
    text = aqi.text("lineage", *call, AQI_WAREHOUSE__URI=str(made.folder))
    assert f"from  {HOURLY} 2025-08-17..2025-08-19 × hanoi: as it is still, 1 of them absent" in text
    assert (
        f"{HOURLY} 2025-08-17, 2025-08-18 × hanoi" in text or f"{HOURLY} 2025-08-17..2025-08-18 × hanoi  fresh" in text
    )
    assert f"{HOURLY} 2025-08-19 × hanoi  nothing is recorded of it" in text
    assert "rows  48, 2 fingerprints" in text
    hourly = ask(made, *call)["hops"][1]
    assert [one["partition"] for one in hourly["partitions"]] == [str(BEFORE), str(DAY)]
    assert hourly["not_recorded"] == ["2025-08-19/hanoi"]


def test_an_acceptance_stands_beside_the_run_that_wrote_the_rows(aqi: Aqi, ask: Ask, copied: Audited) -> None:
    """`aqi accept` writes no rows: they stay those of the run that wrote them."""
    declared, warehouse = copied.workspace.catalog[DAILY], copied.workspace.warehouse
    before = {DAY: replace(copied.made(DAILY, DAY, {}), code="2:earlier:settings")}
    copied.put(DAILY, before)
    today = copied.workspace.current().code(declared, DAY.location)
    equal = (Equal(DAILY, None, "2:earlier:settings", today),)
    warehouse.record(declared, Provenance("run-10", DAILY, "2025-08-20T05:00:00Z", {}, equal=equal))
    call = ("lineage", DAILY, "--partitions", "2025-08-18", "--locations", "hanoi")
    words = aqi.text(*call, AQI_WAREHOUSE__URI=str(copied.folder))
    assert f"made  {AT} by run {RUN}, version " in words
    assert "code  2:earlier:settings (as today's: accepted 2025-08-20T05:00:00Z by run run-10); contract" in words
    (told,) = ask(copied)["hops"][0]["partitions"]
    assert (told["run_id"], told["accepted"]) == (RUN, {"run_id": "run-10", "at": "2025-08-20T05:00:00Z"})


def test_what_changed_since_is_named(aqi: Aqi, ask: Ask, copied: Audited) -> None:
    other = replace(copied.made(HOURLY, DAY, {SILVER: {str(DAY): f"{SILVER} {DAY}"}}), fingerprint="other")
    copied.put(HOURLY, {DAY: other}, run_id="run-10")
    (day,) = ask(copied)["hops"][0]["partitions"]
    assert (day["state"], day["reads"][0]["now"], day["reads"][0]["still_that"]) == ("stale", "other", False)
    call = ("lineage", DAILY, "--partitions", "2025-08-18", "--locations", "hanoi")
    text = aqi.text(*call, AQI_WAREHOUSE__URI=str(copied.folder))
    assert f"from  {HOURLY} 2025-08-18 × hanoi: it has changed since" in text
    assert f"{DAY}: was {HOURLY} {DAY}, is other" in text
    assert "by run run-10, version 2 of the table" in text


def test_an_answer_that_is_gone_or_packed(aqi: Aqi, ask: Ask, copied: Audited) -> None:
    copied.raw.pack(BRONZE, date(2025, 8, 20))
    (sent,) = ask(copied)["hops"][-1]["partitions"]
    paths = [one["kept"]["path"] for one in sent["answers"]]
    assert [path.rpartition("/")[2] for path in paths] == [file.name for file in copied.raw.all(BRONZE).files][1:]
    packs = {path.rpartition("/")[0] for path in paths}
    assert all((copied.folder / pack).is_file() for pack in packs), "the path of a pack, and the name in it"
    copied.raw.remove(file for file in copied.raw.all(BRONZE).files if file.asked == ago(1))
    (sent,) = ask(copied)["hops"][-1]["partitions"]
    assert [one["kept"] is None for one in sent["answers"]] == [True, False]
    call = ("lineage", BRONZE, "--partitions", "2025-08-18", "--locations", "hanoi")
    assert "          it is gone\n" in aqi.text(*call, AQI_WAREHOUSE__URI=str(copied.folder))


def test_answers_of_one_moment_are_told_apart_by_what_they_say(ask: Ask, tmp_path: Path) -> None:
    lake = RawBronze(tmp_path / "lake")
    for run, value in (("run-1", 1.0), ("run-2", 2.0)):
        lake.keep(ago(1), values={(3, PM25): value}, run_id=run)
    source = lake.workspace.sources["open_meteo"]
    (digest,) = [
        sent.digests[date(2025, 8, 18)]
        for file in lake.raw.all(BRONZE).files
        if file.run_id == "run-2"
        for raw in [lake.raw.read(file)]
        for sent in source.read(raw.request, raw.body, file.asked_at)
    ]
    lake.commit({DAY: PartitionRecord(24, "f", {}, "code", "contract", answers=(Answer(ago(1), digest),))})
    (sent,) = ask(lake, BRONZE, "--partitions", "2025-08-18", "--locations", "hanoi")["hops"][0]["partitions"]
    assert sent["answers"][0]["kept"]["run_id"] == "run-2"


def test_a_table_without_partitions_needs_none(aqi: Aqi, ask: Ask, made: Audited) -> None:
    found = ask(made, "gold.dim_time", "--partitions", "null")
    assert [(hop["asset"], hop["partitions"][0]["partition"]) for hop in found["hops"]] == [("gold.dim_time", "null")]
    text = aqi.text("lineage", "gold.dim_time", AQI_WAREHOUSE__URI=str(made.folder))
    assert f"\n\ngold.dim_time  fresh\n  made  {AT} by run {RUN}" in text
    asked = aqi("lineage", "gold.dim_time", "--partitions", "2025-08-18", AQI_WAREHOUSE__URI=str(made.folder))
    assert asked.exit_code == 2
    assert "gold.dim_time has no partitions" in asked.stderr


@pytest.mark.parametrize(
    ("call", "place", "remedy"),
    [
        (("*", "--partitions", "2025-08-18"), f"{ONE}, and 10 assets are selected", "Name one asset"),
        ((DAILY, "--partitions", "2025-08-18"), f"{ONE}, and these are 3 (", "Name one day and one location"),
        ((DAILY, "--partitions", "2025-08-17..2025-08-18", "--locations", "hanoi"), f"{ONE}, and these are 2", "Name"),
        ((DAILY, "--partitions", "null"), f"{DAILY} has partitions: say which", "Add --partitions"),
        ((DAILY, "--partitions", "2025-08-18", "--locations", "hanoy"), "location 'hanoy' is unknown", "Did you mean"),
        ((DAILY, "--partitions", "2025-13"), "there is no month 2025-13", ""),
    ],
)  # fmt: skip
def test_not_one_partition(aqi: Aqi, call: tuple[str, ...], place: str, remedy: str) -> None:
    told = aqi.refusal("lineage", *call)
    assert told[0].startswith(place)
    assert told[1].startswith(remedy)


def test_a_partition_that_was_never_made(aqi: Aqi, made: Audited) -> None:
    done = aqi(
        "lineage", DAILY, "--partitions", "2025-08-18", "--locations", "hcmc", AQI_WAREHOUSE__URI=str(made.folder)
    )
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == (
        f"error: nothing is recorded of {DAILY} 2025-08-18/hcmc: never made\n"
        f"  aqi materialize '+{DAILY}' --partitions 2025-08-18 --locations hcmc\n"
    )


def test_a_partition_that_was_never_made_because_it_failed(aqi: Aqi, made: Audited) -> None:
    where = PartitionSet.from_keys([PartitionKey(date(2025, 8, 18), "hcmc")])
    attempt = Attempt(problems=(Problem(Outcome.FAILED, where, "no answer"),), planned=where)
    entry = RunEntry("run-8", "it", AT, AT, RunState.FAILED, seconds=9.0, attempts={DAILY: attempt})
    Journal(str(made.folder)).write(entry)
    call = ("lineage", DAILY, "--partitions", "2025-08-18", "--locations", "hcmc")
    done = aqi(*call, AQI_WAREHOUSE__URI=str(made.folder))
    assert (done.exit_code, done.stdout) == (2, "")
    assert f"never made; the last attempt (run run-8, {AT}) failed: no answer" in done.stderr


def test_a_month_of_answers_is_told_short(aqi: Aqi, tmp_path: Path) -> None:
    """An hour each: the first ones by name, of the others how many there are and how many are gone."""
    lake = RawBronze(tmp_path / "lake")
    owners = tuple(Answer(ago(1 - hour / 24), f"d{hour}", hours=1 << hour) for hour in range(12))
    lake.keep(ago(1), "2025-08-18")
    lake.commit({DAY: PartitionRecord(12, "f", {}, "code", "contract", answers=owners)})
    call = ("lineage", BRONZE, "--partitions", "2025-08-18", "--locations", "hanoi")
    text = aqi.text(*call, AQI_WAREHOUSE__URI=str(lake.folder))
    assert text.count("owns 1 row") == 5
    assert "… and 7 more answers, 7 of them gone (all of them: --format json)" in text
    (sent,) = json.loads(aqi.text(*call, "--json", AQI_WAREHOUSE__URI=str(lake.folder)))["hops"][0]["partitions"]
    assert len(sent["answers"]) == 12


@pytest.mark.parametrize(
    ("mask", "words"), [(0b1, "00"), (0b111, "00–02"), (0b1011, "00–01, 03"), (ALL_HOURS, "00–23"), (0, "")]
)
def test_hours_in_words(mask: int, words: str) -> None:
    assert hours_in_words(mask) == words


def test_a_day_is_enough_where_one_location_is_configured(aqi: Aqi, made: Audited) -> None:
    one = aqi.folder / "one.yml"
    where = {
        "key": "hanoi",
        "name": "Hà Nội",
        "latitude": 21.0278,
        "longitude": 105.8342,
        "timezone": "Asia/Ho_Chi_Minh",
    }
    one.write_text(json.dumps({"locations": [where]}), encoding="utf-8")
    call = ("lineage", DAILY, "--partitions", str(DAY.day), "--profile", str(one))
    assert f"{DAILY} {DAY.day} × hanoi" in aqi.text(*call, AQI_WAREHOUSE__URI=str(made.folder))
