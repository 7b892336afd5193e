"""One registry over HTTP: its addresses, who we are there, and what its answers mean.

Credentials and tokens go to the registry's own origin, and to the token server that it names, and nowhere else:
a redirection to another host is followed without them (CVE-2020-15157).

Spec: distribution-spec; distribution's "Token Authentication Specification"
"""

from __future__ import annotations

import json
import os
import ssl
import threading
import time
from urllib.parse import urlencode, urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3.exceptions import HTTPError, SSLError

from ociimage.errors import RegistryError
from ociimage.registry.challenge import parse_challenges
from ociimage.registry.settings import Registries

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import TypeVar

    from ociimage.registry.credentials import Credentials

    T = TypeVar("T")

USER_AGENT = "cooper"
HUB = "registry-1.docker.io"
_REDIRECTS = (301, 302, 303, 307, 308)
_MAX_REDIRECTS = 5
_CONNECT, _READ = 15.0, 120.0
RETRIES = 5
_MAX_ERROR = 64 * 1024
_CERTIFICATES = ("/etc/docker/certs.d", "/etc/containers/certs.d")

Response = urllib3.BaseHTTPResponse


class Client:
    """A connection to one registry (or mirror). Threads may share it.

    Args:
        domain: as in the image's name.
        url: of a mirror, instead of the domain's own address.
        pause: what waits some seconds; for tests.
    """

    def __init__(
        self,
        domain: str,
        credentials: Credentials | None = None,
        registries: Registries | None = None,
        *,
        url: str = "",
        pause: Callable[[float], object] = time.sleep,
    ) -> None:
        registries = registries or Registries()
        host = urlsplit(url).netloc if url else HUB if domain == "docker.io" else domain
        self.domain = domain
        self.host = host
        self.pause = pause
        self._credentials = credentials
        self._insecure = registries.is_insecure(host)
        self._base = url.rstrip("/") or f"https://{host}"
        self._fixed = bool(url)
        self._tokens: dict[str, str] = {}
        self._lock = threading.Lock()
        self._pool = self._make_pool()
        self._reached = False

    def _make_pool(self) -> urllib3.PoolManager:
        context = ssl.create_default_context()
        if self._insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        for directory in _CERTIFICATES:
            self._load_certificates(context, f"{directory}/{self.host}")
        options = {
            "timeout": urllib3.Timeout(connect=_CONNECT, read=_READ),
            "retries": False,
            "maxsize": 8,
            "ssl_context": context,
            "headers": {"User-Agent": USER_AGENT},
        }
        name = self.host.rpartition(":")[0] or self.host
        proxy = getproxies().get("https")
        if proxy and not self._insecure and not proxy_bypass(name):
            return urllib3.ProxyManager(proxy, **options)  # type: ignore[arg-type]
        return urllib3.PoolManager(**options)  # type: ignore[arg-type]

    def _load_certificates(self, context: ssl.SSLContext, directory: str) -> None:
        """Authorities that docker or podman were told of for this registry."""
        try:
            names = [name for name in os.listdir(directory) if name.endswith(".crt")]
        except OSError:
            return
        for name in names:
            context.load_verify_locations(f"{directory}/{name}")

    def close(self) -> None:
        """Closes all connections."""
        self._pool.clear()

    # Requests

    def request(
        self,
        method: str,
        path: str,
        scope: str,
        *,
        headers: dict[str, str] | None = None,
        body: bytes | Iterable[bytes] | None = None,
        expected: tuple[int, ...] = (200,),
        follow: bool = True,
    ) -> Response:
        """Asks, and answers what comes, whose body is not read yet.

        Args:
            path: below the registry's address, or a URL that it has given.
            scope: what a token has to be good for: `repository:library/busybox:pull`.
            expected: other statuses raise.

        Raises: RegistryError
        """
        self._reach()
        url = self.url(path)
        for attempt in (1, 2):
            response, answering = self._send(method, url, scope, headers, body, follow)
            # Only the registry itself may ask who we are, not whom it sends us to.
            if response.status == 401 and attempt == 1 and self._is_own(answering):
                challenge = response.headers.get("WWW-Authenticate", "")
                self.finish(response)
                self._authorise(challenge, scope)
                if _is_stream(body):
                    # It has been read in part: whoever sends it begins again.
                    raise RegistryError(f"{self.host} has let our token expire", 408)
                continue
            break
        if response.status in expected:
            return response
        raise self.failure(response, method, url)

    def url(self, path: str) -> str:
        """The whole address of what is at `path`."""
        return path if "://" in path else self._base + path

    def _send(
        self,
        method: str,
        url: str,
        scope: str,
        headers: dict[str, str] | None,
        body: bytes | Iterable[bytes] | None,
        follow: bool,
    ) -> tuple[Response, str]:
        """The answer, and the address that gave it."""
        for _ in range(_MAX_REDIRECTS):
            sent = {"User-Agent": USER_AGENT, **(headers or {})}
            if self._is_own(url) and (authorization := self._authorization(scope)):
                sent["Authorization"] = authorization
            response = self._once(method, url, sent, body)
            if not follow or response.status not in _REDIRECTS:
                return response, url
            target = urljoin(url, response.headers.get("Location", ""))
            self.finish(response)
            if not self._may_follow(url, target):
                raise RegistryError(f"{self.host} sends us from {_shown(url)} to {_shown(target)}: refused")
            url = target
        raise RegistryError(f"{self.host} sends us from place to place without end")

    def _once(
        self, method: str, url: str, headers: dict[str, str], body: bytes | Iterable[bytes] | None
    ) -> Response:
        try:
            return self._pool.urlopen(
                method, url, headers=headers, body=body, redirect=False, preload_content=False, retries=False
            )
        except HTTPError as error:
            raise RegistryError(f"{method} {_shown(url)}: {_reason(error)}") from error

    def _may_follow(self, source: str, target: str) -> bool:
        """Only http and https, and never from the safe one to the other."""
        schemes = urlsplit(source).scheme, urlsplit(target).scheme
        return schemes[1] == "https" or (schemes[1] == "http" and (schemes[0] == "http" or self._insecure))

    def _is_own(self, url: str) -> bool:
        """Whether it is of the registry's own origin: scheme, host and port."""
        return urlsplit(url)[:2] == urlsplit(self._base)[:2]

    def _reach(self) -> None:
        """Finds out once whether the registry speaks TLS, if it need not."""
        with self._lock:
            if self._reached:
                return
            if self._insecure and not self._fixed:
                try:
                    self.finish(self._once("GET", f"{self._base}/v2/", {}, None))
                except RegistryError as error:
                    if not _is_plain(error):
                        raise
                    self._base = f"http://{self.host}"
            self._reached = True

    # Who we are

    def _authorization(self, scope: str) -> str:
        with self._lock:
            return self._tokens.get(scope) or self._tokens.get("", "")

    def _authorise(self, header: str, scope: str) -> None:
        """Obtains what the registry asks for. Raises: RegistryError"""
        for scheme, values in parse_challenges(header):
            if scheme == "bearer" and "realm" in values:
                token = self._fetch_token(values, scope)
                with self._lock:
                    self._tokens[scope] = f"Bearer {token}"
                return
            if scheme == "basic":
                if self._credentials is None or not self._credentials.user:
                    break
                with self._lock:
                    self._tokens[""] = self._credentials.basic()
                return
        raise RegistryError(f"{self.domain} wants to know who we are: log in to {self.domain} first", 401)

    def _fetch_token(self, values: dict[str, str], scope: str) -> str:
        realm = urljoin(self._base, values["realm"])
        if urlsplit(realm).scheme != "https" and not (self._insecure and urlsplit(realm).scheme == "http"):
            raise RegistryError(
                f"{self.domain} wants a token from {_shown(realm)}, which is not safe: refused"
            )
        fields = [("scope", each) for each in (scope or values.get("scope", "")).split()]
        if values.get("service"):
            fields.append(("service", values["service"]))
        headers = {"User-Agent": USER_AGENT}
        credentials = self._credentials
        if credentials is not None and credentials.token:
            fields += [("grant_type", "refresh_token"), ("refresh_token", credentials.token)]
            fields.append(("client_id", USER_AGENT))
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            response = self._once("POST", realm, headers, urlencode(fields).encode())
        else:
            if credentials is not None and credentials.user:
                headers["Authorization"] = credentials.basic()
            separator = "&" if "?" in realm else "?"
            response = self._once("GET", f"{realm}{separator}{urlencode(fields)}", headers, None)
        if response.status != 200:
            failure = self.failure(response, "GET", realm)
            if response.status in (401, 403) and credentials is not None:
                raise RegistryError(
                    f"{self.domain} does not take our name and password: {failure}", 401
                ) from failure
            raise failure
        value = _object(_body(response, _MAX_ERROR))
        token = value.get("token") or value.get("access_token")
        if not isinstance(token, str) or not token or not token.isascii() or not token.isprintable():
            raise RegistryError(f"{_shown(realm)} answers without a token")
        return token

    def check_login(self) -> None:
        """Whether the registry takes our name and password. Raises: RegistryError if it does not."""
        self.finish(self.request("GET", "/v2/", ""))

    # What answers mean

    def failure(self, response: Response, method: str, url: str) -> RegistryError:
        """The error that an answer stands for; its body is read, in part."""
        status = response.status
        try:
            details = _object(_body(response, _MAX_ERROR)).get("errors")
        except (RegistryError, HTTPError):
            details = None
        words = []
        for item in details if isinstance(details, list) else ():
            if isinstance(item, dict):
                words.append(" ".join(str(item.get("message") or item.get("code") or "").split())[:200])
        text = ", ".join(filter(None, words)) or f"HTTP status {status}"
        if status == 429:
            return RegistryError(
                f"{self.domain} has had too many requests from us{_rate(response)}: {text}", status
            )
        if status in (401, 403):
            text = f"{text}: the image does not exist, or is not for us: log in to {self.domain}"
        return RegistryError(f"{method} {_shown(url)}: {text}", status)

    def finish(self, response: Response) -> None:
        """Forgets the rest of an answer; the connection is kept if that is short."""
        try:
            if len(response.read(_MAX_ERROR, decode_content=False)) == _MAX_ERROR:
                response.close()
        except HTTPError:
            response.close()
        response.release_conn()

    def body(self, response: Response, limit: int) -> bytes:
        """The whole body. Raises: RegistryError if it is longer than `limit`, or breaks off."""
        try:
            return _body(response, limit)
        except HTTPError as error:
            raise RegistryError(f"{self.host}: {_reason(error)}") from error

    def stream(self, response: Response, size: int) -> Iterator[bytes]:
        """The body in pieces. Raises: RegistryError"""
        try:
            while piece := response.read(size, decode_content=False):
                yield piece
        except HTTPError as error:
            raise RegistryError(f"{self.host}: {_reason(error)}") from error
        finally:
            response.release_conn()


