"""Images from registries and to them."""

from __future__ import annotations

from cooper.containers.images import open_store
from cooper.errors import UsageError
from cooper.images.progress import Progress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cooper.settings import Settings
    from ociimage.image import Image
    from ociimage.registry.credentials import Credentials
    from ociimage.registry.settings import Registries
    from ociimage.store import Store


def pull_image(settings: Settings, name: str, platform: str = "", quiet: bool = False) -> Image:
    """The image is here. Raises: UsageError, ociimage's errors."""
    from ociimage.registry.pull import pull

    with Progress(quiet) as progress:
        return pull(
            open_store(settings),
            name,
            platform=parse_platform(platform),
            registries=registries(settings),
            progress=progress,
        )


def find_to_push(store: Store, name: str) -> Image:
    """The image of this name, or else of the same without the registry: `web:1` for `localhost:5000/web:1`.

    Raises: ociimage's errors.
    """
    from ociimage.errors import ImageNotFound
    from ociimage.reference import DEFAULT_DOMAIN, parse

    try:
        return store.resolve(name)
    except ImageNotFound:
        reference = parse(name)
        if reference.domain == DEFAULT_DOMAIN or not reference.tag:
            raise
        try:
            return store.resolve(f"{reference.path}:{reference.tag}")
        except ImageNotFound:
            pass
        raise


def push_image(settings: Settings, image: Image, name: str, quiet: bool = False) -> str:
    """The image is in its registry; the digest that it has there. Raises: ociimage's errors."""
    from ociimage.registry.push import push

    with Progress(quiet) as progress:
        return push(image, name, registries=registries(settings), progress=progress)


def registries(settings: Settings) -> Registries:
    """Mirrors and insecure registries: of the administrator, and for an ordinary user of the user first."""
    from ociimage.registry.settings import PATH, load

    found = load(PATH)
    if settings.rootless:
        from cooper.settings import environment

        home = environment("XDG_CONFIG_HOME") or f"{environment('HOME')}/.config"
        own = load(f"{home}/cooper/registries.json")
        found.mirrors.update(own.mirrors)
        found.insecure += own.insecure
    return found


def parse_platform(text: str) -> dict[str, str] | None:
    """`os/architecture[/variant]` or the architecture alone; None for "". Raises: UsageError"""
    if not text:
        return None
    parts = text.lower().split("/")
    if len(parts) > 3 or not all(parts):
        raise UsageError(f"--platform: {text!r} is not OS/ARCHITECTURE or OS/ARCHITECTURE/VARIANT")
    if len(parts) == 1:
        parts = ["linux", *parts]
    parts[1] = {"x86_64": "amd64", "aarch64": "arm64", "i386": "386"}.get(parts[1], parts[1])
    return dict(zip(("os", "architecture", "variant"), parts, strict=False))


def ask_credentials(user: str, password: str | None, domain: str) -> Credentials:
    """The user's name and password, asked for on the terminal where they are not given. Raises: UsageError"""
    import getpass
    import sys

    from ociimage.registry.credentials import Credentials

    try:
        if not user:
            user = input(f"Username for {domain}: ") if sys.stdin.isatty() else ""
        if password is None:
            if not sys.stdin.isatty():
                raise UsageError("there is no terminal to ask for the password on", "use --password-stdin")
            password = getpass.getpass(f"Password for {user}: ")
    except EOFError as error:
        raise UsageError("no user name or password was given") from error
    if not user or ":" in user:
        raise UsageError("a user name is not empty and has no colon", "give it with --username")
    return Credentials(user, password)
