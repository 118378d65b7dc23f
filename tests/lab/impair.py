"""A path with chosen faults: the shim, put between two namespaces at one of the routers.

    path = Impaired(rig, "r2", [4], {"delay_ms": 40, "loss": 0.05}, {"delay_ms": 40}, ip=address, seed=7)
    path.counts()["forth"]["lost"]
    path.remove()

The router sends what shall be impaired into the shim's device, and routes on what comes out of it. The keys are the
shim's options; what it has counted itself is the truth.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from lab import namespaces
from lab.rig import Rig

_BUILD = Path(__file__).resolve().parents[2] / "build"
# Where packets come in at a router: on their way forth, and back.
_ENTRIES = {"r1": ("lan0", "up0"), "r2": ("down0", "dc0")}


def find_shim() -> Path:
    """NETWATCH_LAB_SHIM, or what the preset with tests builds."""
    path = Path(os.environ.get("NETWATCH_LAB_SHIM") or _BUILD / "dev" / "tests" / "lab" / "netwatch_lab_shim")
    if not os.access(path, os.X_OK):
        raise FileNotFoundError(f"no shim at {path}: cmake --build --preset dev --target netwatch_lab_shim")
    return path


def _options(settings: dict[str, float]) -> list[str]:
    return [text for key, value in settings.items() for text in (f"--{key.replace('_', '-')}", str(value))]


class Impaired:
    """In force from construction to `remove`; all traffic through the router, or that of one address behind it."""

    def __init__(
        self,
        rig: Rig,
        router: str,
        families: list[int],
        forth: dict[str, float],
        back: dict[str, float],
        ip: str | None = None,
        seed: int = 0,
        events: Path | None = None,
    ):
        self.rig, self.router = rig, router
        self.device, self.table = f"shim-{router}", "77"
        home = [text for family in families for text in ("--home", rig.addresses.lan.aggregate(family))]
        argv = [str(find_shim()), self.device, *home, "--seed", str(seed)]
        argv += ["--events", str(events)] if events else []
        argv += ["forth", *_options(forth), "back", *_options(back)]
        self.process = rig.spawn(router, argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline().strip() != "ready":
            raise RuntimeError("the shim did not start")
        rig.ip(router, "link", "set", self.device, "addrgenmode", "none")
        rig.ip(router, "link", "set", self.device, "txqueuelen", "4096", "up")
        self._rules = [(family, rule) for family in families for rule in self._selectors(ip)]
        for family in families:
            rig.ip(router, f"-{family}", "route", "add", "default", "dev", self.device, "table", self.table)
        for family, rule in self._rules:
            rig.ip(router, f"-{family}", "rule", "add", *rule, "lookup", self.table)

    def _selectors(self, ip: str | None) -> list[list[str]]:
        forth, back = _ENTRIES[self.router]
        return [["iif", forth, *(["to", ip] if ip else [])], ["iif", back, *(["from", ip] if ip else [])]]

    def counts(self) -> dict:
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def remove(self) -> None:
        """Packets on their way come out at once."""
        for family, rule in self._rules:
            self.rig.ip(self.router, f"-{family}", "rule", "del", *rule, "lookup", self.table)
        namespaces.stop(self.process)


def distance(rig: Rig, rtt_ms: float) -> Impaired:
    """All servers that far away, from now on; the neighbour on the client's link stays where it is."""
    half = {"delay_ms": rtt_ms / 2}
    return Impaired(rig, "r1", [4, 6], half, half)