def retried(client: Client, ask: Callable[[], T]) -> T:
    """What `ask` answers, asked again after a growing pause while the error is one that passes. Raises: RegistryError"""
    for attempt in range(RETRIES):
        try:
            return ask()
        except RegistryError as error:
            if attempt == RETRIES - 1 or not is_temporary(error):
                raise
        client.pause(0.5 * 2**attempt)
    raise AssertionError("the last attempt returns or raises")


def is_temporary(error: RegistryError) -> bool:
    """Whether it is worth to ask again: no answer, or the server's own trouble."""
    return error.status in (0, 408, 429, 500, 502, 503, 504)


def _is_stream(body: object) -> bool:
    return body is not None and not isinstance(body, bytes)


def _body(response: Response, limit: int) -> bytes:
    data = b""
    while piece := response.read(min(65536, limit + 1 - len(data)), decode_content=True):
        data += piece
        if len(data) > limit:
            response.close()
            raise RegistryError(f"an answer has more than {limit} bytes")
    response.release_conn()
    return data


def _object(data: bytes) -> dict[str, object]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise RegistryError("an answer is not JSON") from error
    return value if isinstance(value, dict) else {}


def _rate(response: Response) -> str:
    """What Docker Hub says of its limits: `ratelimit-limit: 100;w=21600`."""
    limit, _, window = response.headers.get("ratelimit-limit", "").partition(";w=")
    if limit.isdigit() and window.isdigit():
        return f" (it allows {limit} pulls in {int(window) // 3600} hours; log in, or use a mirror)"
    after = response.headers.get("Retry-After", "")
    return f" (it asks to wait {after} seconds)" if after.isdigit() else ""


def _is_plain(error: RegistryError) -> bool:
    """Whether the other side speaks no TLS."""
    cause = error.__cause__
    return isinstance(cause, SSLError) or "SSL" in str(cause) or "RemoteDisconnected" in str(cause)


def _reason(error: Exception) -> str:
    """The innermost words."""
    inner = getattr(error, "reason", None)
    text = str(inner if inner else error)
    # urllib3 begins with the connection, as an object of Python or as a call.
    text = text.rpartition(">: ")[2] if ">: " in text else text.partition("): ")[2] or text
    return " ".join(text.removeprefix("Failed to establish a new connection: ").split())[:300]


def _shown(url: str) -> str:
    """Without the query, which may hold a signature."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"[:300]
