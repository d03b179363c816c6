package main

import (
	"os"
	"slices"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// RemoveSnapshotTask removes a snapshot as the library does it, and merges the disks that it has needed.
func (e *snapshotExtra) RemoveSnapshotTask(ctx *simulator.Context, req *types.RemoveSnapshot_Task) soap.HasFault {
	e.begin(ctx)
	vm, ok := e.world.registry().Get(e.snapshot.Vm).(*simulator.VirtualMachine)
	if !ok || vm.Config == nil {
		return &methods.RemoveSnapshot_TaskBody{Fault_: simulator.Fault("", new(types.InvalidState))}
	}
	ctx.WithLock(vm, func() { leaveRoot(ctx, vm, e.Self) })
	stays := req.Consolidate != nil && !*req.Consolidate
	ref := e.world.removing(ctx, vm, "removeSnapshotTask", stays, func() types.ManagedObjectReference {
		return e.snapshot.RemoveSnapshotTask(ctx, req).(*methods.RemoveSnapshot_TaskBody).Res.Returnval
	})
	return &methods.RemoveSnapshot_TaskBody{Res: &types.RemoveSnapshot_TaskResponse{Returnval: ref}}
}

// leaveRoot makes no snapshot the current one, if that one goes and lies on none. The library ends of it else.
func leaveRoot(ctx *simulator.Context, vm *simulator.VirtualMachine, gone types.ManagedObjectReference) {
	if vm.Snapshot == nil || vm.Snapshot.CurrentSnapshot == nil || *vm.Snapshot.CurrentSnapshot != gone {
		return
	}
	for _, root := range vm.Snapshot.RootSnapshotList {
		if root.Snapshot == gone {
			left := *vm.Snapshot
			left.CurrentSnapshot = nil
			ctx.Update(vm, []types.PropertyChange{{Name: "snapshot", Val: &left}})
			return
		}
	}
}

// RemoveAllSnapshotsTask removes all snapshots as the library does it, and merges their disks.
func (e *vmExtra) RemoveAllSnapshotsTask(ctx *simulator.Context, req *types.RemoveAllSnapshots_Task) soap.HasFault {
	e.begin(ctx)
	if e.vm.Config == nil {
		return &methods.RemoveAllSnapshots_TaskBody{Fault_: simulator.Fault("", new(types.InvalidState))}
	}
	stays := req.Consolidate != nil && !*req.Consolidate
	ref := e.world.removing(ctx, e.vm, "removeAllSnapshotsTask", stays, func() types.ManagedObjectReference {
		return e.vm.RemoveAllSnapshotsTask(ctx, req).(*methods.RemoveAllSnapshots_TaskBody).Res.Returnval
	})
	return &methods.RemoveAllSnapshots_TaskBody{Res: &types.RemoveAllSnapshots_TaskResponse{Returnval: ref}}
}

// removing removes snapshots; what they have needed is merged then, unless it shall stay.
func (w *world) removing(
	ctx *simulator.Context,
	vm *simulator.VirtualMachine, name string, stays bool, begin func() types.ManagedObjectReference,
) types.ManagedObjectReference {
	var before *chains
	var there []*simulator.VirtualMachineSnapshot
	ctx.WithLock(vm, func() {
		before, there = w.chainsOf(vm), w.snapshotsOf(vm)
		forgetKeys(vm)
	})
	inner := begin()
	outer := w.newTask(vm.Self, name)
	go outer.endAs(inner, func(types.AnyType) {
		w.locked(vm, func(ctx *simulator.Context) {
			w.removeSnapshotFiles(vm, there)
			if stays {
				tellUnmerged(ctx, vm, true)
			} else if vm.Config != nil {
				w.consolidate(ctx, vm, before)
			}
		})
	})
	return outer.task.Self
}

// fileOfSnapshot returns the file that the library has just made for a snapshot.
func fileOfSnapshot(vm *simulator.VirtualMachine, ref types.ManagedObjectReference) string {
	for _, one := range vm.LayoutEx.Snapshot {
		for _, file := range vm.LayoutEx.File {
			if one.Key == ref && file.Key == one.DataKey {
				return file.Name
			}
		}
	}
	return ""
}

// forgetKeys keeps the library from removing files of snapshots: it numbers files anew meanwhile, and takes others.
func forgetKeys(vm *simulator.VirtualMachine) {
	for place := range vm.LayoutEx.Snapshot {
		vm.LayoutEx.Snapshot[place].DataKey = -1
	}
}

// removeSnapshotFiles removes the files of snapshots that are gone.
func (w *world) removeSnapshotFiles(vm *simulator.VirtualMachine, there []*simulator.VirtualMachineSnapshot) {
	left := w.snapshotsOf(vm)
	for _, one := range there {
		held := w.moments.find(one.Self)
		if held == nil || held.file == "" || slices.Contains(left, one) {
			continue
		}
		if file, err := w.localPath(held.file); err == nil {
			_ = os.Remove(file)
		}
	}
}
