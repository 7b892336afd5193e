"""The systemd driver: the container's group is that of a transient scope, which systemd makes and watches over.

What systemd has a property for is set twice, as a property and in the group's file: systemd writes its own idea
of a limit over the file's on every reload, and it does not know all of them.
"""
