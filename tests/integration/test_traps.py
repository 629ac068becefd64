"""The traps of the domain, each with its tests: which those are, and those that stand nowhere else."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from cryptography.x509 import Certificate

from certs import files
from certs.authority import issue_leaf
from certs.files import HomeFiles
from node.clock import SystemClock, SystemRandomness
from node.demo.reader import catalogue_of, fsck
from node.testing import Member, Topology
from node.testing.topology import THREE, Place
from node.timekeeper import Timekeeper
from tests.integration.filled import Filler
from tests.integration.kit import COLUMNS, cases, node_of, put, run
from tests.integration.test_bad_papers import authority
from tests.integration.test_rollups import StoodClock
from tiers.dataset import Dataset

TESTS = Path(__file__).resolve().parents[1]

STORIES = "scenarios/test_conversations.py::"
TRAPS: dict[str, tuple[str, ...]] = {
    "1 one class number means different things in two cities": (
        "integration/test_traps.py::test_one_class_number_of_two_cities_stays_two",
        "unit/tiers/test_judging.py::test_a_city_s_own_code_table_is_not_checked",
    ),
    "2 a code is used again for another place": (
        "unit/tiers/test_divisions.py::test_a_code_that_was_used_again_names_another_place",
        "unit/tiers/test_division_scopes.py::test_a_code_given_to_a_place_of_another_city_is_its_from_then_on",
    ),
    "3 a district was merged while its link was down": (
        "integration/test_traps.py::test_late_records_with_the_code_of_a_merged_district",
        "unit/tiers/test_judging.py::test_scope_holds_on_the_row_s_business_date",
    ),
    "4 the corps lies inside Xinjiang's prefix": (
        "unit/tiers/test_divisions.py::test_neither_xinjiang_nor_the_corps_has_the_other_in_its_scope",
        "unit/tiers/test_profile.py::test_neither_xinjiang_nor_the_corps_may_carry_the_other",
    ),
    "5 municipalities have no prefectures, counties may stand under a province": (
        "unit/tiers/test_divisions.py::test_municipalities_have_counties_and_no_prefectures",
        "unit/tiers/test_divisions.py::test_counties_right_below_a_province_are_these",
        "integration/test_places.py::test_a_city_writes_of_its_own_places_alone",
    ),
    "6 a city sends to two parents": (
        "integration/test_traps.py::test_a_case_that_comes_by_two_feeds_counts_once",
        "scenarios/test_conversations.py::test_a_row_in_two_feeds_arrives_in_either_order",
    ),
    "7 working days and urgent hours over a long holiday with worked weekends": (
        "unit/tiers/test_clocks.py::test_limits_over_long_holidays_and_year_ends",
        "unit/tiers/test_clocks.py::test_the_same_limit_ends_by_the_issuer_s_own_calendar",
        "unit/tiers/test_clocks.py::test_beyond_the_lists_a_limit_is_provisional",
        "property/test_tiers_clocks.py::test_urgent_hours_ask_no_calendar",
    ),
    "8 a case is closed at the county and reopened by the city's check": (
        "integration/test_four_tiers.py::test_key_work_and_a_case_go_from_the_nation_to_a_county_and_back",
    ),
    "9 a statistic is corrected after it was final": (
        "property/test_tiers_rolling.py::test_a_closed_period_changes_by_corrections_only",
    ),
    "10 of a task handed on to fifteen cities one part is withdrawn and one overdue": (
        "unit/tiers/test_flows_bundle.py::test_trap_10_sub_assigned_to_fifteen_cities_one_withdrawn_one_overdue",
    ),
    "11 the issuer extends while the holder submits": (
        "unit/tiers/test_flows_paths.py::test_trap_11_the_issuer_extends_while_the_target_submits",
    ),
    "12 a telephone number in the text": (
        "integration/test_personal.py::test_a_phone_number_in_a_summary_is_masked_above_and_kept_at_the_city",
        "integration/test_held_back.py::test_held_back_columns_of_real_records_are_nowhere_above_their_city",
    ),
    "12 a telephone number in a picture": (
        "unit/attachments/test_pictures.py::test_a_phone_number_and_a_place_are_gone_and_the_pixels_stay",
        "unit/attachments/test_service.py::test_a_picture_is_kept_clean_whoever_brings_it",
        "integration/test_attachments.py::test_a_picture_is_fetched_by_the_nation_and_nothing_of_its_metadata_is_above",
    ),
    "13 grid codes of 14, 15 and 16 characters": (
        "integration/test_traps.py::test_grid_codes_of_every_length_in_use_arrive_as_they_are",
    ),
    "14 a restored parent asks for what it had acknowledged": (
        f"{STORIES}test_a_restored_province_between_a_parent_and_a_child_that_hold_different_lengths",
        f"{STORIES}test_receipts_count_again_after_the_receiver_was_rolled_back",
    ),
    "15 a city's clock is ten minutes fast": (
        "unit/tiers/test_flows_counted.py::test_a_clock_that_is_fast_gains_nothing",
        "property/test_tiers_flows.py::test_the_time_that_counts_lies_between_what_was_known_and_when_it_was_decided",
    ),
    "16 the indicator system changes in mid-filling": (
        "integration/test_traps.py::test_what_was_filled_in_by_the_old_indicators_stays_beside_the_new",
        "integration/test_traps.py::test_a_cycle_keeps_the_indicators_that_it_was_opened_with",
        "integration/test_evaluation.py::test_a_cycle_goes_by_one_release_and_cites_its_data",
    ),
    "17 rows outside their scope": (
        "integration/test_bad_rows.py::test_rows_of_a_city_gone_bad_meet_their_fates_one_by_one",
    ),
    "18 no cases and no report are not the same": (
        "property/test_tiers_rolling.py::test_a_missing_part_is_never_zero",
        "property/test_tiers_rolling.py::test_a_part_with_none_counts_as_zero",
    ),
    "19 a certificate runs out while the link is cut": (
        "integration/test_traps.py::test_no_task_is_lost_though_its_holder_s_certificate_ran_out_meanwhile",
        "integration/test_bad_papers.py::test_a_node_whose_certificate_has_run_out_says_so_and_works_on",
        "integration/test_bad_papers.py::test_a_session_ends_with_its_certificate",
    ),
    "20 a small cell identifies a person": (
        "property/test_tiers_rolling.py::test_no_small_cell_follows_from_the_others",
        "unit/tiers/test_rollup.py::test_a_withheld_cell_is_neither_zero_nor_without_data",
    ),
}


@pytest.mark.parametrize("trap", TRAPS)
def test_every_trap_has_its_tests(trap: str) -> None:
    """Those that are named are there: who renames one finds it here."""
    for name in TRAPS[trap]:
        path, _, function = name.partition("::")
        tree = ast.parse((TESTS / path).read_text("utf-8"))
        assert function in {one.name for one in tree.body if isinstance(one, ast.FunctionDef)}, name


CITIES = (*THREE, Place("second", "city", "330200", "宁波市平台", "province"))


def test_one_class_number_of_two_cities_stays_two(tmp_path: Path) -> None:
    """Trap 1: each city's code stands with the table it is from, at both tiers above."""

    async def work() -> None:
        async with Topology(tmp_path, CITIES) as net:
            columns = (*COLUMNS, "class_scheme", "class_version", "class_code")
            for name, region in (("city", "330106"), ("second", "330203")):
                rows = [
                    (*row, f"local:{region[:4]}00", 1, "0110") for row in cases(1, division=region, supervised=True)
                ]
                await put(net[name], rows, columns)
            await net.level()
            for name in ("province", "nation"):
                asked = ("class_scheme", "class_code")
                _, rows = await (await net[name].client()).query("case", columns=asked)
                assert sorted(rows) == [("local:330100", "0110"), ("local:330200", "0110")]

    run(work())


