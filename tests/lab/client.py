#!/usr/bin/python3
"""Client software of the lab: what applications do with sockets, each outcome logged as a JSON line.

A line is {"t": start in Unix seconds, "ms": duration, "to": "ip:port", "what": "connect" or "request",
"result": "ok", "timeout", "closed" or an errno name}. Arrivals are drawn from the seed; the client runs until it is
terminated, or until its mode has nothing left to do.
"""

from __future__ import annotations

import argparse
import asyncio
import errno
import json
import random
import socket
import sys
import time


def target(text: str) -> tuple[str, int]:
    host, port = text.rsplit(":", 1)
    return host.strip("[]"), int(port)


def label(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class Log:
    def __init__(self, host: str, port: int, what: str):
        self.to, self.what = label(host, port), what
        self.wall, self.start = time.time(), time.monotonic()

    def done(self, result: str) -> None:
        line = {
            "t": round(self.wall, 4),
            "ms": round(1000 * (time.monotonic() - self.start), 2),
            "to": self.to,
            "what": self.what,
            "result": result,
        }
        print(json.dumps(line), flush=True)


def result_of(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "timeout" if error.errno is None else errno.errorcode[error.errno]
    if isinstance(error, OSError) and error.errno is not None:
        return errno.errorcode.get(error.errno, str(error.errno))
    return "closed"


FAILURES = (OSError, asyncio.IncompleteReadError, EOFError)


async def open_stream(host: str, port: int, timeout: float):
    """A TCP connection, or None; its outcome is logged."""
    log = Log(host, port, "connect")
    try:
        async with asyncio.timeout(timeout):
            streams = await asyncio.open_connection(host, port)
    except FAILURES as error:
        log.done(result_of(error))
        return None
    log.done("ok")
    return streams


async def read_response(reader) -> str:
    """Reads one HTTP/1.1 response with Content-Length; the value of its Connection header."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    headers = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
    left = int(headers.get("content-length", "0"))
    while left > 0:
        chunk = await reader.read(min(left, 1 << 16))
        if not chunk:
            raise EOFError
        left -= len(chunk)
    return headers.get("connection", "keep-alive")


async def request(
    streams,
    host: str,
    port: int,
    path: str,
    timeout: float,
    body: bytes = b"",
    last: bool = False,
    apart: bool = False,
) -> bool:
    """One request on an open connection. True when the connection can be used again."""
    reader, writer = streams
    log = Log(host, port, "request")
    verb = "POST" if body else "GET"
    connection = "close" if last else "keep-alive"
    head = f"{verb} {path} HTTP/1.1\r\nHost: lab\r\nConnection: {connection}\r\n"
    head += f"Content-Length: {len(body)}\r\n\r\n"
    try:
        async with asyncio.timeout(timeout):
            for piece in (head.encode(), body) if apart else (head.encode() + body,):
                writer.write(piece)  # at once, as a segment of its own
            await writer.drain()
            answer = await read_response(reader)
    except FAILURES as error:
        log.done(result_of(error))
        return False
    log.done("ok")
    return answer != "close"


async def close(streams) -> None:
    writer = streams[1]
    writer.close()
    try:
        await writer.wait_closed()
    except OSError:
        pass


class Client:
    def __init__(self, options):
        self.options = options
        self.rng = random.Random(f"client {options.seed}")
        self.body = (
            (bytes(self.rng.randrange(256) for _ in range(1024)) * (options.size // 1024 + 1))[: options.size]
            if options.size
            else b""
        )

    async def pause(self) -> None:
        await asyncio.sleep(self.rng.expovariate(self.options.rate))

    async def once(self, host: str, port: int, last: bool = True) -> None:
        """Connect, one request, close; the server closes first where the request is said to be the last."""
        streams = await open_stream(host, port, self.options.timeout)
        if streams:
            await request(streams, host, port, self.options.path, self.options.timeout, self.body, last=last)
            await close(streams)

    async def connects(self, last: bool = True) -> None:
        """New connections at a rate that does not wait for answers (an open loop)."""
        running = set()
        while True:
            await self.pause()
            task = asyncio.create_task(self.once(*self.rng.choice(self.options.targets), last=last))
            running.add(task)
            task.add_done_callback(running.discard)

    async def leaves(self) -> None:
        """The same, and the client closes first: its port rests for a minute."""
        await self.connects(last=False)

    async def leaks(self) -> None:
        """New connections that are never closed, though the server has closed them."""
        leaked = []
        while True:
            await self.pause()
            host, port = self.rng.choice(self.options.targets)
            streams = await open_stream(host, port, self.options.timeout)
            if streams:
                await request(streams, host, port, self.options.path, self.options.timeout, self.body, last=True)
                leaked.append(streams)

    async def sequential(self) -> None:
        """One after the other, as a worker with one connection would."""
        while True:
            await self.once(*self.rng.choice(self.options.targets))
            await self.pause()

    async def keep_one(self, host: str, port: int) -> None:
        """A kept connection with a request now and then; reconnects when it breaks."""
        while True:
            streams = await open_stream(host, port, self.options.timeout)
            usable = streams is not None
            while usable:
                await self.pause()
                usable = await request(
                    streams,
                    host,
                    port,
                    self.options.path,
                    self.options.timeout,
                    self.body,
                    apart=self.options.apart,
                )
            if streams:
                await close(streams)
            await self.pause()

    async def keep(self) -> None:
        targets = self.options.targets
        await asyncio.gather(*(self.keep_one(*targets[i % len(targets)]) for i in range(self.options.count)))

    async def idle(self) -> None:
        """Connections with one request at first and silence ever after."""
        held = []
        for i in range(self.options.count):
            host, port = self.options.targets[i % len(self.options.targets)]
            streams = await open_stream(host, port, self.options.timeout)
            if streams:
                await request(streams, host, port, self.options.path, self.options.timeout)
                held.append(streams)
        await asyncio.Event().wait()

    async def burst(self) -> None:
        """All connections at once, then the end."""
        await asyncio.gather(
            *(
                self.once(*self.options.targets[i % len(self.options.targets)])
                for i in range(self.options.count)
            )
        )

    async def scan(self) -> None:
        """Each target once, in random order, at the rate."""
        for host, port in self.rng.sample(self.options.targets, len(self.options.targets)):
            streams = await open_stream(host, port, self.options.timeout)
            if streams:
                await close(streams)
            await self.pause()

    async def speculative(self) -> None:
        """Connections opened ahead of need and closed unused."""
        while True:
            await self.pause()
            streams = await open_stream(*self.rng.choice(self.options.targets), self.options.timeout)
            if streams:
                await asyncio.sleep(self.rng.uniform(0.01, 0.4))
                await close(streams)

    async def periodic(self) -> None:
        """A health check: a connect at strict intervals."""
        due = time.monotonic()
        while True:
            for host, port in self.options.targets:
                await self.once(host, port)
            due += 1 / self.options.rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))

    async def race(self) -> None:
        """Happy Eyeballs: the first address, a quarter of a second later the second; who is first wins."""
        while True:
            await self.pause()
            addresses = self.rng.choice(self.options.targets)
            log = Log(*addresses[0], "connect")
            winner = await self._first_of(addresses)
            log.done("ok" if winner else "timeout")
            if winner:
                await close(winner)

    async def _first_of(self, addresses):
        async def attempt(index: int, host: str, port: int):
            await asyncio.sleep(0.25 * index)
            return await asyncio.open_connection(host, port)

        pending = {asyncio.create_task(attempt(i, *address)) for i, address in enumerate(addresses)}
        deadline = time.monotonic() + self.options.timeout
        winner = None
        while pending and winner is None and time.monotonic() < deadline:
            done, pending = await asyncio.wait(
                pending, timeout=deadline - time.monotonic(), return_when=asyncio.FIRST_COMPLETED
            )
            winner = next((task.result() for task in done if task.exception() is None), None)
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        return winner

    async def datagrams(self) -> None:
        """UDP in quantity; errors that come back are of no interest to it."""
        loop = asyncio.get_running_loop()
        senders = [
            (await loop.create_datagram_endpoint(asyncio.DatagramProtocol, remote_addr=address))[0]
            for address in self.options.targets
        ]
        while True:
            await asyncio.sleep(0.02)
            for _ in range(max(1, int(self.options.rate * 0.02))):
                self.rng.choice(senders).sendto(b"a datagram of 23 bytes.")

    async def curl(self) -> None:
        """The real curl, one process a request."""
        limit = ["--limit-rate", self.options.limit] if self.options.limit else []
        await self._tool(
            lambda host, port: [
                "curl", "-s", "-S", "-g", "-o", "/dev/null", "--max-time", str(self.options.timeout), *limit,
                f"http://{label(host, port)}{self.options.path}",
            ]
        )  # fmt: skip

    async def psql(self) -> None:
        """The real psql: connect, log in, one query, leave."""
        query = "select count(*) from pgbench_accounts where aid < 100"
        await self._tool(
            lambda host, port: [
                "psql", "-X", "-q", "-A", "-t", "-h", host, "-p", str(port), "-U", "lab", "-c", query, "postgres",
            ]
        )  # fmt: skip

    async def redis(self) -> None:
        """The real redis-cli: connect, one command, leave."""
        await self._tool(lambda host, port: ["redis-cli", "-h", host, "-p", str(port), "INCR", "visits"])

    async def last_word(self) -> None:
        """Workers that say thank you for each answer, and rest together when a batch is done."""
        await asyncio.gather(*(self._batches(*self.options.targets[0]) for _ in range(self.options.count)))

    async def _batches(self, host: str, port: int) -> None:
        streams = await open_stream(host, port, self.options.timeout)
        while streams:
            for _ in range(5):
                if not await request(streams, host, port, self.options.path, self.options.timeout):
                    return
                await asyncio.sleep(0.02)
                streams[1].write(b"NOTE /thanks HTTP/1.1\r\nHost: lab\r\n\r\n")
                await asyncio.sleep(0.1)
            await asyncio.sleep(1 / self.options.rate)

    async def _tool(self, command) -> None:
        """One process for each request, at a rate that does not wait for answers."""
        running = set()
        while True:
            await self.pause()
            host, port = self.rng.choice(self.options.targets)
            task = asyncio.create_task(self._run(command(host, port), Log(host, port, "request")))
            running.add(task)
            task.add_done_callback(running.discard)

    async def _run(self, argv: list[str], log: Log) -> None:
        process = await asyncio.create_subprocess_exec(
            *argv, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
        )
        try:
            async with asyncio.timeout(self.options.timeout + 0.2):
                _, errors = await process.communicate()
        except TimeoutError:
            process.kill()
            await process.wait()
            log.done("timeout")
            return
        log.done("ok" if process.returncode == 0 else said(errors.decode(errors="replace"), process.returncode))

    async def ship(self) -> None:
        """Log lines one way on kept connections, a batch now and then on a connection of its own; no answers ever."""
        await asyncio.gather(self._ship_batches(), *(self._ship_lines() for _ in range(self.options.count)))

    async def _ship_lines(self) -> None:
        host, port = self.rng.choice(self.options.targets)
        if streams := await open_stream(host, port, self.options.timeout):
            while True:
                streams[1].write(b"x" * self.rng.randrange(90, 700) + b"\n")
                await streams[1].drain()
                await self.pause()

    async def _ship_batches(self) -> None:
        while True:
            await self.pause()
            streams = await open_stream(*self.rng.choice(self.options.targets), self.options.timeout)
            if streams:
                streams[1].write(b"a line of a log that nobody answers\n" * self.rng.randrange(3, 90))
                await close(streams)


def said(errors: str, status: int) -> str:
    """What a tool's complaint means, as an errno where it names one."""
    for words, result in (("refused", "ECONNREFUSED"), ("timed out", "timeout"), ("timeout", "timeout"),
                          ("No route", "EHOSTUNREACH"), ("unreachable", "ENETUNREACH"), ("reset", "ECONNRESET")):  # fmt: skip
        if words in errors:
            return result
    return f"exit {status}"


def probe(options) -> None:
    """One blocking connect(): errno and time as the application sees them, on one line."""
    host, port = options.targets[0]
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.settimeout(options.timeout)
        log = Log(host, port, "connect")
        try:
            sock.connect((host, port))
        except OSError as error:
            log.done(result_of(error))
        else:
            log.done("ok")


MODES = (
    "connects",
    "leaves",
    "leaks",
    "sequential",
    "keep",
    "idle",
    "burst",
    "scan",
    "speculative",
    "periodic",
    "race",
    "datagrams",
    "curl",
    "psql",
    "redis",
    "ship",
    "last_word",
    "probe",
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("mode", choices=MODES)
    parser.add_argument(
        "targets", nargs="+", help="ip:port; several with commas between them for a race"
    )
    parser.add_argument(
        "--rate", type=float, default=5.0, help="per second; for kept connections, per connection"
    )
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--timeout", type=float, default=4.0)
    parser.add_argument("--path", default="/")
    parser.add_argument("--limit", help="curl's own limit of its rate")
    parser.add_argument("--size", type=int, default=0, help="bytes of a request body")
    parser.add_argument("--apart", type=int, default=0, help="1: head and body are written apart")
    parser.add_argument("--seed", default="0")
    options = parser.parse_args()
    if options.mode == "race":
        options.targets = [[target(text) for text in pair.split(",")] for pair in options.targets]
    else:
        options.targets = [target(text) for text in options.targets]
    if options.mode == "probe":
        probe(options)
    else:
        asyncio.run(getattr(Client(options), options.mode)())
    return 0


if __name__ == "__main__":
    sys.exit(main())
