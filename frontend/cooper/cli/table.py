"""Which module holds a command. Imported by every command: names and summaries only.

A module has ``COMMAND`` (a `Command`) and ``run(invocation) -> int``, the exit status. A command of a group has
the group's name before its own.
"""

from __future__ import annotations

# name -> (module below cooper.cli, summary)
COMMANDS: dict[str, tuple[str, str]] = {
    "run": ("run", "create a container and run it"),
    "create": ("create", "create a container without running it"),
    "start": ("start", "run a container again"),
    "stop": ("stop", "ask containers to end, and kill those that do not"),
    "restart": ("restart", "stop and start containers"),
    "kill": ("kill", "send a signal to containers"),
    "pause": ("pause", "freeze the processes of containers"),
    "unpause": ("pause", "let paused containers go on"),
    "wait": ("wait", "wait for the end of containers, and print their exit statuses"),
    "rm": ("rm", "remove containers"),
    "ps": ("ps", "list containers"),
    "logs": ("logs", "show what a container has written"),
    "attach": ("attach", "connect the terminal to a running container"),
    "rename": ("rename", "give a container another name"),
    "pull": ("pull", "get images from a registry"),
    "push": ("push", "send an image to a registry"),
    "images": ("images", "list images"),
    "tag": ("tag", "give an image one more name"),
    "rmi": ("rmi", "remove images"),
    "load": ("load", "get images from an archive"),
    "save": ("save", "write images into an archive"),
    "import": ("import_", "make an image of a tar or a directory"),
    "history": ("history", "show how an image came about"),
    "image inspect": ("image_inspect", "show all that is known of images"),
    "image prune": ("image_prune", "remove images that are not used"),
    "login": ("login", "keep the name and the password for a registry"),
    "logout": ("logout", "forget them"),
    "container cleanup": ("cleanup", "release what an ended container used"),
    "version": ("version", "show the versions of cooper and of the OCI runtime"),
    "help": ("help", "show the help of a command"),
}

GROUPS: dict[str, str] = {
    "container": "manage containers",
    "image": "manage images",
}

# Other names of a command, as docker and podman have them.
ALIASES: dict[str, str] = {
    "container ls": "ps",
    "image ls": "images",
    "image list": "images",
    "image rm": "rmi",
    **{f"image {name}": name for name in "history import load pull push save tag".split()},
    "container list": "ps",
    "container ps": "ps",
    **{
        f"container {name}": name
        for name in ("attach create kill logs pause rename restart rm run start stop unpause wait").split()
    },
}


def resolve(words: list[str]) -> tuple[str, list[str]]:
    """The command that the words begin with, and the words after it; ("", words) if there is none."""
    for count in (2, 1):
        name = " ".join(words[:count])
        name = ALIASES.get(name, name)
        if name in COMMANDS:
            return name, words[count:]
    return "", words
