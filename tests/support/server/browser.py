"""A headless Chromium, driven over chromedriver. A test that asks for one is skipped where there is none."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest

T = TypeVar("T")

_FLAGS = (
    "--headless=new",
    "--disable-dev-shm-usage",  # containers have 64 MB of it
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-proxy-server",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--window-size=1280,900",
)
_PATIENCE_S = 20


class Browser:
    """One tab. `driver` is selenium's."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def open(self, url: str) -> None:
        """Go to a page, and forget what the console said of the one before."""
        self.driver.get_log("browser")
        self.driver.get(url)

    def run(self, script: str, *arguments: Any) -> Any:
        """Run JavaScript in the page; a promise is waited for."""
        return self.driver.execute_script(script, *arguments)

    def all(self, selector: str) -> list[Any]:
        """The elements that a CSS selector finds."""
        return self.driver.find_elements("css selector", selector)  # type: ignore[no-any-return]

    def one(self, selector: str) -> Any:
        """The only one."""
        (found,) = self.all(selector)
        return found

    def texts(self, selector: str) -> list[str]:
        """What a person reads in them."""
        return [element.text for element in self.all(selector)]

    def until(self, found: Callable[[], T]) -> T:
        """Wait for something true, and return it."""
        from selenium.common.exceptions import StaleElementReferenceException
        from selenium.webdriver.support.ui import WebDriverWait

        wait = WebDriverWait(self.driver, _PATIENCE_S, 0.03, ignored_exceptions=[StaleElementReferenceException])
        return wait.until(lambda _: found())  # type: ignore[no-any-return]

    def said(self) -> list[str]:
        """What the console has said since it was asked last: errors, and what the page's policy forbade."""
        return [line["message"] for line in self.driver.get_log("browser")]

    def is_as_wide_as(self, width: int) -> bool:
        """Whether everything fits into a window of this width, without scrolling sideways."""
        size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        fits = self.run(
            "return document.documentElement.scrollWidth <= innerWidth && innerWidth === arguments[0]", width
        )
        self.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        return bool(fits)

    def press_tab(self) -> None:
        """On the keyboard."""
        from selenium.webdriver import ActionChains, Keys

        ActionChains(self.driver).send_keys(Keys.TAB).perform()

    def drop(self, *files: Path) -> None:
        """What a person does who drags files into the window and lets them go over its title."""
        where = {
            "x": 60,
            "y": 30,
            "data": {"items": [], "files": [str(file) for file in files], "dragOperationsMask": 1},
        }
        for kind in ("dragEnter", "dragOver", "drop"):
            self.driver.execute_cdp_cmd("Input.dispatchDragEvent", {"type": kind, **where})


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start one, or skip the test."""
    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if binary is None or driver is None:
        pytest.skip("needs chromium and chromedriver: apt-get install chromium chromium-driver")
    pytest.importorskip("selenium", reason="needs selenium, of the dev group")
    from selenium.webdriver import Chrome, ChromeOptions
    from selenium.webdriver.chrome.service import Service

    options = ChromeOptions()
    options.binary_location = binary
    for flag in (*_FLAGS, *(["--no-sandbox"] if os.geteuid() == 0 else [])):  # root has no sandbox
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    opened = Chrome(options=options, service=Service(driver))
    try:
        yield Browser(opened)
    finally:
        opened.quit()
