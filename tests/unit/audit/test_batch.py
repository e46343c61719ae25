from talkwire.audit.batch import MOST, Batch
from talkwire.audit.model import Draft

DRAFT = Draft(0, "act", "subject", "", "", "", b"", "{}")


def test_what_comes_before_it_is_closed_shares_its_commit() -> None:
    batch = Batch([("a", DRAFT)])
    assert batch.add([("b", DRAFT)])
    assert [account for account, _ in batch.close()] == ["a", "b"]


def test_what_comes_later_does_not_and_the_commit_may_begin_again() -> None:
    batch = Batch([("a", DRAFT)])
    first = list(batch.close())
    assert not batch.add([("b", DRAFT)])
    assert batch.close() == first


def test_a_batch_is_bounded() -> None:
    batch = Batch([("a", DRAFT)] * MOST)
    assert not batch.add([("b", DRAFT)])
