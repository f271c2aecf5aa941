"""Lets a few through per turn of the event loop."""

import asyncio
from collections import deque


class Turnstile:
    """When many answers arrive at once, each is worked through in one step, and the loop does all ready steps before it
    looks at anything new. A health check would wait for all of them; behind a turnstile it waits for a few.
    """

    def __init__(self, per_turn: int) -> None:
        self._per_turn = per_turn
        self._passed = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._is_turning = False

    async def enter(self) -> None:
        """Go on at once, or in a later turn, in the order of coming."""
        if self._passed < self._per_turn and not self._waiting:
            self._passed += 1
            self._turn_later()
            return
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        self._turn_later()
        await waiter

    def _turn_later(self) -> None:
        if not self._is_turning:
            self._is_turning = True
            asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        self._is_turning = False
        self._passed = 0
        while self._waiting and self._passed < self._per_turn:
            waiter = self._waiting.popleft()
            if not waiter.done():  # a caller that gave up meanwhile
                waiter.set_result(None)
                self._passed += 1
        if self._passed:
            self._turn_later()
