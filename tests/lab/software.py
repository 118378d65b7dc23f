"""The software that runs in the rig: real servers, the lab's own service, and its clients."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from lab import namespaces
from lab.rig import Rig

HERE = Path(__file__).resolve().parent
PYTHON = sys.executable

_NGINX_CONFIG = """\
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
    keepalive_timeout {keepalive_s}s;
    keepalive_requests {keepalive_requests};
    sendfile on;
    server {{
{listens}
        location / {{ default_type text/plain; return 200 "a healthy answer\\n"; }}
        location /blob {{ root {directory}; limit_rate {blob_rate}; }}
        location /page {{ root {directory}; }}
    }}
}}
"""


def endpoint(ip: str, port: int) -> str:
    return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"


def wait_for(condition, deadline_s: float, what: str) -> None:
    """Polls for something that gives no signal of its own."""
    deadline = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {deadline_s} s")
        time.sleep(0.01)


class Nginx:
    """One nginx in one server's namespace, on IPv4 and IPv6."""

    def __init__(self, rig: Rig, host: str, ports: list[int], **settings):
        self.rig, self.host, self.ports = rig, host, list(ports)
        self.settings = {"keepalive_s": 75, "keepalive_requests": 1000, "blob_rate": "3m"} | settings
        self.directory = rig.directory / f"nginx-{host}"
        self.directory.mkdir()
        (self.directory / "blob").write_bytes(rig.rng.randbytes(1 << 20))
        (self.directory / "page").write_bytes(rig.rng.randbytes(9137))  # its last segment is a small one
        self.process: subprocess.Popen | None = None
        self.start()

    def start(self) -> None:
        self._write_config()
        self.process = self.rig.spawn(
            self.host,
            ["nginx", "-c", str(self.directory / "nginx.conf"), "-e", str(self.directory / "error.log")],
            stderr=subprocess.DEVNULL,
        )
        wait_for(lambda: self._listening() == set(self.ports), 5, f"nginx on {self.host}")

    def stop(self) -> None:
        namespaces.stop(self.process)

    def reload(self, ports: list[int]) -> None:
        """Changes the ports as an administrator would: new configuration, then SIGHUP."""
        self.ports = list(ports)
        self._write_config()
        self.process.send_signal(signal.SIGHUP)
        wait_for(lambda: self._listening() == set(ports), 5, f"nginx on {self.host} after the reload")

    def _write_config(self) -> None:
        listens = "\n".join(
            f"        listen {address}:{port};" for port in self.ports for address in ("0.0.0.0", "[::]")
        )
        text = _NGINX_CONFIG.format(directory=self.directory, listens=listens, **self.settings)
        (self.directory / "nginx.conf").write_text(text)

    def _listening(self) -> set[int]:
        return listening_ports(self.process.pid)


def listening_ports(pid: int) -> set[int]:
    """TCP ports with a listener for IPv4 and for IPv6 in the namespace of a process."""
    return _listening(pid, "tcp") & _listening(pid, "tcp6")


def _listening(pid: int, table: str) -> set[int]:
    try:
        lines = Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]
    except FileNotFoundError:
        return set()
    rows = [line.split() for line in lines]
    return {int(row[1].rsplit(":", 1)[1], 16) for row in rows if row[3] == "0A"}


