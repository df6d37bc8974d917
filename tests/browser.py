"""Uses the pages of `inspect` and `report` in Chromium: what is drawn, played, moved, reached by keys, and requested.

    browser.py PROGRAM FOLDER SCREENSHOTS

FOLDER has prepare-audio.db and report.html of `report`. tests/browser.sh makes it.
"""

import contextlib
import json
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

from playwright.sync_api import Page, expect, sync_playwright

TIMEOUT_MS = 10_000

# The number of different pixels of a canvas.
COLOURS = """canvas => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return new Set(new Uint32Array(data.buffer)).size;
}"""


@contextlib.contextmanager
def inspect(program: str, folder: pathlib.Path):
    """The address of a running `inspect`, which ends with exit code 0 at Ctrl-C."""
    server = subprocess.Popen([program, "inspect", "--json"], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        yield json.loads(server.stdout.readline())["url"]
        server.send_signal(signal.SIGINT)
        assert server.wait(5) == 0
    finally:
        server.kill()


class Watch:
    """What must not happen on a page: errors, and requests to other hosts."""

    def __init__(self, page: Page, host: str, expected: tuple[int, ...] = ()):
        self.problems: list[str] = []
        page.on("pageerror", lambda error: self.problems.append(f"error: {error}"))
        page.on("request", lambda request: self.request(request.url, host))

        def console(message) -> None:
            # Chromium reports each answer that is no success, and also those that the page handles.
            is_expected = any(f"status of {status}" in message.text for status in expected)
            if message.type == "error" and not is_expected:
                self.problems.append(f"{message.type}: {message.text}")

        page.on("console", console)

    def request(self, url: str, host: str) -> None:
        if not url.startswith((host, "data:", "blob:")):
            self.problems.append(f"request: {url}")

    def check(self) -> None:
        assert not self.problems, "\n".join(self.problems)


def colours(page: Page, selector: str) -> int:
    return page.eval_on_selector(selector, COLOURS)


def wait_until(what: str, condition) -> None:
    end = time.monotonic() + TIMEOUT_MS / 1000
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.05)


def current_time(page: Page) -> float:
    return page.eval_on_selector("#audio", "audio => audio.currentTime")


def is_paused(page: Page) -> bool:
    return page.eval_on_selector("#audio", "audio => audio.paused")


def open_recording(page: Page, url: str, name: str) -> None:
    page.goto(url)
    page.get_by_label("Source contains").fill(name)
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name=name).first.click()
    page.wait_for_selector("html[data-ready]")


def canvases_are_drawn(page: Page) -> None:
    for canvas in ["overview", "ruler", "wave", "spectrum", "curve", "lanes"]:
        wait_until(f"#{canvas} is drawn", lambda canvas=canvas: colours(page, f"#{canvas}") > 1)


def segments_are_played(page: Page) -> None:
    """By the buttons of the table, and by a click on the timeline."""
    first = page.locator("#segments button").first
    first.click()
    wait_until("the audio plays", lambda: current_time(page) > 0.35)
    wait_until("it pauses", lambda: is_paused(page))
    assert 2.7 < current_time(page) < 3.2, f"it stops at the segment's end: {current_time(page)}"
    lanes = page.locator("#lanes")
    lanes.click(position={"x": lanes.bounding_box()["width"] * 6.3 / 6.64, "y": 20})
    wait_until("the last segment plays", lambda: current_time(page) > 6.1)


def sliders_move_the_cuts(page: Page) -> None:
    status, command = page.locator("#cuts-status"), page.locator("#command")
    expect(status).to_have_text("3 segments, 3.8 s of speech")
    before = page.eval_on_selector("#lanes", "canvas => canvas.toDataURL()")
    page.get_by_role("slider", name="Minimum silence").fill("1000")
    expect(status).to_contain_text("2 segments")
    expect(command).to_have_value("prepare-audio resegment --vad-min-silence-duration-ms 1000")
    wait_until("segments move", lambda: page.eval_on_selector("#lanes", "canvas => canvas.toDataURL()") != before)
    page.get_by_label("For this recording alone").check()
    expect(command).to_have_value(re.compile(r"^prepare-audio resegment \d+ --vad-min-silence-duration-ms 1000$"))
    page.get_by_role("button", name="Copy").click()
    wait_until("it is copied", lambda: page.evaluate("navigator.clipboard.readText()") == command.input_value())
    page.get_by_label("For this recording alone").uncheck()
    page.get_by_role("button", name="Reset to the recipe").click()
    expect(command).to_have_value("prepare-audio resegment")


def keys_are_enough(page: Page) -> None:
    """Everything without a pointer, from the top of the page."""
    page.reload()
    page.wait_for_selector("html[data-ready]")
    page.keyboard.press("j")
    wait_until("j plays the first segment", lambda: current_time(page) > 0.3 and not is_paused(page))
    page.keyboard.press("j")
    wait_until("j plays the second one", lambda: current_time(page) > 3.4)
    page.keyboard.press("k")
    wait_until("k plays the first one again", lambda: current_time(page) < 3)
    page.keyboard.press("Space")
    wait_until("Space pauses", lambda: is_paused(page))
    at = current_time(page)
    page.keyboard.press("ArrowRight")
    wait_until("the arrow seeks", lambda: current_time(page) > at + 0.9)
    page.keyboard.press("Space")
    ruler = page.eval_on_selector("#ruler", "canvas => canvas.toDataURL()")
    page.keyboard.press("+")
    wait_until("+ zooms", lambda: page.eval_on_selector("#ruler", "canvas => canvas.toDataURL()") != ruler)
    page.keyboard.press("0")
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.name") == "threshold":
            break
    threshold = page.locator("input[name=threshold]")
    expect(threshold).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#command")).to_have_value("prepare-audio resegment --vad-threshold 0.51")
    page.keyboard.press("Escape")
    threshold.blur()


