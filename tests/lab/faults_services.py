"""Servers: processes that end, close a port, answer late or not at all, take no connections."""

from __future__ import annotations

from lab import namespaces
from lab.faults import Fault, Label, at, load_rules
from lab.rig import Rig
from lab.software import Nginx, Postgres, Redis, Service


def port_closed(nginx: Nginx, ip: str, port: int) -> Fault:
    """The server process ends; the kernel answers for its port with RST."""
    nginx.stop()
    return Fault(Label("port_blocked", ("closed_port",), **at(ip, port)), nginx.start)


def one_port_closed(nginx: Nginx, ip: str, port: int) -> Fault:
    """One of several ports is taken out of a running server's configuration."""
    ports = list(nginx.ports)
    nginx.reload([p for p in ports if p != port])
    return Fault(Label("port_blocked", ("closed_port",), **at(ip, port)), lambda: nginx.reload(ports))


def backend_dead(nginx: Nginx, service: tuple[str, int], backend: tuple[str, int]) -> Fault:
    """The one backend of a service address refuses; the clients know the address only."""
    ports = list(nginx.ports)
    nginx.reload([port for port in ports if port != backend[1]])
    label = Label("port_blocked", ("closed_port",), real=backend, **at(*service))
    return Fault(label, lambda: nginx.reload(ports))


def ports_closed(nginxes: list[Nginx], destinations: list[tuple[str, int]]) -> Fault:
    """Several servers' processes end at once: each of their addresses in use refuses, others of the network go on."""
    for nginx in nginxes:
        nginx.stop()

    def heal() -> None:
        for nginx in nginxes:
            nginx.start()

    label = Label(
        "port_blocked",
        ("closed_port",),
        scope_kinds=("destination", "prefix"),
        destinations=tuple(destinations),
        roots=len({ip for ip, _ in destinations}),
    )
    return Fault(label, heal)


def peer_restarted(rig: Rig, nginx: Nginx, ip: str, port: int) -> Fault:
    """The server's host starts anew: its connections are gone without a word, its service is there again."""
    mute = load_rules(rig, nginx.host, "output", f"tcp sport {port} drop")
    nginx.stop()
    rig.run(nginx.host, ["ss", "-K", "-tn", "sport", "=", f":{port}"])
    mute()
    nginx.start()
    return Fault(Label("connection_reset", ("half_open",), momentary=True, **at(ip, port)), lambda: None)


def service_slow(service: Service, ip: str, port: int, delay_s: float, usual_s: float = 0.0) -> Fault:
    """The application answers late; the network and the server's kernel are as quick as ever."""
    service.set_delay(delay_s)
    label = Label("slow_service", ("waiting", "slow"), **at(ip, port))
    return Fault(label, lambda: service.set_delay(usual_s))


def service_mute(service: Service, ip: str, port: int) -> Fault:
    """The application takes requests and never answers one."""
    service.set_delay(None)
    label = Label("slow_service", ("waiting",), **at(ip, port))
    return Fault(label, lambda: service.set_delay(0.0))


def service_hung(service: Service, ip: str, port: int) -> Fault:
    """The server's process stands still; its kernel accepts and acknowledges."""
    service.hang(True)
    label = Label("slow_service", ("waiting",), **at(ip, port))
    return Fault(label, lambda: service.hang(False))


def service_reads_nothing(service: Service, ip: str, port: int) -> Fault:
    """The server's process stands still amid large requests: its kernel's window shuts."""
    service.hang(True)
    label = Label("receiver_stalled", ("zero_window",), **at(ip, port))
    return Fault(label, lambda: service.hang(False))


def backlog_full(service: Service, ip: str, port: int) -> Fault:
    """The process does not accept and its short queue overflows: from outside, SYNs go unanswered."""
    service.hang(True)
    where = at(ip, port) | {"scope_kinds": ("destination", "process", "host")}
    label = Label(
        "connection_exhaustion", ("listen_backlog",), set_allowed=("slow_service", "firewall_block"), **where
    )
    there = Label(
        "connection_exhaustion", ("listen_backlog",), destinations=((ip, port),), scope_kinds=("destination",),
        perspective="server", process="python3",
    )  # fmt: skip
    return Fault(label, lambda: service.hang(False), at_server=there, everywhere=there)


def postgres_locked(postgres: Postgres, ip: str, port: int, held_s: float) -> Fault:
    """A session holds the table that all queries want, over and over. The network carries their questions as ever."""
    postgres.lock_accounts(held_s)
    return Fault(Label("slow_service", ("waiting", "slow"), **at(ip, port)), postgres.unlock_accounts)


def redis_stalled(redis: Redis, ip: str, port: int, seconds: float) -> Fault:
    """Somebody's command takes seconds, over and over, and the server has but one thread."""
    slow = redis.stall(seconds)
    return Fault(Label("slow_service", ("waiting", "slow"), **at(ip, port)), lambda: namespaces.stop(slow))


def redis_killed(redis: Redis, ip: str, port: int) -> Fault:
    redis.stop()
    return Fault(Label("port_blocked", ("closed_port",), **at(ip, port)), redis.start)
