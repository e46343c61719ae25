import msgspec
import pytest

from talkwire.identity import rules
from talkwire.identity.errors import AgentNotAllowed, ConsumerProfileNotAllowed
from talkwire.identity.model import Privilege
from talkwire.identity.users import BUILT_IN_PROFILES, AgentChange, AgentUser
from talkwire.kernel.ids import AccountId, ParticipantId

PROFILES = {profile.name: profile for profile in BUILT_IN_PROFILES}
USER = AgentUser(AccountId("1"), ParticipantId("p"), "77", "ann@brand")


@pytest.mark.parametrize("profile", PROFILES)
def test_no_profile_may_send_files_from_the_start(profile: str) -> None:
    assert not {Privilege.SEND_FILES, Privilege.SEND_FILES_FROM_WIDGETS} & PROFILES[profile].privileges


def test_a_user_may_what_its_profile_may_and_what_it_was_granted() -> None:
    bot = msgspec.structs.replace(USER, profile="bot", granted=frozenset({Privilege.SEND_FILES}))
    assert rules.privileges_of(bot, PROFILES) == PROFILES["bot"].privileges | {Privilege.SEND_FILES}
    assert rules.privileges_of(msgspec.structs.replace(USER, profile="gone"), PROFILES) == frozenset()


@pytest.mark.parametrize("name", ["", " ann", "ann\n", "a" * 257])
def test_a_login_name_that_nobody_could_type_is_refused(name: str) -> None:
    with pytest.raises(AgentNotAllowed):
        rules.check_user(msgspec.structs.replace(USER, login_name=name), PROFILES)


def test_a_user_needs_a_profile_a_capacity_and_short_names() -> None:
    rules.check_user(msgspec.structs.replace(USER, max_conversations=0), PROFILES)
    for change in (
        AgentChange(profile="boss"),
        AgentChange(max_conversations=-1),
        AgentChange(max_conversations=10_001),
        AgentChange(nickname="n" * 2049),
    ):
        with pytest.raises(AgentNotAllowed):
            rules.check_user(change.applied_to(USER), PROFILES)


@pytest.mark.parametrize(("length", "allowed"), [(7, False), (8, True), (1024, True), (1025, False)])
def test_a_password_has_eight_to_a_thousand_characters(length: int, allowed: bool) -> None:
    if allowed:
        rules.check_password("x" * length)
    else:
        with pytest.raises(AgentNotAllowed):
            rules.check_password("x" * length)


def test_an_agent_is_found_by_each_of_its_ids() -> None:
    assert rules.bare_id(AccountId("1"), "1.77") == "77"
    assert rules.bare_id(AccountId("1"), "77") == "77"
    assert rules.bare_id(AccountId("1"), "a-b") == "a-b"
    assert rules.bare_id(AccountId("1"), "2.77") == "2.77"
    assert USER.old_id == "1.77"
    assert USER.shown_name == "ann@brand"


@pytest.mark.parametrize(
    ("now", "used", "expires", "ended"),
    [(99, 0, 1000, False), (100, 0, 1000, True), (100, 1, 1000, False), (1000, 999, 1000, True)],
)
def test_a_session_ends_by_rest_or_by_age(now: int, used: int, expires: int, ended: bool) -> None:
    assert rules.is_ended(now, used, expires, 100) is ended


def test_losing_a_right_ends_what_one_does_and_gaining_one_does_not() -> None:
    granted = msgspec.structs.replace(USER, granted=frozenset({Privilege.SEND_FILES}))
    assert rules.may_less(granted, USER, PROFILES)
    assert not rules.may_less(USER, granted, PROFILES)
    assert rules.may_less(USER, msgspec.structs.replace(USER, enabled=False), PROFILES)
    assert not rules.may_less(USER, msgspec.structs.replace(USER, nickname="A"), PROFILES)


def test_a_customer_is_the_same_consumer_each_time_and_in_no_other_brand() -> None:
    first = rules.consumer_id_of(AccountId("1"), "iss", "customer")
    assert first == rules.consumer_id_of(AccountId("1"), "iss", "customer")
    assert len(first) == 64
    assert set(first) <= set("0123456789abcdef")
    others = {
        rules.consumer_id_of(AccountId("2"), "iss", "customer"),
        rules.consumer_id_of(AccountId("1"), "is", "scustomer"),
        rules.consumer_id_of(AccountId("1"), "", "isscustomer"),
    }
    assert len(others | {first}) == 4


def test_a_profile_is_merged_member_by_member() -> None:
    stored = {"firstName": "A", "lastName": "B", "privateData": {"email": "a@b", "mobileNum": "1"}}
    sent = {"firstName": "C", "lastName": None, "privateData": {"email": None, "mail": "c@d"}, "unknown": 1}
    assert rules.merged_profile(stored, sent) == {
        "firstName": "C",
        "privateData": {"mobileNum": "1", "mail": "c@d"},
    }
    assert rules.merged_profile(stored, {}) == stored


def test_a_consumer_can_neither_be_another_nor_vouch_for_itself() -> None:
    assert rules.merged_profile({}, {"userId": "other", "claims": {"iss": "bank"}}) == {}


def test_a_single_engagement_attribute_may_stand_bare() -> None:
    """Source: docs/protocol.md 4.2."""
    one, two = {"type": "personal"}, {"type": "ctmrinfo"}
    merged = rules.merged_profile({}, {"authenticatedData": {"lp_sdes": one}})
    assert merged == {"authenticatedData": {"lp_sdes": [one]}}
    merged = rules.merged_profile(merged, {"authenticatedData": {"lp_sdes": two}})
    assert merged == {"authenticatedData": {"lp_sdes": [two]}}


@pytest.mark.parametrize("sdes", ["text", 7, [1], [[{"type": "personal"}]]])
def test_engagement_attributes_are_a_list_of_objects(sdes: object) -> None:
    with pytest.raises(ConsumerProfileNotAllowed):
        rules.merged_profile({}, {"authenticatedData": {"lp_sdes": sdes}})


def test_a_section_of_a_profile_is_an_object() -> None:
    assert rules.merged_profile({"privateData": {"email": "a"}}, {"privateData": None}) == {}
    with pytest.raises(ConsumerProfileNotAllowed):
        rules.merged_profile({}, {"privateData": "x"})


def test_engagement_attributes_are_replaced_whole() -> None:
    one, two = {"type": "personal"}, {"type": "ctmrinfo"}
    stored = {"authenticatedData": {"lp_sdes": [one]}}
    merged = rules.merged_profile(stored, {"authenticatedData": {"lp_sdes": [two]}})
    assert merged == {"authenticatedData": {"lp_sdes": [two]}}
