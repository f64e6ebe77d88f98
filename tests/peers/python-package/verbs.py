"""Writes, asks and changes settings of a port that echoes."""
import asyncio
import sys

import serial_ws

url = sys.argv[1]
with serial_ws.connect(url, append="lf", values=True) as port:
    assert port.status.state == "open", port.status
    assert port.hello["port"]["name"] == "echo"
    assert port.write("light:80") == 9
    line = port.read_line(timeout=10)
    assert line == "light:80" and line.values == {"light": 80} and line.data == b"light:80", vars(line)
    assert port.write(b"\xff\n") == 2
    line = port.read_line(timeout=10)
    assert line == "\ufffd" and line.data == b"\xff", line
    assert port.ask("*IDN?") == "*IDN?"
    assert port.ask(b"\x00\n", until={"bytes": 2}) == b"\x00\n"
    assert port.request({"type": "unlock"})["type"] == "ack"
    try:
        port.ask("never", until={"text": "an answer"}, timeout=0.2)
        raise AssertionError("it was answered")
    except serial_ws.RequestError as error:
        assert error.code == "timeout", error
    while port.read_line(timeout=10) != "never":
        pass
    try:
        port.read_line(timeout=0.2)
        raise AssertionError("there was a line")
    except TimeoutError:
        pass
    # From here on, the first line does not count as a whole one.
    port.settings(baud=115200, data_bits=7)
    for event in port.events():
        if isinstance(event, serial_ws.Status):
            assert event.message["settings"]["dataBits"] == 7, event.message
            break


async def both() -> None:
    async with serial_ws.connect_async(url, port="echo", append="lf") as port:
        answers = await asyncio.gather(*(port.ask(f"question {count}") for count in range(10)))
        assert answers == [f"question {count}" for count in range(10)], answers
        assert await anext(aiter(port)) == "question 0"


asyncio.run(both())
