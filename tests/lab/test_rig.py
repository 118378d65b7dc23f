"""Does each injector do what it says? connect() on the client must fail as the kernel is known to make it fail.

These run without netwatch: they test the lab, so that a wrong verdict cannot be the lab's fault.
"""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from lab import faults, namespaces
from lab.rig import Rig, SERVERS
from lab.software import Iperf3Server, Nginx, Service, endpoint, probe, start_client

pytestmark = pytest.mark.lab

PORT, OTHER_PORT, SLOW_PORT = 8087, 9091, 7013
AT_ONCE_MS = 300
FAMILIES = pytest.mark.parametrize("family", (4, 6))


@pytest.fixture(scope="module")
def rig():
    with Rig(seed=11) as rig:
        yield rig


@pytest.fixture(scope="module")
def nginx(rig):
    return Nginx(rig, "srv1", [PORT, OTHER_PORT])


@pytest.fixture(scope="module")
def service(rig):
    return Service(rig, "srv2", [SLOW_PORT])


@pytest.fixture
def inject():
    """Heals whatever a test has broken, and in the order reverse to the breaking."""
    injected = []

    def note(fault):
        injected.append(fault)
        return fault

    yield note
    for fault in reversed(injected):
        fault.heal()


def at(rig, family, server="srv1", network="a", port=PORT):
    return endpoint(rig.addresses.of(server, family, network), port)


def expect(rig, to, result, at_least_ms=0, at_most_ms=AT_ONCE_MS, timeout_s=6.0):
    seen = probe(rig, to, timeout_s)
    assert seen["result"] == result, seen
    assert at_least_ms <= seen["ms"] <= at_most_ms, seen


@FAMILIES
def test_healthy(rig, nginx, family):
    for network in ("a", "b"):
        expect(rig, at(rig, family, network=network), "ok")
    expect(rig, at(rig, family, port=1), "ECONNREFUSED")


@FAMILIES
def test_port_closed(rig, nginx, family, inject):
    inject(faults.port_closed(nginx, rig.addresses.of("srv1", family), PORT))
    expect(rig, at(rig, family), "ECONNREFUSED")


@FAMILIES
def test_one_port_closed(rig, nginx, family, inject):
    inject(faults.one_port_closed(nginx, rig.addresses.of("srv1", family), PORT))
    expect(rig, at(rig, family), "ECONNREFUSED")
    expect(rig, at(rig, family, port=OTHER_PORT), "ok")


@FAMILIES
@pytest.mark.parametrize("stateful", (False, True))
def test_firewall_drop(rig, nginx, family, stateful, inject):
    fault = inject(faults.firewall_drop(rig, family, "r2", rig.addresses.of("srv1", family), PORT, stateful))
    expect(rig, at(rig, family), "timeout", 1400, 1900, timeout_s=1.5)
    expect(rig, at(rig, family, port=OTHER_PORT), "ok")
    assert fault.truth()["dropped"] == 2  # the SYN and its retransmission after a second


REJECT_ERRNOS = {
    4: {
        "port_unreachable": "ECONNREFUSED",
        "admin_prohibited": "EHOSTUNREACH",
        "host_prohibited": "EHOSTUNREACH",
        "net_prohibited": "ENETUNREACH",
        "host_unreachable": "EHOSTUNREACH",
        "net_unreachable": "ENETUNREACH",
        "protocol_unreachable": "ENOPROTOOPT",
        "reset": "ECONNREFUSED",
    },
    6: {
        "port_unreachable": "ECONNREFUSED",
        "admin_prohibited": "EACCES",
        "policy_fail": "EACCES",
        "reject_route": "EACCES",
        "host_unreachable": "EHOSTUNREACH",
        "net_unreachable": "ENETUNREACH",
        "reset": "ECONNREFUSED",
    },
}


@pytest.mark.parametrize("family, how", [(f, how) for f, ways in faults.REJECTS.items() for how in ways])
def test_rejected(rig, nginx, family, how, inject):
    fault = inject(faults.rejected(rig, family, rig.addresses.of("srv1", family), PORT, how))
    at_once = family == 4 or how == "reset"
    expect(rig, at(rig, family), REJECT_ERRNOS[family][how], at_most_ms=AT_ONCE_MS if at_once else 1300)
    expect(rig, at(rig, family, port=OTHER_PORT), "ok")
    if how != "reset":
        assert fault.label.offender in rig.ip("r2", "addr", "show", "down0")


@FAMILIES
def test_local_output_drop(rig, nginx, family, inject):
    fault = inject(faults.local_output_drop(rig, family, rig.addresses.of("srv1", family), PORT))
    expect(rig, at(rig, family), "timeout", 1400, 1900, timeout_s=1.5)
    assert fault.truth()["dropped"] >= 2


@FAMILIES
def test_host_down_routed(rig, nginx, family, inject):
    inject(faults.host_down_routed(rig, family, "srv1"))
    expect(rig, at(rig, family), "EHOSTUNREACH", 2900, 4300)


