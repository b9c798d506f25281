# SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

"""A UDP socket of another host: relay.py FROM-ADDRESS FROM-PORT TO-ADDRESS TO-PORT

Each line of standard input, a datagram in base64, is sent. Each datagram that comes in is a line of standard output.
Ends with standard input.
"""

import base64
import os
import select
import socket
import sys

from_address, from_port, to_address, to_port = sys.argv[1:]
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind((from_address, int(from_port)))
print("bound", flush=True)

unread = b""
while True:
    ready, _, _ = select.select([udp, 0], [], [])
    if udp in ready:
        print(base64.b64encode(udp.recv(65536)).decode(), flush=True)
    if 0 in ready:
        read = os.read(0, 65536)
        if not read:
            break
        *lines, unread = (unread + read).split(b"\n")
        for line in lines:
            udp.sendto(base64.b64decode(line), (to_address, int(to_port)))
