"""One HTTP GET for a picture: bounded in time, size and redirects, and only from public addresses."""

from __future__ import annotations

import http.client
import ipaddress
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from ..errors import ImageError

MAX_REDIRECTS = 3
_HEADERS = {"User-Agent": "hired-gguf", "Accept": "image/*", "Accept-Encoding": "identity"}


def fetch_url(
    url: str, *, max_bytes: int = 64 << 20, timeout: float = 20.0, allow_private: bool = False
) -> bytes:
    """The body that an http or https URL answers with.

    ``timeout`` is in seconds and covers everything from connecting to the last byte, redirects included;
    only the name lookup has the system's own limit. Up to 3 redirects are followed, each checked anew.
    A host of which any address is not public (loopback, private, link-local) is rejected unless
    ``allow_private``; the connection goes to the very address that was checked. Proxy settings are not used.

    Raises ImageError for a rejected URL, a status other than 2xx, an oversized, short or late answer.
    """
    deadline = time.monotonic() + timeout
    name = repr(re.sub(r"//[^/]*@", "//", url.partition("?")[0])[:200])
    try:
        for _ in range(MAX_REDIRECTS + 1):
            answer = _get(url, max_bytes, deadline, allow_private)
            if isinstance(answer, bytes):
                return answer
            url = answer
    except (OSError, http.client.HTTPException, ValueError) as error:  # ImageError is a ValueError
        reason = f"no answer within {timeout:g} s" if time.monotonic() >= deadline else str(error)
        raise ImageError(f"{name}: {reason or type(error).__name__}") from None
    raise ImageError(f"{name}: more than {MAX_REDIRECTS} redirects")


def _get(url: str, max_bytes: int, deadline: float, allow_private: bool) -> bytes | str:
    """The body, or the URL to go on with."""
    parts = _split(url)
    host, secure = parts.hostname or "", parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    target = quote((parts.path or "/") + "?" * bool(parts.query) + parts.query, safe="/%?:@!$&'()*+,;=~")
    connection = (http.client.HTTPSConnection if secure else http.client.HTTPConnection)(host, port)
    with _connect(host, port, deadline, allow_private) as plain:
        sock = _tls(plain, host) if secure else plain
        with sock, _ending_at(deadline, sock):
            if isinstance(sock, ssl.SSLSocket):
                sock.do_handshake()
            connection.sock = sock
            connection.request("GET", target, headers=_HEADERS)
            with connection.getresponse() as response:
                return _body(response, url, max_bytes, deadline)


def _split(url: str) -> SplitResult:
    if re.search(r"[^!-~\u00a0-\U0010ffff]|\\", url):
        raise ImageError("a URL holds no spaces, control characters or backslashes")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ImageError("only http and https URLs with a host are fetched")
    if "@" in parts.netloc:
        raise ImageError("a URL with a user name or password is rejected")
    return parts


def _connect(host: str, port: int, deadline: float, allow_private: bool) -> socket.socket:
    addresses = [str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    if not allow_private and not all(map(_is_public, addresses)):
        raise ImageError(f"{host} is not a public address; only public addresses are allowed")
    for i, address in enumerate(addresses, 1):
        try:
            return socket.create_connection((address, port), max(0.001, deadline - time.monotonic()))
        except OSError:
            if i == len(addresses):
                raise
    raise ImageError(f"{host} has no address")


def _is_public(address: str) -> bool:
    ip = ipaddress.ip_address(address)
    ip = getattr(ip, "ipv4_mapped", None) or ip
    return ip.is_global and not ip.is_multicast


def _tls(sock: socket.socket, host: str) -> ssl.SSLSocket:
    context = ssl.create_default_context()
    return context.wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False)


@contextmanager
def _ending_at(deadline: float, sock: socket.socket) -> Iterator[None]:
    """Shut the socket down at the deadline; its own timeout starts anew with every byte that drips in."""

    def end() -> None:
        with suppress(OSError):  # closed in the meantime
            socket.socket.shutdown(sock, socket.SHUT_RDWR)  # SSLSocket's own drops what the reader works with

    timer = threading.Timer(deadline - time.monotonic(), end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _body(response: http.client.HTTPResponse, url: str, max_bytes: int, deadline: float) -> bytes | str:
    location = response.getheader("Location")
    if response.status in (301, 302, 303, 307, 308) and location:
        return urljoin(url, location)
    if not 200 <= response.status < 300:
        raise ImageError(f"the server answered with status {response.status}")
    if (response.length or 0) > max_bytes:
        raise ImageError(f"has {response.length} bytes, allowed are {max_bytes}")
    body = response.read(max_bytes + 1)
    if len(body) > max_bytes:
        raise ImageError(f"has more than the allowed {max_bytes} bytes")
    if response.length or time.monotonic() >= deadline:  # length: what is still to come
        raise ImageError("the answer is cut short")
    return body
