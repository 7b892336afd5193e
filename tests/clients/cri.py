"""The Container Runtime Interface as Kubernetes speaks it, to containerd's own service over its socket.

Messages hold the members that the tests use; numbers and types are those of the interface (runtime.v1, api.proto).
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory

from .engines import GROUP, daemon, scratch
from .host import overlay_works
from .image import IMAGE

PACKAGE = "runtime.v1"
NODE = 2  # NamespaceMode: the node's own
RUNNING, EXITED = 1, 2

# "name=number:type" of each member; "*" stands for repeated. Enumerations are numbers here, as on the wire.
MESSAGES = {
    "PodSandboxMetadata": "name=1:string uid=2:string namespace=3:string attempt=4:uint32",
    "NamespaceOption": "network=1:int32 pid=2:int32 ipc=3:int32",
    "LinuxSandboxSecurityContext": "namespace_options=1:NamespaceOption",
    "LinuxPodSandboxConfig": "cgroup_parent=1:string security_context=2:LinuxSandboxSecurityContext",
    "PodSandboxConfig": "metadata=1:PodSandboxMetadata log_directory=3:string linux=8:LinuxPodSandboxConfig",
    "RunPodSandboxRequest": "config=1:PodSandboxConfig runtime_handler=2:string",
    "RunPodSandboxResponse": "pod_sandbox_id=1:string",
    "StopPodSandboxRequest": "pod_sandbox_id=1:string",
    "StopPodSandboxResponse": "",
    "RemovePodSandboxRequest": "pod_sandbox_id=1:string",
    "RemovePodSandboxResponse": "",
    "ImageSpec": "image=1:string",
    "ContainerMetadata": "name=1:string attempt=2:uint32",
    "LinuxContainerResources": "cpu_period=1:int64 cpu_quota=2:int64 cpu_shares=3:int64 memory_limit_in_bytes=4:int64",
    "LinuxContainerSecurityContext": "namespace_options=3:NamespaceOption",
    "LinuxContainerConfig": "resources=1:LinuxContainerResources security_context=2:LinuxContainerSecurityContext",
    "ContainerConfig": "metadata=1:ContainerMetadata image=2:ImageSpec command=3:*string log_path=11:string"
    " linux=15:LinuxContainerConfig",
    "CreateContainerRequest": "pod_sandbox_id=1:string config=2:ContainerConfig sandbox_config=3:PodSandboxConfig",
    "CreateContainerResponse": "container_id=1:string",
    "StartContainerRequest": "container_id=1:string",
    "StartContainerResponse": "",
    "StopContainerRequest": "container_id=1:string timeout=2:int64",
    "StopContainerResponse": "",
    "ContainerStatusRequest": "container_id=1:string",
    "ContainerStatus": "id=1:string state=3:int32 exit_code=7:int32 reason=10:string",
    "ContainerStatusResponse": "status=1:ContainerStatus",
    "ExecSyncRequest": "container_id=1:string cmd=2:*string timeout=3:int64",
    "ExecSyncResponse": "stdout=1:bytes stderr=2:bytes exit_code=3:int32",
    "UInt64Value": "value=1:uint64",
    "CpuUsage": "timestamp=1:int64 usage_core_nano_seconds=2:UInt64Value",
    "MemoryUsage": "timestamp=1:int64 working_set_bytes=2:UInt64Value",
    "ContainerStats": "cpu=2:CpuUsage memory=3:MemoryUsage",
    "ContainerStatsRequest": "container_id=1:string",
    "ContainerStatsResponse": "stats=1:ContainerStats",
    "UpdateContainerResourcesRequest": "container_id=1:string linux=2:LinuxContainerResources",
    "UpdateContainerResourcesResponse": "",
    "StatusRequest": "",
    "StatusResponse": "",
}
_SCALARS = {
    name: getattr(descriptor_pb2.FieldDescriptorProto, f"TYPE_{name.upper()}")
    for name in ("string", "bytes", "int32", "int64", "uint32", "uint64")
}


def _pool() -> descriptor_pool.DescriptorPool:
    """The messages above, as protobuf knows them."""
    file = descriptor_pb2.FileDescriptorProto(name="cri.proto", package=PACKAGE, syntax="proto3")
    for name, members in MESSAGES.items():
        message = file.message_type.add(name=name)
        for member, number, many, kind in re.findall(r"(\w+)=(\d+):(\*?)(\w+)", members):
            field = message.field.add(name=member, number=int(number), label=3 if many else 1)
            if kind in _SCALARS:
                field.type = _SCALARS[kind]
            else:
                field.type, field.type_name = field.TYPE_MESSAGE, f".{PACKAGE}.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return pool


class Service:
    """The calls: a method's name and its request's members give the response's members."""

    def __init__(self, socket: Path) -> None:
        self._channel = grpc.insecure_channel(f"unix://{socket}")
        self._messages = _pool()

    def _class(self, name: str) -> Any:
        return message_factory.GetMessageClass(self._messages.FindMessageTypeByName(f"{PACKAGE}.{name}"))

    def __call__(self, method: str, **members: Any) -> Any:
        """The response message. Raises grpc.RpcError."""
        call = self._channel.unary_unary(
            f"/{PACKAGE}.RuntimeService/{method}",
            request_serializer=lambda request: request.SerializeToString(),
            response_deserializer=self._class(f"{method}Response").FromString,
        )
        return call(json_format.ParseDict(members, self._class(f"{method}Request")()), timeout=180)

    def close(self) -> None:
        """The connection is closed."""
        self._channel.close()


