"""runtime.md and runtime-linux.md: the state, the lifecycle, and the five operations."""

from __future__ import annotations

from ociconformance.clauses.model import (
    PERMISSION,
    Document,
    may,
    means,
    must,
    must_not,
    required,
    section,
)

RUNTIME = Document(
    "runtime.md",
    (
        section(
            "scope-of-a-container",
            "Scope of a container",
            must("runtime/scope/creator", "Whoever created a container can use every operation on it."),
        ),
        section(
            "state",
            "State",
            required(
                "runtime/state/oci-version", "The state names the version of the specification it follows."
            ),
            required("runtime/state/id", "The state holds the container's ID."),
            must("runtime/state/id-unique", "No two containers of the host have the same ID at a time."),
            required("runtime/state/status", "The state holds the container's status."),
            may(
                "runtime/state/status-values",
                "The status is creating, created, running or stopped where one of these describes the container.",
                untested="",
            ),
            may("runtime/state/more-status-values", "A runtime defines further values of its own."),
            must(
                "runtime/state/more-status-values-new",
                "A further value is for a condition that none of the four describes.",
            ),
            required(
                "runtime/state/pid", "The state of a created or running container holds its process's PID."
            ),
            means("runtime/state/pid-runtime", "That PID is the one in the runtime's own PID namespace."),
            means(
                "runtime/state/pid-container",
                "A hook that runs in the container's namespaces is told the PID as the container sees it.",
            ),
            required("runtime/state/bundle", "The state holds the bundle's absolute path."),
            means("runtime/state/annotations", "The state holds the configuration's annotations."),
            may(
                "runtime/state/annotations-absent",
                "Without annotations the property is absent or empty.",
                untested="",
            ),
            may("runtime/state/additional", "The state has additional properties."),
            must("runtime/state/schema", "The state is JSON that fits the specification's schema of it."),
        ),
        section(
            "lifecycle",
            "Lifecycle",
            must(
                "runtime/lifecycle/environment",
                "After create the environment is there: the namespaces, the mounts, the control group.",
            ),
            must("runtime/lifecycle/environment-error", "An environment that cannot be created is an error."),
            must_not("runtime/lifecycle/program-waits", "The program does not run before start."),
            must_not(
                "runtime/lifecycle/config-copied",
                "Changing config.json after create does not change the container.",
            ),
            must("runtime/lifecycle/prestart", "The prestart hooks are invoked."),
            must(
                "runtime/lifecycle/prestart-fails",
                "A prestart hook that fails: an error, the container stopped and gone.",
            ),
            must("runtime/lifecycle/create-runtime", "The createRuntime hooks are invoked."),
            must(
                "runtime/lifecycle/create-runtime-fails",
                "A createRuntime hook that fails: an error, the container stopped and gone.",
            ),
            must("runtime/lifecycle/create-container", "The createContainer hooks are invoked."),
            must(
                "runtime/lifecycle/create-container-fails",
                "A createContainer hook that fails: an error, the container stopped and gone.",
            ),
            must("runtime/lifecycle/start-container", "The startContainer hooks are invoked."),
            must(
                "runtime/lifecycle/start-container-fails",
                "A startContainer hook that fails: an error, the container stopped and gone, its program never run.",
            ),
            must("runtime/lifecycle/program-runs", "After start the program runs."),
            must("runtime/lifecycle/poststart", "The poststart hooks are invoked."),
            must(
                "runtime/lifecycle/poststart-fails",
                "A poststart hook that fails: an error, the container stopped and gone.",
                since="1.3",
            ),
            may(
                "runtime/lifecycle/exits",
                "The process ends by itself, by crashing, or by the kill operation.",
                untested="",
            ),
            must("runtime/lifecycle/destroyed", "Deleting undoes what create did."),
            must("runtime/lifecycle/poststop", "The poststop hooks are invoked."),
            must(
                "runtime/lifecycle/poststop-fails",
                "A poststop hook that fails stops neither the hooks after it nor the deletion.",
            ),
        ),
        section(
            "errors",
            "Errors",
            must(
                "runtime/errors/nothing-left",
                "An operation that fails leaves everything as if it had never been tried.",
            ),
        ),
        section(
            "warnings",
            "Warnings",
            must("runtime/warnings/goes-on", "A warning does not change what an operation does."),
        ),
        section(
            "operations",
            "Operations",
            must("runtime/operations", "The operations state, create, start, kill and delete are there."),
        ),
        section(
            "query-state",
            "Query state",
            must("runtime/query-state/no-id", "Asking for a state without an ID is an error."),
            must(
                "runtime/query-state/unknown",
                "Asking for the state of a container that does not exist is an error.",
            ),
            must("runtime/query-state/answers", "It returns the state."),
        ),
        section(
            "create",
            "Create",
            must("runtime/create/no-id", "Creating without an ID is an error."),
            must("runtime/create/no-bundle", "Creating without a bundle is an error."),
            must(
                "runtime/create/id-in-use",
                "An ID in use is an error, and the container that has it is left alone.",
            ),
            must(
                "runtime/create/id-invalid",
                "An ID that is not valid is an error, and no container comes to be.",
            ),
            must("runtime/create/creates", "It creates a container."),
            must("runtime/create/applied", "Every configured property but process is applied by create."),
            must_not("runtime/create/args", "The program is left for start to run."),
            may("runtime/create/process", "The other properties of process are applied by create already."),
            must(
                "runtime/create/not-applicable",
                "A property that cannot be applied as it is configured is an error, and no container comes to be.",
            ),
            may("runtime/create/validates", "The configuration is validated first."),
        ),
        section(
            "start",
            "Start",
            must("runtime/start/no-id", "Starting without an ID is an error."),
            must("runtime/start/not-created", "Starting a container that is not created is an error."),
            must(
                "runtime/start/not-created-no-effect",
                "Starting a container that is not created has no effect on it.",
            ),
            must("runtime/start/runs", "It runs the configured program."),
            must(
                "runtime/start/no-process",
                "Starting a container whose configuration has no process is an error.",
            ),
        ),
        section(
            "kill",
            "Kill",
            must("runtime/kill/no-id", "Sending a signal without an ID is an error."),
            must(
                "runtime/kill/stopped",
                "Sending a signal to a container neither created nor running is an error.",
            ),
            must("runtime/kill/stopped-no-effect", "It has no effect on that container."),
            must("runtime/kill/sends", "The container's process gets the signal that was named."),
        ),
        section(
            "delete",
            "Delete",
            must("runtime/delete/no-id", "Deleting without an ID is an error."),
            must("runtime/delete/not-stopped", "Deleting a container that is not stopped is an error."),
            must("runtime/delete/not-stopped-no-effect", "It has no effect on that container."),
            must("runtime/delete/resources", "What create created is deleted."),
            must_not(
                "runtime/delete/foreign-resources", "What the container uses but create did not create stays."
            ),
            may(
                "runtime/delete/id-again", "The ID can be used by another container afterwards.", untested=""
            ),
        ),
    ),
)

RUNTIME_LINUX = Document(
    "runtime-linux.md",
    (
        section(
            "file-descriptors",
            "File descriptors",
            means(
                "runtime-linux/descriptors", "The program finds descriptors 0, 1 and 2 open, and no others."
            ),
            may("runtime-linux/descriptors-passed", "More are passed on, for socket activation for example."),
            may("runtime-linux/descriptors-null", "Some lead to /dev/null.", untested=PERMISSION),
        ),
        section(
            "dev-symbolic-links",
            "Dev symbolic links",
            *(
                must(
                    f"runtime-linux/dev-links/{name}",
                    f"/dev/{name} leads to {target} where that exists after mounting.",
                )
                for name, target in {
                    "fd": "/proc/self/fd",
                    "stdin": "/proc/self/fd/0",
                    "stdout": "/proc/self/fd/1",
                    "stderr": "/proc/self/fd/2",
                }.items()
            ),
        ),
    ),
)