class Service:
    """The lab's own service on one server."""

    def __init__(self, rig: Rig, host: str, ports: list[int], backlog: int = 1024):
        self.process = rig.spawn(
            host,
            [PYTHON, str(HERE / "service.py"), "--backlog", str(backlog), *map(str, ports)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        if self.process.stdout.readline().strip() != "listening":
            raise RuntimeError(f"the service on {host} did not start")

    def set_delay(self, delay_s: float | None) -> None:
        """How late answers are; None: there are none."""
        self._set(delay_s=delay_s)

    def set_pause(self, pause_s: float) -> None:
        """How long it rests between two pieces of a request's body."""
        self._set(pause_s=pause_s)

    def set_busy(self, busy_s: float) -> None:
        """For how long it computes, and reads nothing, before each answer."""
        self._set(busy_s=busy_s)

    def set_limit(self, limit: int | None) -> None:
        """How many connections it serves at once; None: any number."""
        self._set(limit=limit)

    def set_resets(self, idle_s: float | None = None, answers: int | None = None) -> None:
        """It resets connections that rest for so long, or that have had so many answers."""
        self._set(idle_reset_s=idle_s, answers_then_reset=answers)

    def _set(self, **what: float | None) -> None:
        self.process.stdin.write(json.dumps(what) + "\n")
        self.process.stdin.flush()

    def hang(self, hung: bool) -> None:
        """The process stops where it is; its kernel goes on accepting and acknowledging."""
        self.process.send_signal(signal.SIGSTOP if hung else signal.SIGCONT)


class Tier:
    """One tier of a web application, with a pool of connections to the one below."""

    def __init__(self, rig: Rig, host: str, port: int, address: str, below: str, **options: int):
        flags = [text for key, value in options.items() for text in (f"--{key}", str(value))]
        argv = [PYTHON, str(HERE / "tier.py"), "--below", below, "--address", address, *flags, str(port)]
        self.process = rig.spawn(host, argv, stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline().strip() != "listening":
            raise RuntimeError(f"the tier on {host} did not start")


class Iperf3Server:
    def __init__(self, rig: Rig, host: str, port: int):
        self.process = rig.spawn(
            host, ["iperf3", "-s", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_for(lambda: self._ready(port), 5, f"iperf3 on {host}")

    def _ready(self, port: int) -> bool:
        # iperf3 listens on one dual-stack socket.
        lines = Path(f"/proc/{self.process.pid}/net/tcp6").read_text().splitlines()[1:]
        return any(row.split()[1].endswith(f":{port:04X}") for row in lines)


class Sink:
    """socat: takes what comes and never says a word."""

    def __init__(self, rig: Rig, host: str, port: int):
        argv = ["socat", "-u", f"TCP6-LISTEN:{port},fork,reuseaddr,backlog=128", "OPEN:/dev/null"]
        self.process = rig.spawn(host, argv, stderr=subprocess.DEVNULL)
        wait_for(lambda: port in _listening(self.process.pid, "tcp6"), 5, f"socat on {host}")


_HAPROXY_CONFIG = """\
global
    maxconn 2000
    nbthread 1
defaults
    mode http
    timeout connect 2s
    timeout client 30s
    timeout server 30s
    timeout http-keep-alive 2s
frontend lab
    bind 0.0.0.0:{port}
    bind [::]:{port} v6only
    http-request return status 200 content-type text/plain string "a healthy answer"
"""


class Haproxy:
    """A plain web server that closes connections after two idle seconds."""

    def __init__(self, rig: Rig, host: str, port: int):
        config = rig.directory / f"haproxy-{host}.cfg"
        config.write_text(_HAPROXY_CONFIG.format(port=port))
        self.process = rig.spawn(host, ["haproxy", "-db", "-f", str(config)], stderr=subprocess.DEVNULL)
        wait_for(lambda: listening_ports(self.process.pid) == {port}, 5, f"haproxy on {host}")


class Redis:
    def __init__(self, rig: Rig, host: str, port: int):
        self.rig, self.host, self.port = rig, host, port
        self.process: subprocess.Popen | None = None
        self.start()

    def start(self) -> None:
        argv = ["redis-server", "--port", str(self.port), "--bind", "0.0.0.0", "::", "--protected-mode", "no"]
        argv += ["--save", "", "--dir", str(self.rig.directory), "--enable-debug-command", "local"]
        self.process = self.rig.spawn(self.host, argv, stdout=subprocess.DEVNULL)
        wait_for(lambda: listening_ports(self.process.pid) == {self.port}, 5, f"redis on {self.host}")

    def stop(self) -> None:
        namespaces.stop(self.process)

    def stall(self, seconds: float) -> subprocess.Popen:
        """One command that takes so long: the server has one thread, so everybody waits for it, again and again."""
        argv = ["redis-cli", "-p", str(self.port), "-r", "-1", "DEBUG", "SLEEP", str(seconds)]
        return self.rig.spawn(self.host, argv, stdout=subprocess.DEVNULL)


class Postgres:
    """One PostgreSQL with a data directory of its own and pgbench's tables; as the user postgres, as it insists."""

    PROGRAMS = Path("/usr/lib/postgresql/15/bin")

    def __init__(self, rig: Rig, host: str, port: int):
        self.rig, self.host, self.port = rig, host, port
        self.directory = rig.directory / f"postgres-{host}"
        self.directory.mkdir()
        shutil.chown(self.directory, "postgres", "postgres")
        self._initialise()
        self.process: subprocess.Popen | None = None
        self.start()
        self.rig.run(host, ["pgbench", "-i", "-q", *self._here()])

    def _initialise(self) -> None:
        data = str(self.directory / "data")
        argv = [str(self.PROGRAMS / "initdb"), "-D", data, "--no-sync", "-A", "trust", "-U", "lab", "--locale=C"]
        self.rig.run(self.host, [*self._as_postgres(), *argv])
        with (self.directory / "data" / "pg_hba.conf").open("a") as rules:
            rules.write("host all all 0.0.0.0/0 trust\nhost all all ::/0 trust\n")

    def _as_postgres(self) -> list[str]:
        return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--pdeathsig=INT"]

    def _here(self) -> list[str]:
        return ["-h", str(self.directory), "-p", str(self.port), "-U", "lab", "postgres"]

    def start(self) -> None:
        settings = {"listen_addresses": "*", "unix_socket_directories": self.directory, "fsync": "off"}
        argv = [str(self.PROGRAMS / "postgres"), "-D", str(self.directory / "data"), "-p", str(self.port)]
        argv += [text for key, value in settings.items() for text in ("-c", f"{key}={value}")]
        with (self.directory / "log").open("a") as log:
            self.process = self.rig.spawn(self.host, [*self._as_postgres(), *argv], stderr=log)
        ready = ["pg_isready", "-q", *self._here()[:4]]
        wait_for(
            lambda: namespaces.spawn(self.rig.namespace(self.host), ready).wait() == 0, 10, f"postgres on {self.host}"
        )

    def sql(self, text: str) -> str:
        """On the server itself, by its own socket."""
        return self.rig.run(self.host, ["psql", "-X", "-q", "-A", "-t", *self._here(), "-c", text])

    def lock_accounts(self, held_s: float) -> None:
        """A session takes the table for so long, lets go for a moment, and takes it again."""
        text = (
            "do $$ begin loop lock table pgbench_accounts in access exclusive mode; "
            f"perform pg_sleep({held_s}); commit; perform pg_sleep(0.05); end loop; end $$"
        )
        self.rig.spawn(
            self.host,
            ["psql", "-X", "-q", *self._here(), "-c", text],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def unlock_accounts(self) -> None:
        self.sql("select pg_terminate_backend(pid) from pg_stat_activity where wait_event = 'PgSleep'")


@dataclass
class Client:
    """One client process on the observed host, and the log of what its sockets saw."""

    process: subprocess.Popen
    log_path: Path
    log_file: object = field(repr=False)

    def outcomes(self) -> list[dict]:
        lines = self.log_path.read_text().splitlines()
        return [json.loads(line) for line in lines if line.endswith("}")]

    def stop(self) -> None:
        namespaces.stop(self.process)
        self.log_file.close()

    def wait(self, timeout_s: float) -> None:
        self.process.wait(timeout_s)


def start_client(rig: Rig, mode: str, targets: list[str], host: str = "cli", **options) -> Client:
    path = rig.directory / f"client-{rig.rng.randrange(1 << 32):08x}-{mode}.log"
    flags = [text for key, value in options.items() for text in (f"--{key}", str(value))]
    log_file = path.open("w")
    argv = [PYTHON, str(HERE / "client.py"), mode, *targets, "--seed", str(rig.rng.random()), *flags]
    return Client(rig.spawn(host, argv, stdout=log_file, stderr=subprocess.DEVNULL), path, log_file)


def probe(rig: Rig, to: str, timeout_s: float = 6.0) -> dict:
    """One connect() on the client: {"result": errno name, "ok" or "timeout", "ms": how long it took}."""
    out = rig.run("cli", [PYTHON, str(HERE / "client.py"), "probe", to, "--timeout", str(timeout_s)])
    return json.loads(out)
