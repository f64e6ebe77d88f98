"""Only asks, and leaves lines unread, until a file is there; then reads what was kept."""
import asyncio
import os
import sys

import serial_ws
from serial_ws._events import line
from serial_ws._inbox import MAX_WHILE_ASKING, Inbox

with serial_ws.connect(sys.argv[1]) as port:
    print("connected")
    while not os.path.exists(sys.argv[2]):
        port.request({"type": "unlock"})
    seq = 0
    for event in port.events():
        if isinstance(event, serial_ws.Missed):
            assert event.lines is not None
            seq += event.lines
        elif isinstance(event, serial_ws.Line):
            seq += 1
            assert event.seq == seq, (event.seq, seq)
        if seq == 60000:
            break


async def overfill() -> None:
    inbox = Inbox()
    for seq in range(1, 2 * MAX_WHILE_ASKING + 1):
        inbox.put(line({"text": "", "seq": seq, "t": 0}))
    first, *rest = await inbox.take()
    assert first == serial_ws.Missed(MAX_WHILE_ASKING + 1), first
    assert len(rest) == MAX_WHILE_ASKING - 1


asyncio.run(overfill())
