"""Reads and writes a serial port that serial-ws shares.

    import serial_ws

    with serial_ws.connect() as port:
        for line in port:
            print(line)

The connection is restored by itself, and reading goes on where it stopped.
"""

from ._async_port import AsyncPort, connect_async
from ._errors import Rejected, RequestError, SerialWsError, Unreachable, Untrusted
from ._events import Event, Line, Missed, Status
from ._options import Options, Settings
from ._port import Port, connect

__all__ = [
    "AsyncPort",
    "Event",
    "Line",
    "Missed",
    "Options",
    "Port",
    "Rejected",
    "RequestError",
    "SerialWsError",
    "Settings",
    "Status",
    "Unreachable",
    "Untrusted",
    "connect",
    "connect_async",
]
