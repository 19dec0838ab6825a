#!/usr/bin/python3
"""A file system that fails on demand: an empty folder, spoken to the kernel by hand.

Usage: fusefs.py MOUNT_POINT ORDER_FILE [TYPE]

While ORDER_FILE says `hang` a request is taken and not answered, so that who asked cannot even be
killed; with `error N` it is answered with that errno value. Ends when it is unmounted.
"""
import ctypes
import errno
import os
import struct
import sys
import time
from pathlib import Path

REQUEST = struct.Struct("=IIQQIII4x")
ANSWER = struct.Struct("=IiQ")
BUFFER_SIZE = 1 << 20

INIT, GETATTR, STATFS, OPEN, OPENDIR, READDIR, RELEASE, RELEASEDIR = 26, 3, 17, 14, 27, 28, 18, 29
FORGET, INTERRUPT, DESTROY, BATCH_FORGET = 2, 36, 38, 42
UNANSWERED = (FORGET, INTERRUPT, BATCH_FORGET)

BLOCK, BLOCKS, FREE = 4096, 1000, 600
FOLDER = 0o40755

INIT_BODY = struct.pack("=IIIIHHIIHHI28x", 7, 31, 0, 0, 12, 9, BUFFER_SIZE // 2, 1, 32, 0, 0)
ATTR_BODY = struct.pack("=QII6Q10I", 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, FOLDER, 2, 0, 0, 0, BLOCK, 0)
STATFS_BODY = struct.pack("=5QIII28x", BLOCKS, FREE, FREE, 100, 90, BLOCK, 255, BLOCK)
BODIES = {
    INIT: INIT_BODY,
    GETATTR: ATTR_BODY,
    STATFS: STATFS_BODY,
    OPENDIR: bytes(16),
    OPEN: bytes(16),
    READDIR: b"",
    RELEASE: b"",
    RELEASEDIR: b"",
    DESTROY: b"",
}


def mount(device, mount_point, kind):
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0,allow_other"
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"failing", os.fsencode(mount_point), kind.encode(), 0, options.encode()) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), mount_point)


def order_of(file):
    try:
        return file.read_text().split()
    except FileNotFoundError:
        return []


def obey(file):
    """The errno value to answer with; returns when nothing says `hang` any more."""
    while (order := order_of(file)) == ["hang"]:
        time.sleep(0.02)
    return int(order[1]) if order else 0


def answer(opcode, orders):
    if opcode == INIT:
        return 0, BODIES[INIT]
    number = obey(orders)
    if number:
        return -number, b""
    body = BODIES.get(opcode)
    return (0, body) if body is not None else (-errno.ENOSYS, b"")


def serve(device, orders):
    while True:
        try:
            request = os.read(device, BUFFER_SIZE)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.EINTR):
                continue  # it was taken back
            return  # unmounted
        _, opcode, unique, *_ = REQUEST.unpack_from(request)
        if opcode in UNANSWERED:
            continue
        number, body = answer(opcode, orders)
        try:
            os.write(device, ANSWER.pack(ANSWER.size + len(body), number, unique) + body)
        except OSError:
            pass  # who asked has gone


def main():
    mount_point, orders, kind = sys.argv[1], Path(sys.argv[2]), (sys.argv[3:] or ["fuse"])[0]
    device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    mount(device, mount_point, kind)
    serve(device, orders)


if __name__ == "__main__":
    main()
