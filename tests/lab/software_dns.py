"""DNS software of the lab: unbound as resolver, a relay before it that can misbehave, and clients that ask.

The zone `lab.example` has a dozen names of the rig's servers. Unbound holds it as local data; with `forwards` a second
unbound holds it, and the first asks that one, as a resolver asks its forwarder.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Callable

from lab import namespaces
from lab.rig import Rig
from lab.software import Client, wait_for

HERE = Path(__file__).resolve().parent
ZONE = "lab.example"
BACK_PORT = 5353

_UNBOUND_CONFIG = """\
server:
    username: ""
    chroot: ""
    directory: "{directory}"
    pidfile: "{directory}/unbound.pid"
    use-syslog: no
    logfile: "{directory}/unbound.log"
    num-threads: 1
    do-daemonize: no
    interface: 0.0.0.0
    interface: ::0
    port: {port}
    access-control: 0.0.0.0/0 {access}
    access-control: ::0/0 {access}
    do-not-query-localhost: no
    cache-max-ttl: 0
    cache-max-negative-ttl: 0
    module-config: "{modules}"
{anchor}
    interface-automatic: yes
{settings}
{data}
remote-control:
    control-enable: yes
    control-use-cert: no
    control-interface: {directory}/control
{forward}
"""
_FORWARD = """\
forward-zone:
    name: "."
    forward-addr: 127.0.0.1@5353
"""


# The key of another zone: nothing below this one validates.
_ANCHOR = f"""\
    trust-anchor: "{ZONE}. DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D"
"""


class Unbound:
    def __init__(
        self, rig: Rig, host: str, names: dict[str, list[str]], port: int = 53, forwards: bool = False, settings: str = ""
    ):
        self.rig, self.host, self.names, self.port, self.forwards = rig, host, names, port, forwards
        self.access, self.settings = "allow", settings
        self.validates = False
        self.directory = rig.directory / f"unbound-{host}-{port}"
        self.directory.mkdir()
        self.process: subprocess.Popen | None = None
        self.start()

    def start(self) -> None:
        self._write_config()
        argv = ["unbound", "-d", "-p", "-c", str(self.directory / "unbound.conf")]
        self.process = self.rig.spawn(self.host, argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(lambda: _bound(self.process.pid, self.port), 5, f"unbound on {self.host}")

    def stop(self) -> None:
        namespaces.stop(self.process)

    def restart(self, access: str = "allow", validates: bool = False, settings: str | None = None) -> None:
        self.stop()
        self.access, self.validates = access, validates
        self.settings = self.settings if settings is None else settings
        self.start()

    def control(self, *words: str) -> None:
        self.rig.run(self.host, ["unbound-control", "-c", str(self.directory / "unbound.conf"), *words])

    def remove(self, name: str) -> None:
        self.control("local_data_remove", f"{name}.")

    def add(self, name: str) -> None:
        for record in records(name, self.names[name]):
            self.control("local_data", *record.split())

    def _write_config(self) -> None:
        data = "" if self.forwards else f'    local-zone: "{ZONE}." static\n    local-zone: "cluster.lab." static\n'
        if not self.forwards:
            data += "".join(f'    local-data: "{line}"\n' for name in self.names for line in records(name, self.names[name]))
        text = _UNBOUND_CONFIG.format(
            directory=self.directory, port=self.port, data=data, access=self.access,
            forward=_FORWARD if self.forwards else "", modules="validator iterator" if self.validates else "iterator",
            anchor=_ANCHOR if self.validates else "", settings="".join(f"    {line}\n" for line in self.settings.splitlines()),
        )  # fmt: skip
        (self.directory / "unbound.conf").write_text(text)


def records(name: str, addresses: list[str]) -> list[str]:
    return [f"{name}. 5 IN {'AAAA' if ':' in address else 'A'} {address}" for address in addresses]


def _bound(pid: int, port: int) -> bool:
    """A UDP socket of each family is bound to the port in the process's namespace."""

    def there(table: str) -> bool:
        try:
            lines = Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]
        except FileNotFoundError:
            return False
        return any(line.split()[1].endswith(f":{port:04X}") for line in lines)

    return there("udp") and there("udp6")


class Relay:
    """The lab's own relay on port 53 before an unbound on the back port: late, or dropping, as it is told."""

    def __init__(self, rig: Rig, host: str, ip: str):
        argv = [sys.executable, str(HERE / "dns_relay.py"), "--at", ip, "--to", str(BACK_PORT)]
        self.process = rig.spawn(host, argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline().strip() != "listening":
            raise RuntimeError(f"the relay on {host} did not start")

    def set(self, **what: float | bool | str) -> None:
        self.process.stdin.write(json.dumps(what) + "\n")
        self.process.stdin.flush()


def resolver_file(rig: Rig, host: str, servers: list[str], options: str = "", search: str = "") -> Path:
    """A resolv.conf of the lab's own."""
    path = rig.directory / f"resolv.conf-{host}"
    lines = [f"nameserver {server}" for server in servers]
    lines += [f"options {options}"] if options else []
    lines += [f"search {search}"] if search else []
    path.write_text("\n".join(lines) + "\n")
    return path


def start_resolving(
    rig: Rig, resolv_conf: Path, names: list[str], host: str = "cli", inside: Callable = list, **options
) -> Client:
    """A client that asks for names as applications do, with that resolv.conf in place of /etc's.

    `inside`: how it is started, where it is a container's.
    """
    flags = [text for key, value in options.items() for text in (f"--{key}", str(value))]
    argv = ["unshare", "-m", "sh", "-c", 'mount --bind "$0" /etc/resolv.conf && exec "$@"', str(resolv_conf)]
    argv += [sys.executable, str(HERE / "resolve.py"), "--seed", str(rig.rng.random()), *flags, *names]
    path = rig.directory / f"resolve-{rig.rng.randrange(1 << 32):08x}.log"
    log_file = path.open("w")
    return Client(rig.spawn(host, inside(argv), stdout=log_file, stderr=subprocess.DEVNULL), path, log_file)