def test_late_records_with_the_code_of_a_merged_district(tmp_path: Path) -> None:
    """Trap 3: 下城区 (330103) went into others in 2021. Records from before come in late, while the province is away,
    beside records of the heir, and arrive with the code they were born with."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            city, then = net["city"], 1_590_000_000_000_000
            await net["province"].stop()
            await put(city, [(*row[:5], then, *row[6:]) for row in cases(2, division="330103")])
            await put(city, cases(1, first=9, division="330105"))
            await net["province"].start()
            await net.level()
            _, rows = await (await net["province"].client()).query("case", columns=("division",))
            assert sorted(row[0] for row in rows) == ["330103", "330103", "330105"]
            await net.stop()
            assert all(fsck(member).sound for member in net.members.values())

    run(work())


def test_a_case_that_comes_by_two_feeds_counts_once(tmp_path: Path) -> None:
    """Trap 6: a municipality's cases go to its parent and to the nation, which are one; a total counts each case once,
    and what ends ends in both."""

    async def work() -> None:
        places = (THREE[0], Place("city", "city", "310000", "上海市平台", "nation"))
        async with Topology(tmp_path, places) as net:
            city, nation = net["city"], net["nation"]
            await put(city, cases(4, division="310101", supervised=True))
            await net.level()
            feeds = {f["publication"] for f in (await nation.status())["feeds"] if f["rows"]}
            assert {"case.parent", "case.nation"} <= feeds
            _, rows = await (await nation.client()).query("case", columns=("case_id",))
            assert len(rows) == len(set(rows)) == 4
            await city.put("case", (), [], voids=[(rows[0][0],)])
            await net.level()
            assert len((await (await nation.client()).query("case"))[1]) == 3

    run(work())


def test_grid_codes_of_every_length_in_use_arrive_as_they_are(tmp_path: Path) -> None:
    """Trap 13: 14 to 18 characters, leading zeros and letters too; the length is no rule."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            grids = ["33010600100101", "330106001001001", "3301060010010001", "33010600100100001", "0A0106001001000001"]
            rows = [(*row, grid) for row, grid in zip(cases(len(grids)), grids, strict=True)]
            await put(net["city"], rows, (*COLUMNS, "grid_code"))
            await net.level()
            _, found = await (await net["province"].client()).query("case", columns=("grid_code",))
            assert [row[0] for row in found] == grids

    run(work())


