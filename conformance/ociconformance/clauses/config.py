"""config.md: the configuration, as far as it is not of Linux alone."""

from __future__ import annotations

from ociconformance.clauses.model import (
    AUTHOR,
    Clause,
    Document,
    may,
    means,
    must,
    must_not,
    required,
    section,
    should,
    should_not,
)

OPTIONS_MUST = {
    "async": "writes are not synchronous",
    "atime": "access times are updated, as far as the kernel's default goes",
    "bind": "the source is bound to the destination, without the mounts below it",
    "defaults": "nothing changes",
    "dev": "device nodes work",
    "diratime": "access times of directories are updated as those of files",
    "dirsync": "changes of directories are synchronous",
    "exec": "programs can be executed",
    "iversion": "the inode version counts up",
    "lazytime": "times stay in memory for as long as possible",
    "loud": "the kernel says what it does in its log",
    "noatime": "access times are not updated",
    "nodev": "device nodes don't work",
    "nodiratime": "access times of directories are not updated",
    "noexec": "no program can be executed",
    "noiversion": "the inode version does not count up",
    "nolazytime": "times are written as usual",
    "norelatime": "access times are not limited to being newer than the others",
    "nostrictatime": "access times follow the kernel's default",
    "nosuid": "set-user-ID bits have no effect",
    "private": "mounts are propagated neither way",
    "rbind": "the source is bound to the destination, with the mounts below it",
    "relatime": "access times are updated when they are older than the others",
    "remount": "an existing mount gets new options",
    "ro": "nothing can be written",
    "rprivate": "as private, for the mounts below as well",
    "rshared": "as shared, for the mounts below as well",
    "rslave": "as slave, for the mounts below as well",
    "runbindable": "as unbindable, for the mounts below as well",
    "rw": "files can be written",
    "shared": "mounts are propagated to and from its peers",
    "silent": "the kernel keeps quiet in its log",
    "slave": "mounts are propagated from the host and not to it",
    "strictatime": "access times are always updated",
    "suid": "set-user-ID bits have their effect",
    "sync": "writes are synchronous",
    "unbindable": "the mount is private and cannot be bound",
}
"""The mount options that every runtime has to know."""

OPTIONS_SHOULD = {
    "nosymfollow": "symbolic links are not followed",
    "ratime": "as atime, for the mounts below as well",
    "rdev": "as dev, for the mounts below as well",
    "rdiratime": "as diratime, for the mounts below as well",
    "rexec": "as exec, for the mounts below as well",
    "rnoatime": "as noatime, for the mounts below as well",
    "rnodiratime": "as nodiratime, for the mounts below as well",
    "rnoexec": "as noexec, for the mounts below as well",
    "rnorelatime": "as norelatime, for the mounts below as well",
    "rnostrictatime": "as nostrictatime, for the mounts below as well",
    "rnosuid": "as nosuid, for the mounts below as well",
    "rnosymfollow": "as nosymfollow, for the mounts below as well",
    "rrelatime": "as relatime, for the mounts below as well",
    "rro": "as ro, for the mounts below as well",
    "rrw": "as rw, for the mounts below as well",
    "rstrictatime": "as strictatime, for the mounts below as well",
    "rsuid": "as suid, for the mounts below as well",
    "rsymfollow": "as symfollow, for the mounts below as well",
    "symfollow": "symbolic links are followed",
}
"""The mount options that a runtime should know."""

_IDMAP = (
    must("config/mounts/{0}/applied", "The mount of {0} has its IDs mapped.", since="1.2"),
    must(
        "config/mounts/{0}/own-mappings",
        "{0} uses the mount's own mappings where there are some.",
        since="1.2",
    ),
    may(
        "config/mounts/{0}/container-mappings",
        "{0} without mappings uses those of the container.",
        since="1.2",
        untested="",
    ),
    must(
        "config/mounts/{0}/no-mappings",
        "{0} without mappings is an error where the container has no user namespace.",
        since="1.2",
    ),
    should_not(
        "config/mounts/{0}/not-passed",
        "{0} is not passed to mount(2).",
        since="1.2",
        untested="A file system that took the word would look the same; one that does not would fail the mount.",
    ),
    should(
        "config/mounts/{0}/mount-setattr",
        "The mapping of {0} is made with mount_setattr(2).",
        since="1.2",
        untested="Which system call a runtime makes is not to be seen from inside.",
    ),
)


