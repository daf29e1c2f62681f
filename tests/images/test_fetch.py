"""Fetching, from a server on this machine only."""

from __future__ import annotations

import base64
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from hired_gguf.errors import ImageError
from hired_gguf.images.fetch import _is_public, fetch_url
from hired_gguf.images.load import load_image

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC"
)


class Handler(BaseHTTPRequestHandler):
    seen: list[str]

    def log_message(self, *args):
        pass

    def do_GET(self):
        self.server.seen.append(self.path)
        with suppress(OSError):  # the client may hang up first
            getattr(self, "get_" + self.path.strip("/").split("/")[0].partition("?")[0])()

    def answer(self, body=b"", status=200, **headers):
        self.send_response(status)
        for name, value in {"Content_Length": len(body), **headers}.items():
            if value is not None:
                self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        self.wfile.write(body)

    def get_png(self):
        self.answer(PNG)

    def get_unsized(self):
        self.answer(PNG, Content_Length=None)

    def get_chunked(self):
        body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(PNG), PNG)
        self.answer(body, Content_Length=None, Transfer_Encoding="chunked")

    def get_missing(self):
        self.answer(b"gone", 404)

    def get_broken(self):
        self.answer(b"", 500)

    def get_html(self):
        self.answer(b"<html></html>")

    def get_empty(self):
        self.answer()

    def get_short(self):
        self.answer(PNG, Content_Length=len(PNG) + 1)

    def get_huge(self):
        self.answer(b"", Content_Length=1 << 40)

    def get_endless(self):
        self.answer(b"x" * 100_000, Content_Length=None)

    def get_hop(self):
        left = int(self.path.rpartition("/")[2])
        self.answer(b"", 302, Location=f"/hop/{left - 1}" if left else "/png")

    def get_away(self):
        self.answer(b"", 302, Location="file:///etc/passwd")

    def get_nowhere(self):
        self.answer(b"", 302)

    def get_drip(self):
        self.answer(b"", Content_Length=1000)
        self.drip()

    def get_driphead(self):
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        self.drip()

    def drip(self):
        for _ in range(100):
            self.wfile.write(b"x")
            time.sleep(0.02)


@pytest.fixture(scope="module")
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.seen = []
        thread = Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def base(server):
    server.seen.clear()
    return f"http://127.0.0.1:{server.server_port}"


def fetch(url, **options):
    return fetch_url(url, allow_private=True, **{"timeout": 5.0, **options})


@pytest.mark.parametrize("path", ["png", "unsized", "chunked", "png?a=b%20c", "hop/0", "hop/2"])
def test_the_body_comes_back(base, path):
    assert fetch(f"{base}/{path}") == PNG


def test_path_and_query_reach_the_server_quoted(base, server):
    fetch(f"{base}/png/\u00e4%20?q=\u00f6&r=1#fragment")
    assert server.seen == ["/png/%C3%A4%20?q=%C3%B6&r=1"]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("missing", "status 404"),
        ("broken", "status 500"),
        ("nowhere", "status 302"),
        ("short", "cut short"),
        ("huge", "has 1099511627776 bytes, allowed are 1000"),
        ("endless", "more than the allowed 1000 bytes"),
        ("hop/3", "more than 3 redirects"),
        ("away", "only http and https"),
    ],
)
def test_bad_answers(base, path, text):
    with pytest.raises(ImageError, match=text) as caught:
        fetch(f"{base}/{path}", max_bytes=1000)
    assert path in str(caught.value)


def test_the_byte_cap_is_inclusive(base):
    assert fetch(f"{base}/unsized", max_bytes=len(PNG)) == PNG
    with pytest.raises(ImageError, match="more than"):
        fetch(f"{base}/unsized", max_bytes=len(PNG) - 1)


@pytest.mark.parametrize("path", ["drip", "driphead"])
def test_the_deadline_holds_against_a_drip(base, path):
    start = time.monotonic()
    with pytest.raises(ImageError, match=r"no answer within 0\.2 s"):
        fetch(f"{base}/{path}", timeout=0.2)
    assert time.monotonic() - start < 1.5


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("ftp://127.0.0.1/a.png", "only http and https"),
        ("file:///etc/passwd", "only http and https"),
        ("127.0.0.1/a.png", "only http and https"),
        ("http:///a.png", "with a host"),
        ("http://user:secret@127.0.0.1/a.png", "user name or password"),
        ("http://127.0.0.1\\@example.org/a.png", "backslashes"),
        ("http://127.0.0.1/a b.png", "no spaces"),
        ("http://127.0.0.1/a\r\nHost: x", "no spaces"),
        ("http://127.0.0.1:99999/", "(?i)port"),
        ("http://[::1/", "Invalid IPv6"),
    ],
)
def test_refused_urls(url, text):
    with pytest.raises(ImageError, match=text) as caught:
        fetch(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "2130706433", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"]
)
def test_private_hosts_are_not_contacted(base, server, host):
    with pytest.raises(ImageError, match="not a public address"):
        fetch_url(f"http://{host}:{server.server_port}/png")
    assert server.seen == []


@pytest.mark.parametrize(
    "address",
    ["10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "169.254.169.254", "224.0.0.1", "::", "fe80::1"],
)
def test_addresses_that_are_not_public(address):
    assert not _is_public(address)


def test_public_addresses():
    assert _is_public("93.184.216.34")
    assert _is_public("2606:2800:220:1::1")


def test_load_image_needs_permission_and_a_public_host(base, server):
    with pytest.raises(ImageError, match="allow_http=True"):
        load_image(f"{base}/png")
    with pytest.raises(ImageError, match="not a public address"):
        load_image(f"{base}/png", allow_http=True)
    assert server.seen == []


def test_load_image_decodes_what_was_fetched(base, monkeypatch):
    monkeypatch.setattr("hired_gguf.images.fetch._is_public", lambda address: True)
    assert load_image(f"{base}/png".replace("http", "HTTP"), allow_http=True).size == (1, 1)
    with pytest.raises(ImageError, match="is not one of JPEG"):
        load_image(f"{base}/html", allow_http=True)
    with pytest.raises(ImageError, match="is empty"):
        load_image(f"{base}/empty", allow_http=True)
