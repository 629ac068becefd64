"""node.toml: read, checked, written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node import config
from node.config import Config, LimitsSection, ListenSection, NodeSection, ParentSection, Publication, RunSection
from node.faults import Code, UserFault
from node.settings import (
    CalendarSection,
    DeadlineSetting,
    GradesSection,
    HttpSection,
    MarkSetting,
    RollUpSection,
    TasksSection,
)
from node.texts import translator
from tests.unit.tiers.kit import builtin_texts
from tiers.catalogue import Catalogue
from tiers.dataset import Cadence, Deadline
from tiers.marking import KINDS

CITY = NodeSection("cn-demo", "c330100.p330000.cn-demo", "city", "330100", "杭州市城市运行管理服务平台")
PARENT = ParentSection("p330000.cn-demo", "parent.example:7443")

titles = st.text(min_size=1, max_size=60).filter(str.isprintable)
addresses = st.one_of(
    st.just(""),
    st.builds("{}:{}".format, st.sampled_from(["0.0.0.0", "[::1]", "node.example"]), st.integers(1, 65_535)),
)
files = st.lists(st.text(min_size=1, max_size=20), max_size=3).map(tuple)


@st.composite
def configs(draw: st.DrawFn) -> Config:
    """Any valid configuration."""
    code = draw(st.from_regex(r"[0-9]{6}", fullmatch=True))
    node = NodeSection("cn-demo", f"c{code}.p330000.cn-demo", "city", code, draw(titles))
    parent = draw(st.sampled_from([PARENT, ParentSection(PARENT.node_id, "10.0.0.1:7443")]))
    listens = st.builds(
        ListenSection,
        exchange=st.just("0.0.0.0:7443"),
        enrolment=st.just("0.0.0.0:7444"),
        advertise_exchange=addresses,
        advertise_enrolment=addresses,
    )
    listen = draw(st.just(ListenSection()) | listens)
    data = config.DataSection(draw(files), draw(files))
    log = config.LogSection(
        draw(st.sampled_from(["debug", "info", "warning", "error"])), files_kept=draw(st.integers(1, 1000))
    )
    limits = LimitsSection(sessions_max=draw(st.integers(1, 4096)))
    run = RunSection(approval=draw(st.sampled_from(["by_hand", "automatic"])))
    names = st.sampled_from(["case.nation", "case.parent", "x_local.all"])
    publications = draw(st.dictionaries(names, st.builds(Publication, st.sampled_from(["default", "all"])), max_size=2))
    http = HttpSection(draw(st.sampled_from(["", "127.0.0.1:8443"])), connections_max=draw(st.integers(1, 4096)))
    rollup = RollUpSection(draw(st.integers(0, 86_400)), draw(files))
    seasons = st.just(CalendarSection()) | st.just(CalendarSection(("09:00-17:00",), "11-01..02-28", ("10:00-16:00",)))
    calendar = replace(draw(seasons), natural_days_roll=draw(st.booleans()))
    free = st.lists(st.sampled_from(["W2.sign", "W9D.*"]), max_size=2).map(tuple)
    numbers = draw(st.integers(0, 12)), draw(st.integers(0, 1_000))
    tasks = TasksSection(draw(st.sampled_from(["by_flow", "all", "off"])), draw(free), *numbers, draw(st.booleans()))
    deadlines = draw(
        st.dictionaries(
            st.sampled_from(["case_stat.daily", "x_heat.monthly"]),
            st.builds(DeadlineSetting, st.integers(0, 9), st.integers(9, 366)),
            max_size=2,
        )
    )
    marks = st.builds(MarkSetting, st.just(KINDS) | st.just(("late",)), st.integers(1, 10_000), st.booleans())
    quality = draw(st.dictionaries(st.sampled_from(["case", "x_local"]), marks, max_size=2))
    return Config(
        node,
        parent,
        listen,
        data,
        log,
        limits,
        run,
        http,
        rollup,
        publications,
        deadlines,
        quality=quality,
        calendar=calendar,
        tasks=tasks,
        grades=GradesSection(draw(st.integers(0, 3_600)), draw(st.integers(1, 365)), 900, draw(st.booleans())),
    )


@given(configs())
def test_what_is_written_reads_back_the_same(written: Config) -> None:
    """render and load are inverse for every configuration."""
    assert config.load("node.toml", config.render(written)) == written


def test_every_setting_stands_under_a_comment_in_two_languages() -> None:
    """Above each key are a Chinese and an English comment."""
    lines = config.render(Config(CITY)).splitlines()
    keys = [i for i, line in enumerate(lines) if " = " in line and not line.startswith("#")]
    assert len(keys) > 15
    for i in keys:
        assert lines[i - 1].startswith("# ")
        assert lines[i - 2].startswith("# ")
        assert any("\u4e00" <= letter <= "\u9fff" for letter in lines[i - 2])


def test_the_least_a_file_must_say() -> None:
    """Only [node] is required, and [parent] where there is one; everything else has a default."""
    text = '[node]\nfederation="f"\nnode_id="n100000.f"\ntier="national"\nregion="100000"\ntitle="t"\n'
    assert config.load("node.toml", text) == Config(NodeSection("f", "n100000.f", "national", "100000", "t"))


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [("[node]\nfederation = cn\n", 2, 14), ('[node]\n\ntitle = "x', 3, 11), ("a = 1\na = 2\n", 2, 6)],
)
def test_a_syntax_error_names_line_and_column(text: str, line: int, column: int) -> None:
    """The place of a syntax error is in the message, also at the end of the file."""
    with pytest.raises(UserFault) as caught:
        config.load("node.toml", text)
    assert caught.value.code is Code.CONFIG_SYNTAX
    assert f"line {line}, column {column}:" in str(caught.value.message)


def test_all_mistakes_come_at_once() -> None:
    """Types, checks, unknown keys, missing keys and relations are told together, each with its key path."""
    text = """
    color = 1
    [node]
    federaton = "x"
    node_id = "Hangzhou"
    tier = "citty"
    region = 330100
    title = ""
    [parent]
    node_id = "p330000.x"
    address = "host"
    [listen]
    exchange = "0.0.0.0:99999"
    [data]
    catalogue = "a.toml"
    [log]
    level = "loud"
    files_kept = true
    [limits]
    sessions_max = 0
    [run]
    time_zone = "Mars/Base"
    [publications]
    "Case.nation" = { filter = "all" }
    case = { filter = "some" }
    """
    with pytest.raises(UserFault) as caught:
        config.load("node.toml", text)
    places = {str(detail).partition(": ")[0] for detail in caught.value.details}
    assert places == {
        "color",
        "node.federaton",
        "node.federation",
        "node.node_id",
        "node.tier",
        "node.region",
        "node.title",
        "parent.address",
        "listen.exchange",
        "data.catalogue",
        "log.level",
        "log.files_kept",
        "limits.sessions_max",
        "run.time_zone",
        'publications."Case.nation"',
        'publications."case".filter',
    }
    assert "did you mean 'federation'" in caught.value.as_text(translator("en"))
    assert "是否想写“federation”" in caught.value.as_text(translator("zh"))


def broken(**changes: str) -> str:
    """A city's file with lines replaced or added."""
    lines = {
        "node_id": "c330100.p330000.cn-demo",
        "tier": "city",
        "region": "330100",
        "parent": "p330000.cn-demo",
        "exchange": "",
        "enrolment": "",
        **changes,
    }
    return (
        f'[node]\nfederation = "cn-demo"\nnode_id = "{lines["node_id"]}"\ntier = "{lines["tier"]}"\n'
        f'region = "{lines["region"]}"\ntitle = "t"\n'
        f'[parent]\nnode_id = "{lines["parent"]}"\naddress = "p:1"\n'
        f'[listen]\nexchange = "{lines["exchange"]}"\nenrolment = "{lines["enrolment"]}"\n'
    )


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"tier": "citty"}, "node.tier"),
        ({"node_id": "c330200.p330000.cn-demo"}, "node.node_id"),
        ({"tier": "national", "region": "100000", "node_id": "n100000.cn-demo"}, "parent"),
        ({"tier": "national", "region": "330100", "node_id": "n330100.cn-demo"}, "node.region"),
        ({"parent": "c330100.p330000.cn-demo"}, "parent.node_id"),
        ({"parent": "p440000.cn-other"}, "parent.node_id"),
        ({"parent": "d330106.p330000.cn-demo"}, "parent.node_id"),
        ({"parent": "n100000.cn-demo"}, "parent.node_id"),
        ({"exchange": "0.0.0.0:1"}, "listen.enrolment"),
        ({"enrolment": "0.0.0.0:1"}, "listen.exchange"),
        ({"exchange": "0.0.0.0:1", "enrolment": "0.0.0.0:1"}, "listen.enrolment"),
    ],
)
def test_settings_must_agree(changes: dict[str, str], place: str) -> None:
    """What the tier profile says of region, node id and parent holds; both listening addresses belong together."""
    with pytest.raises(UserFault) as caught:
        config.load("node.toml", broken(**changes))
    assert place in {str(detail).partition(": ")[0] for detail in caught.value.details}


