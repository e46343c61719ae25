"""A full disk, and one gone read-only: refused while it lasts, nothing acknowledged lost, no restart needed."""

import asyncio
from functools import partial
from pathlib import Path

from fault.disks import fill, fragile_disk, read_only, small_disk
from fault.probe import Probe, probing
from fault.rounds import House, open_house, run_faults
from fault.wire import Json, line_to, until
from live import Live, stop

DISK_MEBIBYTES = 48


async def test_a_full_disk_refuses_and_recovers_by_itself(tmp_path: Path) -> None:
    with small_disk(tmp_path / "data", DISK_MEBIBYTES) as data:
        house = House(tmp_path)
        async with open_house(house) as live:
            for _ in range(2):
                await run_faults(house, live, [partial(full_for_a_while, live, data)])
            assert await asyncio.to_thread(stop, live) == 0
        async with open_house(house) as live:
            await house.compare_all(live)


async def full_for_a_while(live: Live, data: Path) -> None:
    async with line_to(live) as line, probing(line) as probe:
        assert (await probe.say()).is_ok
        filler = fill(data)

        async def is_refused_a_text() -> bool:
            fill(data)  # what a checkpoint or a dropped upload gave back
            code = (await probe.say()).code
            assert code in {200, 503, 507}, code
            return code != 200

        async def is_refused_a_file() -> bool:
            fill(data)
            status = await probe.upload()
            assert status in {201, 503, 507}, status
            return status != 201

        await until(is_refused_a_text)
        await until(is_refused_a_file)
        await reading_goes_on(probe)
        filler.unlink()
        await until(probe.is_heard)
        await until(probe.is_taken)
        await probe.check()


async def test_an_upload_that_fills_the_disk_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    with small_disk(tmp_path / "data", DISK_MEBIBYTES) as data:
        async with open_house(House(tmp_path)) as live, line_to(live) as line, probing(line) as probe:
            filler = fill(data)
            with filler.open("r+b") as shorter:
                shorter.truncate(filler.stat().st_size - 500_000)
            big: Json = {"fileSize": 900_008, "fileType": "PNG"}
            slot = (await probe.socket.ask("ms.GenerateURLForUploadFile", big)).expect()
            picture = b"\x89PNG\r\n\x1a\n" + b"x" * 900_000
            assert await line.put(slot, picture) == 507

            async def is_given_back() -> bool:
                return not list((data / "files" / "objects").glob("??/*"))

            await until(is_given_back)
            assert (await probe.say()).is_ok
            assert await probe.upload() == 201
            filler.unlink()
            assert await line.put(slot, picture) == 201
            await probe.check()


async def test_a_data_folder_gone_read_only_refuses_files_and_recovers_by_itself(tmp_path: Path) -> None:
    async with open_house(House(tmp_path)) as live, line_to(live) as line, probing(line) as probe:
        assert await probe.upload() == 201
        with read_only(tmp_path / "data"):
            assert await probe.upload() in {503, 507}
            await probe.say()  # the log's files are open: it may go on, or refuse
            await reading_goes_on(probe)
        await until(probe.is_taken)
        await until(probe.is_heard)
        await probe.check()


async def test_a_file_system_that_fails_under_a_load_loses_nothing(tmp_path: Path) -> None:
    with fragile_disk(tmp_path / "data") as disk:
        house = House(tmp_path)
        async with open_house(house) as live:
            round_ = await house.load_until_broken(live, disk.fail)
            async with line_to(live) as line:
                status, _ = await line.call("GET", line.url("/healthz"))
                assert status in {200, 503}
            assert await asyncio.to_thread(stop, live) == 0
        round_.doubt_refusals()
        disk.mend()
        async with open_house(house) as live:
            await house.compare(live, round_)


async def reading_goes_on(probe: Probe) -> None:
    """What is there can be read, and the socket is the same as before."""
    query = {"dialogId": probe.dialog_id, "maxQuantity": 5}
    assert (await probe.socket.ask("ms.QueryMessages", query)).expect()
