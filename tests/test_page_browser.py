"""The page in a real browser: sorting, filters, plots, records, and that nothing is loaded or complained about."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import re
import shutil
import struct
import subprocess
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from reportrecords import CELL, failed, finished, record, seeds, store

from bench.page import document
from bench.report.figures import percent
from bench.spec import Bits
from bench.stats.proportion import wilson

pytestmark = pytest.mark.slow

PATIENCE = 60.0
"""Seconds that one answer of the browser may take on a busy machine."""


class Browser:
    """Headless Chromium with one page, spoken to through its DevTools pipe."""

    def __init__(self, profile: Path, program: str) -> None:
        to_it, ours = os.pipe()
        theirs, from_it = os.pipe()
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (to_it, from_it)]
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--remote-debugging-pipe"]

        def connect() -> None:
            os.dup2(ends[0], 3)
            os.dup2(ends[1], 4)

        self._process = subprocess.Popen(
            [program, *flags, f"--user-data-dir={profile}"],
            pass_fds=(3, 4, *ends),
            preexec_fn=connect,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for end in (to_it, from_it, *ends):
            os.close(end)
        self._ours, self._theirs = ours, theirs
        self._last, self._rest, self._session = 0, b"", ""
        self.events: list[dict[str, Any]] = []
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Ask for something and wait for the answer; events that come meanwhile are kept."""
        self._last += 1
        message = {"id": self._last, "method": method, "params": parameters}
        message |= {"sessionId": self._session} if self._session else {}
        os.write(self._ours, json.dumps(message).encode() + b"\0")
        while (answer := self._receive()).get("id") != self._last:
            self.events.append(answer)
        assert "error" not in answer, answer["error"]
        result: dict[str, Any] = answer["result"]
        return result

    def _receive(self) -> dict[str, Any]:
        deadline = time.monotonic() + PATIENCE
        while b"\0" not in self._rest:
            assert time.monotonic() < deadline, "Chromium does not answer"
            self._rest += os.read(self._theirs, 1 << 20)
        message, _, self._rest = self._rest.partition(b"\0")
        found: dict[str, Any] = json.loads(message)
        return found

    def open(self, url: str) -> None:
        """Load a page to its end."""
        self.events.clear()
        self.send("Page.navigate", url=url)
        while not any(event["method"] == "Page.loadEventFired" for event in self.events):
            self.events.append(self._receive())

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression in the page."""
        answer = self.send("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def click(self, script: str) -> None:
        """Click with the mouse on the middle of the element that a JavaScript expression gives."""
        where = (
            f"(e => {{ e.scrollIntoView({{block: 'center'}}); return e.getBoundingClientRect().toJSON(); }})({script})"
        )
        box = self.run(where)
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        for kind in ("mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def press(self, key: str) -> None:
        """Press a key such as `Enter`."""
        text = {"Enter": "\r"}.get(key, "")
        codes = {"Enter": 13, "Escape": 27, "Tab": 9}
        for kind in ("keyDown", "keyUp"):
            pressed = {"key": key, "code": key, "windowsVirtualKeyCode": codes[key]}
            self.send("Input.dispatchKeyEvent", type=kind, **pressed, **({"text": text} if kind == "keyDown" else {}))

    def settle(self) -> None:
        """Let what the page has put off until later happen."""
        self.run("new Promise(done => setTimeout(done, 50))")

    def screenshot(self, path: Path, width: int, height: int, scheme: str = "light") -> None:
        """Save what the page looks like in a window of so many pixels and a colour scheme."""
        self.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.send("Emulation.setDeviceMetricsOverride", **size)
        path.write_bytes(base64.b64decode(self.send("Page.captureScreenshot")["data"]))

    def complaints(self) -> list[str]:
        """Exceptions, messages on the console and violated policies so far."""
        kinds = ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded")
        return [json.dumps(event["params"]) for event in self.events if event["method"] in kinds]

    def requests(self) -> list[str]:
        """Addresses of everything that was asked for so far."""
        sent = (event["params"] for event in self.events if event["method"] == "Network.requestWillBeSent")
        return [params["request"]["url"] for params in sent]

    def close(self) -> None:
        """End the browser."""
        os.close(self._ours)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._theirs)


def chromium() -> str:
    """Path of the browser; without it the tests fail, or are skipped where that was asked for."""
    if program := shutil.which("chromium"):
        return program
    if os.environ.get("NO_CHROMIUM") == "1":
        pytest.skip("NO_CHROMIUM=1: the page was not tried in a browser")
    pytest.fail("these tests need Debian's package chromium: apt-get install chromium; or set NO_CHROMIUM=1")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    running = Browser(tmp_path_factory.mktemp("profile"), chromium())
    yield running
    running.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A page of two data sets and bit-widths, three seeds, curves, generated images and a failed cell."""
    results = tmp_path_factory.mktemp("results")
    curve = [{"epoch": e, "top1": 0.8 + e / 100, "losses": {"learn/total": 1 / (e + 1)}} for e in range(4)]
    result = finished() | {"epochs": curve, "ranges": {"features.activ": [0.0, 4.0]}}
    run = {"command": "python -m bench run", "environment": {"processor": "abacus"}}
    low, bag = CELL.but(bits=Bits(3, 3)), CELL.but(method="bag")
    made = [record(CELL.but(seed=seed), result, run=run) for seed in range(3)]
    made += [*seeds(0.7, cell=low), *seeds(0.75, cell=low.but(method="qkd")), *seeds(0.91, cell=bag)]
    made += [
        *seeds(0.5, cell=CELL.but(dataset="cifar100", schedule="smoke")),
        failed(bag.but(seed=1), "oom", "no room"),
    ]
    for path in store(results, made)[:3]:
        image = results / "images" / "cifar10" / "gdfq" / f"{path.stem}.png"
        image.parent.mkdir(parents=True, exist_ok=True)
        image.write_bytes(grey())
    return document.write(results).as_uri()


