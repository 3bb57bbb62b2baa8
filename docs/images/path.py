"""Draws the path from an alert to its containment, in five pictures, and the two of README: `python docs/images/path.py --data DIR`.

DIR is the data root of `make demo`. Needs Chromium and the packages of tests/browser.lock (`make test-browser` installs them).
"""

import argparse
import base64
import os
import re
import shutil
import struct
import sys
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import numpy
import uvicorn

from inbox.app import application
from inbox.marts import Reader
from orchestration.settings import Settings, from_environment

HERE = Path(__file__).parent
WIDTH, HEIGHT = 1200, 760
PIXELS = """async (png) => {
  const image = await createImageBitmap(new Blob([Uint8Array.from(atob(png), (letter) => letter.charCodeAt(0))]));
  const context = new OffscreenCanvas(image.width, image.height).getContext("2d");
  context.drawImage(image, 0, 0);
  const { data } = context.getImageData(0, 0, image.width, image.height);
  let text = "";
  for (let place = 0; place < data.length; place += 8192) {
    text += String.fromCharCode(...data.subarray(place, place + 8192));
  }
  return btoa(text);
}"""
COLOURS = 64  # of a picture: the pages have few, and letters need some greys
# The incident of the demo that one prompt version made: its path shows each kind of page.
ALERT = """
    select drill_url, alert_id from alerts
    order by top_driver_dimension not like '%prompt_version%', environment <> 'prod', window_delta_usd desc limit 1
"""


@contextmanager
def served(settings: Settings) -> Iterator[str]:
    """The address of an inbox over a data root."""
    server = uvicorn.Server(uvicorn.Config(application(settings), port=0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield f"http://localhost:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()


def main() -> int:
    """Writes the pictures next to this file."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--data", type=Path, required=True)
    settings = replace(from_environment(), data=arguments.parse_args().data.resolve())
    with Reader(settings).reading() as marts:
        alert = marts.row(ALERT)
    if alert is None:
        print("This data root has no alert: make demo.", file=sys.stderr)
        return 2
    parts = urlsplit(alert["drill_url"])
    with served(settings) as address:
        draw(address, f"{parts.path}?{parts.query}")
    return 0


def draw(address: str, link: str) -> None:
    """Clicks through the path as a reader does."""
    from playwright.sync_api import sync_playwright

    found = filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome")))
    as_root = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=next(found), args=[*as_root, "--disable-lcd-text"])
        for scheme in ("light", "dark"):
            size = {"width": WIDTH, "height": HEIGHT}
            page = browser.new_context(base_url=address, color_scheme=scheme, viewport=size).new_page()
            page.goto(link)
            if scheme == "dark":
                keep("inbox-alert-dark.png", page)
                continue
            keep("inbox-alert.png", page)
            page.goto("/inbox?status=all&environment=*")
            keep("path-1-inbox.png", page)
            page.goto(link)
            page.click("a.button.primary")
            keep("path-2-driver.png", page)
            page.goto(re.sub("^/alert", "/requests", link))
            keep("path-3-requests.png", page)
            page.click("table a[data-row]")
            keep("path-4-request.png", page)
            page.goto(re.sub("^/alert", "/incident", link))
            keep("path-5-incident.png", page)
        browser.close()


def keep(name: str, page) -> None:
    """Writes what a page shows, with a palette of its most frequent colours: a third of the bytes."""
    blank = page.context.new_page()
    pixels = numpy.frombuffer(base64.b64decode(blank.evaluate(PIXELS, shown(page))), numpy.uint8)
    blank.close()
    width, height, pixels = WIDTH, HEIGHT, pixels.reshape(-1, 4)[:, :3]
    colours, index, counts = numpy.unique(pixels, axis=0, return_inverse=True, return_counts=True)
    palette = colours[numpy.argsort(-counts)[:COLOURS]].astype(int)
    nearest = numpy.array([numpy.abs(palette - colour).sum(axis=1).argmin() for colour in colours.astype(int)])
    rows = nearest[index].astype(numpy.uint8).reshape(height, width)
    data = zlib.compress(numpy.insert(rows, 0, 0, axis=1).tobytes(), 9)
    head = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    parts = ((b"IHDR", head), (b"PLTE", palette.astype(numpy.uint8).tobytes()), (b"IDAT", data), (b"IEND", b""))
    (HERE / name).write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunk(kind, content) for kind, content in parts))


def shown(page) -> str:
    """A screenshot as text."""
    return base64.b64encode(page.screenshot()).decode()


def chunk(kind: bytes, content: bytes) -> bytes:
    """A part of a PNG file."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


if __name__ == "__main__":
    sys.exit(main())
