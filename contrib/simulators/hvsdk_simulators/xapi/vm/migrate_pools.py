"""Moving a VM to another pool: its disks first, then the VM, and then it goes from here.

What goes wrong before the other pool has the VM leaves both as they were.
"""

import json
from collections.abc import Collection, Mapping
from contextlib import ExitStack, suppress

import attrs

from hvsdk_simulators.xapi.call import Call
from hvsdk_simulators.xapi.database import Object
from hvsdk_simulators.xapi.failure import Failure
from hvsdk_simulators.xapi.storage.disk import Disk
from hvsdk_simulators.xapi.storage.mirror import length_of, pieces_of
from hvsdk_simulators.xapi.vm import create, durations, states
from hvsdk_simulators.xapi.vm.departure import Departure, has_changed, pack
from hvsdk_simulators.xapi.vm.peer import Peer, Unreachable, aside, to_the_end
from hvsdk_simulators.xapi.vm.situation import assert_state

_MARK = "migration"
"""Key of `other_config` by which disks made at the destination are found again until they are a VM's."""


def assert_can_go(call: Call, going: Departure, peer: Peer) -> None:
    """Raise why the other pool would not take the VM. Nothing is changed there."""
    host = aside(call, peer, lambda: peer.call("host.get_record", peer.host))
    try:
        api = int(host["API_version_major"]), int(host["API_version_minor"])
    except (KeyError, TypeError, ValueError) as error:
        raise Unreachable from error
    if api < call.world.options.api:
        raise Failure("VM_HOST_INCOMPATIBLE_VERSION_MIGRATE", peer.host, going.vm.ref)
    _deliver(call, peer, going, {}, rehearsal=True)


def go(call: Call, going: Departure, peer: Peer) -> str:
    """Move or copy a VM that can go, and return its reference in the other pool."""
    world, state = call.world, going.vm["power_state"]
    with ExitStack() as held:
        for vdi in going.disks:
            held.enter_context(world.storage.readers.opened(vdi))
        sending = _Sending(call, going, peer)
        try:
            sending.copy_disks()
            if state == states.RUNNING:
                durations.work(call, durations.MIGRATE, begin=0.8)
            sending.catch_up()
            assert_state(going.vm, state)
            if has_changed(world, going):
                told = "its devices have changed meanwhile"
                raise Failure("VM_MIGRATE_FAILED", going.vm.ref, going.vm["resident_on"], peer.host, told)
            ref = sending.deliver()
        except BaseException:
            sending.undo()
            raise
    if not going.uuids:
        _leave(call, going)
    return ref


class _Sending:
    """One VM on its way. The world is locked, but for the time of each request."""

    def __init__(self, call: Call, going: Departure, peer: Peer) -> None:
        self._call = call
        self._going = going
        self._peer = peer
        self._mark = call.world.db.new_uuid()
        self._made: dict[Object, str] = {}
        self._sent: dict[Object, Disk] = {}

    def copy_disks(self) -> None:
        """Make the disks there, with what is on them now."""
        for number, (vdi, sr) in enumerate(self._going.disks.items()):
            step = 0.8 / len(self._going.disks)
            durations.work(self._call, durations.COPY, begin=number * step, end=(number + 1) * step)
            self._made[vdi] = self._make(vdi, sr)
            disk: Disk = self._call.world.storage.disk(vdi)
            self._mirror(vdi, disk.written())

    def catch_up(self) -> None:
        """Send what the guest has written meanwhile."""
        for vdi, sent in list(self._sent.items()):
            disk: Disk = self._call.world.storage.disk(vdi)
            while blocks := disk.differing(sent):
                self._mirror(vdi, blocks)
                sent = self._sent[vdi]

    def deliver(self) -> str:
        """Hand the VM over. It is there already when only the answer was lost."""
        try:
            return _deliver(self._call, self._peer, self._going, self._made, rehearsal=False)
        except Unreachable:
            found = self._arrived()
            if found is None:
                raise
            return found

    def undo(self) -> None:
        """Destroy the disks there, those too of which nothing was heard. Who cannot be reached keeps them."""

        def destroy() -> None:
            for ref, record in self._peer.call("VDI.get_all_records").items():
                if record["other_config"].get(_MARK) == self._mark:
                    self._peer.call("VDI.destroy", ref)

        with suppress(Failure):
            to_the_end(self._call.world, destroy)

    def _make(self, vdi: Object, sr: str) -> str:
        fields = {
            "name_label": vdi["name_label"],
            "name_description": vdi["name_description"],
            "SR": sr,
            "virtual_size": str(vdi["virtual_size"]),
            "type": vdi["type"],
            "sharable": False,
            "read_only": False,
            "other_config": {_MARK: self._mark},
        }
        return str(to_the_end(self._call.world, lambda: self._peer.call("VDI.create", fields)))

    def _mirror(self, vdi: Object, blocks: Collection[int]) -> None:
        content = self._sent[vdi] = self._call.world.storage.disk(vdi).fork()
        there, length = self._made[vdi], length_of(content, blocks)
        try:
            aside(
                self._call,
                self._peer,
                lambda: self._peer.send("SM", pieces_of(content, blocks), length, vdi=there),
            )
        except Unreachable as failure:
            raise Failure("MIRROR_FAILED", vdi.ref) from failure

    def _arrived(self) -> str | None:
        """The VM's reference there, if it is there."""
        vm = self._going.vm
        uuid = self._going.uuids.get(vm, vm["uuid"])
        try:
            return str(to_the_end(self._call.world, lambda: self._peer.call("VM.get_by_uuid", uuid)))
        except Failure:
            return None


def _deliver(call: Call, peer: Peer, going: Departure, made: Mapping[Object, str], *, rehearsal: bool) -> str:
    parcel = pack(call.world, going, peer.host, made, rehearsal=rehearsal)
    body = json.dumps(attrs.asdict(parcel)).encode()
    # Whoever cancels now is too late for a VM that is handed over, and must not make its fate unknown.
    return str(to_the_end(call.world, lambda: peer.send("xenops", (body,), len(body))))


def _leave(call: Call, going: Departure) -> None:
    """Take away what is in the other pool now."""
    world = call.world
    for vm in reversed(going.vms):
        create.remove(world, vm)
    for vdi in reversed(going.disks):
        if world.db.lookup("VDI", vdi.ref) is not None:
            world.storage.destroy_vdi(vdi)
