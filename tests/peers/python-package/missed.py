"""Checks that the numbers of lines and the counts of missed ones add up."""
import sys

import serial_ws

seq = missed = 0
with serial_ws.connect(sys.argv[1]) as port:
    print("connected")
    for event in port.events():
        if isinstance(event, serial_ws.Missed):
            assert event.lines is not None
            missed += event.lines
        elif isinstance(event, serial_ws.Line):
            assert event.seq == seq + missed + 1, (event.seq, seq, missed)
            assert event == f"count {event.seq} end", event
            seq, missed = event.seq, 0
            print("at", seq)