def tags_and_notes_are_kept(page: Page) -> None:
    page.keyboard.press("j")
    page.keyboard.press("b")
    bad = page.get_by_label("as bad").first
    pressed = page.locator(".tags [aria-pressed=true]")
    expect(pressed).to_have_count(1)
    page.keyboard.press("n")
    page.keyboard.type("cut off")
    page.keyboard.press("Enter")
    page.keyboard.press("Space")
    wait_until("it is stored", lambda: "cut off" in page.evaluate("fetch(location.pathname + '/data').then(a => a.text())"))
    page.reload()
    page.wait_for_selector("html[data-ready]")
    expect(pressed).to_have_count(1)
    assert bad.count() == 1


def has_labels(page: Page) -> None:
    """Every control has a name for screen readers, and nothing is wider than the page."""
    unnamed = page.evaluate("""[...document.querySelectorAll("button, input, select, canvas, audio, section, [role]")]
      .filter(e => !e.closest("[aria-hidden]") && !e.matches("[role=status], [role=alert]"))
      .filter(e => !(e.ariaLabel || e.getAttribute("aria-labelledby") || e.labels?.length || e.textContent.trim()))
      .map(e => e.outerHTML)""")
    assert not unnamed, unnamed
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth + 1"), "it scrolls sideways"


def use_inspect(browser, program: str, folder: pathlib.Path, screenshots: pathlib.Path) -> None:
    with inspect(program, folder) as url:
        context = browser.new_context(permissions=["clipboard-read", "clipboard-write"], viewport={"width": 1400, "height": 1000})
        context.set_default_timeout(TIMEOUT_MS)
        page = context.new_page()
        watch = Watch(page, url)
        page.goto(url)
        has_labels(page)
        page.screenshot(path=screenshots / "inspect-list.png")
        open_recording(page, url, "pauses.wav")
        canvases_are_drawn(page)
        has_labels(page)
        segments_are_played(page)
        sliders_move_the_cuts(page)
        keys_are_enough(page)
        tags_and_notes_are_kept(page)
        page.get_by_role("slider", name="Threshold").fill("0.8")
        page.get_by_role("slider", name="Maximum speech").fill("1.5")
        expect(page.locator("#command")).to_have_value("prepare-audio resegment --vad-threshold 0.8 --vad-max-speech-duration-s 1.5")
        canvases_are_drawn(page)
        page.evaluate("scrollTo(0, 0)")
        page.screenshot(path=screenshots / "inspect.png")
        watch.check()
        narrow(browser, page.url, url, screenshots)
        without_source(browser, folder, page.url, url)


def narrow(browser, address: str, url: str, screenshots: pathlib.Path) -> None:
    page = browser.new_page(viewport={"width": 400, "height": 800}, color_scheme="dark")
    watch = Watch(page, url)
    page.goto(address)
    page.wait_for_selector("html[data-ready]")
    canvases_are_drawn(page)
    has_labels(page)
    page.screenshot(path=screenshots / "inspect-narrow-dark.png", full_page=True)
    page.goto(url)
    has_labels(page)
    watch.check()
    page.close()


def without_source(browser, folder: pathlib.Path, address: str, url: str) -> None:
    """A page opens without its source, says so, and plays the segments' own files."""
    source, away = folder / "recordings/pauses.wav", folder / "away.wav"
    shutil.move(source, away)
    # Another server, which has not decoded it.
    with inspect(sys.argv[1], folder) as other:
        page = browser.new_page()
        watch = Watch(page, other, expected=(409,))
        page.goto(address.replace(url, other))
        page.wait_for_selector("html[data-ready]")
        expect(page.locator("#problem")).to_contain_text("The source cannot be read, so there is no waveform: not_found")
        wait_until("the curve is drawn", lambda: colours(page, "#curve") > 1)
        page.get_by_role("button", name="Play segment 1,").click()
        wait_until("the segment's file plays", lambda: current_time(page) > 0.2)
        assert "/segment/" in page.eval_on_selector("#audio", "audio => audio.src")
        watch.check()
        page.close()
    shutil.move(away, source)


def use_report(browser, folder: pathlib.Path, screenshots: pathlib.Path) -> None:
    """The report's file: it is complete in itself, has charts, and plays."""
    address = (folder / "report.html").as_uri()
    for width, scheme in [(1400, "light"), (400, "dark")]:
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        watch = Watch(page, address)
        page.goto(address)
        assert page.locator("svg").count() > 8
        heights = page.eval_on_selector_all("svg .bar", "bars => bars.map(bar => bar.getBoundingClientRect().height)")
        assert len(set(heights)) > 3, "the histograms have bars"
        has_labels(page)
        button = page.locator(".plays button").first
        button.focus()
        page.keyboard.press("Enter")
        time_of_report = "document.querySelector('.playing audio')?.currentTime ?? 0"
        wait_until("the excerpt plays", lambda page=page: page.evaluate(time_of_report) > 0.1)
        page.screenshot(path=screenshots / f"report-{width}.png")
        watch.check()
        page.close()


def main() -> None:
    program, folder, screenshots = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
    started = time.monotonic()
    # As root, Chromium has no sandbox.
    arguments = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=arguments)
        use_inspect(browser, program, folder, screenshots)
        use_report(browser, folder, screenshots)
        browser.close()
    print(f"browser: all checks passed in {time.monotonic() - started:.0f} s; screenshots in {screenshots}")


if __name__ == "__main__":
    main()
