"""A page in headless Chromium: how it looks to whom, and what the browser complained of."""

from __future__ import annotations

import base64
import json
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains

_ARGUMENTS = (
    "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --hide-scrollbars"
).split()


class Browser:
    def __init__(self, profile: Path) -> None:
        options = webdriver.ChromeOptions()
        for argument in (*_ARGUMENTS, f"--user-data-dir={profile}"):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)

    def open(self, path: Path, width: int = 1280, dark: bool = False, zone: str = "Europe/Berlin") -> Page:
        for kind in ("browser", "performance"):
            self.driver.get_log(kind)  # what an earlier page left
        self._ask("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._ask("Emulation.setEmulatedMedia", media="", features=[scheme])
        self._ask("Emulation.setTimezoneOverride", timezoneId=zone)
        self.driver.get("about:blank")
        self.driver.get(f"file://{path}")
        return Page(self)

    def quit(self) -> None:
        self.driver.quit()

    def _ask(self, command: str, **arguments) -> dict:
        return self.driver.execute_cdp_cmd(command, arguments)


class Page:
    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._driver = browser.driver

    def run(self, script: str):
        return self._driver.execute_script(script)

    def text(self, selector: str = "body") -> str:
        return self.run(f"return document.querySelector({json.dumps(selector)}).innerText")

    def count(self, selector: str) -> int:
        return self.run(f"return document.querySelectorAll({json.dumps(selector)}).length")

    def press(self, *keys: str) -> None:
        for key in keys:
            ActionChains(self._driver).send_keys(key).perform()

    def click(self, selector: str) -> None:
        self._driver.find_element("css selector", selector).click()

    def point_at(self, selector: str, x: int = 0, y: int = 0) -> None:
        target = self._driver.find_element("css selector", selector)
        ActionChains(self._driver).move_to_element_with_offset(target, x, y).perform()

    def complaints(self) -> list[str]:
        """What the console says, violations of the page's security policy included."""
        return [entry["message"] for entry in self._driver.get_log("browser")]

    def requests(self) -> list[str]:
        """Addresses that the page has asked for, itself included."""
        messages = [json.loads(entry["message"])["message"] for entry in self._driver.get_log("performance")]
        sent = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
        return [url for url in sent if not url.startswith(("about:", "data:"))]

    def print_to_pdf(self) -> bytes:
        return base64.b64decode(self._browser._ask("Page.printToPDF", printBackground=True)["data"])

    def picture(self, until: str) -> bytes:
        """The page from its top to where that element begins, as PNG."""
        place = self.run(f"const r = document.querySelector({json.dumps(until)}).getBoundingClientRect();"
                         "return [document.documentElement.clientWidth, r.top + scrollY - 8]")
        clip = {"x": 0, "y": 0, "width": place[0], "height": place[1], "scale": 1}
        shot = self._browser._ask("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
        return base64.b64decode(shot["data"])
