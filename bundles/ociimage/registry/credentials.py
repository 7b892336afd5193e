"""Who we are to a registry: docker's config.json, and the programs that it names.

Source: docker's documentation of `docker login`, "Credential stores" and "Credential helper protocol"
"""

from __future__ import annotations

import base64
import binascii
import json
import os

from ociimage.errors import RegistryError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Under which docker.io is kept, for historical reasons.
DOCKER_HUB = "https://index.docker.io/v1/"


class Credentials:
    """A user's name and password, or an identity token instead of the password (then `user` is "")."""

    __slots__ = ("user", "password", "token")

    def __init__(self, user: str = "", password: str = "", token: str = "") -> None:
        self.user = user
        self.password = password
        self.token = token

    def basic(self) -> str:
        """The value of an Authorization header."""
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()


def config_path() -> str:
    """Docker's config.json of the user who runs this."""
    directory = os.environ.get("DOCKER_CONFIG") or os.path.expanduser("~/.docker")
    return f"{directory}/config.json"


def find(domain: str, path: str = "") -> Credentials | None:
    """The credentials for a registry, or None. Raises: RegistryError if the file or a helper does not work."""
    config = _read(path or config_path())
    helpers = config.get("credHelpers")
    helper = helpers.get(domain) if isinstance(helpers, dict) else None
    helper = helper or config.get("credsStore")
    if isinstance(helper, str) and helper:
        return _ask(helper, DOCKER_HUB if domain == "docker.io" else domain)
    auths = config.get("auths")
    for key, entry in auths.items() if isinstance(auths, dict) else ():
        if _host(key) == domain and isinstance(entry, dict):
            return _decoded(entry, key)
    return None


def store(domain: str, credentials: Credentials, path: str = "") -> str:
    """Keeps them where docker does. Returns where. Raises: RegistryError, OSError"""
    path = path or config_path()
    config = _read(path)
    key = DOCKER_HUB if domain == "docker.io" else domain
    helper = config.get("credsStore")
    if isinstance(helper, str) and helper:
        secret = {"ServerURL": key, "Username": credentials.user, "Secret": credentials.password}
        _helper(helper, "store", json.dumps(secret))
        return f"docker-credential-{helper}"
    auth = base64.b64encode(f"{credentials.user}:{credentials.password}".encode()).decode()
    config.setdefault("auths", {})[key] = {"auth": auth}
    _write(path, config)
    return path


def erase(domain: str, path: str = "") -> bool:
    """Forgets them. Returns whether there were any. Raises: RegistryError, OSError"""
    path = path or config_path()
    config = _read(path)
    key = DOCKER_HUB if domain == "docker.io" else domain
    helper = config.get("credsStore")
    if isinstance(helper, str) and helper:
        _helper(helper, "erase", key)
        return True
    auths = config.get("auths") or {}
    gone = [each for each in auths if _host(each) == domain]
    for each in gone:
        del auths[each]
    if gone:
        _write(path, config)
    return bool(gone)


def _host(key: str) -> str:
    """The registry that a key of `auths` is about: with or without scheme and path."""
    if key == DOCKER_HUB:
        return "docker.io"
    host = key.partition("://")[2] or key
    host = host.partition("/")[0]
    return "docker.io" if host in ("index.docker.io", "registry-1.docker.io") else host


def _decoded(entry: dict[str, Any], key: str) -> Credentials | None:
    if entry.get("identitytoken"):
        return Credentials(token=str(entry["identitytoken"]))
    if entry.get("username"):
        return Credentials(str(entry["username"]), str(entry.get("password", "")))
    auth = entry.get("auth")
    if not auth:
        return None
    try:
        user, colon, password = base64.b64decode(auth, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError, TypeError) as error:
        raise RegistryError(f"the credentials for {key} in docker's config.json cannot be decoded") from error
    return Credentials(user, password) if colon else None


def _read(path: str) -> dict[str, Any]:
    try:
        with open(path, "rb") as file:
            value = json.loads(file.read())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise RegistryError(f"{path}: {error}") from error
    if not isinstance(value, dict):
        raise RegistryError(f"{path} is no JSON object")
    return value


def _write(path: str, config: dict[str, Any]) -> None:
    directory = os.path.dirname(path)
    os.makedirs(directory, 0o700, exist_ok=True)
    temporary = f"{path}.{os.getpid()}-{os.urandom(4).hex()}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            json.dump(config, file, indent="\t")
        os.rename(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _ask(helper: str, server: str) -> Credentials | None:
    try:
        answer = json.loads(_helper(helper, "get", server))
    except ValueError as error:
        raise RegistryError(f"docker-credential-{helper} answers no JSON") from error
    except RegistryError as error:
        if "not found" in str(error):
            return None  # the protocol's way to say that there are none
        raise
    if not isinstance(answer, dict):
        return None
    user, secret = str(answer.get("Username", "")), str(answer.get("Secret", ""))
    return Credentials(token=secret) if user == "<token>" else Credentials(user, secret)


def _helper(name: str, verb: str, text: str) -> str:
    import subprocess

    if "/" in name:
        raise RegistryError(f"{name!r} is no name of a credential helper")
    try:
        done = subprocess.run(
            [f"docker-credential-{name}", verb], input=text, capture_output=True, text=True, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RegistryError(f"docker-credential-{name}: {error}") from error
    if done.returncode:
        raise RegistryError(f"docker-credential-{name}: {(done.stdout or done.stderr).strip()[:200]}")
    return done.stdout
