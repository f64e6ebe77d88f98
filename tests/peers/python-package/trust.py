"""Shows a token, and trusts a certificate by its fingerprint alone."""
import sys

import serial_ws

url, token, fingerprint = sys.argv[1:]
with serial_ws.connect(url, token=token, fingerprint=fingerprint) as port:
    assert port.read_line(timeout=10)


def check(error: type[Exception], part: str, port: serial_ws.Port) -> None:
    try:
        with port:
            raise AssertionError("it is connected")
    except error as found:
        assert part in str(found), found


check(serial_ws.Rejected, "401", serial_ws.connect(url, fingerprint=fingerprint))
check(serial_ws.Untrusted, fingerprint, serial_ws.connect(url, token=token, fingerprint=":".join(["AB"] * 32)))
check(serial_ws.Untrusted, "serial-ws tls", serial_ws.connect(url, token=token))
