"""Stub resolvers of the lab: dnsmasq, systemd-resolved on 127.0.0.53, and a container's on 127.0.0.11 as docker has it;
and strangers on the ports of DNS and TLS."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from lab import namespaces
from lab.rig import Rig
from lab.software import Client, wait_for

HERE = Path(__file__).resolve().parent
_BUILD = HERE.parents[1] / "build"
_RESOLVED = "lib/systemd/systemd-resolved"


def _bound(pid: int, ip: str, port: int) -> bool:
    """A UDP socket is bound to that IPv4 address, or to an IPv6 one, and the port in the process's namespace."""
    wanted = "" if ":" in ip else "".join(f"{int(part):02X}" for part in reversed(ip.split(".")))
    try:
        lines = Path(f"/proc/{pid}/net/udp{6 if ':' in ip else ''}").read_text().splitlines()[1:]
    except FileNotFoundError:
        return False
    return any(line.split()[1].endswith(f"{wanted}:{port:04X}") for line in lines)


class Dnsmasq:
    """dnsmasq on one address: with names of its own, or passing everything on to `upstream`. It keeps no cache."""

    def __init__(self, rig: Rig, host: str, ip: str, names: dict[str, list[str]], upstream: str = "", port: int = 53):
        self.rig, self.host, self.ip, self.port = rig, host, ip, port
        self.names, self.upstream = dict(names), upstream
        self.process: subprocess.Popen | None = None
        self.start()

    def start(self, names: dict[str, list[str]] | None = None) -> None:
        names = self.names if names is None else names
        argv = ["dnsmasq", "--keep-in-foreground", "-C", "/dev/null", "--no-resolv", "--no-hosts", "--cache-size=0"]
        argv += ["--user=root", "--pid-file=", "--bind-interfaces", "--log-facility=/dev/null"]
        argv += [f"--listen-address={self.ip}", f"--port={self.port}"]
        argv += [f"--host-record={','.join([name, *addresses])}" for name, addresses in names.items()]
        argv += [f"--server={self.upstream}"] if self.upstream else []
        argv += ["--local=/lab.example/"] if names else []
        self.process = self.rig.spawn(self.host, argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(lambda: _bound(self.process.pid, self.ip, self.port), 5, f"dnsmasq on {self.host}")

    def stop(self) -> None:
        namespaces.stop(self.process)

    def restart(self, names: dict[str, list[str]] | None = None) -> None:
        """None: as it was; an empty table: it knows nothing and has nobody to ask."""
        self.stop()
        self.start(names)


class Embedded(Dnsmasq):
    """A container's resolver, as docker has it: on a port of its own, where NAT leads what goes to 127.0.0.11:53."""

    ADDRESS = "127.0.0.11"

    def __init__(self, rig: Rig, host: str, upstream: str):
        port = rig.rng.randrange(33000, 59000)
        rules = "".join(
            f"table ip docker_{protocol} {{\n"
            f"chain out {{\ntype nat hook output priority -100\n"
            f"ip daddr {self.ADDRESS} {protocol} dport 53 dnat to {self.ADDRESS}:{port}\n}}\n"
            f"chain post {{\ntype nat hook postrouting priority 100\n"
            f"ip saddr {self.ADDRESS} {protocol} sport {port} snat to {self.ADDRESS}:53\n}}\n}}\n"
            for protocol in ("udp", "tcp")
        )
        rig.nft(host, rules)
        super().__init__(rig, host, self.ADDRESS, {}, upstream, port)


def find_resolved() -> Path | None:
    """The machine's own systemd-resolved, or that of its package, unpacked: installing it would take over /etc/resolv.conf."""
    for root in (Path("/"), _BUILD / "lab" / "systemd-resolved"):
        if os.access(root / _RESOLVED, os.X_OK):
            return root / _RESOLVED
    return _fetch_resolved(_BUILD / "lab" / "systemd-resolved")


def _fetch_resolved(root: Path) -> Path | None:
    scratch = root.with_name("systemd-resolved.fetch")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    try:
        subprocess.run(["apt-get", "-qq", "download", "systemd-resolved"], cwd=scratch, check=True, capture_output=True)
        package = next(scratch.glob("*.deb"))
        subprocess.run(["dpkg", "-x", str(package), str(root)], check=True, capture_output=True)
    except (subprocess.CalledProcessError, OSError, StopIteration):
        return None
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return root / _RESOLVED


# systemd-resolved needs a /run/systemd and a user of its own; it does without D-Bus.
_ALONE = """\
mount --make-rprivate / && mount -t tmpfs none /run/systemd && mkdir -p /run/systemd/netif/links /run/systemd/resolve \
/run/systemd/resolved.conf.d && cp "$2" /run/systemd/resolved.conf.d/lab.conf && mount --bind "$3" /etc/passwd \
&& chown 64999:64999 /run/systemd/resolve && exec "$1"
"""


class Resolved:
    """systemd-resolved on 127.0.0.53 in a mount namespace of its own, without a cache."""

    ip = "127.0.0.53"

    def __init__(self, rig: Rig, host: str, upstream: str):
        self.rig, self.host = rig, host
        program = find_resolved()
        if program is None:
            raise RuntimeError("no systemd-resolved here, and its package cannot be fetched")
        self.directory = rig.directory / f"resolved-{host}"
        self.directory.mkdir()
        settings = {"DNS": upstream, "FallbackDNS": "", "DNSSEC": "no", "LLMNR": "no", "MulticastDNS": "no", "Cache": "no"}
        text = "".join(f"{key}={value}\n" for key, value in settings.items())
        (self.directory / "lab.conf").write_text(f"[Resolve]\n{text}")
        users = [line for line in Path("/etc/passwd").read_text().splitlines() if not line.startswith("systemd-resolve:")]
        users.append("systemd-resolve:x:64999:64999::/:/usr/sbin/nologin")
        (self.directory / "passwd").write_text("\n".join(users) + "\n")
        self.argv = ["unshare", "-m", "sh", "-c", _ALONE, "sh", str(program), str(self.directory / "lab.conf")]
        self.argv += [str(self.directory / "passwd")]
        self.process: subprocess.Popen | None = None
        self.start()

    def start(self) -> None:
        log = (self.directory / "log").open("a")
        self.process = self.rig.spawn(self.host, self.argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_for(lambda: _bound(self.process.pid, self.ip, 53), 8, f"systemd-resolved on {self.host}")

    def stop(self) -> None:
        namespaces.stop(self.process)


class Container:
    """A cgroup with the name that docker gives a container's; what is started in it is the container's."""

    def __init__(self, rig: Rig, name: str):
        mounts = [line.split(" - ") for line in Path("/proc/self/mountinfo").read_text().splitlines()]
        root = next(before.split()[4] for before, after in mounts if after.startswith("cgroup2 "))
        self.path = Path(root) / f"{rig.prefix}-{name}" / f"docker-{rig.rng.randbytes(32).hex()}.scope"
        self.path.mkdir(parents=True)
        rig.cgroups += [self.path, self.path.parent]

    @property
    def name(self) -> str:
        """As the agent tells it: below the mount point."""
        return f"/{self.path.parent.name}/{self.path.name}"

    def inside(self, argv: list[str]) -> list[str]:
        return ["sh", "-c", 'echo $$ > "$0" && exec "$@"', str(self.path / "cgroup.procs"), *argv]


def start_strangers(rig: Rig, host: str, ip: str, rate: float) -> Client:
    """strangers.py on both ends: none of it DNS or TLS."""
    program = [sys.executable, str(HERE / "strangers.py")]
    server = rig.spawn(host, [*program, "serve", ip], stdout=subprocess.PIPE, text=True)
    if server.stdout.readline().strip() != "listening":
        raise RuntimeError(f"the strangers on {host} did not start")
    path = rig.directory / f"strangers-{host}.log"
    log_file = path.open("w")
    argv = [*program, "talk", ip, str(rate), str(rig.rng.random())]
    return Client(rig.spawn("cli", argv, stdout=log_file, stderr=subprocess.DEVNULL), path, log_file)
