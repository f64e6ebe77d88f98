"""Connects to what does not exist."""
import sys

import serial_ws


def check(error: type[Exception], part: str, url: str, port: str | None = None) -> None:
    try:
        with serial_ws.connect(url) if port is None else serial_ws.connect(url, port=port):
            raise AssertionError("it is connected")
    except error as found:
        assert part in str(found), found


url = sys.argv[1]
check(serial_ws.Rejected, "no port at /ports/none", url, "none")
check(serial_ws.Rejected, "did you mean", url + "/?histroy=3")
check(serial_ws.Unreachable, "Is it running?", "localhost:1")
try:
    serial_ws.connect(url, fingerprint="AB:CD")
    raise AssertionError("a fingerprint without TLS")
except ValueError as error:
    assert "wss://" in str(error), error
check(ValueError, "expected one such as", "ftp://localhost")
