#!/usr/bin/python3
"""A forwarder in userspace: packets that the kernel routes into its TUN device come back out of it, some later.

    shim.py DEVICE --share 0.05 --late-ms 2.7 --seed 7

It takes a share of the packets aside and lets them pass `late-ms` behind the others: reordering. When it is
terminated it prints what it has done, {"forwarded": ..., "held": ...}, on one line.
"""

from __future__ import annotations

import argparse
import fcntl
import heapq
import json
import os
import random
import select
import signal
import struct
import sys
import time

TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000


def open_tun(name: str) -> int:
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    return fd


def forward(fd: int, share: float, late_s: float, rng: random.Random) -> dict:
    counts = {"forwarded": 0, "held": 0}
    running = True

    def end(*_) -> None:
        nonlocal running
        running = False

    signal.signal(signal.SIGTERM, end)
    held: list[tuple[float, int, bytes]] = []
    while running:
        wait = max(0.0, held[0][0] - time.monotonic()) if held else 0.2
        if select.select([fd], [], [], wait)[0]:
            packet = os.read(fd, 65535)
            counts["forwarded"] += 1
            if rng.random() < share:
                counts["held"] += 1
                heapq.heappush(held, (time.monotonic() + late_s, counts["held"], packet))
            else:
                os.write(fd, packet)
        while held and held[0][0] <= time.monotonic():
            os.write(fd, heapq.heappop(held)[2])
    for _, _, packet in sorted(held):  # late, not lost
        os.write(fd, packet)
    return counts


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("device")
    parser.add_argument("--share", type=float, default=0.0)
    parser.add_argument("--late-ms", type=float, default=0.0)
    parser.add_argument("--seed", default="0")
    options = parser.parse_args()
    fd = open_tun(options.device)
    print("ready", flush=True)
    counts = forward(fd, options.share, options.late_ms / 1000, random.Random(f"shim {options.seed}"))
    print(json.dumps(counts), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
