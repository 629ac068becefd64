"""Flows as they are declared: the built-in ones, a site's own, limits that a site sets, and mistakes, all at once."""

from __future__ import annotations

from fractions import Fraction

import pytest

from sync.reasons import Reason
from tests.unit.tiers.desks import FLOWS, W2, Desk, fields_for, settle
from tests.unit.tiers.kit import CITY_STANDS, PROVINCE_STANDS, builtin_texts
from tiers.catalogue import Catalogue
from tiers.faults import CatalogueFault
from tiers.flows.clocks import Clock, Limit
from tiers.flows.steps import legal_fault, place_of
from tiers.flows.table import Kind, Party, Role, Stands, StateLimit

SITE = """
[flow.x_visit]
zh = "走访"
en = "Visit"
basis = "proposal"
definition = "A city asks its province for a visit."
definition_zh = "市请省走访。"
issuers = ["city"]
issuer_stands = "below"

[flow.x_visit.field]
day = { zh = "日期", en = "day", kind = "date", within_days = 30 }
heads = { zh = "人数", en = "heads", kind = "integer", least = 1, most = 20 }

[flow.x_visit.field.kind]
zh = "类别"
en = "kind"
kind = "choice"
values = [{ value = "open", zh = "明访", en = "open" }, { value = "secret", zh = "暗访", en = "secret" }]

[flow.x_visit.state]
over = { zh = "完成", en = "over", final = true }

[flow.x_visit.state.asked]
zh = "已申请"
en = "asked"
owner = "holder"
next = "agree"
limit.by = "kind"
limit.of.open = "2 work_day"
limit.of.secret = "0:30 urgent_hour"

[flow.x_visit.state.agreed]
zh = "已同意"
en = "agreed"
owner = "issuer"
next = "done"
limit = { day = "day", otherwise = "1 day" }
stage = "visit"

[flow.x_visit.move]
ask = { zh = "申请", en = "ask", by = "issuer", opens = true, to = "asked", fields = ["title", "kind"] }
again = { zh = "再申请", en = "ask again", by = "issuer", from = ["asked"], fields = ["day"], quiet = true, most = 1 }
done = { zh = "完成", en = "done", by = "issuer", from = ["agreed"], to = "over", guards = ["parts_closed"] }

[flow.x_visit.move.agree]
zh = "同意"
en = "agree"
by = "holder"
from = ["asked"]
to = "agreed"
fields = ["heads"]
role = "approver"

[[flow.x_visit.starts]]
on = "overdue"
after = 2
flow = "W3U"
fields = { title = "@title", request = "@title", urgency = "urgent" }
"""


BUILT_IN = [(name, text) for name, text in builtin_texts() if "\n[flow." in text]


def built(*site: str) -> Catalogue:
    """The built-in flows and a site's texts."""
    return Catalogue.build(BUILT_IN, [("site.toml", text) for text in site])


def mistakes(*site: str) -> str:
    """What is told of them, one a line."""
    with pytest.raises(CatalogueFault) as told:
        built(*site)
    return str(told.value)


def test_the_built_in_flows_are_those_of_the_reference() -> None:
    """Each is a proposal, in both languages, with the moves that every flow has."""
    assert {"W2", "W9D"} <= set(FLOWS)
    for name, flow in FLOWS.items():
        assert (flow.id, flow.is_proposal) == (name, True)
        assert "" not in (flow.definition, flow.definition_zh)
        assert [rule.name for rule in flow.moves[-5:]] == [
            "comment",
            "warned",
            "overdue",
            "restated",
            "passed_over",
        ]
        assert [rule.automatic for rule in flow.moves[-5:]] == [False, True, True, True, True]


