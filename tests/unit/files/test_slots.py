"""How many unspent slots somebody may hold."""

import pytest

from files_desk import ACCOUNT
from talkwire.files.errors import TooManySlots, TooManyUploads
from talkwire.files.model import FileLimits, Uploader
from talkwire.files.slots import SlotBook, UploadsUnderWay
from talkwire.kernel.ids import ParticipantId

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


def test_uploads_at_once_are_bounded_in_all_and_per_slot() -> None:
    under_way = UploadsUnderWay(FileLimits(uploads=3, uploads_per_slot=2))
    with under_way.one("a"), under_way.one("a"):
        with pytest.raises(TooManyUploads), under_way.one("a"):
            pass
        with under_way.one("b"), pytest.raises(TooManyUploads), under_way.one("c"):
            pass
    with under_way.one("a"):
        assert under_way._by_path == {"a": 1}
    assert not under_way._by_path
