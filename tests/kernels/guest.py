"""Runs inside a guest: the kernel tests, then the agent on a host whose connections fail in five ways at once.

This host is the initial network namespace; a router and a server are namespaces of their own:

    client ── router ── server    10.<n>.0.2 and fd00:<n>::2, a network for each kind of failure

Each destination has one client process, which does nothing else. Whatever is seen goes to the second serial port, a
JSON object a line, and is judged outside.
"""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
import time
import traceback
from pathlib import Path

from lab import namespaces
from lab.agent import Agent

NETWATCH = Path("/netwatch/build/dev/netwatch")
KERNEL_TESTS = "/netwatch/kernel_tests"
TESTS = Path("/netwatch/tests/lab")
PYTHON = "/usr/bin/python3"

KERNEL_TESTS_DEADLINE_S = 240
LEAD_IN_S = 12
NAMED_WITHIN_S = 60
CLEARED_WITHIN_S = 60
SETTLING_S = 4  # one incident too many would come by then

# Third parts of addresses; what is meant to fail on network n listens on PORT + n.
SOUND, CLOSED, REJECTED, FILTERED, UNROUTED, LOSSY = range(11, 17)
NETWORKS = (SOUND, CLOSED, REJECTED, FILTERED, UNROUTED, LOSSY)
FAILING = (CLOSED, REJECTED, FILTERED, UNROUTED)  # over IPv4 and IPv6
LOSSY_ADDRESS = f"10.{LOSSY}.0.2"
INCIDENTS = 2 * len(FAILING)  # loss is one more; a route that is gone here is one fault, whatever the address family
PORT = 8000
RULES = f"""table inet fault {{
    chain forward {{
        type filter hook forward priority 0
        ip daddr 10.{REJECTED}.0.2 tcp dport {PORT + REJECTED} reject with icmp type admin-prohibited
        ip6 daddr fd00:{REJECTED}::2 tcp dport {PORT + REJECTED} reject with icmpv6 type admin-prohibited
        ip daddr 10.{FILTERED}.0.2 tcp dport {PORT + FILTERED} drop
        ip6 daddr fd00:{FILTERED}::2 tcp dport {PORT + FILTERED} drop
    }}
}}
"""

# GoogleTest's report does not tell why a test was skipped; its output does.
SKIPPED = re.compile(r"Skipped\n(.+)\n+\[  SKIPPED \] \w+\.(\w+)")


def addresses(net: int) -> tuple[str, str]:
    """As they stand in front of a port."""
    return f"10.{net}.0.2", f"[fd00:{net}::2]"


def tell(what: str, **facts: object) -> None:
    print(json.dumps({"what": what} | facts), file=RESULTS, flush=True)


def run_kernel_tests() -> None:
    report = Path("/tmp/kernel_tests.json")
    try:
        done = subprocess.run(
            [KERNEL_TESTS, f"--gtest_output=json:{report}"], timeout=KERNEL_TESTS_DEADLINE_S, capture_output=True, text=True
        )
        said, output, status = done.stdout, done.stdout[-4000:] + done.stderr[-2000:], done.returncode
    except subprocess.TimeoutExpired as error:
        said, output, status = "", f"still running after {error.timeout} s: {error.stdout[-2000:]!r}", None
    tests = json.loads(report.read_text()) if report.exists() else {}
    cases = [case for suite in tests.get("testsuites", []) for case in suite["testsuite"]]
    tell(
        "kernel_tests",
        exit=status,
        output=output if status != 0 else "",
        passed=[case["name"] for case in cases if case["result"] == "COMPLETED" and "failures" not in case],
        failed={case["name"]: case["failures"][0]["failure"] for case in cases if "failures" in case},
        skipped=dict(reversed(pair) for pair in SKIPPED.findall(said)),
    )


def run(host: str | None, command: str) -> None:
    namespaces.run(host, command.split())


def cable(net: int, one: str | None, device: str, other: str, peer: str) -> None:
    """Network 10.<net>.0.0/24 and fd00:<net>::/64 between two hosts, .1 and .2."""
    run(None, "ip link add first type veth peer name second")
    for last, host, new, name in ((1, one, "first", device), (2, other, "second", peer)):
        run(None, f"ip link set {new} name {name}" + (f" netns {host}" if host else ""))
        run(host, f"ip address add 10.{net}.0.{last}/24 dev {name}")
        run(host, f"ip address add fd00:{net}::{last}/64 dev {name} nodad")
        run(host, f"ip link set {name} up gso_max_segs 1")


def routes(host: str | None, change: str, net: int, via: int) -> None:
    run(host, f"ip route {change} 10.{net}.0.0/24 via 10.{via}.0.2")
    run(host, f"ip -6 route {change} fd00:{net}::/64 via fd00:{via}::2")


