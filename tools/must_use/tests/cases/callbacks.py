"""The value of a lambda is dropped by who calls it."""

import asyncio
import atexit
import threading

from outcomes import Repository, call, keep, log, save, save_async


def lambdas(repository: Repository) -> None:
    call(lambda: save())  # E: unused-result, arg-type
    atexit.register(keep, lambda: save())
    keep(lambda: save())
    repository.saver = lambda: save()
    threading.Thread(target=lambda: save()).start()  # E: unused-result
    threading.Timer(1, lambda: save()).start()  # E: unused-result
    thread = threading.Thread(target=lambda: save())  # E: unused-result
    thread.start()
    log(sorted([1, 2], key=lambda number: str(save(number))))


def returned() -> threading.Thread:
    return threading.Thread(target=lambda: save())  # E: unused-result


async def on_a_loop() -> None:
    loop = asyncio.get_running_loop()
    loop.call_soon(lambda: save())  # E: unused-result
    loop.call_later(1, lambda: save())  # E: unused-result
    task = asyncio.create_task(save_async())
    task.add_done_callback(lambda done: done.result())  # E: unused-result
    await asyncio.to_thread(lambda: log(save()))
    log(await task)
