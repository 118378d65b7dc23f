#!/usr/bin/python3
"""A small HTTP service whose behaviour is set from standard input, a JSON object a line: {"delay_s": 2.1, "pause_s": 0.0, "limit": null}.

It answers GET with a short body, reads POST bodies to their end, takes a NOTE in silence, and waits `delay_s` before
each answer (null: it never answers): the request is acknowledged at once by the kernel, the application is late. Between
two pieces of a body of 64 KiB it rests for `pause_s`. For `busy_s` it computes before each answer, and reads nothing
meanwhile. Connections beyond `limit` it accepts and ends at once. A connection
on which nothing is asked for `idle_reset_s` it resets, and one that has had `answers_then_reset` answers. It prints
"listening" when it is.

    service.py [--backlog N] PORT...
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import struct
import sys
import time


class Service:
    def __init__(self):
        self.delay_s: float | None = 0.0
        self.pause_s = 0.0
        self.busy_s = 0.0
        self.limit: int | None = None
        self.open = 0
        self.idle_reset_s: float | None = None
        self.answers_then_reset: int | None = None

    async def read_body(self, reader, length: int) -> None:
        while length > 0:
            length -= len(await reader.readexactly(min(length, 65536)))
            if self.pause_s:
                await asyncio.sleep(self.pause_s)

    def reset(self, writer) -> None:
        writer.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        writer.transport.abort()

    async def serve(self, reader, writer) -> None:
        if self.limit is not None and self.open >= self.limit:
            writer.close()
            return
        self.open += 1
        answers = 0
        try:
            while True:
                async with asyncio.timeout(self.idle_reset_s):
                    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
                if head.startswith("note "):
                    continue
                headers = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
                await self.read_body(reader, int(headers.get("content-length", "0")))
                while self.delay_s is None:
                    await asyncio.sleep(0.1)
                if self.delay_s:
                    await asyncio.sleep(self.delay_s)
                if self.busy_s:
                    time.sleep(self.busy_s)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 23\r\n\r\nan answer of 23 bytes.\n")
                await writer.drain()
                answers += 1
                if answers == self.answers_then_reset:
                    await asyncio.sleep(0.02)  # the answer is read by then
                    self.reset(writer)
                    break
                if headers.get("connection") == "close":
                    break
        except TimeoutError:
            self.reset(writer)
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            self.open -= 1
            writer.close()

    async def obey(self) -> None:
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
        )
        while line := await reader.readline():
            vars(self).update(json.loads(line))


async def main(backlog: int, ports: list[int]) -> None:
    service = Service()
    for port in ports:
        for host in ("0.0.0.0", "::"):
            await asyncio.start_server(service.serve, host, port, backlog=backlog, limit=65536)
    print("listening", flush=True)
    await service.obey()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("ports", nargs="+", type=int)
    parser.add_argument("--backlog", type=int, default=1024)
    options = parser.parse_args()
    asyncio.run(main(options.backlog, options.ports))
