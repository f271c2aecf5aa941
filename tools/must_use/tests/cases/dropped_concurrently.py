"""asyncio and concurrent.futures hand the Results of others on; dropping what they give drops those."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from outcomes import log, save, save_async, save_task


async def waits() -> None:
    await asyncio.gather(save_async(), save_async())  # E: unused-result
    await asyncio.gather(*[save_async(), save_async()])  # E: unused-result
    await asyncio.gather(save_async(), save_async(), return_exceptions=True)  # E: unused-result
    await asyncio.gather(asyncio.sleep(1), save_async())  # E: unused-result
    asyncio.gather(save_async(), save_async())  # E: unused-result
    await asyncio.wait_for(save_async(), 1)  # E: unused-result
    await asyncio.shield(save_async())  # E: unused-result
    await asyncio.shield(save_task())  # E: unused-result
    asyncio.create_task(save_async())  # E: unused-result
    await asyncio.create_task(save_async())  # E: unused-result
    asyncio.ensure_future(save_async())  # E: unused-result
    await asyncio.to_thread(save)  # E: unused-result
    loop = asyncio.get_running_loop()
    loop.create_task(save_async())  # E: unused-result
    await loop.run_in_executor(None, save)  # E: unused-result
    asyncio.run_coroutine_threadsafe(save_async(), loop)  # E: unused-result
    async with asyncio.TaskGroup() as group:
        group.create_task(save_async())  # E: unused-result
        kept = group.create_task(save_async())
    log(kept.result())
    async with asyncio.timeout(1):
        await save_async()  # E: unused-result
    for done in asyncio.as_completed([save_async()]):
        await done  # E: unused-result
    _ = await asyncio.gather(save_async(), save_async())  # E: unused-result
    first, _ = await asyncio.gather(save_async(), save_async())  # E: unused-result
    log(first)


def threads() -> None:
    with ThreadPoolExecutor() as pool:
        pool.submit(save)  # E: unused-result
        pool.submit(save).result()  # E: unused-result
        pool.map(save, [1, 2])  # E: unused-result
        kept = pool.submit(save)
    log(kept.result())
    asyncio.run(save_async())  # E: unused-result
