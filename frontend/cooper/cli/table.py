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
    "exec": ("exec_", "run another program in a running container"),
    "inspect": ("inspect", "show all that is known of containers, images, networks and volumes"),
    "container inspect": ("inspect", "show all that is known of containers"),
    "volume create": ("volume", "make a volume"),
    "volume ls": ("volume", "list volumes"),
    "volume inspect": ("volume", "show all that is known of volumes"),
    "volume rm": ("volume_remove", "remove volumes and all in them"),
    "volume prune": ("volume_remove", "remove volumes that no container has"),
    "network create": ("network", "make a network"),
    "network ls": ("network", "list networks"),
    "network inspect": ("network", "show all that is known of networks"),
    "network rm": ("network", "remove networks"),
    "network connect": ("network", "put a container on one more network"),
    "network disconnect": ("network", "take a container off a network"),
    "network prune": ("network", "remove networks that no container is on"),
    "network reload": ("network", "put back interfaces and rules that something has removed"),
    "top": ("top", "list the processes of a container"),
    "stats": ("stats", "show what containers use of the machine"),
    "port": ("port", "show where a container's ports are published"),
    "events": ("events", "show what happens to containers"),
    "update": ("update", "change the limits and the restart policy of containers"),
    "cp": ("cp", "copy files between a container and the host"),
    "commit": ("commit", "make an image of what a container has changed"),
    "diff": ("diff", "list the files that a container has changed"),
    "export": ("export", "write all files of a container into a tar"),
    "container prune": ("prune", "remove containers that do not run"),
    "system info": ("system", "show this machine, and where cooper keeps things"),
    "system df": ("system", "show what takes how much space"),
    "system prune": ("system_prune", "remove what nobody uses"),
    "system stop": ("system", "stop all containers, as before a shutdown"),
    "completion": ("completion", "print a script that completes command lines in the shell"),
    "system restart": ("system", "start what is to run always"),
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
    "healthcheck run": ("healthcheck", "run a container's health check once"),
    "container cleanup": ("cleanup", "release what an ended container used"),
    "version": ("version", "show the versions of cooper and of the OCI runtime"),
    "help": ("help", "show the help of a command"),
}

GROUPS: dict[str, str] = {
    "container": "manage containers",
    "healthcheck": "check the health of containers",
    "image": "manage images",
    "network": "manage networks",
    "system": "the whole of cooper",
    "volume": "manage volumes",
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
    "network list": "network ls",
    "network remove": "network rm",
    "volume list": "volume ls",
    "info": "system info",
    "system events": "events",
    "volume remove": "volume rm",
    **{
        f"container {name}": name
        for name in (
            "attach commit cp create diff exec export kill logs pause port rename restart rm run start stats stop top unpause update wait"
        ).split()
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