def grey() -> bytes:
    """A PNG of one grey pixel."""
    parts = [
        (b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"\0\x80")),
        (b"IEND", b""),
    ]
    chunks = (struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


RANKING = (
    "[...document.querySelectorAll('section.grid')].find(s => s.querySelector('h3').textContent.endsWith('1f1f1f1f'))"
)
LASTS = f"[...{RANKING}.querySelectorAll('tbody tr')].map(r => r.cells[4].textContent)"
STORED = ["91.60", "75.00", "70.00", "91.00", "88.00"]


def head(name: str) -> str:
    """JavaScript for the header of a column of the first ranking."""
    return f"[...{RANKING}.querySelectorAll('th button')].find(b => b.textContent === '{name}')"


def cell(text: str) -> str:
    """JavaScript for the cell of the first ranking with this text."""
    return f"[...{RANKING}.querySelectorAll('td')].find(c => c.textContent === '{text}')"


def test_the_page_loads_nothing_but_itself_and_nothing_is_complained_about(browser: Browser, address: str) -> None:
    browser.open(address)
    assert browser.requests() == [address]
    assert browser.complaints() == []


def test_a_click_on_a_header_sorts_down_then_up_then_as_it_was(browser: Browser, address: str) -> None:
    browser.open(address)
    assert browser.run(LASTS) == STORED
    state = f"{head('last')}.parentElement.getAttribute('aria-sort')"
    for turn, lasts in (("descending", sorted(STORED)[::-1]), ("ascending", sorted(STORED)), ("none", STORED)):
        browser.click(head("last"))
        assert browser.run(state) == turn
        assert browser.run(LASTS) == lasts


def test_a_header_sorts_by_keyboard_and_text_in_natural_order(browser: Browser, address: str) -> None:
    browser.open(address)
    browser.run(f"{head('method')}.focus()")
    browser.press("Enter")
    names = browser.run(f"[...{RANKING}.querySelectorAll('tbody tr')].map(r => r.cells[2].textContent)")
    assert names == ["bag", "full precision", "gdfq", "gdfq", "qkd"]


def test_rows_are_filtered_by_text_bits_schedule_and_data_set(browser: Browser, address: str) -> None:
    browser.open(address)
    visible = "[...document.querySelectorAll('section.grid:not([hidden]) tbody tr:not([hidden]):not(.reference)')]"
    count = "document.getElementById('shown').textContent"
    whole = browser.run(count)
    browser.run("document.querySelector('input').focus()")
    browser.send("Input.insertText", text="QKD W3")
    assert set(browser.run(f"{visible}.map(r => r.textContent.includes('qkd'))")) == {True}
    for name, value, where in (
        ("bits", "W3A3", "dataset.bits"),
        ("schedule", "smoke", "closest('section').dataset.schedule"),
        ("dataset", "cifar100", "closest('section').dataset.dataset"),
    ):
        browser.click("document.querySelector('button[type=reset]')")
        browser.settle()
        assert browser.run(count) == whole
        chosen = f"e.value = '{value}'; e.dispatchEvent(new Event('input', {{bubbles: true}}))"
        browser.run(f"(e => {{ {chosen} }})(document.querySelector('select[name={name}]'))")
        assert set(browser.run(f"{visible}.map(r => r.{where})")) == {value}
        assert browser.run(count) != whole


def test_a_click_on_a_row_opens_its_records(browser: Browser, address: str) -> None:
    browser.open(address)
    browser.click(cell("± 0.00"))
    text = browser.run("document.querySelector('dialog').innerText")
    assert "gdfq · W4A4 · cifar10 · resnet20 · quick · bf16 · seed 0" in text
    assert re.search(r"python -m bench reproduce [0-9a-f]{16}\b", text)
    assert "abacus" in text and "options.temperature" in text
    assert browser.run("document.querySelectorAll('dialog .panels svg').length") == 3
    loaded = "(async i => { await i.decode(); return i.naturalWidth; })(document.querySelector('dialog img'))"
    assert browser.run(loaded) == 1
    assert browser.complaints() == []
    browser.click("document.querySelectorAll('.seeds button')[2]")
    assert browser.run("document.querySelector('dialog h2').textContent").endswith("seed 2")


def test_escape_closes_a_record_and_gives_the_focus_back(browser: Browser, address: str) -> None:
    browser.open(address)
    button = f"{RANKING}.querySelectorAll('button[data-records]')[1]"
    browser.run(f"{button}.focus()")
    browser.press("Enter")
    assert browser.run("document.querySelector('dialog').open")
    assert "#" in browser.run("location.href")
    browser.press("Escape")
    browser.settle()
    assert not browser.run("document.querySelector('dialog').open")
    assert browser.run(f"document.activeElement === {button}")
    assert "#" not in browser.run("location.href")


def test_an_address_with_a_record_opens_it(browser: Browser, address: str) -> None:
    browser.open(address)
    key = browser.run(f"JSON.parse({RANKING}.querySelector('tbody tr:nth-child(2) button').dataset.records)[0]")
    browser.open("about:blank")
    browser.open(f"{address}#{quote(key, safe='')}")
    assert browser.run("document.querySelector('dialog h2').textContent").startswith("qkd · W3A3")
    assert browser.complaints() == []


def test_plots_are_drawn_when_they_are_opened(browser: Browser, address: str) -> None:
    browser.open(address)
    assert browser.run("document.querySelectorAll('.plots svg').length") == 0
    browser.click(f"{RANKING}.querySelector('.plots summary')")
    browser.settle()
    legend = browser.run(f"[...{RANKING}.querySelector('.legend').children].map(item => item.textContent)")
    assert legend == ["bag", "gdfq", "qkd", "full precision 91.60"]
    marks = browser.run(f"[...{RANKING}.querySelectorAll('.plots path title')].map(t => t.textContent)")
    low, high = wilson(0.91, 10000)
    assert f"bag W4A4: 91 [{percent(low)}, {percent(high)}]" in marks
    assert browser.complaints() == []


def test_markup_in_records_is_shown_and_does_not_run(browser: Browser, tmp_path: Path) -> None:
    nasty = "</script><script>window.caught = 1</script><img src=x onerror='window.caught = 1'>\u202e"
    curve = [{"epoch": e, "top1": 0.5, "losses": {nasty: 1.0}} for e in range(2)]
    made = record(CELL.but(options={nasty: nasty}), finished() | {"epochs": curve}, {"title": nasty}, suite=nasty)
    store(tmp_path, [made, failed(CELL.but(seed=5), reason=nasty)])
    browser.open(document.write(tmp_path).as_uri())
    browser.click("document.querySelector('button[data-records]')")
    text = browser.run("document.querySelector('dialog').textContent")
    assert nasty.replace("\u202e", "\\u{202e}") in text
    assert browser.run("window.caught === undefined && !document.querySelector('dialog img')")
    assert browser.complaints() == []


def test_the_policy_stops_scripts_and_requests_that_are_not_the_pages_own(browser: Browser, address: str) -> None:
    browser.open(address)
    browser.run(
        "{ const s = document.createElement('script'); s.text = 'window.caught = 1'; document.body.append(s); }"
    )
    assert browser.run("window.caught === undefined")
    assert browser.run("fetch('http://127.0.0.1:9/').then(() => 'answered', () => 'refused')") == "refused"
    assert any("Content Security Policy" in complaint for complaint in browser.complaints())


def test_light_dark_wide_and_narrow_all_fit(browser: Browser, address: str, tmp_path: Path) -> None:
    browser.open(address)
    shots = set()
    for scheme in ("light", "dark"):
        for width in (1400, 380):
            path = tmp_path / f"{scheme}-{width}.png"
            browser.screenshot(path, width, 900, scheme)
            shots.add(path.read_bytes())
            assert browser.run("document.documentElement.scrollWidth <= innerWidth")
    assert len(shots) == 4
    browser.send("Emulation.clearDeviceMetricsOverride")


def test_without_chromium_the_tests_fail_by_its_name_or_are_skipped_on_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("NO_CHROMIUM", raising=False)
    with pytest.raises(pytest.fail.Exception, match="Debian's package chromium"):
        chromium()
    monkeypatch.setenv("NO_CHROMIUM", "1")
    with pytest.raises(pytest.skip.Exception, match="NO_CHROMIUM=1"):
        chromium()
