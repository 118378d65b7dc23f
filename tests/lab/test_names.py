"""Where names go: every screen, every file, and the history; and what hangs on a name that is gone."""

import json
import subprocess
import time

import pytest

from lab import faults_dns
from lab.agent import Agent
from lab.rig import Rig
from lab.software import endpoint
from lab.software_dns import Unbound, resolver_file, start_resolving
from lab.world import Lab

pytestmark = pytest.mark.lab

NAME, OTHER = "shop.lab.example", "news.lab.example"


@pytest.fixture(scope="module")
def told(binary):
    """One run in which a name in use is removed while kept connections go to the address that it had."""
    with Rig(seed=3) as rig:
        lab = Lab(rig, 3, 4, "steady")
        port, resolver = lab.ports[0], lab.others[0]
        lab.nginx_on(*lab.rig.hosts[-3:])
        unbound = Unbound(rig, resolver, {NAME: [lab.ip(lab.victim)], OTHER: [lab.ip(lab.others[1])]})
        conf = resolver_file(rig, "cli", [lab.ip(resolver)], "timeout:2 attempts:2")
        for mode, rate in (("getent", 3.1), ("curl", 2.3)):
            lab.clients.append(start_resolving(rig, conf, [NAME, OTHER], mode=mode, rate=rate, port=port))
        lab.client("keep", [lab.at(lab.victim, port)], count=3, rate=1.7)
        agent = Agent(binary, rig.directory, rig.netns_path("cli"))
        found = {"ip": lab.ip(lab.victim), "port": port, "resolver": lab.ip(resolver)}
        try:
            agent.start()
            time.sleep(8)
            found["view"] = agent.view()
            found["top"] = agent.ask("top", "--once")
            found["why"] = agent.ask("why", f"{NAME}:{port}")
            found["why_json"] = json.loads(agent.ask("why", f"{NAME}:{port}", "--json"))
            fault = faults_dns.name_removed(unbound, lab.ip(resolver), NAME)
            agent.wait_until(lambda updates: any(u.incident["cause"] == "name_gone" and u.incident["state"] == "open" for u in updates), 15)
            time.sleep(2)
            found["later"] = agent.view()
            found["answer"] = agent.ask()
            found["follow"] = [update.incident for update in agent.updates]
            fault.heal()
            agent.wait_until(lambda updates: updates[-1].incident["state"] == "resolved", 15)
            lab.stop_clients()
        finally:
            agent.stop()
        dump, page = rig.directory / "all.nwdump", rig.directory / "page.html"
        agent.dump(dump)
        found["replay"] = agent.replay(dump)
        for words in (["report", str(dump), "-o", str(page)], ["export", str(dump), "--format", "jsonl", "-o", f"{page}.jsonl"]):
            subprocess.run([str(binary), *words], check=True, capture_output=True, timeout=60)
        found["report"], found["export"] = page.read_text(), (page.with_name("page.html.jsonl")).read_text()
        found["past"] = subprocess.run(
            [str(binary), "top", "--file", str(dump), "--once"], capture_output=True, text=True, timeout=60, check=True
        ).stdout
        yield found


def row_of(view: dict, told: dict) -> dict:
    return next(row for row in view["destinations"] if (row["ref"]["ip"], row["ref"]["port"]) == (told["ip"], told["port"]))


def test_destinations_carry_their_names_everywhere(told):
    assert row_of(told["view"], told)["ref"]["name"] == NAME
    assert f"{NAME}:{told['port']}" in told["top"]
    assert NAME in told["why"] and told["why_json"]["verdict"] == "healthy"
    step = next(step for step in told["why_json"]["ladder"] if step["step"] == "dns")
    assert step["status"] == "ok" and NAME in step["evidence"] and told["resolver"] in step["evidence"]


def test_they_keep_them_once_the_name_is_gone_and_in_the_history(told):
    assert row_of(told["later"], told)["ref"]["name"] == NAME
    for where in ("past", "report", "export"):
        assert NAME in told[where], where
    assert OTHER in told["report"]


def test_a_name_that_is_gone_is_tied_to_its_askers_and_to_connections_to_its_address(told):
    gone = next(i for i in reversed(told["follow"]) if i["cause"] == "name_gone")
    assert gone["scope"]["members"] == [NAME]
    hurt = " ".join(gone["impact"]["processes"])
    assert "getent[" in hurt and "curl[" in hurt
    flows = next(item for item in gone["evidence"] if item["signal"] == "connections_to_old_addresses")
    assert flows["value"] >= 3 and NAME in told["answer"]
    before = next(item for item in gone["evidence"] if item["signal"] == "resolved_before")
    assert told["ip"] in before["text"]
    assert endpoint(told["resolver"], 53) in endpoint(gone["destination"]["ip"], gone["destination"]["port"])


def test_a_replay_of_the_dump_says_the_same_of_it(told):
    assert any(i["cause"] == "name_gone" and i["scope"]["members"] == [NAME] for i in told["replay"])
