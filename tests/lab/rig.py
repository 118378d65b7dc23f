"""The rig: one client, two routers in a row, three servers, and a neighbour on the client's own link.

    near ─┐
    cli ──┴─[lan0 r1 up0]───[down0 r2 dc0]─┬─ srv1
                                           ├─ srv2
                                           └─ srv3

`lan` is the client's link. Each server has one address in network `a` and one in network `b`, both IPv4 and IPv6;
the client reaches them by two routes through r1, without a default route. Octets, host numbers and the congestion
control come from the seed. Segmentation offload is off on every link: with it a single dropped packet is up to 64 KB.

Neighbour entries of the client and of the routers stay valid for a few seconds only, so that a host that has gone
is noticed within a run; the three probes, a second apart, are the kernel's own.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import random
import secrets
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from lab import namespaces

SERVERS = ("srv1", "srv2", "srv3")
HOSTS = ("cli", "near", "r1", "r2", *SERVERS)

_COMMON_SYSCTLS = {
    "net.ipv4.conf.all.rp_filter": 0,
    "net.ipv4.conf.default.rp_filter": 0,
    "net.ipv6.conf.all.accept_dad": 0,
    "net.ipv6.conf.default.accept_dad": 0,
    "net.ipv6.conf.default.accept_ra": 0,
    "net.ipv4.icmp_ratelimit": 0,
    "net.ipv4.icmp_ratemask": 0,
    "net.ipv6.icmp.ratelimit": 0,
}
_NEIGHBOR_SYSCTLS = {"base_reachable_time_ms": 3000, "delay_first_probe_time": 1}
_ROUTER_SYSCTLS = {"net.ipv4.ip_forward": 1, "net.ipv6.conf.all.forwarding": 1}
# A router's rules are for what it routes, not for what its bridge passes on; kernels without br_netfilter lack these.
_BRIDGE_SYSCTLS = {"net.bridge.bridge-nf-call-iptables": 0, "net.bridge.bridge-nf-call-ip6tables": 0}


@dataclass(frozen=True)
class Network:
    """One link's IPv4 /24 and IPv6 /64; `v6_aggregate` is the /48 that the routes name."""

    v4_prefix: str  # "10.20.30"
    v6_prefix: str  # "fd00:14:1e"

    @property
    def v4(self) -> str:
        return f"{self.v4_prefix}.0/24"

    @property
    def v6_aggregate(self) -> str:
        return f"{self.v6_prefix}::/48"

    def aggregate(self, family: int) -> str:
        return self.v4 if family == 4 else self.v6_aggregate

    def host(self, number: int, family: int) -> str:
        return f"{self.v4_prefix}.{number}" if family == 4 else f"{self.v6_prefix}::{number:x}"


@dataclass
class Addresses:
    """Who has which address; drawn from the seed."""

    lan: Network
    core: Network
    a: Network
    b: Network
    number: dict[str, int] = field(default_factory=dict)

    @staticmethod
    def drawn(rng: random.Random) -> "Addresses":
        site, far = rng.sample(range(16, 200), 2)
        third = rng.sample(range(1, 250), 4)

        def network(second: int, index: int) -> Network:
            return Network(f"10.{second}.{third[index]}", f"fd00:{second:x}:{third[index]:x}")

        numbers = dict(zip(("cli", "near", *SERVERS), rng.sample(range(11, 250), 5)))
        return Addresses(network(site, 0), network(site, 1), network(far, 2), network(far, 3), numbers)

    def of(self, host: str, family: int, network: str | None = None) -> str:
        """The address of a host; `network` ("a" or "b") picks one of a server's two."""
        if host in SERVERS:
            return getattr(self, network or "a").host(self.number[host], family)
        if host in ("cli", "near"):
            return self.lan.host(self.number[host], family)
        if host == "r1":
            return self.lan.host(1, family)
        return self.core.host(2, family)


