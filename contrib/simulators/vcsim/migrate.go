package main

import (
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// MigrateVMTask moves a virtual machine to another host, another pool, or both.
func (e *vmExtra) MigrateVMTask(ctx *simulator.Context, req *types.MigrateVM_Task) soap.HasFault {
	e.begin(ctx)
	body := new(methods.MigrateVM_TaskBody)
	if failure := e.migratable(req); failure != nil {
		body.Fault_ = simulator.Fault("", failure)
		return body
	}
	task := simulator.CreateTask(e.Self, "migrateVMTask", func(*simulator.Task) (types.AnyType, types.BaseMethodFault) {
		if req.Host != nil {
			e.moveToHost(ctx, *req.Host)
		}
		if req.Pool != nil {
			e.moveToPool(ctx, *req.Pool)
		}
		return nil, nil
	})
	body.Res = &types.MigrateVM_TaskResponse{Returnval: task.Run(ctx)}
	return body
}

func (e *vmExtra) migratable(req *types.MigrateVM_Task) types.BaseMethodFault {
	if req.Host == nil && req.Pool == nil {
		return &types.InvalidArgument{InvalidProperty: "host"}
	}
	if req.State != "" && req.State != e.vm.Runtime.PowerState {
		return &types.InvalidPowerState{RequestedState: req.State, ExistingState: e.vm.Runtime.PowerState}
	}
	if e.vm.Config == nil || e.vm.Config.Template {
		return new(types.InvalidState)
	}
	return e.world.placeable(req.Host, req.Pool)
}

// placeable tells whether machines can be on a host and in a pool, where they are named.
func (w *world) placeable(on, in *types.ManagedObjectReference) types.BaseMethodFault {
	if in != nil {
		if _, ok := w.registry().Get(*in).(*simulator.ResourcePool); !ok {
			return &types.ManagedObjectNotFound{Obj: *in}
		}
	}
	if on == nil {
		return nil
	}
	host, ok := w.registry().Get(*on).(*simulator.HostSystem)
	if !ok {
		return &types.ManagedObjectNotFound{Obj: *on}
	}
	if host.Runtime.ConnectionState != types.HostSystemConnectionStateConnected || host.Runtime.InMaintenanceMode {
		return new(types.InvalidHostState)
	}
	return nil
}

func (e *vmExtra) moveToHost(ctx *simulator.Context, to types.ManagedObjectReference) {
	if from, ok := e.world.registry().Get(*e.vm.Runtime.Host).(*simulator.HostSystem); ok {
		ctx.Map.RemoveReference(ctx, from, &from.Vm, e.Self)
	}
	host := e.world.registry().Get(to).(*simulator.HostSystem)
	ctx.Map.AddReference(ctx, host, &host.Vm, e.Self)
	ctx.Update(e.vm, []types.PropertyChange{
		{Name: "runtime.host", Val: to},
		{Name: "summary.runtime.host", Val: to},
	})
}

func (e *vmExtra) moveToPool(ctx *simulator.Context, to types.ManagedObjectReference) {
	e.world.leavePools(ctx, e.Self)
	pool := e.world.registry().Get(to).(*simulator.ResourcePool)
	ctx.Map.AddReference(ctx, pool, &pool.Vm, e.Self)
	ctx.Update(e.vm, []types.PropertyChange{{Name: "resourcePool", Val: to}})
}

// leavePools takes a machine out of its pool. Templates are in none, and do not know where they were.
func (w *world) leavePools(ctx *simulator.Context, ref types.ManagedObjectReference) {
	for _, one := range w.registry().AllReference("ResourcePool") {
		if pool, ok := one.(*simulator.ResourcePool); ok {
			ctx.Map.RemoveReference(ctx, pool, &pool.Vm, ref)
		}
	}
}

// RelocateVMTask relocates as the library does it, and tells both hosts and both pools, which the library forgets.
func (e *vmExtra) RelocateVMTask(ctx *simulator.Context, req *types.RelocateVM_Task) soap.HasFault {
	e.begin(ctx)
	if req.Spec.Service != nil {
		return e.moveAway(req.Spec)
	}
	body := new(methods.RelocateVM_TaskBody)
	if failure := e.relocatable(&req.Spec); failure != nil {
		body.Fault_ = simulator.Fault("", failure)
		return body
	}
	wanted := req.Spec
	host, pool := wanted.Host, wanted.Pool
	req.Spec.Host, req.Spec.Pool, req.Spec.Datastore, req.Spec.Disk = nil, nil, nil, nil
	if wanted.Datastore != nil || len(wanted.Disk) > 0 {
		if failure := e.moveStorage(ctx, &wanted); failure != nil {
			body.Fault_ = simulator.Fault("", failure)
			return body
		}
	}
	if host != nil { // the library looks for the datastores of disks on the host
		e.moveToHost(ctx, *host)
	}
	if pool != nil {
		e.moveToPool(ctx, *pool)
	}
	answer := e.vm.RelocateVMTask(ctx, req).(*methods.RelocateVM_TaskBody)
	if answer.Res == nil {
		return answer
	}
	outer := e.world.newTask(e.Self, "relocateVMTask")
	go outer.endAs(answer.Res.Returnval, nil)
	body.Res = &types.RelocateVM_TaskResponse{Returnval: outer.task.Self}
	return body
}

// relocatable tells what the library would fall over, and a host that takes nobody.
func (e *vmExtra) relocatable(spec *types.VirtualMachineRelocateSpec) types.BaseMethodFault {
	if e.vm.Config == nil {
		return new(types.InvalidState)
	}
	datastores := []types.ManagedObjectReference{}
	if spec.Datastore != nil {
		datastores = append(datastores, *spec.Datastore)
	}
	for _, one := range spec.Disk {
		datastores = append(datastores, one.Datastore)
	}
	for _, one := range datastores {
		if _, ok := e.world.registry().Get(one).(*simulator.Datastore); !ok {
			return &types.ManagedObjectNotFound{Obj: one}
		}
	}
	if spec.Folder != nil {
		if _, ok := e.world.registry().Get(*spec.Folder).(*simulator.Folder); !ok {
			return &types.ManagedObjectNotFound{Obj: *spec.Folder}
		}
	}
	if spec.Host == nil && spec.Pool == nil {
		return nil
	}
	return e.migratable(&types.MigrateVM_Task{Host: spec.Host, Pool: spec.Pool})
}