def test_a_declaration_is_read_as_it_is_written() -> None:
    """Every key has its place in the table."""
    flow = built(SITE).flows["x_visit"]
    assert (flow.issuers, flow.stands) == ({"city"}, Stands.BELOW)
    over, asked, agreed, _ = flow.states
    assert asked.owner is Party.HOLDER
    assert asked.limit == StateLimit(
        by="kind", of={"open": Limit(Fraction(2), Clock.WORK_DAY), "secret": Limit(Fraction(1, 2), Clock.URGENT_HOUR)}
    )
    assert agreed.limit == StateLimit(day="day", otherwise=Limit(Fraction(1), Clock.DAY))
    assert (agreed.stage, over.final, over.owner) == ("visit", True, None)
    agree, again = flow.rule("agree"), flow.rule("again")
    assert agree is not None
    assert again is not None
    assert (agree.role, again.to, again.most, flow.opening.name) == (Role.APPROVER, "=", 1, "ask")
    heads, kind = flow.field("heads"), flow.field("kind")
    assert heads is not None
    assert kind is not None
    assert (heads.kind, heads.least, heads.most) == (Kind.INTEGER, 1, 20)
    assert [v.value for v in kind.values] == ["open", "secret"]
    assert (flow.starts[0].on, flow.starts[0].after, flow.starts[0].fields["title"]) == ("overdue", 2, "@title")
    assert flow.field("override_reason") is not None


def test_a_move_that_sends_work_back_says_so_and_is_one_that_a_person_makes() -> None:
    """Statistics count it; a note that leads nowhere is none."""
    plain = 'again = { zh = "再申请", en = "ask again", by = "issuer", from = ["asked"],'
    assert plain in SITE
    back = SITE.replace(
        "done = {",
        'back = { zh = "退", en = "back", by = "issuer", from = ["agreed"], to = "asked", returns = true }\ndone = {',
    )
    assert [rule.name for rule in built(back).flows["x_visit"].moves if rule.returns] == ["back"]
    assert "'again' returns: a person makes it" in mistakes(SITE.replace(plain, plain + " returns = true,"))


def test_a_site_s_own_flow_runs_as_any_other() -> None:
    """From the lower side to the upper, judged by the same interpreter."""
    catalogue = built(SITE)
    flow = catalogue.flows["x_visit"]
    issuer, holder = Desk(CITY_STANDS, flow, catalogue), Desk(PROVINCE_STANDS, flow, catalogue)
    issuer.begin(holder.node)
    settle(issuer, holder)
    holder.make("agree")
    settle(issuer, holder)
    issuer.make("done")
    settle(issuer, holder)
    assert (issuer.state(), holder.state()) == ("over", "over")


def test_a_node_that_does_not_know_a_site_s_flow_keeps_its_moves_until_it_does() -> None:
    """Both ends need it; until then its moves are parked, not lost."""
    catalogue = built(SITE)
    flow = catalogue.flows["x_visit"]
    issuer, holder = Desk(CITY_STANDS, flow, catalogue), Desk(PROVINCE_STANDS, flow)
    judged = holder.hear(issuer.begin(holder.node), CITY_STANDS)
    assert judged.reason is Reason.UNKNOWN_FLOW
    assert len(holder.parked) == 1


FIELDS = {
    "day": ("2026-10-21", "2026-10-23", "'day' may lie at most 30 days ahead"),
    "heads": ("20", "21", "'heads' must be from 1 to 20"),
    "kind": ("secret", "other", "'kind' must be one of open, secret"),
}


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_says_what_its_kind_allows(name: str) -> None:
    """Bounds of days, numbers and choices hold wherever the field stands."""
    good, bad, words = FIELDS[name]
    flow = built(SITE).flows["x_visit"]
    issuer = Desk(CITY_STANDS, flow)
    issuer.begin(PROVINCE_STANDS.node)
    place = place_of(flow, issuer.history())
    said = {**fields_for(flow), "day": "2026-10-01"}
    assert legal_fault(flow, place, "again", Party.ISSUER, {**said, name: good}, issuer.now) is None
    fault = legal_fault(flow, place, "again", Party.ISSUER, {**said, name: bad}, issuer.now)
    assert fault is not None
    assert (fault.reason, str(fault.detail)) == (Reason.RULE_BROKEN, words)


