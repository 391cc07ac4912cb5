#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Looks at pages in a headless Chromium, all of them in one process.

    browser.py check PAGE...            says what is wrong with each, a line each; no word: nothing is
    browser.py shoot OUT.png WIDTH light|dark PAGE [HEIGHT]   a picture of the page, as high as it is or HEIGHT

It is talked to through pipes (--remote-debugging-pipe): messages of the DevTools protocol, with a NUL behind each.
A picture has the 200 colours that most of its pixels have, so that it is small.
"""
import base64
import collections
import json
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import zlib

WIDTHS = (360, 1024, 1920)
CONTRAST_LEAST = 4.5

# The contrast of each text with what is behind it, by the formula of WCAG 2; what is not to be seen is left out.
CONTRAST = """(() => {
  const canvas = document.createElement('canvas'), context = canvas.getContext('2d', {willReadFrequently: true});
  const rgba = colour => { context.clearRect(0, 0, 1, 1); context.fillStyle = colour; context.fillRect(0, 0, 1, 1); return [...context.getImageData(0, 0, 1, 1).data]; };
  const light = c => { const f = c.slice(0, 3).map(v => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4); return .2126 * f[0] + .7152 * f[1] + .0722 * f[2]; };
  const ground = element => {
    for (let e = element; e; e = e.parentElement) { const c = rgba(getComputedStyle(e).backgroundColor); if (c[3] === 255) return c; }
    return [255, 255, 255, 255];
  };
  const found = new Map();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let n = 0;
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !element.checkVisibility() || element.closest('script,style,svg')) continue;
    const a = light(rgba(getComputedStyle(element).color)), b = light(ground(element));
    const contrast = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    n++;
    if (contrast < LEAST) found.set(element.tagName + '.' + element.className, contrast.toFixed(2));
  }
  return {n, found: [...found]};
})()""".replace("LEAST", str(CONTRAST_LEAST))

# What a screen reader needs, and what could be seen of a name that broke out of its text.
STRUCTURE = """(() => {
  const wrong = [], all = s => [...document.querySelectorAll(s)];
  if (all('h1').length !== 1) wrong.push(all('h1').length + ' h1');
  if (all('main').length !== 1 || all('header').length !== 1) wrong.push('landmarks');
  if (!document.title || !document.documentElement.lang) wrong.push('no title or language');
  for (const t of all('table')) if (!t.caption || !t.caption.textContent) wrong.push('a table without caption');
  for (const t of all('th')) if (!t.scope) wrong.push('a th without scope');
  for (const i of all('figure img')) if (i.alt.length < 20) wrong.push('a picture without words');
  for (const f of all('figure')) if (!f.querySelector('details table')) wrong.push('a picture without table');
  for (const i of all('img')) if (!i.complete || i.naturalWidth === 0) wrong.push('a picture that is none');
  for (const a of all('nav a')) if (!document.querySelector(a.hash)) wrong.push('a link to nowhere: ' + a.hash);
  if (all('main script:not([type="application/json"]),iframe,object,form,input').length) wrong.push('elements that are not ours');
  for (const s of all('script[type="application/json"]')) JSON.parse(s.textContent);
  const ids = all('[id]').map(e => e.id);
  if (new Set(ids).size !== ids.length) wrong.push('an id twice');
  if (window.broken) wrong.push('a script of somebody else has run');
  return wrong;
})()"""


class Browser:
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="qcow2frag-browser.")
        to_browser, self.out = os.pipe()
        self.incoming, from_browser = os.pipe()
        self.process = subprocess.Popen(
            ["bash", "-c", 'exec 3<&"$1" 4>&"$2"; shift 2; exec "$@"', "bash", str(to_browser), str(from_browser),
             "chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
             "--hide-scrollbars", "--no-first-run", "--disable-background-networking", "--disable-component-update",
             "--user-data-dir=" + self.folder, "--remote-debugging-pipe", "about:blank"],
            pass_fds=(to_browser, from_browser), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={**os.environ, "HOME": self.folder})
        os.close(to_browser)
        os.close(from_browser)
        self.buffer, self.number, self.events, self.session = b"", 0, [], None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(domain + ".enable")

    def receive(self):
        while b"\0" not in self.buffer:
            more = os.read(self.incoming, 1 << 20)
            if not more:
                sys.exit("the browser has ended")
            self.buffer += more
        message, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.receive()
            if answer.get("id") == self.number:
                if "error" in answer:
                    sys.exit(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def wait_for(self, method):
        while not any(e.get("method") == method for e in self.events):
            self.events.append(self.receive())

    def value(self, expression):
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            return "exception: " + answer["exceptionDetails"].get("exception", {}).get("description", "?")
        return answer["result"].get("value")

    def look(self, width, scheme, height=900):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def load(self, page):
        self.events = []
        self.call("Page.navigate", url=pathlib.Path(page).resolve().as_uri())
        self.wait_for("Page.loadEventFired")

    def close(self):
        self.session = None
        self.call("Browser.close")
        self.process.wait(20)
        shutil.rmtree(self.folder, ignore_errors=True)


def complaints(events, page):
    """What the page has asked for, and what the console says."""
    for event in events:
        method, parameters = event.get("method"), event.get("params", {})
        if method == "Network.requestWillBeSent":
            url = parameters["request"]["url"]
            if not url.startswith("data:") and url != pathlib.Path(page).resolve().as_uri():
                yield f"a request: {url}"
        elif method == "Log.entryAdded" and parameters["entry"]["level"] in ("error", "warning"):
            yield f"the console: {parameters['entry']['text']}"
        elif method == "Runtime.exceptionThrown":
            yield f"an exception: {parameters['exceptionDetails'].get('text')}"
        elif method == "Runtime.consoleAPICalled":
            yield f"the console: {parameters['args']}"


def check(browser, page):
    browser.look(1024, "light")
    browser.load(page)
    yield from browser.value(STRUCTURE)
    for scheme in ("light", "dark"):
        for width in WIDTHS:
            browser.look(width, scheme)
            found = browser.value("document.documentElement.scrollWidth")
            if found > width:
                yield f"at {width} pixels it is {found} wide"
        texts = browser.value(CONTRAST)
        if not isinstance(texts, dict) or texts["n"] < 20:
            yield f"contrast could not be looked at: {texts}"
        else:
            yield from (f"contrast {contrast} of {element} ({scheme})" for element, contrast in texts["found"])
    yield from complaints(browser.events, page)


def pixels_of(png):
    """(width, [colour, ...]) of a PNG as Chromium writes them: 8 bits for each of 3 or 4 channels."""
    width, channels = struct.unpack(">I", png[16:20])[0], 4 if png[25] == 6 else 3
    data, at = b"", 8
    while at < len(png):
        length, kind = struct.unpack(">I4s", png[at:at + 8])
        data += png[at + 8:at + 8 + length] if kind == b"IDAT" else b""
        at += length + 12
    data, size, pixels = zlib.decompress(data), width * channels, []
    above = bytearray(size)
    for begin in range(0, len(data), size + 1):
        how, row = data[begin], bytearray(data[begin + 1:begin + 1 + size])
        for i in range(size if how else 0):
            a, b = row[i - channels] if i >= channels else 0, above[i]
            c = above[i - channels] if i >= channels else 0
            nearest = min((abs(b - c), 0, a), (abs(a - c), 1, b), (abs(a + b - 2 * c), 2, c))[2]
            row[i] = (row[i] + (0, a, b, (a + b) // 2, nearest)[how]) & 255
        pixels += [bytes(row[i:i + 3]) for i in range(0, size, channels)]
        above = row
    return width, pixels


def in_few_colours(png):
    """The same as a PNG of at most 200 colours."""
    width, pixels = pixels_of(png)
    colours = [c for c, _ in collections.Counter(pixels).most_common(200)]
    number = {c: i for i, c in enumerate(colours)}
    for c in set(pixels) - set(colours):
        number[c] = min(range(len(colours)), key=lambda i: sum((x - y) ** 2 for x, y in zip(c, colours[i])))
    rows = b"".join(b"\0" + bytes(number[c] for c in pixels[i:i + width]) for i in range(0, len(pixels), width))

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    return (png[:8] + chunk(b"IHDR", struct.pack(">IIBBBBB", width, len(pixels) // width, 8, 3, 0, 0, 0)) +
            chunk(b"PLTE", b"".join(colours)) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b""))


def shoot(browser, out, width, scheme, page, height=None):
    browser.look(width, scheme)
    browser.load(page)
    high = height or min(browser.value("document.documentElement.scrollHeight"), 12000)
    browser.look(width, scheme, high)
    shot = browser.call("Page.captureScreenshot", format="png",
                        clip={"x": 0, "y": 0, "width": width, "height": high, "scale": 1})
    pathlib.Path(out).write_bytes(in_few_colours(base64.b64decode(shot["data"])))


def main():
    browser = Browser()
    if sys.argv[1] == "shoot":
        shoot(browser, sys.argv[2], int(sys.argv[3]), sys.argv[4], sys.argv[5], int(sys.argv[6]) if len(sys.argv) > 6 else None)
    else:
        for page in sys.argv[2:]:
            for wrong in check(browser, page):
                print(f"{os.path.basename(page)}: {wrong}")
    browser.close()


if __name__ == "__main__":
    main()