@pytest.mark.parametrize(
    ("changes", "places"),
    [
        ({"tier": "zz", "region": "7"}, {"node.tier", "node.region"}),
        ({"tier": "zz", "exchange": "0.0.0.0:1"}, {"node.tier", "listen.enrolment"}),
        ({"region": "7", "parent": "c330100.p330000.cn-demo"}, {"node.region", "parent.node_id"}),
        ({"region": "330200", "parent": "nobody"}, {"node.node_id", "parent.node_id"}),
        ({"tier": "national", "region": "100000", "parent": "?"}, {"node.node_id", "parent.node_id", "parent"}),
        ({"node_id": "?", "region": "110100x"}, {"node.node_id", "node.region"}),
    ],
)
def test_a_mistake_hides_only_what_depends_on_it(changes: dict[str, str], places: set[str]) -> None:
    """Relations between settings that are sound are looked at beside a setting that is not."""
    with pytest.raises(UserFault) as caught:
        config.load("node.toml", broken(**changes))
    assert {str(detail).partition(": ")[0] for detail in caught.value.details} == places


@pytest.mark.parametrize(
    ("tier", "node", "region"), [("city", "c330100.p330000", "330100"), ("provincial", "p330000", "330000")]
)
def test_who_is_not_the_topmost_needs_a_parent(tier: str, node: str, region: str) -> None:
    """Without it such a node would publish to nobody, and say nothing of it."""
    text = f'[node]\nfederation="f"\nnode_id="{node}.f"\ntier="{tier}"\nregion="{region}"\ntitle="t"\n'
    with pytest.raises(UserFault) as caught:
        config.load("node.toml", text)
    assert [str(detail).partition(": ")[0] for detail in caught.value.details] == ["parent"]


