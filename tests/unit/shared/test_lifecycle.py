import asyncio
import logging

import pytest

from apis.shared.lifecycle import BackgroundTasks, Shutdown


def test_every_listener_is_called_once() -> None:
    shutdown, calls = Shutdown(), []
    shutdown.subscribe(lambda: calls.append("a"))
    unsubscribe = shutdown.subscribe(lambda: calls.append("b"))
    shutdown.subscribe(lambda: calls.append("c"))
    unsubscribe()
    states = [shutdown.is_stopping]
    shutdown.begin()
    shutdown.begin()
    assert [*states, shutdown.is_stopping] == [False, True]
    assert sorted(calls) == ["a", "c"]


def test_a_late_listener_is_called_at_once() -> None:
    shutdown, calls = Shutdown(), []
    shutdown.begin()
    shutdown.subscribe(lambda: calls.append("late"))
    assert calls == ["late"]


def test_a_listener_may_unsubscribe_while_it_is_called() -> None:
    shutdown, calls = Shutdown(), []

    def once() -> None:
        calls.append("a")
        unsubscribe()

    unsubscribe = shutdown.subscribe(once)
    shutdown.subscribe(lambda: calls.append("b"))
    shutdown.begin()
    assert sorted(calls) == ["a", "b"]


async def test_finish_returns_the_value_of_the_work() -> None:
    async def work() -> int:
        return 7

    assert await BackgroundTasks().finish(work(), name="work") == 7


async def test_finished_work_survives_the_cancellation_of_its_caller() -> None:
    background, started, release, done = BackgroundTasks(), asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def work() -> None:
        started.set()
        await release.wait()
        done.set()

    caller = asyncio.create_task(background.finish(work(), name="work"))
    await started.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert not done.is_set()
    release.set()
    await background.drain(5)
    assert done.is_set()


async def test_an_exception_of_the_work_reaches_the_caller() -> None:
    async def work() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await BackgroundTasks().finish(work(), name="work")


async def test_drain_does_not_wait_for_work_that_may_be_lost() -> None:
    background, release, done = BackgroundTasks(), asyncio.Event(), asyncio.Event()

    async def lost() -> None:
        await release.wait()

    async def kept() -> None:
        done.set()

    background.spawn(lost(), name="lost", awaited_at_stop=False)
    background.spawn(kept(), name="kept")
    async with asyncio.timeout(1):
        await background.drain(30)
    assert done.is_set()
    release.set()
    await asyncio.gather(*background._tasks)
    assert not background._left_at_stop


async def test_drain_waits_for_all_running_work() -> None:
    background, done = BackgroundTasks(), []

    async def work(number: int) -> None:
        await asyncio.sleep(0.01 * number)
        done.append(number)

    for number in range(3):
        background.spawn(work(number), name=f"work {number}")
    await background.drain(5)
    assert done == [0, 1, 2]
    await background.drain(5)


async def test_drain_gives_up_when_its_time_is_over() -> None:
    background, release = BackgroundTasks(), asyncio.Event()

    async def hang() -> None:
        await release.wait()

    task = background.start(hang(), name="hang")
    await asyncio.wait_for(background.drain(0.01), 5)
    assert not task.done()
    release.set()
    await task


async def test_a_bug_in_spawned_work_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    background = BackgroundTasks()

    async def work() -> None:
        await asyncio.sleep(0)
        raise ZeroDivisionError

    background.spawn(work(), name="sync the user")
    with caplog.at_level(logging.ERROR):
        await background.drain(5)
        await asyncio.sleep(0)
    (record,) = caplog.records
    assert (record.message, getattr(record, "task", None)) == ("background task failed", "sync the user")
    assert record.exc_info is not None
    assert record.exc_info[0] is ZeroDivisionError


async def test_cancelled_work_is_not_a_bug(caplog: pytest.LogCaptureFixture) -> None:
    background = BackgroundTasks()
    background.spawn(asyncio.sleep(60), name="sleep")
    for task in asyncio.all_tasks():
        if task.get_name() == "sleep":
            task.cancel()
    await background.drain(5)
    await asyncio.sleep(0)
    assert caplog.records == []
