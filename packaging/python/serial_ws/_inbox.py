"""Events that wait for the program. Bounded: what it says happens at each limit is all that can be lost here."""

from __future__ import annotations

import asyncio
from collections import deque

from ._events import Event, Line, Missed

MAX_WAITING = 8192
"""Events beyond which nothing more is read from serial-ws, which then keeps them in its history."""

MAX_WHILE_ASKING = 4 * MAX_WAITING
"""Events beyond which the oldest are dropped, and their lines counted. Replies come behind them, so reading goes on while a
request waits for one."""


class Inbox:
    """Events in their order, between the task that reads and the program."""

    def __init__(self) -> None:
        self._events: deque[Event] = deque()
        self._arrived = asyncio.Event()
        self._taken = asyncio.Event()
        self._has_ended = False
        self._error: Exception | None = None

    def put(self, event: Event) -> None:
        """Adds an event."""
        self._events.append(event)
        if len(self._events) > MAX_WHILE_ASKING:
            self._drop_oldest()
        self._arrived.set()

    def _drop_oldest(self) -> None:
        lost = 0
        known = True
        # Two places at least, one of which the count takes.
        while len(self._events) > MAX_WHILE_ASKING - 1:
            event = self._events.popleft()
            if isinstance(event, Line):
                lost += 1
            elif isinstance(event, Missed):
                known = known and event.lines is not None
                lost += event.lines or 0
        if lost or not known:
            self._events.appendleft(Missed(lost if known else None))

    @property
    def is_full(self) -> bool:
        return len(self._events) >= MAX_WAITING

    async def room(self) -> None:
        """Waits until events have been taken, or `stir` was called."""
        self._taken.clear()
        await self._taken.wait()

    def stir(self) -> None:
        """Lets `room` return, since something else has changed."""
        self._taken.set()

    def end(self, error: Exception | None) -> None:
        """Lets `take` raise the error, or return nothing, once all events are taken."""
        self._has_ended = True
        self._error = error
        self._arrived.set()

    async def take(self, most: int | None = None) -> list[Event]:
        """Waits for events and takes them; none are left when it returns an empty list."""
        while not self._events:
            if self._error is not None:
                raise self._error
            if self._has_ended:
                return []
            self._arrived.clear()
            await self._arrived.wait()
        count = len(self._events) if most is None else min(most, len(self._events))
        taken = [self._events.popleft() for _ in range(count)]
        self._taken.set()
        return taken
