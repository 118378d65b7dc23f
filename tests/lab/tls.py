"""TLS in the lab: authorities and certificates made with the openssl command, servers that show them, and clients."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

from lab import namespaces
from lab.rig import Rig
from lab.software import Client, listening_ports, wait_for

HERE = Path(__file__).resolve().parent
DAY = timedelta(days=1)


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


@dataclass(frozen=True)
class Certificate:
    chain: Path
    key: Path


class Authority:
    """A certificate authority of its own, trusted by whoever is given its `root`."""

    _CONFIG = """\
[ca]
default_ca = lab
[lab]
database = {directory}/index.txt
serial = {directory}/serial
new_certs_dir = {directory}
default_md = sha256
policy = names
unique_subject = no
[names]
commonName = supplied
"""

    def __init__(self, directory: Path, name: str = "lab authority"):
        directory.mkdir()
        self.directory, self.root, self._key = directory, directory / "root.pem", directory / "root.key"
        self._made = 0
        (directory / "index.txt").touch()
        (directory / "serial").write_text("1000\n")
        (directory / "ca.cnf").write_text(self._CONFIG.format(directory=directory))
        _openssl("req", "-x509", *self._new_key(self._key), "-out", str(self.root), "-subj", f"/CN={name}", "-days", "30")

    @staticmethod
    def _new_key(path: Path, kind: str = "ec") -> list[str]:
        curve = ["-pkeyopt", "ec_paramgen_curve:prime256v1"] if kind == "ec" else ["-pkeyopt", "rsa_keygen_bits:2048"]
        return ["-newkey", kind, *curve, "-nodes", "-keyout", str(path)]

    def issue(self, name: str, begins: timedelta = -DAY, ends: timedelta = 30 * DAY, kind: str = "ec") -> Certificate:
        """A certificate for a name, valid from and to so long after now."""
        self._made += 1
        base = self.directory / f"{self._made}-{name}"
        key, request, chain = (base.with_name(f"{base.name}.{end}") for end in ("key", "csr", "pem"))
        extensions = base.with_name(f"{base.name}.ext")
        extensions.write_text(f"subjectAltName=DNS:{name}\nbasicConstraints=CA:FALSE\n")
        _openssl("req", *self._new_key(key, kind), "-out", str(request), "-subj", f"/CN={name}")
        now = datetime.now(timezone.utc)
        dates = [f"{now + after:%Y%m%d%H%M%SZ}" for after in (begins, ends)]
        _openssl(
            "ca", "-batch", "-notext", "-config", str(self.directory / "ca.cnf"), "-cert", str(self.root),
            "-keyfile", str(self._key), "-in", str(request), "-out", str(chain), "-extfile", str(extensions),
            "-startdate", dates[0], "-enddate", dates[1],
        )  # fmt: skip
        return Certificate(chain, key)


@dataclass(frozen=True)
class Site:
    """How a server speaks TLS under one name. `protocols` and `ciphers` in nginx's terms; empty: its own."""

    certificate: Certificate
    protocols: str = "TLSv1.2 TLSv1.3"
    ciphers: str = ""
    verify: str = "off"  # of client certificates
    clients_root: Path | None = None
    extra: str = ""


_CONFIG = """\
daemon off;
user root;
worker_processes 1;
pid {directory}/nginx.pid;
error_log {directory}/error.log;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    keepalive_timeout 75s;
{servers}
}}
"""
_SERVER = """\
    server {{
        listen 0.0.0.0:{port}{ssl};
        listen [::]:{port}{ssl};
        server_name {name};
{settings}
        location / {{ default_type text/plain; return 200 "a healthy answer\\n"; }}
    }}
"""