@pytest.mark.parametrize(
    ("node_id", "region", "parent"),
    [
        ("c310000.cn-demo", "310000", "n100000.cn-demo"),
        ("c654200.c654000.p650000.cn-demo", "654200", "c654000.p650000.cn-demo"),
    ],
)
def test_parents_that_are_above(node_id: str, region: str, parent: str) -> None:
    """A municipality below the nation, whose label stands in no other id; a city below a city."""
    assert config.load("node.toml", broken(node_id=node_id, region=region, parent=parent)).parent is not None


def test_free_ports_may_be_asked_for_twice() -> None:
    """Port 0 means any free port, so both addresses may say it."""
    both = broken(exchange="127.0.0.1:0", enrolment="127.0.0.1:0")
    assert config.load("node.toml", both).listen.exchange == "127.0.0.1:0"


def test_files_that_are_no_configuration(tmp_path: Path) -> None:
    """Missing, not UTF-8, far too large: each has its own words."""
    with pytest.raises(UserFault) as caught:
        config.load_file(tmp_path / "node.toml")
    assert caught.value.code is Code.CONFIG_MISSING
    path = tmp_path / "node.toml"
    path.write_bytes("[node]\ntitle = '杭州'".encode("gb18030"))
    with pytest.raises(UserFault, match="not UTF-8"):
        config.load_file(path)
    path.write_bytes(b"#" * (config.CONFIG_BYTES_MAX + 1))
    with pytest.raises(UserFault, match="larger than"):
        config.load_file(path)
    path.write_text("\ufeff" + config.render(Config(CITY, PARENT)), encoding="utf-8")
    assert config.load_file(path) == Config(CITY, PARENT)


@given(st.text(max_size=80))
def test_any_text_is_told_as_a_fault(text: str) -> None:
    """No text makes load fail in another way (and no short one is a whole configuration)."""
    with pytest.raises(UserFault) as caught:
        config.load("node.toml", text)
    assert caught.value.code in (Code.CONFIG_SYNTAX, Code.CONFIG_INVALID)


@pytest.mark.parametrize("name", ["node", "parent", "listen", "data", "log", "limits", "run", "publications"])
@pytest.mark.parametrize("value", ["1", "[1]", '"x"', "{a=1}", "[[1]]"])
def test_any_section_of_another_shape_is_a_mistake(name: str, value: str) -> None:
    """A section that is no table, or holds strangers, is told by its path."""
    with pytest.raises(UserFault) as caught:
        config.load("node.toml", f"{name} = {value}")
    assert any(str(detail).startswith(name) for detail in caught.value.details)


def test_addresses() -> None:
    """Host names, IPv4 and bracketed IPv6; nothing else."""
    assert config.split_address("[::1]:0") == ("::1", 0)
    assert config.split_address("a-b.c:65535") == ("a-b.c", 65_535)
    for bad in ("a", "a:", ":1", "a:65536", "a:1:2", "a b:1", "::1:5"):
        with pytest.raises(ValueError):
            config.split_address(bad)


def test_overrides_are_a_site_text_of_the_catalogue() -> None:
    """What [publications] says becomes the text that the catalogue reads; 'default' says nothing."""
    chosen = Config(CITY, publications={"case.nation": Publication("all"), "case.parent": Publication()})
    builtin = [(p.name, p.read_text(encoding="utf-8")) for p in sorted(CATALOGUE.glob("*.toml"))]
    built = Catalogue.build(builtin, [("node.toml", config.overrides(chosen))])
    assert built.publications["case.nation"].filter is None
    assert config.overrides(Config(CITY)) == ""