def test_what_was_filled_in_by_the_old_indicators_stays_beside_the_new(tmp_path: Path) -> None:
    """Trap 16: the system's version is part of the key: no figure of one takes the place of one of the other."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            city = net["city"]
            dataset = _submissions(net)
            names = dataset.schema.names
            (old,) = Filler(city.node, "330100").rows(dataset, 1)
            at = names.index("version")
            new = (*old[:at], int(str(old[at])) + 1, *old[at + 1 :])
            for row in (old, new):
                result = await city.put(dataset.id, names, [row])
                assert result.accepted == 1, list(result.rejected)
            await net.level()
            for name in ("province", "nation"):
                _, rows = await (await net[name].client()).query(dataset.id, columns=("version",))
                assert len({row[0] for row in rows}) == 2

    run(work())


def _submissions(net: Topology) -> Dataset:
    return catalogue_of(net["city"]).datasets["eval_submission"]


INDICATORS = (
    "system",
    "version",
    "code",
    "name",
    "level",
    "dimension",
    "method",
    "basic",
    "evidence_required",
)


def test_a_cycle_keeps_the_indicators_that_it_was_opened_with(tmp_path: Path) -> None:
    """Trap 16 for tasks: the system gets a new version while the city fills in, out of reach. Its cycle goes on by the
    old one, the new one is a cycle of its own, and neither takes anything from the other."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            nation, city = net["nation"], net["city"]
            await _indicators(nation, 1, "道路清扫保洁达标率")
            await _open(nation, city, 1)
            await _value(net, 1)
            await net.level()
            await net["province"].stop()
            await _indicators(nation, 2, "道路清扫保洁优良率")
            await _open(nation, city, 2)
            await _fill_in(city, 1)
            await net["province"].start()
            await _value(net, 2)
            await net.level()
            await _fill_in(city, 2)
            await city.command("task.move", task="cycle-1", move="assess", fields={"self_score": "4.5"})
            await net.level()
            for member in (nation, city):
                for version, state in ((1, "assessed"), (2, "filled")):
                    shown = await member.command("task.show", task=f"cycle-{version}")
                    assert (shown["state"], shown["pending_moves"]) == (state, [])
                    assert shown["moves"][0]["fields"]["version"] == str(version)
                    assert all(move["accepted"] for move in shown["moves"])
                for dataset in ("eval_indicator", "eval_submission"):
                    _, rows = await (await member.client()).query(dataset, columns=("version",))
                    assert sorted(rows) == [(1,), (2,)]

    run(work())


async def _indicators(nation: Member, version: int, name: str) -> None:
    row = ("management", version, "A0101", name, 3, "clean", "report", True, True)
    assert (await nation.put("eval_indicator", INDICATORS, [row])).accepted == 1