@pytest.mark.parametrize("said", ["1_0", "１", "+1", "", "-", "9" * 5_000])
def test_a_whole_number_is_written_one_way(said: str) -> None:
    """Digits, perhaps a minus; nothing else that Python would read."""
    flow = built(SITE).flows["x_visit"]
    issuer = Desk(CITY_STANDS, flow)
    issuer.begin(PROVINCE_STANDS.node)
    place = place_of(flow, issuer.history())
    fault = legal_fault(flow, place, "agree", Party.HOLDER, {"heads": said}, 0)
    assert fault is not None
    assert fault.reason is (Reason.RULE_BROKEN if said else Reason.MISSING_FIELD)


def test_a_site_sets_limits_of_built_in_flows() -> None:
    """Limits are defaults; all else of a built-in flow stays as it is."""
    flow = built('[override.W2.limit]\nissued = "4 work_hour"\n').flows["W2"]
    assert flow.state("issued").limit == StateLimit(otherwise=Limit(Fraction(4), Clock.WORK_HOUR))
    assert flow.state("registered") == W2.state("registered")
    told = mistakes('[override.W2]\nmoves = 1\nlimit.gone = "4 work_day"\n')
    assert "'gone' is no state of W2" in told
    assert "override.W2.moves: is not known here" in told
    for said in ("4.5 work_day", "0 day", "1 moon", "1.001 work_hour", "work_day", "-1 day"):
        assert f"'{said}' is no limit" in mistakes(f'[override.W2.limit]\nissued = "{said}"\n')


MANY = """
[flow.W2]
zh = "x"
[flow.x_a]
zh = "x"
en = "x"
basis = "law"
definition = "x"
definition_zh = "x"
issuers = ["town"]
issuer_stands = "beside"
colour = "red"
[flow.x_a.field]
level = { zh = "x", en = "x", kind = "choice" }
heads = { zh = "x", en = "x", kind = "integer", least = 5, most = 2, within_days = 3 }
files = { zh = "x", en = "x" }
[flow.x_a.state]
open.zh = "x"
open.en = "x"
open.owner = "nobody"
open.next = "go"
open.limit = { by = "level", of = { "1" = "3 moon" }, otherwise = 3, some = "1 day" }
"Bad Name" = { zh = "x", en = "x", final = true }
[flow.x_a.move]
comment = { zh = "x", en = "x", by = "issuer", opens = true, to = "open" }
go = { zh = "x", en = "x", by = "third", guards = ["luck"] }
[[flow.x_a.starts]]
on = "go"
"""


def test_every_mistake_of_a_flow_is_told_at_once() -> None:
    """Each with its place."""
    told = mistakes(MANY)
    for words in (
        "flow.W2: 'W2' is no id of a flow: a site's begins with 'x_'",
        "flow.W2: flow 'W2' is declared twice",
        "flow.x_a.basis: must be one of proposal, confirmed",
        "flow.x_a.issuers: 'town' is none of national, provincial, city, district",
        "flow.x_a.issuer_stands: must be one of above, below, either",
        "flow.x_a.colour: is not known here",
        "flow.x_a.field.level.values: are those of a choice, each once",
        "flow.x_a.field.heads.most: is above least, of an integer",
        "flow.x_a.field.heads.within_days: is a bound of a date",
        "flow.x_a.field.files: 'files' is a field that every flow has",
        "flow.x_a.state.open.owner: must be one of issuer, holder",
        "flow.x_a.state.open.limit.of: '3 moon' is no limit",
        "flow.x_a.state.open.limit.otherwise: '3' is no limit",
        "flow.x_a.state.open.limit.some: is not known here",
        "'Bad Name' is not an identifier",
        "flow.x_a.move.comment: 'comment' is a move that every flow has",
        "flow.x_a.move.go.by: must be one of issuer, holder",
        "flow.x_a.move.go.from: is missing",
        "flow.x_a.move.go.guards: 'luck' is none of parts_closed, in_time",
        "flow.x_a.starts[0].flow: is missing",
        "flow.x_a.starts[0].fields: is missing",
    ):
        assert words in told, words


