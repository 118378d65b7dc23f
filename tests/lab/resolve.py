#!/usr/bin/python3
"""Asks for names as applications do, each outcome logged as a JSON line, as client.py logs.

    resolve.py MODE [--rate R] [--port P] NAME...

    getent    a process for each name, through glibc
    dig       the same with dig
    curl      resolves and fetches http://NAME:PORT/
    large     dig with room for answers of 4 KiB, which come in fragments
    held      one process with one socket of its own source port, for A records (needs --server)
"""

from __future__ import annotations

import argparse
import json
import random
import secrets
import socket
import subprocess
import sys
import threading
import time


LOCK = threading.Lock()


def log(name: str, begun: tuple[float, float], result: str) -> None:
    wall, start = begun
    line = {"t": round(wall, 4), "ms": round(1000 * (time.monotonic() - start), 2), "to": name, "what": "resolve",
            "result": result}  # fmt: skip
    with LOCK:
        print(json.dumps(line), flush=True)


def ask(argv: list[str], name: str, timeout: float) -> None:
    begun = time.time(), time.monotonic()
    try:
        done = subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=timeout)
        log(name, begun, "ok" if done.returncode == 0 else f"exit {done.returncode}")
    except subprocess.TimeoutExpired:
        log(name, begun, "timeout")


def question(name: str) -> bytes:
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"
    return secrets.token_bytes(2) + b"\x01\0\0\x01\0\0\0\0\0\0" + labels + b"\0\x01\0\x01"


def held(options, rng) -> None:
    family = socket.AF_INET6 if ":" in options.server else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.settimeout(options.timeout)
    sock.connect((options.server, 53))
    while True:
        name = rng.choice(options.names)
        begun = time.time(), time.monotonic()
        try:
            sock.send(question(name))
            sock.recv(4096)
            log(name, begun, "ok")
        except OSError as error:
            log(name, begun, type(error).__name__)
        time.sleep(1 / options.rate)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--mode", choices=("getent", "dig", "large", "curl", "held"), default="getent")
    parser.add_argument("--rate", type=float, default=3.0)
    parser.add_argument("--port", type=int, default=80)
    parser.add_argument("--server", default="")
    parser.add_argument("--timeout", type=float, default=29.0)
    parser.add_argument("--seed", default="0")
    parser.add_argument("--typos", type=float, default=0.0, help="the share of names that nobody has")
    parser.add_argument("names", nargs="+")
    options = parser.parse_args()
    rng = random.Random(f"resolve {options.seed}")
    if options.mode == "held":
        held(options, rng)
    while True:
        time.sleep(rng.expovariate(options.rate))
        name = rng.choice(options.names)
        if rng.random() < options.typos:
            name = f"{secrets.token_hex(4)}.{name}"
        argv = {
            "getent": ["getent", "ahosts", name],
            "dig": ["dig", "+short", name],
            "large": ["dig", "+short", "+bufsize=4096", name],
            "curl": ["curl", "-s", "-o", "/dev/null", "-m", str(options.timeout), f"http://{name}:{options.port}/"],
        }[options.mode]
        threading.Thread(target=ask, args=(argv, name, options.timeout), daemon=True).start()


if __name__ == "__main__":
    sys.exit(main())
