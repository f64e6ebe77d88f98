"""Reads 100,000 lines with and without asyncio, each exactly once."""
import asyncio
import sys

import serial_ws


class Counter:
    count = 0

    def take(self, event: serial_ws.Event) -> bool:
        if isinstance(event, serial_ws.Missed):
            print("missed", event.lines)
        elif isinstance(event, serial_ws.Line):
            self.count += 1
            assert event == f"count {self.count} end", (event, self.count)
            if self.count % 5000 == 0:
                print("at", self.count)
        return self.count < 100000


counter = Counter()


def blocking(url: str) -> None:
    with serial_ws.connect(url) as port:
        for event in port.events():
            if not counter.take(event):
                return


async def cooperative(url: str) -> None:
    async with serial_ws.connect_async(url) as port:
        async for event in port.events():
            if not counter.take(event):
                return


if sys.argv[2] == "with":
    blocking(sys.argv[1])
else:
    asyncio.run(cooperative(sys.argv[1]))
print("done")