@pytest.mark.parametrize(
    ("section", "told"),
    [
        ('[quality.case]\nkinds = ["odd"]\n', "'odd' is not one of: missing"),
        ("[quality.case]\nper_day = 0\n", "is not between 1 and"),
        ("[quality]\ncase = 3\n", "must be a section"),
        ("[quality.cases]\n", "did you mean 'case'?"),
        ("[quality.quality_issue]\n", "is not known"),
    ],
)
def test_marks_that_cannot_be_are_named(section: str, told: str) -> None:
    """Whether a dataset is there, only the catalogue can say."""
    with pytest.raises(UserFault) as met:
        read = config.load("node.toml", config.render(Config(CITY, PARENT)) + section)
        config.check_marked(read, ["case", "quality_issue"])
    assert met.value.code is Code.CONFIG_INVALID
    assert told in str(met.value.message)


CATALOGUE = Path(__file__).resolve().parents[3] / "tiers" / "catalogue"


def test_deadlines_of_this_node_stand_in_the_place_of_the_declared_ones() -> None:
    """The statistics that are rolled up see them too; others stay as declared."""
    text = '[deadlines."case_stat.daily"]\ndue_days = 2\ncut_off_days = 9\n'
    read = config.load("node.toml", config.render(Config(CITY, PARENT)) + text)
    site = [("node.toml", config.overrides(read))]
    catalogue = Catalogue.build(builtin_texts(), site)
    said = catalogue.datasets["case_stat"].deadlines
    assert said[Cadence.DAILY] == Deadline(2, 9)
    assert said[Cadence.MONTHLY] == Deadline(5, 8)
    assert catalogue.rollups["case_stat"].dataset.deadlines == said


@pytest.mark.parametrize(
    ("name", "values", "told"),
    [
        ("case_stat", "due_days = 1\ncut_off_days = 2", "is not a dataset and a cadence"),
        ("case_stat.daily", "due_days = 3\ncut_off_days = 2", "is before due_days"),
        ("case_stat.daily", "due_days = 3", "is missing"),
    ],
)
def test_a_deadline_that_cannot_be_is_named(name: str, values: str, told: str) -> None:
    text = config.render(Config(CITY, PARENT)) + f'[deadlines."{name}"]\n{values}\n'
    with pytest.raises(UserFault) as met:
        config.load("node.toml", text)
    assert told in str(met.value.both()["en"] if hasattr(met.value, "both") else met.value) + str(met.value.details)


@pytest.mark.parametrize(
    ("section", "places"),
    [
        ('to = "pigeon"', {"notify.duty.to"}),
        ('to = "smtp"', {"notify.duty.server", "notify.duty.sender", "notify.duty.recipients"}),
        ('to = "sms"', {"notify.duty.url", "notify.duty.recipients"}),
        ('to = "template"\nurl = "https://x.example"', {"notify.duty.template"}),
        ('to = "zwdd"\nurl = "http://im.example/send"', {"notify.duty.url"}),
        ('to = "wecom"\nquiet = ["22-7"]\ntell = ["rumours"]', {"notify.duty.quiet", "notify.duty.tell"}),
        (
            'to = "smtp"\nserver = "m.example:25"\nsender = "a"\nrecipients = ["c"]\nuser = "u"\nsecurity = "none"',
            {"notify.duty.security"},
        ),
    ],
)
def test_a_way_of_telling_people_that_cannot_work(section: str, places: set[str]) -> None:
    """Said when the file is read: what is missing, and that a password would be seen by all."""
    with pytest.raises(UserFault) as caught:
        config.load("node.toml", broken() + f"\n[notify.duty]\n{section}\n")
    assert {str(detail).partition(": ")[0] for detail in caught.value.details} == places


def test_ways_of_telling_people_are_read_and_written() -> None:
    """Several by name; nobody needs more than the way itself where a template has its address."""
    text = broken() + '\n[notify.a]\nto = "wecom"\n[notify.b]\nto = "smtp"\nserver = "127.0.0.1:25"\nuser = "u"\n'
    text += 'security = "none"\nsender = "a@b"\nrecipients = ["c@d"]\nquiet = ["c330100.p330000.cn-demo 22:00-07:00"]\n'
    read = config.load("node.toml", text)
    assert set(read.notify) == {"a", "b"}
    assert config.load("node.toml", config.render(read)).notify == read.notify
    with pytest.raises(UserFault):
        config.load("node.toml", broken() + '\n[notify.A]\nto = "wecom"\n')