class Rig:
    """The hosts and their healthy configuration."""

    def __init__(self):
        run(None, "ip link set lo up")
        for host in ("router", "server"):
            run(None, f"ip netns add {host}")
            run(host, "ip link set lo up")
        run("router", "/bin/busybox sysctl -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1")
        cable(1, None, "net0", "router", "to-client")
        cable(2, "router", "to-server", "server", "net0")
        run("server", "ip route add default via 10.2.0.1")
        run("server", "ip -6 route add default via fd00:2::1")
        for net in NETWORKS:
            run("server", f"ip address add 10.{net}.0.2/32 dev lo")
            run("server", f"ip address add fd00:{net}::2/128 dev lo nodad")
            routes(None, "add", net, 1)
            routes("router", "add", net, 2)
        # Loss has a way of its own, where nothing else passes.
        cable(3, "router", "to-lossy", "server", "net1")
        routes("router", "del", LOSSY, 2)
        routes("router", "add", LOSSY, 3)
        self.service = self.serve(*(net for net in NETWORKS if net != CLOSED))
        self.closing = self.serve(CLOSED)

    def serve(self, *nets: int) -> subprocess.Popen:
        argv = [PYTHON, str(TESTS / "service.py"), *(str(PORT + net) for net in nets)]
        service = namespaces.spawn("server", argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if service.stdout.readline().strip() != "listening":
            raise RuntimeError("the service did not start")
        return service

    def break_it(self) -> None:
        namespaces.stop(self.closing)
        namespaces.run("router", ["nft", "-f", "-"], stdin=RULES)
        run("router", "tc qdisc add dev to-lossy root netem loss 5%")
        routes(None, "del", UNROUTED, 1)

    def mend_it(self) -> None:
        self.closing = self.serve(CLOSED)
        run("router", "nft delete table inet fault")
        run("router", "tc qdisc del dev to-lossy root")
        routes(None, "add", UNROUTED, 1)


def start_client(mode: str, *targets: str, **options: object) -> subprocess.Popen:
    flags = [text for key, value in options.items() for text in (f"--{key}", str(value))]
    argv = [PYTHON, str(TESTS / "client.py"), mode, *targets, *flags]
    return namespaces.spawn(None, argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def start_clients() -> list[subprocess.Popen]:
    sound = [f"{address}:{PORT + SOUND}" for net in NETWORKS if net != UNROUTED for address in addresses(net)]
    failing = [f"{address}:{PORT + net}" for net in FAILING for address in addresses(net)]
    return [
        start_client("connects", *sound, rate=10),
        start_client("keep", f"{LOSSY_ADDRESS}:{PORT + LOSSY}", rate=3, size=65536),
        *(start_client("connects", target, rate=3) for target in failing),
    ]


def open_alarms(agent: Agent) -> list[dict]:
    return [i for i in agent.incidents() if i["state"] == "open" and i["severity"] != "info"]


def wait_for(agent: Agent, count: int, deadline_s: float) -> None:
    """Until that many incidents above info are open: more or others are for the judge."""
    begin = time.monotonic()
    while time.monotonic() - begin < deadline_s:
        alarms = open_alarms(agent)
        if len(alarms) == count:
            return
        time.sleep(2)


def watch_failures() -> None:
    rig = Rig()
    agent = Agent(NETWATCH, Path("/tmp"), Path("/proc/self/ns/net"))
    agent.start(follow=False, deadline_s=60)
    clients = start_clients()
    time.sleep(LEAD_IN_S)
    tell("lead_in", incidents=agent.incidents())
    rig.break_it()
    onset = time.monotonic()
    wait_for(agent, INCIDENTS, NAMED_WITHIN_S)
    time.sleep(SETTLING_S)
    tell("named", incidents=agent.incidents(), view=agent.view(), after_s=round(time.monotonic() - onset, 1))
    rig.mend_it()
    healed = time.monotonic()
    wait_for(agent, 0, CLEARED_WITHIN_S)
    tell("cleared", incidents=agent.incidents(), after_s=round(time.monotonic() - healed, 1))
    tell("check_of_agent", check=json.loads(agent.ask("check", "--json")))
    for client in clients:
        namespaces.stop(client)
    tell("agent_ended", exit=agent.stop(), log=agent.log_path.read_text(errors="replace")[-2000:])


def main() -> None:
    tell("kernel", release=platform.release(), cpus=os.cpu_count())
    done = subprocess.run([str(NETWATCH), "check", "--json"], capture_output=True, text=True)
    tell("check", exit=done.returncode, check=json.loads(done.stdout) if done.stdout else None, errors=done.stderr[-2000:])
    watch_failures()
    run_kernel_tests()
    tell("end", uptime_s=float(Path("/proc/uptime").read_text().split()[0]))


if __name__ == "__main__":
    with open("/dev/ttyS1", "w") as RESULTS:
        try:
            main()
        except BaseException:
            tell("failed", error=traceback.format_exc())
            sys.exit(1)
