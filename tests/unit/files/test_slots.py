"""How many unspent slots somebody may hold."""

from contextlib import ExitStack

import pytest

from files_desk import ACCOUNT
from talkwire.files.errors import TooManySlots, TooManyUploads
from talkwire.files.model import FileLimits, Uploader
from talkwire.files.paths import build_path
from talkwire.files.slots import SlotBook, UploadsUnderWay
from talkwire.kernel.ids import AccountId, ParticipantId

WHO = ParticipantId("who")
OTHER = ParticipantId("other")


def test_a_sixth_unspent_slot_of_a_consumer_is_refused_until_the_first_expires() -> None:
    book = SlotBook(FileLimits())
    for at_ms in (0, 1000, 2000, 3000, 4000):
        book.open(ACCOUNT, WHO, Uploader.CONSUMER, at_ms)
    with pytest.raises(TooManySlots) as refusal:
        book.open(ACCOUNT, WHO, Uploader.CONSUMER, 5_500)
    assert refusal.value.retry_after_seconds == 55
    book.open(ACCOUNT, OTHER, Uploader.CONSUMER, 5_500)
    with pytest.raises(TooManySlots):
        book.open(ACCOUNT, WHO, Uploader.CONSUMER, 59_999)
    book.open(ACCOUNT, WHO, Uploader.CONSUMER, 60_000)


def test_an_agent_holds_two_hundred() -> None:
    book = SlotBook(FileLimits())
    for _ in range(200):
        book.open(ACCOUNT, WHO, Uploader.AGENT, 7)
    with pytest.raises(TooManySlots):
        book.open(ACCOUNT, WHO, Uploader.AGENT, 7)


def test_a_spent_slot_makes_room_once() -> None:
    book = SlotBook(FileLimits())
    for at_ms in range(5):
        book.open(ACCOUNT, WHO, Uploader.CONSUMER, at_ms)
    book.spend(ACCOUNT, WHO, 2)
    book.spend(ACCOUNT, WHO, 2)
    book.spend(ACCOUNT, OTHER, 2)
    book.open(ACCOUNT, WHO, Uploader.CONSUMER, 5)
    with pytest.raises(TooManySlots):
        book.open(ACCOUNT, WHO, Uploader.CONSUMER, 5)


def test_the_book_forgets_who_holds_nothing() -> None:
    book = SlotBook(FileLimits())
    for number in range(30_000):
        book.open(ACCOUNT, ParticipantId(str(number)), Uploader.CONSUMER, number * 60)
    assert len(book._opened) < 15_000


def slot(account: str = ACCOUNT, who: str = WHO, number: int = 0) -> str:
    """Some relative path of an uploader's."""
    uuid = f"00000000-0000-4000-8000-{number:012d}"
    return build_path(AccountId(account), ParticipantId(who), uuid, 0, "PNG")


def hold(under_way: UploadsUnderWay, *slots: str) -> ExitStack:
    held = ExitStack()
    for relative_path in slots:
        held.enter_context(under_way.one(relative_path))
    return held


def refusal_of(under_way: UploadsUnderWay, relative_path: str) -> str:
    with pytest.raises(TooManyUploads) as refusal, under_way.one(relative_path):
        pass
    assert refusal.value.retry_after_seconds == 1
    return str(refusal.value)


def test_uploads_at_once_are_bounded_in_all_and_per_slot() -> None:
    under_way = UploadsUnderWay(FileLimits(uploads=3, uploads_per_slot=2))
    with hold(under_way, slot(), slot()):
        assert refusal_of(under_way, slot()) == "429 Too Many Requests: at most 2 uploads of one slot at once"
        with under_way.one(slot("other")):
            assert refusal_of(under_way, slot("third")) == "429 Too Many Requests: at most 3 uploads at once"
    with under_way.one(slot()):
        assert set(under_way._held.values()) == {1}
    assert not under_way._held


def test_one_account_takes_not_every_place() -> None:
    under_way = UploadsUnderWay(FileLimits(uploads=4, uploads_per_account=2))
    with hold(under_way, slot(who="a"), slot(who="b")):
        assert "at most 2 uploads of one account" in refusal_of(under_way, slot(who="c"))
        with under_way.one(slot("other", "c")), under_way.one(slot("third", "c")):
            pass
    with under_way.one(slot(who="c")):
        pass
    assert not under_way._held


def test_half_of_all_places_are_left_to_other_accounts() -> None:
    limits = FileLimits()
    assert limits.uploads_per_account * 2 <= limits.uploads


def test_a_consumer_sends_no_more_at_once_than_its_slots_allow_however_many_are_spent() -> None:
    under_way = UploadsUnderWay(FileLimits(consumer_slots=2, uploads_per_slot=2))
    with hold(under_way, *(slot(number=number) for number in range(4))):
        assert "at most 4 uploads of one uploader" in refusal_of(under_way, slot(number=4))
        with under_way.one(slot(who=OTHER)), under_way.one(slot("other")):
            pass


def test_an_agent_sends_as_many_at_once_as_its_own_slots_allow() -> None:
    under_way = UploadsUnderWay(FileLimits(consumer_slots=1, brand_slots=3, uploads_per_slot=1))
    agent = f"{ACCOUNT}.7"
    with hold(under_way, *(slot(who=agent, number=number) for number in range(3))):
        assert "of one uploader" in refusal_of(under_way, slot(who=agent, number=3))