async def _open(nation: Member, city: Member, version: int) -> None:
    fields = {"title": "年度评价", "system": "management", "version": str(version), "period": "2026", "indicators": "A"}
    wish = {"flow": "W6", "task": f"cycle-{version}", "move": "open", "holder": city.node, "fields": fields}
    await nation.command("task.move", **wish)


async def _value(net: Topology, version: int) -> None:
    dataset = _submissions(net)
    (row,) = Filler(net["city"].node, "330100").rows(dataset, 1)
    at = dataset.schema.names.index("version")
    row = (*row[:at], version, *row[at + 1 :])
    assert (await net["city"].put(dataset.id, dataset.schema.names, [row])).accepted == 1


async def _fill_in(city: Member, version: int) -> None:
    fields = {"values": "A0101=96.4", "data_position": "eval_submission"}
    await city.command("task.move", task=f"cycle-{version}", move="fill", fields=fields)


def test_no_task_is_lost_though_its_holder_s_certificate_ran_out_meanwhile(tmp_path: Path) -> None:
    """Trap 19: a week without a link, in which the holder's certificate ends. Both sides go on, each for itself; with a
    new certificate what both did is one history, what crossed included, and the task comes to its end."""

    async def work() -> None:
        async with Topology(tmp_path) as net:
            province, city = net["province"], net["city"]
            for task in ("kept", "crossed"):
                await _supervise(province, city, task)
            await net.level()
            for task in ("kept", "crossed"):
                await city.command("task.move", task=task, move="sign")
            await net.level()
            await city.stop()
            good = _let_run_out(city, province)
            await city.start()
            await city.until(lambda s: s["parent_link"]["detail"].startswith("CERTIFICATE_EXPIRED"))
            for task in ("kept", "crossed"):
                reply = {"task": task, "move": "reply", "fields": {"result": "已整改"}}
                assert (await city.command("task.move", **reply))["pending_moves"] == ["reply"]
            await _supervise(province, city, "new")
            await province.command("task.move", task="crossed", move="withdraw", fields={"reason": "重复"})
            node = node_of(province)
            node.clock = StoodClock(node.clock.now_us() + WEEK_US)
            assert ("kept", "overdue") in await Timekeeper(node).look()
            await city.stop()
            files.save_certificates(HomeFiles(city.home).leaf, *good)
            await city.start()
            await net.level()
            assert await _same(net, "kept") == (["register", "issue", "sign", "overdue", "reply"], "replied")
            assert await _same(net, "crossed") == (["register", "issue", "sign", "withdraw", "(reply)"], "withdrawn")
            await province.command("task.move", task="kept", move="close")
            await city.command("task.move", task="new", move="sign")
            await net.level()
            assert (await _same(net, "kept"))[1] == "closed"
            assert (await _same(net, "new"))[1] == "signed"

    run(work())


WEEK_US = 7 * 86_400_000_000


async def _supervise(province: Member, city: Member, task: str) -> None:
    said = (("register", {"title": "路面破损"}), ("issue", {"requirement": "修复", "level": "1"}))
    for move, fields in said:
        await province.command("task.move", flow="W2", task=task, move=move, holder=city.node, fields=fields)


def _let_run_out(city: Member, by: Member) -> list[Certificate]:
    """The city's certificate ended a minute ago; the one that it had."""
    paths, issuer, now = HomeFiles(city.home), authority(by), SystemClock().now_us()
    key, good = files.load_private_key(paths.transport_key), files.load_certificates(paths.leaf)
    began = now - 86_460_000_000
    old = issue_leaf(issuer, city.node, key.public_key(), began, SystemRandomness().bytes(16), days=1)
    files.save_certificates(paths.leaf, old, *issuer.issuers)
    return list(good)


async def _same(net: Topology, task: str) -> tuple[list[str], str]:
    """The moves of a task, refused ones in brackets, and its state: the same at both ends, with nothing pending."""
    ours, theirs = [await net[name].command("task.show", task=task) for name in ("province", "city")]
    assert ours["moves"] == theirs["moves"]
    assert theirs["pending_moves"] == []
    told = [move["move"] if move["accepted"] else f"({move['move']})" for move in ours["moves"]]
    return told, ours["state"]
