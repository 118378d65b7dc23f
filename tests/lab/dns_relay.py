#!/usr/bin/python3
"""A DNS relay over UDP that can misbehave: {"delay_s": 2.1, "race": false, "loss": 0.0} on standard input, one a line.

It takes questions on port 53 of --at and passes them on to --to at localhost. `delay_s`: how late answers go back. `race`: of
two questions that are the first from their port, within 20 ms, the later one is dropped, as conntrack drops it. `aaaa`: what
becomes of questions for IPv6 addresses, "drop" or "servfail". It prints "listening" when it is.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import sys
import time


def asks_for_ipv6(question: bytes) -> bool:
    end = question.find(b"\0", 12)  # of the name
    return question[end + 1 : end + 3] == b"\0\x1c"


class Relay(asyncio.DatagramProtocol):
    def __init__(self, to: int):
        self.to = to
        self.settings = {"delay_s": 0.0, "race": False, "aaaa": ""}
        self.first: dict[tuple, float] = {}  # when a port was first heard of

    def connection_made(self, transport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, source) -> None:
        now = time.monotonic()
        if len(self.first) > 4096:
            self.first.clear()
        begun = self.first.setdefault(source[:2], now)
        if self.settings["aaaa"] and asks_for_ipv6(data):
            if self.settings["aaaa"] == "servfail":
                self.transport.sendto(data[:2] + b"\x81\x82" + data[4:], source)
            return
        raced = begun != now and now - begun < 0.02
        if not (raced and self.settings["race"]):
            asyncio.ensure_future(self.relay(data, source))

    async def relay(self, data: bytes, source) -> None:
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as back:
            back.setblocking(False)
            back.connect(("127.0.0.1", self.to))
            try:
                await loop.sock_sendall(back, data)
                async with asyncio.timeout(4):
                    answer = await loop.sock_recv(back, 8192)
            except (OSError, TimeoutError):
                return
        if self.settings["delay_s"]:
            await asyncio.sleep(self.settings["delay_s"])
        self.transport.sendto(answer, source)


async def main(options) -> None:
    loop = asyncio.get_running_loop()
    relay = Relay(options.to)
    # Of that address alone: an answer has to come from where it was asked.
    sock = socket.socket(socket.AF_INET6 if ":" in options.at else socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((options.at, 53))
    await loop.create_datagram_endpoint(lambda: relay, sock=sock)
    print("listening", flush=True)
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        relay.settings |= json.loads(line)
    await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--at", required=True, help="address of this host")
    parser.add_argument("--to", type=int, required=True)
    sys.exit(asyncio.run(main(parser.parse_args())))
