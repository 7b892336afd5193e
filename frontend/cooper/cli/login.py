"""`cooper login`: in docker's own file, so that one login is good for both."""

from __future__ import annotations

from cooper.cli.command import TEXT, Command, Flag, Invocation
from cooper.cli.output import print_line

COMMAND = Command(
    arguments="[REGISTRY]",
    maximum=1,
    flags=(
        Flag("username", "u", TEXT, "NAME", "asked for if it is not given"),
        Flag("password", "p", TEXT, "TEXT", "shows in the list of processes: better --password-stdin"),
        Flag("password-stdin", "", text="read the password from standard input"),
    ),
    examples=(
        ("cooper login", "to Docker Hub"),
        ("cooper login -u me --password-stdin localhost:5000 <password", "without a terminal"),
    ),
)


def run(invocation: Invocation) -> int:
    """The registry takes the name and the password, and they are kept."""
    import sys

    from cooper.errors import UsageError
    from cooper.images.transfer import ask_credentials, registries
    from ociimage.registry.client import Client
    from ociimage.registry.credentials import store

    given = invocation.options
    domain = registry_domain(invocation.arguments)
    password = given["password"] if "password" in invocation.given else None
    if given["password-stdin"]:
        if password is not None or not given["username"]:
            raise UsageError("--password-stdin goes with --username and without --password")
        password = sys.stdin.readline().rstrip("\r\n")
    credentials = ask_credentials(given["username"], password, domain)
    client = Client(domain, credentials, registries(invocation.settings))
    try:
        client.check_login()
    finally:
        client.close()
    print_line(f"Login succeeded: kept in {store(domain, credentials)}")
    return 0


def registry_domain(arguments: list[str]) -> str:
    """The registry's name as it stands in images' names; Docker Hub's by default."""
    domain = arguments[0] if arguments else "docker.io"
    domain = domain.partition("://")[2] or domain
    domain = domain.partition("/")[0]
    return "docker.io" if domain in ("index.docker.io", "registry-1.docker.io") else domain
