"""The live view, on a real terminal: a fault shows with destination and name, and goes when it heals."""

import secrets
import subprocess
import time

import pytest

from lab import faults
from lab.agent import Agent
from lab.rig import Rig
from lab.software import Nginx, endpoint, start_client

pytestmark = [pytest.mark.lab, pytest.mark.quick]

PORT = 8087


class Terminal:
    """A tmux session of 80 by 24 on a server of its own."""

    def __init__(self, directory, command: str):
        self.socket = str(directory / f"tmux-{secrets.token_hex(3)}")
        self._tmux("-f", "/dev/null", "new-session", "-d", "-x", "80", "-y", "24", command)

    def screen(self) -> str:
        return self._tmux("capture-pane", "-p")

    def keys(self, *keys: str) -> None:
        self._tmux("send-keys", *keys)

    def value(self, name: str) -> str:
        return self._tmux("display-message", "-p", f"#{{{name}}}").strip()

    def wait_for(self, condition, deadline_s: float, what: str) -> str:
        deadline = time.monotonic() + deadline_s
        while not condition(screen := self.screen()):
            assert time.monotonic() < deadline, f"{what}: not within {deadline_s} s; the screen:\n{screen}"
            time.sleep(0.1)
        return screen

    def close(self) -> None:
        self._tmux("kill-server", check=False)

    def _tmux(self, *arguments: str, check: bool = True) -> str:
        argv = ["tmux", "-S", self.socket, *arguments]
        return subprocess.run(argv, capture_output=True, text=True, check=check).stdout


def test_a_fault_comes_and_goes(binary, tmp_path):
    with Rig(seed=31) as rig:
        nginx = Nginx(rig, "srv1", [PORT])
        address = rig.addresses.of("srv1", 4)
        start_client(rig, "connects", [endpoint(address, PORT)], rate=6.1)
        shell = "env PS1='prompt> ' sh"
        agent = Agent(binary, tmp_path, rig.netns_path("cli"))
        terminal = Terminal(tmp_path, shell)
        try:
            agent.start(follow=False)
            terminal.wait_for(lambda screen: "prompt>" in screen, 5, "the shell")
            terminal.keys(f"{binary} top --socket {agent.socket}", "Enter")
            terminal.wait_for(lambda screen: f"{address}:{PORT}" in screen, 20, "the destination")
            assert terminal.value("alternate_on") == "1"
            fault = faults.port_closed(nginx, address, PORT)
            terminal.wait_for(lambda screen: "port_blocked" in screen, 15, "the verdict")
            fault.heal()
            terminal.wait_for(lambda screen: "✖" not in screen and "▲" not in screen, 25, "the verdict's end")
            screen = terminal.screen()
            assert f"{address}:{PORT}" in screen
            assert all(len(line) <= 80 for line in screen.splitlines())
            terminal.keys("q")
            terminal.wait_for(lambda screen: screen.rstrip().endswith("prompt>"), 10, "the shell again")
            assert terminal.value("alternate_on") == "0"
            assert terminal.value("cursor_flag") == "1"
            terminal.keys("echo still-$((40 + 2))", "Enter")
            terminal.wait_for(lambda screen: "still-42" in screen, 5, "an echo: the terminal is as it was")
        finally:
            terminal.close()
            agent.stop()
