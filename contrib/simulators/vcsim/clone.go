package main

import (
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// CloneVMTask clones as the library does it, and gives the disks of the clone the content of the original's.
func (e *vmExtra) CloneVMTask(ctx *simulator.Context, req *types.CloneVM_Task) soap.HasFault {
	e.begin(ctx)
	body := new(methods.CloneVM_TaskBody)
	if failure := e.clonable(req); failure != nil {
		body.Fault_ = simulator.Fault("", failure)
		return body
	}
	from, err := e.world.disksOf(e.vm)
	if err != nil {
		body.Fault_ = simulator.Fault(err.Error(), new(types.InvalidState))
		return body
	}
	answer := e.vm.CloneVMTask(ctx, req).(*methods.CloneVM_TaskBody)
	if answer.Res == nil {
		return answer
	}
	outer := e.world.newTask(e.Self, "cloneVMTask")
	go outer.endAs(answer.Res.Returnval, func(result types.AnyType) { e.world.copyDisks(from, result) })
	body.Res = &types.CloneVM_TaskResponse{Returnval: outer.task.Self}
	return body
}

// clonable tells what the library would fall over.
func (e *vmExtra) clonable(req *types.CloneVM_Task) types.BaseMethodFault {
	if e.vm.Config == nil {
		return new(types.InvalidState)
	}
	if _, ok := e.world.registry().Get(req.Folder).(*simulator.Folder); !ok {
		return &types.ManagedObjectNotFound{Obj: req.Folder}
	}
	where := req.Spec.Location
	if where.Host != nil {
		if _, ok := e.world.registry().Get(*where.Host).(*simulator.HostSystem); !ok {
			return &types.ManagedObjectNotFound{Obj: *where.Host}
		}
	}
	if where.Datastore != nil {
		if _, ok := e.world.registry().Get(*where.Datastore).(*simulator.Datastore); !ok {
			return &types.ManagedObjectNotFound{Obj: *where.Datastore}
		}
	}
	return nil
}

func (w *world) copyDisks(from []diskFile, result types.AnyType) {
	ref, ok := result.(types.ManagedObjectReference)
	if !ok {
		return
	}
	clone, ok := w.registry().Get(ref).(*simulator.VirtualMachine)
	if !ok {
		return
	}
	w.locked(clone, func(*simulator.Context) {
		to, err := w.disksOf(clone)
		if err != nil {
			return
		}
		for number := range min(len(from), len(to)) {
			_ = copyDisk(from[number], to[number].file) // a full volume leaves the clone's disk shorter, as it is told
		}
	})
}
