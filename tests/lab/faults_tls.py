"""Injectors around TLS: what an operator does to a server's certificate or settings, to a client's trust, or on the way."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Callable

from lab.faults import Fault, Label
from lab.impair import Impaired
from lab.rig import Rig
from lab.software import Sink, endpoint
from lab.tls import Authority, Certificate, OpensslServer, SecureNginx

TYPE = "tls_handshake_failure"


def _label(causes: tuple[str, ...], ip: str, port: int, kinds=("destination",), **more) -> Label:
    members = (f"{endpoint(ip, port)}/tcp",)
    return Label(TYPE, causes, kinds, destinations=((ip, port),), members=members, **more)


def _at_both(label: Label, heal: Callable[[], object]) -> Fault:
    """Both ends see the handshakes and who ends them."""
    return Fault(label, lambda: heal() and None, at_server=replace(label, perspective="server"))


def shows(nginx: SecureNginx, name: str, certificate: Certificate, causes: tuple[str, ...], ip: str, **more) -> Fault:
    """The server shows another certificate."""
    before = nginx.change(name, certificate=certificate)
    return _at_both(_label(causes, ip, nginx.port, **more), lambda: nginx.reload(before))


def set_up(nginx: SecureNginx, name: str, causes: tuple[str, ...], ip: str, **settings) -> Fault:
    """The server's TLS settings are changed."""
    before = nginx.change(name, **settings)
    return _at_both(_label(causes, ip, nginx.port), lambda: nginx.reload(before))


def wants_certificates(server: OpensslServer, ip: str, root: Path) -> Fault:
    """From now on the server demands a certificate of its clients."""
    server.restart("-Verify", "1", "-verify_return_error", "-CAfile", str(root))
    return _at_both(_label(("client_certificate_required",), ip, server.port), server.restart)


def plain(nginx: SecureNginx, ip: str) -> Fault:
    """The port speaks plain HTTP: somebody forgot the word ssl."""
    nginx.reload(ssl=False)
    return Fault(_label(("plaintext_on_tls",), ip, nginx.port), nginx.reload)


def mute(rig: Rig, nginx: SecureNginx, ip: str) -> Fault:
    """What listens takes everything and never says a word."""
    nginx.stop()
    sink = Sink(rig, nginx.host, nginx.port)

    def heal() -> None:
        sink.process.terminate()
        sink.process.wait()
        nginx.start()

    return Fault(_label(("silent",), ip, nginx.port, set_allowed=("slow_service",)), heal)


def name_filtered(rig: Rig, family: int, ip: str, port: int, name: str, how: str, ttl: int) -> Fault:
    """A box on the way swallows ClientHellos for one name, or answers them with RST in the server's name."""
    settings = {"with_text": name} | ({"loss": 1.0} if how == "silent" else {"reset": 1.0, "reset_ttl": ttl})
    box = Impaired(rig, "r1", [family], settings, {}, ip=ip)
    label = _label((how,), ip, port, kinds=("name",), scope_values=(name,))
    return Fault(label, box.remove, box.counts)


def trusts_nobody(
    roots: Path, stranger: Authority, servers: list[tuple[str, int]], value: str | None = None
) -> Fault:
    """The file of trusted certificates is replaced by another: whoever reads it trusts none of its servers."""
    before = roots.read_bytes()
    roots.write_bytes(stranger.root.read_bytes())
    heal: Callable[[], object] = lambda: roots.write_bytes(before)
    members = tuple(f"{endpoint(*server)}/tcp" for server in servers)
    values = (value,) if value else ()
    label = Label(TYPE, ("unknown_ca",), ("trust",), values, tuple(servers), members, process=value)
    return Fault(label, lambda: heal() and None)
