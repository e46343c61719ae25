"""What every database adapter promises: one queue, durable answers, units applied whole or not at all."""

from talkwire.backends.database.port import Database




async def test_a_unit_s_result_is_what_the_write_answers(any_database: Database) -> None:
    async def unit(tx):
        return (await tx.fetch("SELECT 1 AS one"))[0]["one"]

    assert await any_database.write(unit) == 1