class Rig:
    """Namespaces up on entry, gone on exit, however the run ends. Use it as a context manager."""

    hosts: tuple[str, ...] = HOSTS

    def __init__(self, seed: int, keep: bool = False, congestion_control: str | None = None):
        self.rng = random.Random(f"rig {seed}")
        self.addresses = Addresses.drawn(self.rng)
        drawn = self.rng.choice(_usable_congestion_controls())
        self.congestion_control = congestion_control or drawn
        self.keep = keep
        self.prefix = f"nwlab-{os.getpid()}-{secrets.token_hex(3)}"
        self.directory: Path | None = None
        self.cgroups: list[Path] = []  # made for the run, inner ones first
        self._processes: list[subprocess.Popen] = []
        self._closed = False

    def __enter__(self) -> "Rig":
        namespaces.sweep()
        _live_rigs.append(self)
        _install_signal_handlers()
        try:
            self.directory = Path(tempfile.mkdtemp(prefix=f"{'netwatch-lab' if self.keep else self.prefix}-"))
            self.directory.chmod(0o755)
            self._build()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def namespace(self, host: str) -> str:
        return f"{self.prefix}-{host}"

    def netns_path(self, host: str) -> Path:
        return namespaces.NETNS_DIR / self.namespace(host)

    def netns_inode(self, host: str) -> int:
        return namespaces.inode(self.namespace(host))

    def spawn(self, host: str | None, argv: list[str], **options) -> subprocess.Popen:
        process = namespaces.spawn(host and self.namespace(host), argv, **options)
        self._processes.append(process)
        return process

    def run(self, host: str, argv: list[str], stdin: str | None = None, check: bool = True) -> str:
        return namespaces.run(self.namespace(host), argv, stdin, check)

    def ip(self, host: str, *arguments: str, check: bool = True) -> str:
        return namespaces.run(None, ["ip", "-n", self.namespace(host), *arguments], check=check)

    def nft(self, host: str, ruleset: str) -> None:
        self.run(host, ["nft", "-f", "-"], stdin=ruleset)

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        if self in _live_rigs:
            _live_rigs.remove(self)
        for process in self._processes:
            if process.poll() is None:
                process.terminate()
        for process in self._processes:
            namespaces.stop(process)
        for name in namespaces.existing():
            if name.startswith(self.prefix + "-"):
                namespaces.remove(name)
        for path in self.cgroups:
            with contextlib.suppress(OSError):
                path.rmdir()
        if self.directory and not self.keep:
            shutil.rmtree(self.directory, ignore_errors=True)

    def _build(self) -> None:
        _ip_batch([f"netns add {self.namespace(host)}" for host in HOSTS])
        for host in HOSTS:
            sysctls = dict(_COMMON_SYSCTLS)
            if host in ("r1", "r2"):
                sysctls |= _ROUTER_SYSCTLS
            self._sysctl(host, sysctls)
            if host in ("r1", "r2") and Path("/proc/sys/net/bridge").is_dir():
                self._sysctl(host, _BRIDGE_SYSCTLS)
        _ip_batch(self._links())
        for host in HOSTS:
            self._configure(host)
        self._await_connectivity()

    def _await_connectivity(self) -> None:
        """Carriers come up in their own time: the rig is ready when every host has answered the client."""
        targets = [
            self.addresses.of(host, family, network)
            for family in (4, 6)
            for host, network in (("near", None), *((s, n) for s in SERVERS for n in ("a", "b")))
        ]
        deadline = time.monotonic() + 10
        for target in targets:
            while not self.run("cli", ["ping", "-q", "-c", "1", "-W", "0.3", target], check=False).count(
                " 0% packet"
            ):
                if time.monotonic() > deadline:
                    raise RuntimeError(f"{target} does not answer in a rig without a fault")

    def _sysctl(self, host: str, values: dict[str, object]) -> None:
        self.run(host, ["sysctl", "-q", "-w", *(f"{key}={value}" for key, value in values.items())])

    def _links(self) -> list[str]:
        def veth(host: str, router: str, port: str) -> str:
            return (
                f"link add eth0 netns {self.namespace(host)} gso_max_segs 1 type veth "
                f"peer name {port} netns {self.namespace(router)} gso_max_segs 1"
            )

        core = (
            f"link add up0 netns {self.namespace('r1')} gso_max_segs 1 type veth "
            f"peer name down0 netns {self.namespace('r2')} gso_max_segs 1"
        )
        return [
            veth("cli", "r1", "cli"),
            veth("near", "r1", "near"),
            core,
            *(veth(server, "r2", server) for server in SERVERS),
        ]

    def _configure(self, host: str) -> None:
        """Addresses, routes and offloads of one host, its links up last but routes."""
        ports = {"r1": ["up0", "cli", "near"], "r2": ["down0", *SERVERS]}.get(host, ["eth0"])
        bridge = {"r1": "lan0", "r2": "dc0"}.get(host)
        commands = ["link set lo up"]
        if bridge:
            commands.append(f"link add {bridge} type bridge mcast_snooping 0 forward_delay 0")
            commands += [f"link set {port} master {bridge}" for port in ports[1:]]
            commands.append(f"link set {bridge} gso_max_segs 1 up")
        commands += [f"link set {port} up" for port in ports]
        commands += [f"addr add {address} dev {device} nodad" for device, address in self._addresses_of(host)]
        # A namespace may not choose a restricted congestion control as its default; a route may name any.
        congestion = f"congctl {self.congestion_control}" if host not in ("r1", "r2") else ""
        commands += [
            f"route add {prefix} via {gateway} {congestion}" for prefix, gateway in self._routes_of(host)
        ]
        for port in ports:
            features = ["tso", "off", "gso", "off", "gro", "off"]
            self.run(host, ["ethtool", "-K", port, *features])
        _ip_batch(commands, self.namespace(host))
        devices = [bridge, ports[0]] if bridge else ports
        self._sysctl(
            host,
            {
                f"net.{ip}.neigh.{device}.{key}": value
                for ip in ("ipv4", "ipv6")
                for device in devices
                for key, value in _NEIGHBOR_SYSCTLS.items()
            },
        )

    def _addresses_of(self, host: str) -> list[tuple[str, str]]:
        nets = self.addresses
        attached = {
            "r1": [("lan0", nets.lan, 1), ("up0", nets.core, 1)],
            "r2": [("down0", nets.core, 2), ("dc0", nets.a, 1), ("dc0", nets.b, 1)],
        }.get(host)
        if attached is None:
            networks = [nets.a, nets.b] if host in SERVERS else [nets.lan]
            attached = [("eth0", network, nets.number[host]) for network in networks]
        return [
            (device, f"{network.host(number, family)}/{24 if family == 4 else 64}")
            for device, network, number in attached
            for family in (4, 6)
        ]

    def _routes_of(self, host: str) -> list[tuple[str, str]]:
        nets = self.addresses
        routes = []
        for family in (4, 6):
            if host in ("cli", "near"):
                gateway = nets.lan.host(1, family)
                routes += [(net.aggregate(family), gateway) for net in (nets.a, nets.b, nets.core)]
            elif host == "r1":
                gateway = nets.core.host(2, family)
                routes += [(net.aggregate(family), gateway) for net in (nets.a, nets.b)]
            elif host == "r2":
                routes.append((nets.lan.aggregate(family), nets.core.host(1, family)))
            else:
                routes.append(("default", nets.a.host(1, family)))
        return routes


def _ip_batch(commands: list[str], namespace: str | None = None) -> None:
    argv = ["ip", *(["-n", namespace] if namespace else []), "-batch", "-"]
    namespaces.run(None, argv, stdin="\n".join(commands) + "\n")


def _usable_congestion_controls() -> list[str]:
    available = Path("/proc/sys/net/ipv4/tcp_available_congestion_control").read_text().split()
    return [name for name in ("bbr", "cubic") if name in available] or available


_live_rigs: list[Rig] = []


@atexit.register
def close_all() -> None:
    for rig in list(_live_rigs):
        rig.close()


def _install_signal_handlers() -> None:
    """A polite kill unwinds the stack, and with it the rig. (Ctrl-C does so by itself.)"""
    if threading.current_thread() is not threading.main_thread():
        return

    def leave(number, _frame) -> None:
        raise SystemExit(128 + number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, leave)
