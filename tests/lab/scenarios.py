"""All scenarios: for each, the software and the load on the observed host, and what happens to them.

Magnitudes, delays and causes come from the seed. The neighbours of this file list them by subject; here some of them
are repeated under other circumstances.
"""

from __future__ import annotations

from dataclasses import replace

from lab.scenario import Scenario
from lab.scenarios_attempts import ATTEMPTS
from lab.scenarios_changes import CHANGES
from lab.scenarios_compound import COMPOUND
from lab.scenarios_dns import DNS
from lab.scenarios_filters import FILTERS
from lab.scenarios_healthy import HEALTHY
from lab.scenarios_node import ON_NODE
from lab.scenarios_path import PATHS
from lab.scenarios_ports import PORTS
from lab.scenarios_quality import QUALITY
from lab.scenarios_resources import RESOURCES
from lab.scenarios_routes import ROUTES
from lab.scenarios_services import SERVICES
from lab.scenarios_software import SOFTWARE
from lab.scenarios_stubs import STUBS
from lab.scenarios_tls import TLS

TCP: list[Scenario] = [*PORTS, *FILTERS, *ROUTES, *QUALITY, *SERVICES, *HEALTHY]

# The agent in the server's namespace: what that end can know, and silence about what it cannot.
AT_SERVER: list[Scenario] = [
    replace(
        scenario,
        name=f"server_{scenario.name}",
        title=f"{scenario.title}; seen by the server",
        end="server",
        quick=False,
    )
    for scenario in (*TCP, *TLS)
    if scenario.name
    in (
        "port_closed",
        "firewall_drop",
        "prefix_blackholed",
        "answers_swallowed",
        "backlog_full",
        "loss_forward",
        "loss_reverse",
        "loss_both",
        "slow_service",
        "restart",
        "burst",
        "bulk_transfer",
        "short_keepalive",
        "reordering",
        "certificate_expired",
        "certificate_expired_tls13",
        "certificate_expired_hidden",
        "unknown_ca",
        "protocol_version",
        "cipher_mismatch",
        "client_certificate_missing",
        "client_certificate_missing_tls13",
        "certificate_renewed",
        "client_certificates_optional",
        "tls_early_closers",
        "tls_resumption",
        "plain_beside_tls",
    )
]


def _again(names: tuple[str, ...], suffix: str, title: str, **how) -> list[Scenario]:
    """Scenarios of above under other circumstances."""
    return [
        replace(s, name=f"{s.name}_{suffix}", title=f"{s.title}, {title}", quick=False, **how)
        for s in (*TCP, *SOFTWARE)
        if s.name in names
    ]


# What is a matter of time must not depend on how far away servers are.
FAR: list[Scenario] = [
    *_again(
        ("firewall_drop", "loss_forward", "loss_reverse", "bulk_transfer", "reordering"), "rtt10", "10 ms away",
        rtt_ms=10,
    ),
    *_again(
        ("port_closed", "firewall_drop", "net_unreachable", "loss_forward", "loss_reverse", "slow_service",
         "latency_step", "restart", "burst", "bulk_transfer"),
        "rtt80", "80 ms away", rtt_ms=80,
    ),
]  # fmt: skip

OVER_IPV6: list[Scenario] = _again(
    ("one_port_closed", "net_unreachable", "backlog_full", "peer_reads_nothing", "descriptors_gone",
     "postgres_filtered", "redis_killed", "restart", "burst", "bulk_transfer"),
    "ipv6", "IPv6", family=6,
)  # fmt: skip

SCENARIOS = [
    *TCP, *PATHS, *ATTEMPTS, *RESOURCES, *SOFTWARE, *DNS, *STUBS, *TLS, *ON_NODE, *COMPOUND, *FAR, *OVER_IPV6, *CHANGES,
    *AT_SERVER,
]  # fmt: skip
BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}
