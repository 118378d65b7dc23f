"""The rig's client as a node: two pods behind it, masquerade for what they send out, and a service address.

    pod1 ─┐
    pod2 ─┴─[pods0 cli eth0]── the rig

All three namespaces are the observed host. A pod's packets are rewritten on the node: their source by masquerade, and
the service's address by DNAT to its backend, for the node's own processes too, as kube-proxy does it. IPv4.
"""

from __future__ import annotations

from lab import namespaces
from lab.rig import Rig

PODS = ("pod1", "pod2")


class Node:
    def __init__(self, rig: Rig):
        self.rig = rig
        second, third = rig.rng.randrange(16, 31), rig.rng.randrange(1, 250)
        self.network = f"172.{second}.{third}"
        self.service = f"172.31.{third}.{rig.rng.randrange(2, 250)}"
        self.number = dict(zip(PODS, rig.rng.sample(range(11, 250), 2)))
        self.observed = ["cli", *PODS]
        rig.hosts = (*rig.hosts, *PODS)
        self._build()

    def address(self, pod: str) -> str:
        return f"{self.network}.{self.number[pod]}"

    def _build(self) -> None:
        rig, gateway = self.rig, f"{self.network}.1"
        rig.run("cli", ["sysctl", "-qw", "net.ipv4.ip_forward=1"])
        rig.ip("cli", "link", "add", "pods0", "type", "bridge", "mcast_snooping", "0", "forward_delay", "0")
        rig.ip("cli", "addr", "add", f"{gateway}/24", "dev", "pods0")
        rig.ip("cli", "link", "set", "pods0", "up")
        rig.ip("cli", "route", "add", f"{self.service}/32", "via", rig.addresses.lan.host(1, 4))
        for pod in PODS:
            namespaces.run(None, ["ip", "netns", "add", rig.namespace(pod)])
            rig.ip(
                pod, "link", "add", "eth0", "gso_max_segs", "1", "type", "veth",
                "peer", "name", pod, "netns", rig.namespace("cli"), "gso_max_segs", "1",
            )  # fmt: skip
            rig.ip("cli", "link", "set", pod, "master", "pods0", "up")
            for device in ("lo", "eth0"):
                rig.ip(pod, "link", "set", device, "up")
            rig.ip(pod, "addr", "add", f"{self.address(pod)}/24", "dev", "eth0")
            rig.ip(pod, "route", "add", "default", "via", gateway)
            for host, device in ((pod, "eth0"), ("cli", pod)):
                rig.run(host, ["ethtool", "-K", device, "tso", "off", "gso", "off", "gro", "off"])
        rig.nft(
            "cli",
            f"table ip outward {{\nchain out {{\ntype nat hook postrouting priority srcnat\n"
            f"ip saddr {self.network}.0/24 oifname eth0 masquerade\n}}\n}}\n",
        )

    def serve(self, port: int, backend: tuple[str, int]) -> None:
        """The service's address and port lead to that backend from now on."""
        rule = f"ip daddr {self.service} tcp dport {port} dnat to {backend[0]}:{backend[1]}"
        chains = "".join(
            f"chain {hook} {{\ntype nat hook {hook} priority -100\n{rule}\n}}\n" for hook in ("prerouting", "output")
        )
        self.rig.nft("cli", f"table ip service {{\n{chains}}}\n")

    def withdraw(self) -> None:
        self.rig.nft("cli", "delete table ip service\n")
