#!/usr/bin/python3
"""One tier of a web application: an HTTP service that answers each request with one of its own to the tier below.

It keeps a pool of connections to that tier, as API servers and database clients do. A request without a free one
waits; where more than `--waiting` do already, the connection is reset at once. A request takes `--work` seconds by
itself, with its connection in hand, before it asks below. It prints "listening" when it is.

    tier.py --below IP:PORT [--pool N] [--waiting N] [--address IP] PORT
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import struct
import sys


class Tier:
    def __init__(self, below: tuple[str, int], pool: int, waiting: int, work_s: float):
        self.below, self.most_waiting, self.work_s = below, waiting, work_s
        self.free: asyncio.Queue = asyncio.Queue()
        self.waiting = 0
        for _ in range(pool):
            self.free.put_nowait(None)  # a place in the pool whose connection is yet to be made

    async def ask_below(self, streams):
        """One request on a pooled connection; returns the connection, or None where it broke."""
        try:
            reader, writer = streams or await asyncio.open_connection(*self.below)
            writer.write(b"GET / HTTP/1.1\r\nHost: below\r\n\r\n")
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            headers = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
            await reader.readexactly(int(headers.get("content-length", "0")))
            return reader, writer
        except (OSError, asyncio.IncompleteReadError):
            return None

    async def answer(self, writer) -> bool:
        """False: the pool is full, and so is the waiting room."""
        if self.free.empty() and self.waiting >= self.most_waiting:
            refuse(writer)
            return False
        self.waiting += 1
        try:
            streams = await self.free.get()
        finally:
            self.waiting -= 1
        try:
            await asyncio.sleep(self.work_s)
            streams = await self.ask_below(streams)
        finally:
            self.free.put_nowait(streams)
        body = b"an answer of 23 bytes.\n"
        status = b"200 OK" if streams else b"502 Bad Gateway"
        writer.write(b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body))
        await writer.drain()
        return True

    async def serve(self, reader, writer) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                if not await self.answer(writer) or b"connection: close" in head:
                    break
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.close()


def refuse(writer) -> None:
    """A RST instead of an answer."""
    linger = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()


async def main(options) -> None:
    host, port = options.below.rsplit(":", 1)
    tier = Tier((host.strip("[]"), int(port)), options.pool, options.waiting, options.work)
    await asyncio.start_server(tier.serve, options.address, options.port, backlog=512)
    print("listening", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--below", required=True)
    parser.add_argument("--address", default="0.0.0.0")
    parser.add_argument("--pool", type=int, default=8)
    parser.add_argument("--waiting", type=int, default=1 << 30)
    parser.add_argument("--work", type=float, default=0.013)
    sys.exit(asyncio.run(main(parser.parse_args())))
