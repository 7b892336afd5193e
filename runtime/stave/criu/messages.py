"""criu's messages, of those fields that are used: numbers and types as criu's rpc.proto has them.

The protobuf package makes the classes from this table, and encodes and decodes them. Enumerations are declared
as the numbers that they are in the encoded form.
"""

from __future__ import annotations

from typing import Any

from stave.errors import Error

# Message: field -> (number, type); "*" is a field that may be there several times.
_MESSAGES: dict[str, dict[str, tuple[int, str]]] = {
    "criu_page_server_info": {"address": (1, "string"), "port": (2, "int32")},
    "ext_mount_map": {"key": (1, "string"), "val": (2, "string")},
    "join_namespace": {"ns": (1, "string"), "ns_file": (2, "string")},
    "inherit_fd": {"key": (1, "string"), "fd": (2, "int32")},
    "cgroup_root": {"ctrl": (1, "string"), "path": (2, "string")},
    "criu_opts": {
        "images_dir_fd": (1, "int32"),
        "pid": (2, "int32"),
        "leave_running": (3, "bool"),
        "ext_unix_sk": (4, "bool"),
        "tcp_established": (5, "bool"),
        "evasive_devices": (6, "bool"),
        "shell_job": (7, "bool"),
        "file_locks": (8, "bool"),
        "log_level": (9, "int32"),
        "log_file": (10, "string"),
        "ps": (11, "criu_page_server_info"),
        "notify_scripts": (12, "bool"),
        "root": (13, "string"),
        "parent_img": (14, "string"),
        "track_mem": (15, "bool"),
        "auto_dedup": (16, "bool"),
        "work_dir_fd": (17, "int32"),
        "link_remap": (18, "bool"),
        "ext_mnt": (23, "ext_mount_map*"),
        "manage_cgroups": (24, "bool"),
        "cg_root": (25, "cgroup_root*"),
        "rst_sibling": (26, "bool"),
        "inherit_fd": (27, "inherit_fd*"),
        "ext_sharing": (29, "bool"),
        "ext_masters": (30, "bool"),
        "manage_cgroups_mode": (34, "int32"),
        "external": (37, "string*"),
        "empty_ns": (38, "uint32"),
        "join_ns": (39, "join_namespace*"),
        "freeze_cgroup": (44, "string"),
        "tcp_skip_in_flight": (46, "bool"),
        "lazy_pages": (48, "bool"),
        "orphan_pts_master": (50, "bool"),
        "config_file": (51, "string"),
        "lsm_profile": (53, "string"),
        "lsm_mount_context": (63, "string"),
    },
    "criu_restore_resp": {"pid": (1, "int32")},
    "criu_notify": {"script": (1, "string"), "pid": (2, "int32")},
    "criu_features": {"mem_track": (1, "bool"), "lazy_pages": (2, "bool")},
    "criu_version": {"major_number": (1, "int32"), "minor_number": (2, "int32"), "sublevel": (4, "int32")},
    "criu_req": {
        "type": (1, "int32"),
        "opts": (2, "criu_opts"),
        "notify_success": (3, "bool"),
        "features": (5, "criu_features"),
    },
    "criu_resp": {
        "type": (1, "int32"),
        "success": (2, "bool"),
        "restore": (4, "criu_restore_resp"),
        "notify": (5, "criu_notify"),
        "cr_errno": (7, "int32"),
        "features": (8, "criu_features"),
        "cr_errmsg": (9, "string"),
        "version": (10, "criu_version"),
    },
}

# criu_req_type
DUMP, RESTORE, PRE_DUMP, NOTIFY, FEATURE_CHECK, VERSION = 1, 2, 4, 6, 9, 10
# criu_cg_mode, by the words of --manage-cgroups-mode
CGROUP_MODES = {"": 6, "ignore": 0, "soft": 3, "full": 4, "strict": 5}


class Messages:
    """The classes of requests and responses."""

    def __init__(self) -> None:
        """Raises Error if the protobuf package is not installed."""
        try:
            from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
        except ImportError as error:
            cure = "install the Python package protobuf beside stave (pip install stave[checkpoint])"
            raise Error(f"criu is spoken to with protobuf: {cure}") from error
        file = descriptor_pb2.FileDescriptorProto(name="criu.proto", syntax="proto2")
        for name, fields in _MESSAGES.items():
            message = file.message_type.add(name=name)
            for field, (number, kind) in fields.items():
                _add_field(message, field, number, kind)
        pool = descriptor_pool.DescriptorPool()
        pool.Add(file)

        def message_class(name: str) -> Any:
            return message_factory.GetMessageClass(pool.FindMessageTypeByName(name))

        self.Request = message_class("criu_req")
        self.Response = message_class("criu_resp")


def _add_field(message: Any, name: str, number: int, kind: str) -> None:
    field = message.field.add(name=name, number=number)
    field.label = field.LABEL_REPEATED if kind.endswith("*") else field.LABEL_OPTIONAL
    kind = kind.rstrip("*")
    if kind in _MESSAGES:
        field.type, field.type_name = field.TYPE_MESSAGE, kind
    else:
        field.type = getattr(field, f"TYPE_{kind.upper()}")
