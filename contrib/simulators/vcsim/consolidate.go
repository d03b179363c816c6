package main

import (
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// leaveUnmerged makes a virtual machine one whose disks a removed snapshot left unmerged.
func leaveUnmerged(site *world, arguments func(any) error) (any, error) {
	var asked struct {
		VM string `json:"vm"`
	}
	if err := arguments(&asked); err != nil {
		return nil, err
	}
	vm, err := site.findVM(asked.VM)
	if err != nil {
		return nil, err
	}
	site.locked(vm, func(ctx *simulator.Context) { tellUnmerged(ctx, vm, true) })
	return nil, nil
}

// ConsolidateVMDisksTask merges what removed snapshots have left.
func (e *vmExtra) ConsolidateVMDisksTask(ctx *simulator.Context, _ *types.ConsolidateVMDisks_Task) soap.HasFault {
	e.begin(ctx)
	task := simulator.CreateTask(e.vm, "consolidateDisks", func(*simulator.Task) (types.AnyType, types.BaseMethodFault) {
		if e.vm.Config == nil {
			return nil, new(types.InvalidState)
		}
		e.world.consolidate(ctx, e.vm, e.world.chainsOf(e.vm))
		tellUnmerged(ctx, e.vm, false)
		return nil, nil
	})
	return &methods.ConsolidateVMDisks_TaskBody{
		Res: &types.ConsolidateVMDisks_TaskResponse{Returnval: task.Run(ctx)},
	}
}

func tellUnmerged(ctx *simulator.Context, vm *simulator.VirtualMachine, unmerged bool) {
	ctx.Update(vm, []types.PropertyChange{{Name: "runtime.consolidationNeeded", Val: unmerged}})
}
