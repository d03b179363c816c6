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
		tree, found = changed(vm.Snapshot.RootSnapshotList, e.Self, func(node *types.VirtualMachineSnapshotTree) {
			if req.Name != "" {
				node.Name = req.Name
			}
			if req.Description != "" {
				node.Description = req.Description
			}
		})
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

// changed returns a tree in which one snapshot is told of otherwise; others may still read the old one.
func changed(
	tree []types.VirtualMachineSnapshotTree, which types.ManagedObjectReference,
	change func(*types.VirtualMachineSnapshotTree),
) ([]types.VirtualMachineSnapshotTree, bool) {
	tree = slices.Clone(tree)
	for place := range tree {
		node := &tree[place]
		if node.Snapshot == which {
			change(node)
			return tree, true
		}
		if below, found := changed(node.ChildSnapshotList, which, change); found {
			node.ChildSnapshotList = below
			return tree, true
		}
	}
	return tree, false
}