BROKEN: dict[str, tuple[str, str, str]] = {
    "a flow that issuers may not issue": ('flow = "W3U"', 'flow = "W2"', "starts 'W2', which not all issuers of this"),
    "a field that the other has not": (
        'flow = "W3U"',
        'flow = "W10"',
        "starts 'W10' with 'request', which is no field",
    ),
    "no such flow": ('flow = "W3U"', 'flow = "W99"', "starts 'W99', which is no flow"),
    "less than it must say": (', urgency = "urgent"', "", "starts 'W3U' without saying 'urgency'"),
    "no such choice": ('"urgent" }', '"soon" }', "starts 'W3U' with 'soon', which is no value of 'urgency'"),
    "other choices": ('"urgent" }', '"@kind" }', "starts 'W3U' with '@kind', which is no value of 'urgency'"),
    "a text as a choice": ('"urgent" }', '"@title" }', "starts 'W3U' with '@title', which is no value of 'urgency'"),
    "an id as a choice": ('"urgent" }', '"@task" }', "starts 'W3U' with '@task', which is no value of 'urgency'"),
    "no day": (
        'flow = "W3U"\nfields = {',
        'flow = "x_visit"\nfields = { kind = "open", day = "soon",',
        "starts 'x_visit' with 'soon', which is no value of 'day'",
    ),
    "what is said later": (
        'request = "@title"',
        'request = "@heads"',
        "with '@heads', which may not have been said by",
    ),
    "no field of the flow": (
        'request = "@title"',
        'request = "@luck"',
        "'request' by '@luck', which is no field of the",
    ),
    "itself": (
        'flow = "W3U"\nfields = { title = "@title", request = "@title", urgency = "urgent" }',
        'flow = "x_visit"\nfields = { title = "@title", kind = "open" }',
        "starts a flow by which in the end it is started again",
    ),
    "after more of what is not counted": ('on = "overdue"', 'on = "agree"', "after 2: only of 'overdue' is counted"),
    "a move that nobody makes": ('role = "approver"', "automatic = true", "agree.automatic: is for moves that the"),
    "a draft that is the holder's": (
        'next = "agree"',
        'next = "agree"\ndraft = true',
        "'asked' is a draft: the holder",
    ),
    "a stage that stands still": (
        'stage = "visit"',
        'stage = "x"\nsuspends = true',
        "'agreed' stops the clock of a stage",
    ),
    "a stage of two limits": (
        'limit.of.secret = "0:30 urgent_hour"',
        'limit.of.secret = "0:30 urgent_hour"\nstage = "visit"',
        "states 'asked' and 'agreed' share a stage, and not its owner and limit",
    ),
    "a choice without its limit": ('limit.of.open = "2 work_day"\n', "", "'asked' may be reached without its limit"),
    "a day that may not be said": (', otherwise = "1 day" }', " }", "'agreed' may be reached without its limit"),
    "a next move of the other side": (
        'next = "done"',
        'next = "agree"',
        "'agreed': 'agree' is no move by which its owner",
    ),
    "a next move that stays": ('next = "agree"', 'next = "again"', "'asked': 'again' is no move by which its owner"),
    "a next move that is used up": (
        'guards = ["parts_closed"]',
        'guards = ["parts_closed"], most = 1',
        "'agreed': 'done' may be used up or too late",
    ),
    "a next move that may be late": ('["parts_closed"]', '["in_time"]', "'agreed': 'done' may be used up or too late"),
    "a way out of the end": ('["agreed"], to = "over"', '["over"], to = "agreed"', "'over' is final, and a move leads"),
    "an opening of the holder's": (
        'by = "issuer", opens',
        'by = "holder", opens',
        "'ask' opens a task: it is the issuer's",
    ),
    "an opening that leads nowhere": (
        'opens = true, to = "asked"',
        "opens = true",
        "'ask' opens a task: it is the issuer's",
    ),
    "from nowhere": ('from = ["asked"], fields', 'from = ["lost"], fields', "move 'again' names no state: 'lost'"),
    "a field of the program's": (
        "[flow.x_visit.field]",
        '[flow.x_visit.field]\noverride_reason = { zh = "x", en = "x" }',
        "field 'override_reason' stands twice",
    ),
    "a note that returns a task": (
        "most = 1 }",
        "most = 1, returns = true }",
        "move 'again' returns: a person makes it",
    ),
    "an end with a limit": (
        "final = true }",
        'final = true, limit = "1 day" }',
        "state 'over' is final: it has no owner",
    ),
    "an end with a next move": (
        "final = true }",
        'final = true, next = "done" }',
        "state 'over' is final: it has no owner",
    ),
    "no limit": (
        'limit = { day = "day", otherwise = "1 day" }\n',
        "",
        "'agreed' needs an owner, a limit and a next move",
    ),
    "no next move": ('next = "done"\n', "", "'agreed' needs an owner, a limit and a next move"),
    "a next move from elsewhere": (
        'next = "done"',
        'next = "ask"',
        "'agreed': 'ask' is no move by which its owner leads",
    ),
    "a next move that its owner may not make": (
        'owner = "holder"\nnext = "agree"',
        'owner = "issuer"\nnext = "agree"',
        "'asked': 'agree' is no move by which its owner leads it on",
    ),
    "a draft with a move of the holder's": (
        'owner = "holder"\nnext = "agree"',
        'owner = "issuer"\ndraft = true\nnext = "agree"',
        "'asked' is a draft: the holder",
    ),
    "a draft that the holder answers for": (
        'owner = "issuer"\nnext = "done"',
        'owner = "holder"\ndraft = true\nnext = "done"',
        "'agreed' is a draft: the holder",
    ),
    "a limit by what is no choice": ('limit.by = "kind"', 'limit.by = "heads"', "needs both, 'by' and 'of'"),
    "limits of values of nothing": ('limit.by = "kind"\n', "", "needs both, 'by' and 'of'"),
    "a limit by values without limits": (
        'limit.of.open = "2 work_day"\nlimit.of.secret = "0:30 urgent_hour"',
        'limit.otherwise = "1 day"',
        "needs both, 'by' and 'of'",
    ),
    "a choice that need not be said": ('["title", "kind"]', '["title"]', "'asked' may be reached without its limit"),
    "a day that is no field": ('day = "day", o', 'day = "when", o', "'agreed': 'when' is no field that says a date"),
    "a day that is a number": ('day = "day", o', 'day = "heads", o', "'agreed': 'heads' is no field that says a date"),
    "nowhere to": ('to = "agreed"', 'to = "granted"', "move 'agree' names no state: 'granted'"),
    "nothing from": (
        'from = ["asked"]\nto',
        "from = []\nto",
        "agree.from: must be an array of texts that is not empty",
    ),
    "two that open": (
        'by = "holder"\nfrom = ["asked"]',
        'by = "issuer"\nopens = true',
        "one move, and one only, must open",
    ),
    "a limit on another clock": ('"2 work_day"', '"2 weeks"', "'2 weeks' is no limit such as '3 work_day'"),
    "a title that is missing": ('zh = "同意"\n', "", "move.agree.zh: is missing"),
    "a field that is not declared": (
        'fields = ["heads"]',
        'fields = ["hats"]',
        "'agree' must say 'hats', which is no field",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_each_mistake_of_a_flow_has_its_words(case: str) -> None:
    """The flow itself is sound; with one thing changed it is refused, and what is told names the place."""
    before, after, words = BROKEN[case]
    assert SITE.count(before) == 1, "the case is about one place"
    assert words in mistakes(SITE.replace(before, after))


def test_flows_do_not_start_each_other_in_a_circle() -> None:
    """One overdue task would make another for ever."""
    other = SITE.replace("x_visit", "x_again")
    fields = ('request = "@title", urgency = "urgent"', 'kind = "open"')
    told = mistakes(
        SITE.replace('"W3U"', '"x_again"').replace(*fields), other.replace('"W3U"', '"x_visit"').replace(*fields)
    )
    assert told.count("there would be no end of tasks") == 2
    assert built(SITE.replace('"W3U"', '"x_again"').replace(*fields), other)
