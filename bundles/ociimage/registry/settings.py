"""Which registries are reached otherwise than by HTTPS at their own name."""

from __future__ import annotations

import ipaddress
import json

from ociimage.errors import RegistryError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PATH = "/etc/cooper/registries.json"


class Registries:
    """Mirrors and exceptions.

    Attributes:
        mirrors: of each registry's domain, the URLs that are tried before it: {"docker.io": ["https://mirror"]}.
        insecure: domains (with their ports) and networks in CIDR form that may have no certificate, or no TLS. Loopback
            is always among them.
    """

    def __init__(
        self, mirrors: Mapping[str, Sequence[str]] | None = None, insecure: Sequence[str] = ()
    ) -> None:
        self.mirrors = dict(mirrors or {})
        self.insecure = list(insecure)

    def is_insecure(self, domain: str) -> bool:
        """Whether the registry may be reached without a certificate that can be verified."""
        host = domain if domain.endswith("]") else domain.rpartition(":")[0] or domain
        if domain in self.insecure or host in self.insecure or host == "localhost":
            return True
        try:
            address = ipaddress.ip_address(host.strip("[]"))
        except ValueError:
            return False
        if address.is_loopback:
            return True
        for each in self.insecure:
            try:
                if address in ipaddress.ip_network(each):
                    return True
            except ValueError:
                continue
        return False


def load(path: str = PATH) -> Registries:
    """The settings in a file {"mirrors": {...}, "insecure": [...]}; none if there is no file. Raises: RegistryError"""
    try:
        with open(path, "rb") as file:
            value = json.loads(file.read())
        mirrors, insecure = value.get("mirrors", {}), value.get("insecure", [])
        if not all(isinstance(url, str) for urls in mirrors.values() for url in urls):
            raise ValueError("mirrors are lists of URLs by registry")
        if not all(isinstance(item, str) for item in insecure):
            raise ValueError("insecure is a list of registries")
        return Registries(mirrors, insecure)
    except FileNotFoundError:
        return Registries()
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise RegistryError(f"{path}: {error}") from error
