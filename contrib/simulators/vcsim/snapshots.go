package main

import (
	"slices"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// RenameSnapshot changes what a snapshot is called, what is said about it, or both.
func (e *snapshotExtra) RenameSnapshot(ctx *simulator.Context, req *types.RenameSnapshot) soap.HasFault {
	e.begin(ctx)
	body := new(methods.RenameSnapshotBody)
	vm, ok := e.world.registry().Get(e.snapshot.Vm).(*simulator.VirtualMachine)
	if !ok {
		body.Fault_ = simulator.Fault("", &types.ManagedObjectNotFound{Obj: e.Self})
		return body
	}
	if len(req.Name) > 80 {
		body.Fault_ = simulator.Fault("", &types.InvalidName{Name: req.Name})
		return body
	}
	found := false
	ctx.WithLock(vm, func() {
		if vm.Snapshot == nil {
			return
		}
		var tree []types.VirtualMachineSnapshotTree
		tree, found = renamed(vm.Snapshot.RootSnapshotList, e.Self, req.Name, req.Description)
		if found {
			ctx.Update(vm, []types.PropertyChange{{Name: "snapshot.rootSnapshotList", Val: tree}})
		}
	})
	if !found {
		body.Fault_ = simulator.Fault("", &types.ManagedObjectNotFound{Obj: e.Self})
		return body
	}
	body.Res = new(types.RenameSnapshotResponse)
	return body
}

// renamed returns a tree in which one snapshot is called otherwise; others may still read the old one.
func renamed(
	tree []types.VirtualMachineSnapshotTree, which types.ManagedObjectReference, name, description string,
) ([]types.VirtualMachineSnapshotTree, bool) {
	tree = slices.Clone(tree)
	for place := range tree {
		node := &tree[place]
		if node.Snapshot == which {
			if name != "" {
				node.Name = name
			}
			if description != "" {
				node.Description = description
			}
			return tree, true
		}
		if below, found := renamed(node.ChildSnapshotList, which, name, description); found {
			node.ChildSnapshotList = below
			return tree, true
		}
	}
	return tree, false
}
