import asyncio
from datetime import timedelta

import pytest

from talkwire.kernel.jobs import Job
from talkwire.ops.worker import Worker, pause_seconds

SOON = timedelta(milliseconds=1)


def job(run: object, every: timedelta = SOON, timeout: timedelta = timedelta(seconds=5)) -> Job:
    return Job("tests.job", run, every, timeout)  # type: ignore[arg-type]


async def test_a_job_that_fails_is_run_again() -> None:
    runs, thrice = 0, asyncio.Event()

    async def fail() -> None:
        nonlocal runs
        runs += 1
        if runs == 3:
            thrice.set()
        raise RuntimeError("broken")

    async with asyncio.timeout(5), Worker([job(fail)]):
        await thrice.wait()


async def test_a_job_that_fails_does_not_stop_another() -> None:
    ran = asyncio.Event()

    async def fail() -> None:
        raise RuntimeError("broken")

    async def work() -> None:
        ran.set()

    async with asyncio.timeout(5), Worker([job(fail), job(work)]):
        await ran.wait()


async def test_a_job_that_takes_too_long_is_cut() -> None:
    seen: list[str] = []
    worker = Worker([], lambda _name, result, _seconds: seen.append(result))
    await worker.run_once(job(asyncio.Event().wait, timeout=timedelta(milliseconds=5)))
    assert seen == ["timed out"]


async def test_a_timeout_of_the_jobs_own_is_a_failure() -> None:
    seen: list[str] = []

    async def give_up() -> None:
        raise TimeoutError

    await Worker([], lambda _name, result, _seconds: seen.append(result)).run_once(job(give_up))
    assert seen == ["failed"]


async def test_leaving_the_worker_cancels_what_runs() -> None:
    started, ended = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with asyncio.timeout(5):
        async with Worker([job(wait)]):
            await started.wait()
        assert ended.is_set()


async def test_a_worker_without_jobs_starts_and_stops() -> None:
    async with Worker([]):
        pass


def test_pauses_differ_by_a_tenth_around_the_interval() -> None:
    hourly = job(None, every=timedelta(hours=1))
    assert pause_seconds(hourly, 0.0) == 3240
    assert pause_seconds(hourly, 0.5) == 3600
    assert pause_seconds(hourly, 1.0) == pytest.approx(3960)
