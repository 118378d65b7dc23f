#!/usr/bin/python3
"""Clients of TLS servers: python's own (OpenSSL), curl (OpenSSL) and gnutls-cli, each outcome logged as client.py does.

A target is ip:port/name: where to connect, and the name to ask for and to check.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import ssl
import sys
from pathlib import Path

from client import FAILURES, Log, close, read_response, result_of, target

VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
REQUEST = "GET / HTTP/1.1\r\nHost: lab\r\nConnection: {}\r\n\r\n"


def parse_target(text: str) -> tuple[str, int, str]:
    where, name = text.split("/", 1)
    return *target(where), name


def tls_result(error: BaseException) -> str:
    return f"tls {error.reason}" if isinstance(error, ssl.SSLError) else result_of(error)


class TlsClient:
    def __init__(self, options):
        self.options = options
        self.rng = random.Random(f"tls client {options.seed}")
        self.kept_context: ssl.SSLContext | None = None

    def context(self) -> ssl.SSLContext:
        """Made anew for each connection, as a new process would: it reads the trusted certificates again."""
        context = ssl.create_default_context(cafile=self.options.ca)
        context.maximum_version = VERSIONS[self.options.max_version]
        context.minimum_version = VERSIONS[self.options.min_version]
        if self.options.ciphers:
            context.set_ciphers(self.options.ciphers)
        if self.options.alpn:
            context.set_alpn_protocols(self.options.alpn.split(","))
        if self.options.cert:
            context.load_cert_chain(self.options.cert, self.options.key)
        return context

    async def pause(self) -> None:
        await asyncio.sleep(self.rng.expovariate(self.options.rate))

    async def open(self, host: str, port: int, name: str):
        log = Log(host, port, "handshake")
        try:
            async with asyncio.timeout(self.options.timeout):
                streams = await asyncio.open_connection(host, port, ssl=self.context(), server_hostname=name)
        except FAILURES as error:
            log.done(tls_result(error))
            return None
        log.done("ok")
        return streams

    async def ask(self, streams, host: str, port: int, last: bool) -> bool:
        log = Log(host, port, "request")
        try:
            async with asyncio.timeout(self.options.timeout):
                streams[1].write(REQUEST.format("close" if last else "keep-alive").encode())
                await streams[1].drain()
                if self.options.whole:
                    await streams[0].read()
                else:
                    await read_response(streams[0])
        except FAILURES as error:
            log.done(tls_result(error))
            return False
        log.done("ok")
        return True

    async def in_an_open_loop(self, one) -> None:
        """At a rate that does not wait for answers."""
        running = set()
        while True:
            await self.pause()
            task = asyncio.create_task(one(*self.rng.choice(self.options.targets)))
            running.add(task)
            task.add_done_callback(running.discard)

    async def connects(self) -> None:
        """New connections, one request each."""

        async def one(host: str, port: int, name: str) -> None:
            if streams := await self.open(host, port, name):
                await self.ask(streams, host, port, last=True)
                await close(streams)

        await self.in_an_open_loop(one)

    async def keep(self) -> None:
        """Kept connections with a request now and then; made anew when they break."""

        async def one(host: str, port: int, name: str) -> None:
            while True:
                streams = await self.open(host, port, name)
                while streams and await self.ask(streams, host, port, last=False):
                    await self.pause()
                if streams:
                    await close(streams)
                await self.pause()

        targets = self.options.targets
        await asyncio.gather(*(one(*targets[i % len(targets)]) for i in range(self.options.count)))

    async def leaves(self) -> None:
        """A health check: a handshake, and goodbye."""

        async def one(host: str, port: int, name: str) -> None:
            if streams := await self.open(host, port, name):
                await close(streams)

        await self.in_an_open_loop(one)

    async def preconnects(self) -> None:
        """A handshake ahead of need; after a while goodbye, unused."""

        async def one(host: str, port: int, name: str) -> None:
            if streams := await self.open(host, port, name):
                await asyncio.sleep(self.rng.uniform(0.1, 3.0))
                await close(streams)

        await self.in_an_open_loop(one)

    async def scans(self) -> None:
        """Half handshakes: a connect alone, or a ClientHello, and away before the answer is read."""

        async def one(host: str, port: int, name: str) -> None:
            try:
                async with asyncio.timeout(self.options.timeout):
                    streams = await asyncio.open_connection(host, port)
            except FAILURES:
                return
            if self.rng.random() < 0.7:
                streams[1].write(self.hello(name))
            if self.rng.random() < 0.5:
                streams[1].transport.abort()
            else:
                await close(streams)

        await self.in_an_open_loop(one)

    def hello(self, name: str) -> bytes:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        half = self.context().wrap_bio(incoming, outgoing, server_hostname=name)
        try:
            half.do_handshake()
        except ssl.SSLWantReadError:
            pass
        return outgoing.read()

    async def plain(self) -> None:
        """Plain HTTP, whatever the port speaks."""

        async def one(host: str, port: int, _name: str) -> None:
            log = Log(host, port, "request")
            try:
                async with asyncio.timeout(self.options.timeout):
                    streams = await asyncio.open_connection(host, port)
                    streams[1].write(REQUEST.format("close").encode())
                    answer = await streams[0].read()
                    await close(streams)
            except FAILURES as error:
                return log.done(result_of(error))
            log.done("ok" if b" 200 " in answer[:20] else "refused in words")

        await self.in_an_open_loop(one)

    async def curl(self) -> None:
        def command(host: str, port: int, name: str) -> list[str]:
            address = f"[{host}]" if ":" in host else host
            argv = ["curl", "-s", "-S", "-o", "/dev/null", "--max-time", str(self.options.timeout)]
            argv += ["--cacert", self.options.ca, f"--tlsv{self.options.min_version}", "--tls-max", self.options.max_version]
            argv += ["--ciphers", self.options.ciphers] if self.options.ciphers else []
            return [*argv, "--resolve", f"{name}:{port}:{address}", f"https://{name}:{port}/"]

        await self.in_an_open_loop(lambda *where: self.run(command(*where), *where))

    async def gnutls(self) -> None:
        def command(host: str, port: int, name: str) -> list[str]:
            versions = "".join(f":+VERS-TLS{v}" for v in VERSIONS if self.options.min_version <= v <= self.options.max_version)
            return [
                "gnutls-cli", f"--x509cafile={self.options.ca}", f"--sni-hostname={name}", f"--verify-hostname={name}",
                f"--priority=NORMAL:-VERS-ALL{versions}", "-p", str(port), host,
            ]  # fmt: skip

        await self.in_an_open_loop(lambda *where: self.run(command(*where), *where))

    async def run(self, argv: list[str], host: str, port: int, _name: str) -> None:
        """One process for each request."""
        log = Log(host, port, "request")
        process = await asyncio.create_subprocess_exec(
            *argv, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
        )
        try:
            async with asyncio.timeout(self.options.timeout + 0.2):
                await process.communicate(REQUEST.format("close").encode())
        except TimeoutError:
            process.kill()
            await process.wait()
            return log.done("timeout")
        log.done("ok" if process.returncode == 0 else f"exit {process.returncode}")


class Resuming(TlsClient):
    """Sessions are taken up again where the server lets them."""

    async def resumes(self) -> None:
        contexts: dict[str, ssl.SSLContext] = {}
        sessions: dict[str, ssl.SSLSession] = {}

        def blocking(host: str, port: int, name: str) -> str:
            import socket

            context = contexts.setdefault(name, self.context())
            try:
                raw = socket.create_connection((host, port), self.options.timeout)
                with context.wrap_socket(raw, server_hostname=name, session=sessions.get(name)) as streams:
                    streams.sendall(REQUEST.format("close").encode())
                    while streams.recv(1 << 16):
                        pass
                    sessions[name] = streams.session
            except FAILURES as error:
                return tls_result(error)
            return "ok"

        async def one(host: str, port: int, name: str) -> None:
            log = Log(host, port, "request")
            log.done(await asyncio.to_thread(blocking, host, port, name))

        await self.in_an_open_loop(one)


MODES = ("connects", "keep", "leaves", "preconnects", "scans", "plain", "curl", "gnutls", "resumes")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("mode", choices=MODES)
    parser.add_argument("targets", nargs="+", help="ip:port/name")
    parser.add_argument("--rate", type=float, default=3.0, help="per second; for kept connections, per connection")
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--timeout", type=float, default=4.0)
    parser.add_argument("--ca", help="the certificates that are trusted")
    parser.add_argument("--max-version", choices=sorted(VERSIONS), default="1.3")
    parser.add_argument("--min-version", choices=sorted(VERSIONS), default="1.2")
    parser.add_argument("--ciphers", help="of TLS 1.2, in OpenSSL's terms")
    parser.add_argument("--alpn", help="comma-separated")
    parser.add_argument("--cert", type=Path)
    parser.add_argument("--key", type=Path)
    parser.add_argument("--whole", action="store_true", help="the answer ends with the connection")
    parser.add_argument("--seed", default="0")
    options = parser.parse_args()
    options.targets = [parse_target(text) for text in options.targets]
    asyncio.run(getattr(Resuming(options), options.mode)())
    return 0


if __name__ == "__main__":
    sys.exit(main())
