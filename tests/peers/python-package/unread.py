"""Only asks, and leaves lines unread, until a file is there; then reads what was kept."""
import os
import sys

import serial_ws

with serial_ws.connect(sys.argv[1]) as port:
    print("connected")
    while not os.path.exists(sys.argv[2]):
        port.request({"type": "unlock"})
    # Its reply comes after all lines.
    port.request({"type": "unlock"})
    seq = missed = 0
    for event in port.events():
        if isinstance(event, serial_ws.Missed):
            assert event.lines is not None
            missed += event.lines
            seq += event.lines
        elif isinstance(event, serial_ws.Line):
            seq += 1
            assert event.seq == seq, (event.seq, seq)
        if seq == 60000:
            break
assert 20000 < missed < 40000, missed
