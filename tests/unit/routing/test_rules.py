import pytest

from talkwire.kernel.ids import SkillId
from talkwire.routing.errors import RuleInvalid
from talkwire.routing.rules import Condition, Operator, RoutingRule, canonical_field, checked, choose_skill

BERLIN, VIP = SkillId("1"), SkillId("2")


def rule(field: str, *values: str, operator: Operator = Operator.IS, skill: SkillId = BERLIN) -> RoutingRule:
    condition = Condition(field, operator, values)
    return checked([RoutingRule(f"{field} {operator} {values}", skill, (condition,))])[0]


def profile(**info: object) -> dict[str, object]:
    return {"authenticatedData": {"lp_sdes": [{"type": "ctmrinfo", "info": info}]}}


def test_the_first_rule_that_holds_decides() -> None:
    rules = [rule("companyBranch", "Berlin"), rule("ctype", "vip", skill=VIP)]
    assert choose_skill(rules, profile(ctype="vip")) == VIP
    assert choose_skill(rules, profile(ctype="vip", companyBranch="berlin ")) == BERLIN
    assert choose_skill(rules, profile(ctype="other")) is None
    assert choose_skill(rules, None) is None


def test_all_conditions_of_a_rule_must_hold() -> None:
    both = RoutingRule(
        "both", VIP, (Condition("ctype", values=("vip",)), Condition("personal.gender", values=("FEMALE",)))
    )
    rules = checked([both])
    sdes = [
        {"type": "ctmrinfo", "info": {"ctype": "VIP"}},
        {"type": "personal", "personal": {"gender": "female"}},
    ]
    assert choose_skill(rules, {"authenticatedData": {"lp_sdes": sdes}}) == VIP
    assert choose_skill(rules, {"authenticatedData": {"lp_sdes": sdes[:1]}}) is None


def test_a_rule_that_is_off_decides_nothing() -> None:
    off = RoutingRule("off", VIP, (Condition("ctype", values=("vip",)),), enabled=False)
    assert choose_skill(checked([off]), profile(ctype="vip")) is None


def test_what_the_brand_said_counts_before_what_the_consumer_says() -> None:
    claimed = {
        **profile(ctype="vip"),
        "claims": {"lp_sdes": [{"type": "ctmrinfo", "info": {"ctype": "new"}}]},
    }
    assert choose_skill([rule("ctype", "vip")], claimed) is None
    assert choose_skill([rule("ctype", "new")], claimed) == BERLIN


@pytest.mark.parametrize(
    ("operator", "value", "wanted", "holds"),
    [
        (Operator.IS, 5, "5", True),
        (Operator.IS, True, "true", True),
        (Operator.IS_NOT, "a", "b", True),
        (Operator.IS_NOT, "A", "a", False),
        (Operator.IS_NOT, None, "a", True),
        (Operator.STARTS_WITH, "DE-10", "de-", True),
        (Operator.STARTS_WITH, "10-DE", "de-", False),
        (Operator.CONTAINS, "north-east", "east", True),
        (Operator.AT_LEAST, "1000", "1000", True),
        (Operator.AT_LEAST, 999.9, "1000", False),
        (Operator.AT_MOST, 10, "9", False),
        (Operator.AT_MOST, "much", "9", False),
        (Operator.IS, {"odd": 1}, "a", False),
    ],
)
def test_conditions_compare_texts_and_numbers(
    operator: Operator, value: object, wanted: str, holds: bool
) -> None:
    found = choose_skill([rule("balance", wanted, operator=operator)], profile(balance=value))
    assert (found == BERLIN) is holds


def test_a_field_that_is_set_is_one_that_says_something() -> None:
    rules = [rule("customerId", operator=Operator.IS_SET)]
    assert choose_skill(rules, profile(customerId="c")) == BERLIN
    assert choose_skill(rules, profile(customerId="")) is None


def test_lists_are_gone_through_and_odd_sdes_passed_over() -> None:
    sdes = [
        {"type": "personal", "personal": {"contacts": [{"email": "a@b.example"}, {"email": "c@d.example"}]}},
        {"type": "personal", "personal": "?"},
        {"type": "ctmrinfo", "info": []},
        "?",
    ]
    known = {"authenticatedData": {"lp_sdes": sdes}, "claims": {"lp_sdes": "?"}}
    assert choose_skill([rule("contacts.email", "c@d.example")], known) == BERLIN


def test_fields_have_short_and_full_names() -> None:
    for name in ("companyBranch", "ctmrinfo.companyBranch", "ctmrinfo.info.companyBranch"):
        assert canonical_field(name) == "ctmrinfo.info.companyBranch"
    assert canonical_field("personal.gender") == "personal.personal.gender"
    with pytest.raises(RuleInvalid):
        canonical_field("cart.total")


@pytest.mark.parametrize(
    "bad",
    [
        RoutingRule(" ", BERLIN, (Condition("ctype", values=("a",)),)),
        RoutingRule("no conditions", BERLIN, ()),
        RoutingRule("no values", BERLIN, (Condition("ctype"),)),
        RoutingRule("values for is set", BERLIN, (Condition("ctype", Operator.IS_SET, ("a",)),)),
        RoutingRule("no number", BERLIN, (Condition("ctype", Operator.AT_MOST, ("a",)),)),
        RoutingRule("empty", BERLIN, (Condition("ctype", values=("",)),)),
    ],
)
def test_rules_that_make_no_sense_are_refused(bad: RoutingRule) -> None:
    with pytest.raises(RuleInvalid):
        checked([bad])


def test_two_rules_of_one_name_and_too_many_are_refused() -> None:
    one = RoutingRule("one", BERLIN, (Condition("ctype", values=("a",)),))
    with pytest.raises(RuleInvalid):
        checked([one, one])
    with pytest.raises(RuleInvalid):
        checked([RoutingRule(str(n), BERLIN, one.conditions) for n in range(201)])