_CONFIG = """
version = 2
[plugins."io.containerd.grpc.v1.cri"]
  disable_tcp_service = true
  sandbox_image = "{image}"
  restrict_oom_score_adj = true
  disable_apparmor = true
[plugins."io.containerd.grpc.v1.cri".containerd]
  snapshotter = "{snapshotter}"
  default_runtime_name = "tested"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.tested]
  runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.tested.options]
  BinaryName = "{runtime}"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.other]
  runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.other.options]
  BinaryName = "/no/such/runtime"
"""


class Kubelet:
    """What a node's agent asks of containerd."""

    def __init__(self, service: Service, logs: Path) -> None:
        self.service = service
        self._logs = logs
        self._count = 0

    def pod(self, handler: str = "") -> str:
        """A pod runs on the node's network; returns its id."""
        self._count += 1
        self._config = {
            "metadata": {"name": f"pod{self._count}", "uid": f"uid{self._count}", "namespace": "tests"},
            "log_directory": str(self._logs),
            "linux": {
                "cgroup_parent": f"/{GROUP}/pod{self._count}",
                "security_context": {"namespace_options": {"network": NODE}},
            },
        }
        request = {"config": self._config, "runtime_handler": handler}
        return str(self.service("RunPodSandbox", **request).pod_sandbox_id)

    def container(self, pod: str, name: str, *command: str, memory: int = 0) -> str:
        """A container of the pod runs; returns its id."""
        config = {
            "metadata": {"name": name},
            "image": {"image": IMAGE},
            "command": list(command),
            "log_path": f"{name}.log",
            "linux": {
                "resources": {"memory_limit_in_bytes": memory},
                "security_context": {"namespace_options": {"network": NODE}},
            },
        }
        request = {"pod_sandbox_id": pod, "config": config, "sandbox_config": self._config}
        container = str(self.service("CreateContainer", **request).container_id)
        self.service("StartContainer", container_id=container)
        return container

    def log(self, name: str) -> str:
        """What the container of this name has written, with the log's time stamps."""
        return (self._logs / f"{name}.log").read_text()

    def status(self, container: str) -> Any:
        """The container's status message."""
        return self.service("ContainerStatus", container_id=container).status

    def exec(self, container: str, *command: str) -> Any:
        """The response to a command that was executed in the container."""
        return self.service("ExecSync", container_id=container, cmd=list(command), timeout=120)

    def remove(self, pod: str) -> None:
        """Nothing is left of the pod."""
        self.service("StopPodSandbox", pod_sandbox_id=pod)
        self.service("RemovePodSandbox", pod_sandbox_id=pod)


@contextlib.contextmanager
def kubelet(executables: Mapping[str, str], runtime: Path, archive: Path) -> Iterator[Kubelet]:
    """A containerd with its CRI service, and the images of the pods."""
    with scratch("cri") as directory:
        probe, config, logs = directory / "probe", directory / "config.toml", directory / "logs"
        probe.mkdir()
        snapshotter = "overlayfs" if overlay_works(probe) else "native"
        config.write_text(_CONFIG.format(image=IMAGE, runtime=runtime, snapshotter=snapshotter))
        server = [
            executables["containerd"], f"--config={config}", f"--address={directory}/sock",
            f"--root={directory}/root", f"--state={directory}/state",
        ]  # fmt: skip
        client = [executables["ctr"], f"--address={directory}/sock", "--namespace=k8s.io"]
        with daemon(server, directory, [*client, "version"]):
            load = [*client, "image", "import", f"--snapshotter={snapshotter}", str(archive)]
            subprocess.run(load, check=True, capture_output=True, env=os.environ)
            service = Service(directory / "sock")
            try:
                yield Kubelet(service, logs)
            finally:
                service.close()
