#!/usr/bin/python3
"""Whatever else may pass ports 53 and 443, both ends of it: none of it DNS or TLS, and all of it goes as it is meant to.

    strangers.py serve ADDRESS             prints "listening"
    strangers.py talk ADDRESS RATE SEED    outcomes as client.py logs them

Over UDP 53 noise, and messages with a header as DNS has it and nonsense behind, cut off at any byte; over TCP 53 and 443
an SSH server's banner, plain HTTP, noise, a message and a record of TLS that are never complete.
"""

from __future__ import annotations

import asyncio
import json
import random
import socket
import sys
import time

BANNER = b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"
REQUEST = b"GET / HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n"
BYE = b"bye"


class Noise(asyncio.DatagramProtocol):
    """Answers nonsense with nonsense that has the same beginning, marked as an answer."""

    def connection_made(self, transport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, source) -> None:
        answer = bytearray(data + random.randbytes(random.randrange(0, 900)))
        if len(answer) > 2:
            answer[2] |= 0x80
        self.transport.sendto(bytes(answer), source)


async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """SSH's server speaks first, but not to whoever has begun already; who says goodbye is let go."""
    try:
        try:
            async with asyncio.timeout(0.05):
                first = await reader.read(65536)
        except TimeoutError:
            writer.write(BANNER)
            first = await reader.read(65536)
        writer.write(ANSWER if first.startswith(b"GET") else random.randbytes(700))
        while first and not first.endswith(BYE) and not first.startswith(b"GET"):
            first = await reader.read(65536)
        writer.write(BYE)
        await writer.drain()
        writer.close()
        await writer.wait_closed()
    except OSError:
        pass


async def serve(address: str) -> None:
    loop = asyncio.get_running_loop()
    await loop.create_datagram_endpoint(Noise, local_addr=(address, 53))
    for port in (53, 443):
        await asyncio.start_server(serve_one, address, port)
    print("listening", flush=True)
    await asyncio.Event().wait()


def header(rng: random.Random) -> bytes:
    """A question's, for one name."""
    return rng.randbytes(2) + b"\x01\0\0\x01\0\0\0\0\0\0"


def datagram(rng: random.Random) -> bytes:
    whole = header(rng) + b"\x3f" + rng.randbytes(rng.randrange(1, 60)) if rng.random() < 0.7 else rng.randbytes(90)
    return whole[: rng.randrange(1, len(whole) + 1)]


# What a client says first on a connection, by its kind.
OPENINGS = {
    "ssh": lambda rng: b"",
    "http": lambda rng: REQUEST,
    "noise": lambda rng: rng.randbytes(rng.randrange(1, 3000)),
    "endless message": lambda rng: b"\xff\xff" + header(rng) + rng.randbytes(5000),
    "endless hello": lambda rng: b"\x16\x03\x01\x40\x00\x01\x00\x3f\xfc\x03\x03" + rng.randbytes(7000),
    "endless records": lambda rng: b"".join(b"\x16\x03\x01\0\x01" + rng.randbytes(1) for _ in range(800)),
}


async def converse(address: str, port: int, kind: str, rng: random.Random) -> None:
    async with asyncio.timeout(4):
        reader, writer = await asyncio.open_connection(address, port)
        opening = OPENINGS[kind](rng)
        if not opening:
            await reader.read(65536)
            opening = BANNER
        writer.write(opening)
        await reader.read(65536)
        if kind != "http":
            writer.write(rng.randbytes(rng.randrange(1, 20000)) + BYE)
        while await reader.read(65536):
            pass
        writer.close()
        await writer.wait_closed()


async def talk_over_udp(address: str, rng: random.Random) -> None:
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.setblocking(False)
        one.connect((address, 53))
        for _ in range(3):
            await loop.sock_sendall(one, datagram(rng))
            async with asyncio.timeout(4):
                await loop.sock_recv(one, 65536)


async def talk(address: str, rate: float, rng: random.Random) -> None:
    running = set()

    async def one() -> None:
        kind = rng.choice(["udp", *OPENINGS])
        port = 53 if kind in ("udp", "endless message") else rng.choice((53, 443, 443))
        wall, begun, result = time.time(), time.monotonic(), "ok"
        try:
            await (talk_over_udp(address, rng) if kind == "udp" else converse(address, port, kind, rng))
        except (OSError, TimeoutError) as error:
            result = type(error).__name__
        ms = round(1000 * (time.monotonic() - begun), 2)
        print(json.dumps({"t": round(wall, 4), "ms": ms, "to": f"{address}:{port}", "what": kind, "result": result}), flush=True)

    while True:
        await asyncio.sleep(rng.expovariate(rate))
        task = asyncio.create_task(one())
        running.add(task)
        task.add_done_callback(running.discard)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        sys.exit(asyncio.run(serve(sys.argv[2])))
    sys.exit(asyncio.run(talk(sys.argv[2], float(sys.argv[3]), random.Random(sys.argv[4]))))
