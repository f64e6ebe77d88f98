"""The boot ROM of an ESP32 on a pseudo-terminal, at the given path: enough to be flashed by esptool and its kin.

Prints a line for each thing that happens: "ready", "baud RATE", "written ADDRESS SIZE MD5" for a whole file, and "asked
ADDRESS SIZE MD5" for a sum that the flasher compares. It understands only what is sent at its rate. End it by closing
its stdin. A line on stdin names a file that gets a line for each change of DTR and RTS, such as "dtr 1"; they reset it as
they do a development board.
"""
import fcntl
import hashlib
import os
import select
import struct
import sys
import tty
import zlib

ROM, STUB = 0, 1
# The kind of chip, and its MAC address.
REGISTERS = {0x40001000: 0x00F01D83, 0x3FF5A004: 0xC4112233, 0x3FF5A008: 0x0000240A}
SYNC, READ_REG, MEM_END, CHANGE_BAUD = 0x08, 0x0A, 0x06, 0x0F
DEFL_BEGIN, DEFL_DATA, MD5, SECURITY_INFO = 0x10, 0x11, 0x13, 0x14
DOWNLOAD_LOG = b"rst:0x1 (POWERON_RESET),boot:0x3 (DOWNLOAD_BOOT)\r\nwaiting for download\r\n"
FLASH_LOG = b"rst:0x1 (POWERON_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)\r\nhello\r\n"


def slip(data):
    return b"\xc0" + data.replace(b"\xdb", b"\xdb\xdd").replace(b"\xc0", b"\xdb\xdc") + b"\xc0"


def line_rate(terminal):
    """Reads the output rate of a terminal, of any number (Linux: TCGETS2, the last word of struct termios2)."""
    return struct.unpack("<I", fcntl.ioctl(terminal, 0x802C542A, bytes(44))[40:])[0]


class Chip:
    def __init__(self, terminal):
        self.terminal, self.mode, self.baud = terminal, ROM, 115200
        self.frame, self.flash = bytearray(), bytearray(b"\xff" * (4 << 20))
        self.inflate, self.start, self.address = None, 0, 0
        self.lines, self.is_reset = {"dtr": 0, "rts": 0}, False

    def receive(self, data):
        if line_rate(self.terminal) != self.baud:
            return
        for byte in data:
            if byte != 0xC0:
                self.frame.append(byte)
            elif self.frame:
                frame = bytes(self.frame).replace(b"\xdb\xdc", b"\xc0").replace(b"\xdb\xdd", b"\xdb")
                self.frame.clear()
                if len(frame) >= 8 and frame[0] == 0:
                    self.carry_out(frame[1], frame[8:])

    def carry_out(self, command, data):
        words = struct.unpack(f"<{len(data) // 4}I", data[: len(data) // 4 * 4])
        if command == SYNC:
            return self.send(*[self.answer(command)] * (8 if self.mode == ROM else 1))
        if command == SECURITY_INFO:
            return self.send(self.answer(command, status=b"\x01\x05"))
        if command == READ_REG:
            return self.send(self.answer(command, REGISTERS.get(words[0], 0)))
        if command == MD5:
            address, size = words[:2]
            return self.send(self.answer(command, body=self.tell("asked", address, size)))
        if command == DEFL_BEGIN:
            self.start = self.address = words[3]
            self.inflate = zlib.decompressobj()
        if command == DEFL_DATA:
            part = self.inflate.decompress(data[16 : 16 + words[0]])
            self.flash[self.address : self.address + len(part)] = part
            self.address += len(part)
            if self.inflate.eof:
                self.tell("written", self.start, self.address - self.start)
        self.send(self.answer(command))
        if command == MEM_END:
            self.mode = STUB
            self.send(slip(b"OHAI"))
        if command == CHANGE_BAUD:
            self.baud = words[0]
            print("baud", self.baud, flush=True)

    def change_line(self, name, level):
        """RTS alone resets the chip. DTR alone, while RTS lets it go, has it wait for a download."""
        self.lines[name] = level
        if self.lines == {"dtr": 0, "rts": 1}:
            self.is_reset = True
        elif self.is_reset and self.lines["rts"] == 0:
            self.is_reset, self.mode, self.baud = False, ROM, 115200
            self.frame.clear()
            self.send(FLASH_LOG if self.lines["dtr"] == 0 else DOWNLOAD_LOG)

    def tell(self, what, address, size):
        digest = hashlib.md5(self.flash[address : address + size])
        print(what, hex(address), size, digest.hexdigest(), flush=True)
        return digest.digest()

    def answer(self, command, value=0, body=b"", status=b"\0\0"):
        return slip(struct.pack("<BBHI", 1, command, len(body) + len(status), value) + body + status)

    def send(self, *frames):
        data = b"".join(frames)
        while data:
            data = data[os.write(self.terminal, data) :]


def main(path):
    terminal, port = os.openpty()
    tty.setraw(port)
    os.symlink(os.ttyname(port), path)
    chip, changes = Chip(terminal), None
    print("ready", flush=True)
    while True:
        ready, _, _ = select.select([terminal, sys.stdin], [], [], 0.005 if changes else None)
        for change in changes or []:
            name, level = change.split()
            if name in chip.lines:
                chip.change_line(name, int(level))
        if terminal in ready:
            chip.receive(os.read(terminal, 65536))
        if sys.stdin in ready:
            name = sys.stdin.readline().strip()
            if not name:
                return
            changes = open(name)
            print("lines", flush=True)


main(sys.argv[1])
