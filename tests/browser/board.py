"""A board on a pseudo-terminal, at the given path: sends its stdin, prints what it receives.

End it to unplug the board.
"""
import os
import select
import sys
import tty

path = sys.argv[1]
board, port = os.openpty()
tty.setraw(port)
try:
    os.unlink(path)
except FileNotFoundError:
    pass
os.symlink(os.ttyname(port), path)
os.write(sys.stdout.fileno(), b"plugged in\n")
while True:
    ready, _, _ = select.select([board, sys.stdin], [], [])
    if board in ready:
        os.write(sys.stdout.fileno(), os.read(board, 4096))
    if sys.stdin in ready:
        data = os.read(sys.stdin.fileno(), 65536)
        if not data:
            break
        while data:
            data = data[os.write(board, data):]
os.unlink(path)