class SecureNginx:
    """nginx with TLS on one port, one site a name; the first is the default."""

    def __init__(self, rig: Rig, host: str, port: int, sites: dict[str, Site]):
        self.rig, self.host, self.port, self.sites = rig, host, port, dict(sites)
        self.directory = rig.directory / f"tls-nginx-{host}-{port}"
        self.directory.mkdir()
        self.process: subprocess.Popen | None = None
        self.start()

    def start(self) -> None:
        self._write(ssl=True)
        argv = ["nginx", "-c", str(self.directory / "nginx.conf"), "-e", str(self.directory / "error.log")]
        self.process = self.rig.spawn(self.host, argv, stderr=subprocess.DEVNULL)
        wait_for(lambda: self.port in listening_ports(self.process.pid), 5, f"nginx with TLS on {self.host}")

    def reload(self, sites: dict[str, Site] | None = None, ssl: bool = True) -> None:
        """As an administrator would: new configuration, then SIGHUP. `ssl` off: plain HTTP on the port."""
        self.sites = dict(sites or self.sites)
        self._write(ssl)
        before = self._workers()
        self.process.send_signal(signal.SIGHUP)
        wait_for(lambda: self._workers() - before, 5, f"nginx with TLS on {self.host} after the reload")

    def change(self, name: str, **what) -> dict[str, Site]:
        """Changes one site; returns what there was before."""
        before = dict(self.sites)
        self.reload(before | {name: replace(before[name], **what)})
        return before

    def stop(self) -> None:
        namespaces.stop(self.process)

    def _workers(self) -> set[str]:
        pid = self.process.pid
        return set(Path(f"/proc/{pid}/task/{pid}/children").read_text().split())

    def _write(self, ssl: bool) -> None:
        servers = "".join(
            _SERVER.format(port=self.port, ssl=" ssl" if ssl else "", name=name, settings=_settings(site) if ssl else "")
            for name, site in self.sites.items()
        )
        (self.directory / "nginx.conf").write_text(_CONFIG.format(directory=self.directory, servers=servers))


def _settings(site: Site) -> str:
    lines = [
        f"ssl_certificate {site.certificate.chain};",
        f"ssl_certificate_key {site.certificate.key};",
        f"ssl_protocols {site.protocols};",
        f"ssl_verify_client {site.verify};",
    ]
    if site.ciphers:
        lines.append(f"ssl_ciphers {site.ciphers};")
    if site.clients_root:
        lines.append(f"ssl_client_certificate {site.clients_root};")
    return "\n".join(f"        {line}" for line in [*lines, site.extra] if line)


class OpensslServer:
    """openssl s_server, which answers HTTP requests with a page about the connection; one at a time."""

    def __init__(self, rig: Rig, host: str, port: int, certificate: Certificate, *options: str):
        self.rig, self.host, self.port, self.certificate = rig, host, port, certificate
        self.process: subprocess.Popen | None = None
        self.start(*options)

    def start(self, *options: str) -> None:
        argv = ["openssl", "s_server", "-accept", str(self.port), "-www", "-quiet"]
        argv += ["-cert", str(self.certificate.chain), "-key", str(self.certificate.key), *options]
        self.process = self.rig.spawn(
            self.host, argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        path = Path(f"/proc/{self.process.pid}/net/tcp6")
        wait_for(lambda: f":{self.port:04X} " in path.read_text(), 5, f"openssl s_server on {self.host}")

    def restart(self, *options: str) -> None:
        namespaces.stop(self.process)
        self.start(*options)

    def stop(self) -> None:
        namespaces.stop(self.process)


def start_tls_client(rig: Rig, mode: str, targets: list[str], host: str = "cli", **options) -> Client:
    """tls_client.py on the observed host; a target is "ip:port/name"."""
    path = rig.directory / f"tls-client-{rig.rng.randrange(1 << 32):08x}-{mode}.log"
    flags = [text for key, value in options.items() for text in (f"--{key.replace('_', '-')}", str(value))]
    log_file = path.open("w")
    argv = [sys.executable, str(HERE / "tls_client.py"), mode, *targets, "--seed", str(rig.rng.random()), *flags]
    return Client(rig.spawn(host, argv, stdout=log_file, stderr=subprocess.DEVNULL), path, log_file)


def start_go_client(rig: Rig, targets: list[str], ca: Path, rate: float, version: str) -> Client:
    """A client with Go's own TLS, built here."""
    program = rig.directory / "tlsget"
    environment = os.environ | {"GOCACHE": str(rig.directory / "go-cache"), "GOFLAGS": "-mod=mod", "GO111MODULE": "off"}
    subprocess.run(["go", "build", "-o", str(program), str(HERE / "tlsget.go")], check=True, env=environment)
    shutil.rmtree(rig.directory / "go-cache", ignore_errors=True)
    path = rig.directory / f"go-client-{rig.rng.randrange(1 << 32):08x}.log"
    log_file = path.open("w")
    argv = [str(program), "-ca", str(ca), "-rate", str(rate), "-version", version, *targets]
    return Client(rig.spawn("cli", argv, stdout=log_file, stderr=subprocess.DEVNULL), path, log_file)
