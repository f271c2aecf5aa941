import asyncio

from apis.shared.aws.dynamodb.turnstile import Turnstile


async def test_a_few_pass_per_turn_in_the_order_of_coming() -> None:
    turnstile = Turnstile(3)
    passed: list[int] = []

    async def comer(number: int) -> None:
        await turnstile.enter()
        passed.append(number)

    comers = [asyncio.create_task(comer(number)) for number in range(20)]
    seen = 0
    for _ in range(20):
        await asyncio.sleep(0)
        assert len(passed) - seen <= 3, "what else is ready gets its turn in between"
        seen = len(passed)
    await asyncio.gather(*comers)
    assert passed == list(range(20))


async def test_one_alone_does_not_wait() -> None:
    turnstile = Turnstile(1)
    for _ in range(3):
        entering = turnstile.enter()
        try:
            entering.send(None)
        except StopIteration:
            pass
        else:
            raise AssertionError("it waited")
        await asyncio.sleep(0)
        await asyncio.sleep(0)


async def test_one_that_gives_up_takes_no_place() -> None:
    turnstile = Turnstile(1)
    comers = [asyncio.create_task(turnstile.enter()) for _ in range(5)]
    await asyncio.sleep(0)
    for comer in comers[1:4]:
        comer.cancel()
    async with asyncio.timeout(1):
        await comers[0]
        await comers[4]