def _idmap(name: str, note: str) -> tuple[Clause, ...]:
    """The clauses of one of the two options that map IDs."""
    return (
        should(
            f"config/mounts/option/{name}",
            f"The option {name}: the mount's IDs are mapped{note}.",
            since="1.2",
        ),
        *(
            Clause(each.id.format(name), each.level, each.text.format(name), each.since, each.untested)
            for each in _IDMAP
        ),
    )


def _hook(name: str, key: str, path: str, runs: str, *clauses: Clause) -> tuple[Clause, ...]:
    """The clauses that are alike for all kinds of hooks, before those of one kind."""
    return (
        must(f"config/hooks/{key}/path", f"The path of a {name} hook is looked up in the {path} namespace."),
        must(f"config/hooks/{key}/namespace", f"A {name} hook runs in the {runs} namespace."),
        *clauses,
    )


CONFIG = Document(
    "config.md",
    (
        section(
            "specification-version",
            "Specification version",
            required("config/version/present", "ociVersion is there; a configuration without it is refused."),
            must("config/version/semver", "ociVersion is a semantic version; anything else is refused."),
            means(
                "config/version/older", "A configuration of an older minor version of version 1 is accepted."
            ),
        ),
        section(
            "root",
            "Root",
            required("config/root/present", "root is there; a configuration without it is refused."),
            required(
                "config/root/path/present", "root.path is there; a configuration without it is refused."
            ),
            means("config/root/path-absolute", "root.path may be absolute."),
            means("config/root/path-relative", "A relative root.path counts from the bundle."),
            should("config/root/path-name", "root.path is `rootfs`.", untested=AUTHOR),
            must(
                "config/root/exists",
                "There is a directory at root.path; otherwise the configuration is refused.",
            ),
            must("config/root/readonly", "With root.readonly the root file system can't be written."),
            means("config/root/writable", "Without root.readonly it can."),
        ),
        section(
            "mounts",
            "Mounts",
            must("config/mounts/order", "Mounts are made in the order in which they are listed."),
            required(
                "config/mounts/destination/present", "destination is there; a mount without it is refused."
            ),
            should("config/mounts/destination/absolute", "destination is absolute.", untested=AUTHOR),
            may(
                "config/mounts/destination/relative", "destination is relative.", since="1.2", untested=AUTHOR
            ),
            must(
                "config/mounts/destination/relative-root",
                "A relative destination counts from /.",
                since="1.2",
            ),
            means("config/mounts/source/device", "source names a device, or is a dummy."),
            means(
                "config/mounts/source/bind", "With bind or rbind it names a file or directory of the host."
            ),
            means(
                "config/mounts/source/relative", "A relative source of a bind mount counts from the bundle."
            ),
        ),
        section(
            "linux-mount-options",
            "Linux mount options",
            *(
                must(f"config/mounts/option/{name}", f"The option {name}: {text}.")
                for name, text in OPTIONS_MUST.items()
            ),
            *(
                should(f"config/mounts/option/{name}", f"The option {name}: {text}.", since="1.1")
                for name, text in OPTIONS_SHOULD.items()
            ),
            may(
                "config/mounts/option/mand", "The option mand: mandatory locks, which kernels no longer have."
            ),
            may("config/mounts/option/nomand", "The option nomand: no mandatory locks."),
            may(
                "config/mounts/option/tmpcopyup",
                "The option tmpcopyup: a tmpfs begins with what it covers.",
                untested="",
            ),
            *_idmap("idmap", ""),
            *_idmap("ridmap", ", for the mounts below as well"),
            may("config/mounts/custom-options", "A runtime has options of its own."),
            should(
                "config/mounts/custom-options-mount8",
                "An option of its own that mount(8) knows behaves as it does there.",
                since="1.1",
                untested="Which further options a runtime has is not known.",
            ),
            should(
                "config/mounts/unknown-options",
                "An option that a runtime doesn't know goes to the file system.",
                since="1.1",
            ),
        ),
        section(
            "posix-platform-mounts",
            "POSIX-platform mounts",
            means("config/mounts/type", "type is the file system's, as the kernel lists them."),
            means("config/mounts/type-bind", "For bind mounts type is a dummy."),
            means(
                "config/mounts/mappings", "uidMappings and gidMappings map the IDs of the mount.", since="1.1"
            ),
            should(
                "config/mounts/mappings-setattr",
                "The mapping is made with mount_setattr(2).",
                since="1.1",
                untested="Which system call a runtime makes is not to be seen from inside.",
            ),
            should(
                "config/mounts/mappings-option",
                "idmap or ridmap goes with the mappings.",
                since="1.2",
                untested=AUTHOR,
            ),
            must(
                "config/mounts/mappings-both",
                "uidMappings and gidMappings come together, or are refused.",
                since="1.1",
            ),
        ),
        section(
            "process",
            "Process",
            required(
                "config/process/present",
                "process is there when the container is started, or start is an error.",
            ),
            means("config/process/terminal", "With terminal the standard streams are a new pseudoterminal."),
            means("config/process/no-terminal", "Without it the streams are those of create."),
            means("config/process/console-size", "The terminal has the size of consoleSize."),
            must("config/process/console-size-ignored", "Without terminal consoleSize is ignored."),
            required("config/process/console-size/height", "consoleSize has a height, or is refused."),
            required("config/process/console-size/width", "consoleSize has a width, or is refused."),
            required("config/process/cwd/present", "cwd is there, or the configuration is refused."),
            means("config/process/cwd", "The program starts in the directory cwd."),
            must("config/process/cwd/absolute", "cwd is absolute, or the configuration is refused."),
            means("config/process/env", "The program's environment is env, and nothing else."),
            means("config/process/args", "The program is run with args."),
            required("config/process/args/first", "args has at least one entry, or is refused."),
            means(
                "config/process/args/execvp", "A first entry without a slash is searched along env's PATH."
            ),
        ),
        section(
            "posix-process",
            "POSIX process",
            means("config/process/rlimits", "rlimits limits the program's resources."),
            required("config/process/rlimits/type/present", "An entry has a type, or is refused."),
            must("config/process/rlimits/type/unknown", "A type that the kernel does not know is an error."),
            must("config/process/rlimits/getrlimit", "The program can ask for each limit."),
            required("config/process/rlimits/soft/present", "An entry has a soft limit, or is refused."),
            must("config/process/rlimits/soft", "The soft limit is the configured one."),
            required("config/process/rlimits/hard/present", "An entry has a hard limit, or is refused."),
            must("config/process/rlimits/hard", "The hard limit is the configured one."),
            must("config/process/rlimits/duplicate", "Two entries of one type are an error."),
        ),
        section(
            "linux-process",
            "Linux process",
            means("config/process/apparmor-profile", "The program runs under apparmorProfile."),
            means("config/process/capabilities/bounding", "The bounding set is the configured one."),
            means("config/process/capabilities/effective", "The effective set is the configured one."),
            means("config/process/capabilities/inheritable", "The inheritable set is the configured one."),
            means("config/process/capabilities/permitted", "The permitted set is the configured one."),
            means("config/process/capabilities/ambient", "The ambient set is the configured one."),
            must(
                "config/process/capabilities/warning",
                "A capability that does not exist or can't be granted is a warning, not an error.",
                since="1.1",
            ),
            should_not(
                "config/process/capabilities/ungrantable",
                "A capability that can't be granted does not make the operation fail.",
                since="1.1",
            ),
            means(
                "config/process/no-new-privileges", "With noNewPrivileges the program can't gain privileges."
            ),
            must("config/process/oom-score-adj/set", "oomScoreAdj is the program's oom_score_adj."),
            must_not(
                "config/process/oom-score-adj/unset",
                "Without it the value is the one the runtime was started with.",
            ),
            means(
                "config/process/scheduler/policy",
                "The program runs under the configured scheduling policy.",
                since="1.1",
            ),
            required(
                "config/process/scheduler/policy/present",
                "scheduler has a policy, or is refused.",
                since="1.1",
            ),
            means("config/process/scheduler/nice", "It has the configured nice value.", since="1.1"),
            means("config/process/scheduler/nice-default", "Without one its nice value is 0.", since="1.1"),
            means("config/process/scheduler/priority", "It has the configured static priority.", since="1.1"),
            means("config/process/scheduler/flags", "It has the configured scheduling flags.", since="1.1"),
            means(
                "config/process/scheduler/deadline",
                "Under SCHED_DEADLINE it has the configured runtime, deadline and period.",
                since="1.1",
            ),
            means("config/process/selinux-label", "The program has the label selinuxLabel."),
            means(
                "config/process/io-priority",
                "The program has the I/O class and priority of ioPriority.",
                since="1.1",
            ),
            required(
                "config/process/io-priority/class", "ioPriority has a class, or is refused.", since="1.1"
            ),
            required(
                "config/process/io-priority/priority",
                "ioPriority has a priority, or is refused.",
                since="1.1",
            ),
            means(
                "config/process/exec-cpu-affinity/init",
                "execCPUAffinity does not touch the container's first process.",
                since="1.2",
            ),
            should_not(
                "config/process/exec-cpu-affinity/final",
                "Without `final` an executed process keeps the affinity that the kernel gives it.",
                since="1.2",
                untested="Executing further processes is no operation of the specification.",
            ),
        ),
        section(
            "posix-platform-user",
            "POSIX-platform user",
            required("config/process/user/uid/present", "uid is there, or the configuration is refused."),
            means("config/process/user/uid", "The program runs as uid, as counted in the container."),
            required("config/process/user/gid/present", "gid is there, or the configuration is refused."),
            means("config/process/user/gid", "The program runs as gid, as counted in the container."),
            means("config/process/user/umask", "The program has the configured umask."),
            should_not(
                "config/process/user/umask-unset",
                "Without one the umask of the runtime's caller is not changed.",
            ),
            means(
                "config/process/user/additional-gids", "The program has additionalGids, and no other groups."
            ),
        ),
        section(
            "hostname",
            "Hostname",
            means("config/hostname", "The container sees the configured host name, and the host does not."),
        ),
        section(
            "domainname",
            "Domainname",
            means(
                "config/domainname",
                "The container sees the configured domain name, and the host does not.",
                since="1.1",
            ),
        ),
        section(
            "platform-specific-configuration",
            "Platform-specific configuration",
            may("config/platform/linux", "linux is set on Linux.", untested=AUTHOR),
            may("config/platform/vm", "vm is set where virtual machines are supported.", untested=AUTHOR),
        ),
        section(
            "posix-platform-hooks",
            "POSIX-platform hooks",
            may("config/hooks/kinds", "hooks has entries of all six kinds.", untested=""),
            required("config/hooks/path/present", "A hook has a path, or is refused."),
            must("config/hooks/path/absolute", "A hook's path is absolute, or is refused."),
            means(
                "config/hooks/args", "A hook is run with its args, the first of which is its name for itself."
            ),
            means("config/hooks/env", "A hook's environment is its env, and nothing else."),
            means(
                "config/hooks/timeout",
                "A hook that takes longer than its timeout is aborted, and has failed.",
            ),
            must("config/hooks/timeout/positive", "A timeout is greater than zero, or is refused."),
            must("config/hooks/order", "Hooks of a kind are called in the order in which they are listed."),
            must("config/hooks/state", "A hook finds the container's state on its standard input."),
        ),
        section(
            "prestart",
            "Prestart hooks",
            must(
                "config/hooks/prestart/when",
                "A prestart hook runs during create, when the namespaces are there and before the root changes.",
                since="1.1",
            ),
            must(
                "config/hooks/prestart/before-create-runtime",
                "Prestart hooks run before createRuntime hooks.",
                since="1.1",
            ),
            *_hook("prestart", "prestart", "runtime", "runtime"),
        ),
        section(
            "createruntime-hooks",
            "CreateRuntime hooks",
            must(
                "config/hooks/create-runtime/when",
                "A createRuntime hook runs during create, when the namespaces are there and before the root changes.",
            ),
            *_hook("createRuntime", "create-runtime", "runtime", "runtime"),
        ),
        section(
            "createcontainer-hooks",
            "CreateContainer hooks",
            must(
                "config/hooks/create-container/when",
                "A createContainer hook runs during create, when the mounts are made and before the root changes.",
            ),
            must(
                "config/hooks/create-container/after", "CreateContainer hooks run after createRuntime hooks."
            ),
            *_hook("createContainer", "create-container", "runtime", "container"),
        ),
        section(
            "startcontainer-hooks",
            "StartContainer hooks",
            must(
                "config/hooks/start-container/when",
                "A startContainer hook runs during start, before the program.",
            ),
            *_hook("startContainer", "start-container", "container", "container"),
        ),
        section(
            "poststart",
            "Poststart hooks",
            must(
                "config/hooks/poststart/when",
                "A poststart hook runs after the program was started, before start returns.",
            ),
            *_hook("poststart", "poststart", "runtime", "runtime"),
        ),
        section(
            "poststop",
            "Poststop hooks",
            must(
                "config/hooks/poststop/when",
                "A poststop hook runs after the container is deleted, before delete returns.",
            ),
            *_hook("poststop", "poststop", "runtime", "runtime"),
        ),
        section(
            "annotations",
            "Annotations",
            may("config/annotations/structured", "The metadata has any structure.", untested=AUTHOR),
            must("config/annotations/map", "annotations is a map, or is refused."),
            may(
                "config/annotations/absent",
                "Without annotations the property is absent or empty.",
                untested="",
            ),
            must("config/annotations/key-string", "Keys are strings.", untested="JSON has no other keys."),
            must_not("config/annotations/key-empty", "A key is not empty, or is refused."),
            should("config/annotations/key-domain", "Keys are reverse domain names.", untested=AUTHOR),
            must(
                "config/annotations/reserved",
                "Keys below org.opencontainers are as the specification says.",
                untested=AUTHOR,
            ),
            may(
                "config/annotations/image-keys",
                "The listed image keys are used.",
                since="1.2",
                untested=AUTHOR,
            ),
            must(
                "config/annotations/image-values",
                "Their values are valid by the image specification.",
                since="1.2",
                untested=AUTHOR,
            ),
            should(
                "config/annotations/image-conversion",
                "They are used as the image specification's conversion says.",
                since="1.2",
                untested=AUTHOR,
            ),
            should(
                "config/annotations/stop-signal",
                "The stopSignal annotation names the signal for stopping the container.",
                since="1.2",
                untested="The kill operation is given its signal; when to use which is the caller's business.",
            ),
            must_not(
                "config/annotations/reserved-future",
                "Other keys below org.opencontainers are not used.",
                since="1.2",
                untested="Binds later specifications.",
            ),
            must("config/annotations/unknown", "Unknown annotations are ignored like unknown properties."),
            must("config/annotations/value-string", "Values are strings, or are refused."),
            may("config/annotations/value-empty", "A value is empty.", untested=""),
        ),
        section(
            "extensibility",
            "Extensibility",
            must("config/extensibility/unknown", "Unknown properties are ignored, without an error."),
            may("config/extensibility/log", "Unknown properties are logged."),
        ),
        section(
            "valid-values",
            "Valid values",
            must("config/valid-values/error", "An invalid or unsupported value is an error."),
            may("config/valid-values/subset", "A runtime supports a part of the valid values."),
        ),
    ),
)

__all__ = ["CONFIG", "OPTIONS_MUST", "OPTIONS_SHOULD"]
