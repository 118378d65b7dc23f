"""What simpler means would have said of the same run: the errno alone, and thresholds on the host's counters.

    errno        three failures of one kind towards one destination within ten seconds, by what applications were told
    thresholds   of what the kernel counts for the whole host, in ten seconds: three refused connects, three
                 retransmitted SYNs, or one retransmission in a hundred segments

Both are what dashboards and logs offer without netwatch. Each gives one type, or none; the first crossing counts.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict, deque
from dataclasses import dataclass
from pathlib import Path

WINDOW_S = 10.0
FAILURES = 3
RETRANSMITTED_SHARE = 0.01
LEAST_SEGMENTS = 200

# What an engineer reads into an errno.
MEANING = {
    "ECONNREFUSED": "port_blocked",
    "EHOSTUNREACH": "host_unreachable",
    "ENETUNREACH": "routing_failure",
    "EACCES": "firewall_block",
    "EPERM": "firewall_block",
    "EMFILE": "connection_exhaustion",
    "ENFILE": "connection_exhaustion",
    "EADDRNOTAVAIL": "connection_exhaustion",
    "ECONNRESET": "connection_reset",
    "ETIMEDOUT": "host_unreachable",
    ("connect", "timeout"): "host_unreachable",
    ("request", "timeout"): "slow_service",
}


@dataclass(frozen=True)
class Answer:
    type: str
    at: float  # Unix seconds


def by_errno(outcomes: list[dict], since: float) -> Answer | None:
    recent: dict[tuple[str, str], deque[float]] = defaultdict(deque)
    failed = [(o["t"] + o["ms"] / 1000, o) for o in outcomes if o["result"] != "ok"]
    for at, outcome in sorted(failed, key=lambda item: item[0]):
        kind = MEANING.get(outcome["result"]) or MEANING.get((outcome["what"], outcome["result"]))
        if at < since or kind is None:
            continue
        times = recent[outcome["to"], kind]
        times.append(at)
        while at - times[0] > WINDOW_S:
            times.popleft()
        if len(times) >= FAILURES:
            return Answer(kind, at)
    return None


def by_thresholds(samples: list[dict], since: float) -> Answer | None:
    window: deque[dict] = deque()
    for sample in samples:
        if sample["t"] < since:
            continue
        window.append(sample)
        while sample["t"] - window[0]["t"] > WINDOW_S:
            window.popleft()
        grown = {key: value - window[0][key] for key, value in sample.items()}
        if grown["AttemptFails"] >= FAILURES and grown["TCPSynRetrans"] == 0:
            return Answer("port_blocked", sample["t"])
        if grown["TCPSynRetrans"] >= FAILURES:
            return Answer("host_unreachable", sample["t"])
        sent = grown["OutSegs"]
        if sent >= LEAST_SEGMENTS and grown["RetransSegs"] - grown["TCPSynRetrans"] > RETRANSMITTED_SHARE * sent:
            return Answer("packet_loss", sample["t"])
    return None


COUNTERS = ("OutSegs", "RetransSegs", "AttemptFails", "TCPSynRetrans")


class Sampler:
    """Reads the counters of a process's namespace once a second until it is stopped."""

    def __init__(self, pid: int):
        self.pid, self.samples = pid, []
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stopped.wait(1.0):
            self.samples.append({"t": round(time.time(), 3)} | _read(self.pid))

    def stop(self) -> list[dict]:
        self._stopped.set()
        self._thread.join()
        return self.samples


def _read(pid: int) -> dict[str, int]:
    found = {}
    for table in ("snmp", "netstat"):
        lines = Path(f"/proc/{pid}/net/{table}").read_text().splitlines()
        for names, values in zip(lines[::2], lines[1::2]):
            if names.startswith("Tcp"):
                found |= dict(zip(names.split()[1:], map(int, values.split()[1:])))
    return {name: found[name] for name in COUNTERS}
