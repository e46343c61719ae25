import pytest

from talkwire.accounts import rules
from talkwire.accounts.domains import SERVICE_NAMES, base_uri, base_uris
from talkwire.accounts.errors import (
    AccountIdNotAllowed,
    HostNotAllowed,
    PropertyNotAllowed,
    RevisionStale,
    ServiceUnknown,
)
from talkwire.accounts.model import PropertyChange, StoredProperty
from talkwire.accounts.properties import CONSUMER_FILE_SHARING, DEFAULT_TTR_SECONDS, Property
from talkwire.kernel.ids import AccountId, SkillId


def stored(value: object, *, deleted: bool = False) -> StoredProperty:
    return StoredProperty("x", value, 2, deleted, 0, 0)


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("true", True), (True, True), (" TRUE ", True), ("false", False), (False, False),
        ("yes", False), (1, False), (None, False), ([], False),
    ],
)  # fmt: skip
def test_a_switch_is_on_only_by_the_word_or_the_boolean(value: object, read: bool) -> None:
    assert rules.value_of(CONSUMER_FILE_SHARING, stored(value)) is read


@pytest.mark.parametrize(("value", "read"), [("1200", 1200), (1200, 1200), ("soon", 600), (None, 600)])
def test_a_number_that_cannot_be_read_counts_as_its_default(value: object, read: int) -> None:
    assert rules.value_of(DEFAULT_TTR_SECONDS, stored(value)) == read


def test_a_text_property_is_read_as_text() -> None:
    assert rules.value_of(Property("x", "a", "help"), stored(7)) == "7"


def test_what_was_never_set_or_is_deleted_has_its_default() -> None:
    assert rules.value_of(CONSUMER_FILE_SHARING, None) is False
    assert rules.value_of(CONSUMER_FILE_SHARING, stored("true", deleted=True)) is False


@pytest.mark.parametrize("account_id", ["12345678", "qa_1-x", "a" * 32])
def test_an_account_id_may_be_digits_or_letters(account_id: str) -> None:
    rules.check_account_id(account_id)


@pytest.mark.parametrize("account_id", ["", "a" * 33, "../x", "a b", "ä", "1\n"])
def test_an_account_id_that_could_leave_its_path_is_refused(account_id: str) -> None:
    with pytest.raises(AccountIdNotAllowed):
        rules.check_account_id(account_id)


def test_minus_one_compares_no_revision() -> None:
    rules.check_revision(-1, 7)
    rules.check_revision(7, 7)
    with pytest.raises(RevisionStale) as refusal:
        rules.check_revision(6, 7)
    assert refusal.value.current == 7


def test_a_property_needs_a_name_that_fits_a_path_and_a_value_that_fits_memory() -> None:
    rules.check_property(PropertyChange("a.b_c:d-1", "x"), "x" * 65_536)
    with pytest.raises(PropertyNotAllowed):
        rules.check_property(PropertyChange("a/b", "x"), "x")
    with pytest.raises(PropertyNotAllowed):
        rules.check_property(PropertyChange("a", "x"), "x" * 65_537)


def test_a_misspelt_property_of_a_published_example_is_understood() -> None:
    canonical = rules.canonical_property("messaging.agent.file.sharing.enable")
    assert canonical == "messaging.agent.file.sharing.enabled"
    assert rules.canonical_property("another") == "another"


def test_an_engagement_routes_by_itself_before_its_campaign() -> None:
    campaigns = {("c", "e"): SkillId("1"), ("c", ""): SkillId("2")}
    assert rules.skill_of(campaigns, "c", "e") == "1"
    assert rules.skill_of(campaigns, "c", "other") == "2"
    assert rules.skill_of(campaigns, "d", "e") is None


@pytest.mark.parametrize(
    "host", ["chat.example.org", "localhost:8443", "127.0.0.1:1", "[::1]:65535", "[::1]", "a"]
)
def test_a_host_may_carry_a_port(host: str) -> None:
    assert rules.check_host(host) == host


@pytest.mark.parametrize(
    "host",
    ["", "a b", "evil.org/x", "a:0", "a:65536", "a:", "a@b", "<script>", "-a", "::1", "a\r\nb", "a" * 300],
)
def test_a_host_header_that_is_more_than_a_host_is_refused(host: str) -> None:
    with pytest.raises(HostNotAllowed):
        rules.check_host(host)


def test_every_service_has_an_entry_with_its_account() -> None:
    entries = base_uris(AccountId("1"), "h:1")
    assert [entry["service"] for entry in entries] == list(SERVICE_NAMES)
    assert all(entry["account"] == "1" and entry["baseURI"] == "h:1" for entry in entries)
    assert {"facadeMsg", "agentVep", "swift", "idp"} <= set(SERVICE_NAMES)
    with pytest.raises(ServiceUnknown):
        base_uri(AccountId("1"), "nothing", "h")