def test_host_comes_back(rig, nginx):
    for family in (4, 6):
        faults.host_down_routed(rig, family, "srv1").heal()
        expect(rig, at(rig, family), "ok", at_most_ms=4500)


@FAMILIES
def test_host_down_on_link(rig, family, inject):
    inject(faults.host_down_on_link(rig, family))
    rig.ip("cli", "neigh", "flush", "dev", "eth0")
    expect(rig, endpoint(rig.addresses.of("near", family), PORT), "EHOSTUNREACH", 2900, 4300)


@FAMILIES
def test_net_unreachable(rig, nginx, family, inject):
    inject(faults.net_unreachable(rig, family, []))
    expect(rig, at(rig, family, network="b"), "ENETUNREACH", at_most_ms=AT_ONCE_MS if family == 4 else 1300)
    expect(rig, at(rig, family, network="a"), "ok")


@FAMILIES
def test_prefix_blackholed(rig, nginx, family, inject):
    inject(faults.prefix_blackholed(rig, family, []))
    for server in SERVERS:
        expect(rig, at(rig, family, server, "b"), "timeout", 400, 900, timeout_s=0.5)
    expect(rig, at(rig, family, network="a"), "ok")


@FAMILIES
@pytest.mark.parametrize(
    "cause, expected",
    [
        ("no_route", "ENETUNREACH"),
        ("local_blackhole", "EINVAL"),
        ("local_unreachable", "EHOSTUNREACH"),
        ("local_prohibit", "EACCES"),
    ],
)
def test_no_route_here(rig, nginx, family, cause, expected, inject):
    inject(faults.no_route_here(rig, family, [], cause))
    expect(rig, at(rig, family, network="b"), expected, at_most_ms=20)
    expect(rig, at(rig, family, network="a"), "ok")
    assert (
        len(rig.ip("cli", f"-{family}", "route", "show", rig.addresses.b.aggregate(family)).splitlines()) <= 1
    )


@pytest.mark.parametrize("cause", ("forward", "reverse"))
def test_loss_is_as_large_as_it_says(rig, nginx, cause, inject):
    fault = inject(faults.loss(rig, 4, rig.addresses.of("srv1", 4), PORT, 50, cause))
    url = f"http://{at(rig, 4)}/blob"
    rig.run("cli", ["curl", "-s", "-o", "/dev/null", "--max-time", "20", url])
    truth = fault.truth()
    # With 700 or more packets, 5 % with five standard errors of slack.
    assert truth["seen"] > (700 if cause == "reverse" else 100), truth
    share = truth["dropped"] / truth["seen"]
    assert abs(share - 0.05) < 5 * (0.05 * 0.95 / truth["seen"]) ** 0.5, truth


@FAMILIES
def test_service_slow(rig, service, family, inject):
    to = at(rig, family, "srv2", port=SLOW_PORT)
    inject(faults.service_slow(service, rig.addresses.of("srv2", family), SLOW_PORT, 0.7))
    expect(rig, to, "ok")
    begun = time.monotonic()
    rig.run("cli", ["curl", "-s", "-g", "-o", "/dev/null", f"http://{to}/"])
    assert 0.7 <= time.monotonic() - begun < 1.5


@FAMILIES
def test_iperf3(rig, family):
    Iperf3Server(rig, "srv3", 5200 + family)
    ip = rig.addresses.of("srv3", family)
    out = rig.run("cli", ["iperf3", "-c", ip, "-p", str(5200 + family), "-n", "3M"])
    assert "receiver" in out


def test_clients_log_what_they_saw(rig, nginx):
    targets = [at(rig, 4), at(rig, 6), at(rig, 4, port=OTHER_PORT)]
    client = start_client(rig, "burst", targets, count=17)
    client.wait(10)
    outcomes = client.outcomes()
    assert [o["result"] for o in outcomes] == ["ok"] * 34
    assert {o["to"] for o in outcomes} == set(targets)
    client.stop()


def test_nothing_is_left_after_a_kill(tmp_path):
    """A run ended by SIGTERM takes its rig down; one ended by SIGKILL leaves it to the sweep."""
    code = (
        "import sys, time; from lab.rig import Rig\n"
        "with Rig(5) as rig:\n"
        "    rig.spawn('srv1', ['sleep', '1000']); print(rig.prefix, flush=True); time.sleep(1000)\n"
    )
    for kill in (subprocess.Popen.terminate, subprocess.Popen.kill):
        runner = subprocess.Popen(
            [sys.executable, "-c", code], cwd=Path(__file__).parent.parent, stdout=subprocess.PIPE, text=True
        )
        prefix = runner.stdout.readline().strip()
        names = [name for name in namespaces.existing() if name.startswith(prefix)]
        assert len(names) == 7
        kill(runner)
        runner.wait(20)
        swept = namespaces.sweep()
        assert swept == ([] if kill is subprocess.Popen.terminate else names)
        assert not [name for name in namespaces.existing() if name.startswith(prefix)]
