"""A file is in one node's hands at a time, and in nobody's when that node is gone."""

from files_desk import CONSUMER, Desk
from pictures import png
from talkwire.files.claims import CLAIM_MS, EVERY_CLAIM_MS, Claims


async def test_a_claim_is_won_when_it_has_ended_and_not_when_it_was_renewed(desk: Desk) -> None:
    await desk.uploaded(CONSUMER, png(6, 6))

    async def unit(tx: object) -> None:
        await tx.execute("UPDATE files SET state = 'received', claimed_until = 0")  # type: ignore[attr-defined]

    await desk.database.write(unit)
    one, other = (Claims(desk.database, desk.clock) for _ in range(2))
    (file,) = await one.win((), 10)
    assert await other.win((), 10) == []
    desk.clock.advance(seconds=CLAIM_MS / 1000 - 1)
    await one.renew({file.name})
    await other.renew({file.name})  # not its own: nothing happens
    desk.clock.advance(seconds=CLAIM_MS / 1000)
    assert await other.win((), 10) == []
    desk.clock.advance(seconds=1)
    assert await other.win({file.name}, 10) == []
    assert await other.win((), 10) == [file]
    assert await one.win((), 10, EVERY_CLAIM_MS) == [file]
