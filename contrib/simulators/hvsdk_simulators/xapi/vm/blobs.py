"""Blobs: files that clients keep with a VM, such as an icon."""

from hvsdk_simulators.xapi.call import Call
from hvsdk_simulators.xapi.database import Object
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.messages import message

_PLAIN = "application/octet-stream"


@message(
    "VM.create_new_blob(VM ref vm, string name, string mime_type, bool public = false) -> blob ref",
    role="vm-power-admin",
    since="1.3",
)
def create_new_blob(call: Call, vm: Object, name: str, mime_type: str, public: bool) -> Object:
    """Make an empty blob that the VM names; its content is sent over HTTP."""
    if name in vm["blobs"]:
        raise Failure("MAP_DUPLICATE_KEY", "VM", "blobs", vm["uuid"], name)
    blob = call.world.db.create(
        "blob", name_label=name, mime_type=mime_type or _PLAIN, public=public, last_updated=call.world.now()
    )
    call.world.db.update(vm, blobs=vm["blobs"] | {name: blob.ref})
    return blob
