#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""nbd_server.py IMAGE FOLDER COMMAND ...

A server of NBD with bad manners: serves the image at a socket in the folder for each of MANNERS while the
command runs, and ends with the command's status. FOLDER/counts then says of each manner how many requests
and connections there were.
"""

import os
import socket
import struct
import subprocess
import sys
import threading
import time

MANNERS = {
    "good": "nothing is wrong",
    "silent": "says nothing at all",
    "http": "speaks another protocol",
    "slamming": "ends the connection at once",
    "babbling": "has always one more thing to say of the export",
    "refusing": "has no such export",
    "dripping": "greets with a byte every 250 ms",
    "huge": "the export has 2^64 - 1 bytes",
    "empty": "the export has no bytes",
    "growing": "the export has 512 more bytes at each connection",
    "shrunk": "the export has half of the bytes of the image",
    "blocks": "wants requests of 3 to 2 bytes",
    "large-blocks": "wants requests of 4096 bytes or a multiple, 8192 at most; else it fails",
    "hang": "never answers the third read",
    "hang-up": "ends the connection in the middle of the third answer",
    "short": "answers with half of what was asked for",
    "beyond": "answers with bytes that were not asked for",
    "other": "answers what nobody has asked",
    "eio": "cannot read what lies behind the first 64 KiB",
    "zero-extents": "its extents have no length",
    "no-extents": "tells none when it is asked",
    "wrong-extents": "fails when it is asked for them",
    "all-zero": "says that all is a hole",
    "many-extents": "tells a million of them",
    "slow-reader": "answers the third read a byte every 250 ms",
    "one-client": "leaves a second connection waiting",
}

image, folder = sys.argv[1:3]
with open(image, "rb") as file:
    data = file.read()
counted = threading.Lock()
n_requests = dict.fromkeys(MANNERS, 0)
n_connections = dict.fromkeys(MANNERS, 0)
million = struct.pack(">2000000I", *[512, 0, 512, 3] * 500000)


class Gone(Exception):
    pass


def take(link, n):
    got = b""
    while len(got) < n:
        part = link.recv(n - len(got))
        if not part:
            raise Gone
        got += part
    return got


def option_reply(link, option, kind, payload=b""):
    link.sendall(struct.pack(">QIII", 0x3E889045565A9, option, kind, len(payload)) + payload)


def size_of(manner, number):
    return {"huge": 2**64 - 1, "empty": 0, "growing": len(data) + 512 * number,
            "shrunk": len(data) // 2}.get(manner, len(data))


def tell_export(manner, link, option, number):
    if manner == "refusing":
        option_reply(link, option, 0x80000006, b"there is no such export; \x1b[31mgo away\n")
        return False
    option_reply(link, option, 3, struct.pack(">HQH", 0, size_of(manner, number), 0x103)) # read only, multi-conn
    if manner == "blocks":
        option_reply(link, option, 3, struct.pack(">HIII", 3, 3, 3, 2))
    elif manner == "large-blocks":
        option_reply(link, option, 3, struct.pack(">HIII", 3, 4096, 4096, 8192))
    while manner == "babbling":
        option_reply(link, option, 3, struct.pack(">H", 1) + b"a name")
        time.sleep(0.01)
    option_reply(link, option, 1)
    return True


def shake_hands(manner, link, number):
    greeting = b"NBDMAGICIHAVEOPT" + struct.pack(">H", 3)
    if manner == "dripping":
        for byte in greeting:
            link.sendall(bytes([byte]))
            time.sleep(0.25)
    elif manner == "http":
        link.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        take(link, 1)
    elif manner == "slamming":
        raise Gone
    else:
        link.sendall(greeting)
    take(link, 4)
    while True:
        _, option, length = struct.unpack(">QII", take(link, 16))
        payload = take(link, length)
        if option == 8: # structured replies
            option_reply(link, option, 1)
        elif option == 10: # meta contexts
            option_reply(link, option, 4, struct.pack(">I", 7) + b"base:allocation")
            option_reply(link, option, 1)
        elif option == 7: # go
            if tell_export(manner, link, option, number):
                return
        elif option == 2:
            raise Gone
        else:
            option_reply(link, option, 0x80000001)


def chunk(link, handle, kind, payload=b"", done=1):
    link.sendall(struct.pack(">IHHQI", 0x668E33EF, done, kind, handle, len(payload)) + payload)


def answer_read(manner, link, handle, off, length, number):
    bytes_there = data[off:off + length].ljust(length, b"\0")
    if manner == "hang" and number == 3:
        time.sleep(1000)
    elif manner == "hang-up" and number == 3:
        link.sendall(struct.pack(">IHHQIQ", 0x668E33EF, 1, 1, handle, 8 + length, off) + bytes_there[:length // 2])
        raise Gone
    elif manner == "slow-reader" and number == 3:
        link.sendall(struct.pack(">IHHQIQ", 0x668E33EF, 1, 1, handle, 8 + length, off))
        for byte in bytes_there:
            link.sendall(bytes([byte]))
            time.sleep(0.25)
    elif manner == "short":
        chunk(link, handle, 1, struct.pack(">Q", off) + bytes_there[:length // 2])
    elif manner == "beyond":
        chunk(link, handle, 1, struct.pack(">Q", off + 512) + bytes_there)
    elif manner == "other":
        chunk(link, handle ^ 0x5555, 1, struct.pack(">Q", off) + bytes_there)
    elif manner == "eio" and off >= 65536 or manner == "large-blocks" and (
            off % 4096 or length > 8192 or length % 4096 and off + length != len(data)):
        chunk(link, handle, 0x8001, struct.pack(">IH", 5, 9) + b"no, never")
    else:
        chunk(link, handle, 1, struct.pack(">Q", off) + bytes_there)


def answer_extents(manner, link, handle, length):
    extents = {"zero-extents": [(0, 3)] * 4, "no-extents": [], "all-zero": [(length, 3)]}.get(manner, [(length, 0)])
    if manner == "wrong-extents":
        chunk(link, handle, 0x8001, struct.pack(">IH", 22, 0))
    elif manner == "many-extents":
        chunk(link, handle, 5, struct.pack(">I", 7) + million)
    elif extents:
        chunk(link, handle, 5, struct.pack(">I", 7) + b"".join(struct.pack(">II", *e) for e in extents))
    else:
        chunk(link, handle, 0)


def serve(manner, link, number):
    n_reads = 0
    try:
        if manner == "silent" or manner == "one-client" and number > 0:
            time.sleep(1000)
        shake_hands(manner, link, number)
        while True:
            _, _, kind, handle, off, length = struct.unpack(">IHHQQI", take(link, 28))
            with counted:
                n_requests[manner] += 1
            if kind == 0:
                n_reads += 1
                answer_read(manner, link, handle, off, length, n_reads)
            elif kind == 7:
                answer_extents(manner, link, handle, length)
            else:
                raise Gone
    except (Gone, OSError):
        link.close()


def accept(manner, listener):
    while True:
        link, _ = listener.accept()
        threading.Thread(target=serve, args=(manner, link, n_connections[manner]), daemon=True).start()
        n_connections[manner] += 1


for manner in MANNERS:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(os.path.join(folder, manner))
    listener.listen(16)
    threading.Thread(target=accept, args=(manner, listener), daemon=True).start()
status = subprocess.run(sys.argv[3:]).returncode
with open(os.path.join(folder, "counts"), "w") as file:
    for manner in MANNERS:
        print(manner, n_requests[manner], n_connections[manner], file=file)
os._exit(status if status >= 0 else 128 - status)
