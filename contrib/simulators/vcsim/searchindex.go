package main

import (
	"strings"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

type searchExtra struct {
	extra
	index *simulator.SearchIndex
}

// FindAllByUuid passes over virtual machines whose files cannot be reached; the library falls over them.
func (e *searchExtra) FindAllByUuid(ctx *simulator.Context, req *types.FindAllByUuid) soap.HasFault {
	e.begin(ctx)
	if !req.VmSearch {
		return e.index.FindAllByUuid(ctx, req)
	}
	found := e.machines(req.Uuid, enabled(req.InstanceUuid))
	return &methods.FindAllByUuidBody{Res: &types.FindAllByUuidResponse{Returnval: found}}
}

// FindByUuid does the same for one.
func (e *searchExtra) FindByUuid(ctx *simulator.Context, req *types.FindByUuid) soap.HasFault {
	e.begin(ctx)
	if !req.VmSearch {
		return e.index.FindByUuid(ctx, req)
	}
	body := &methods.FindByUuidBody{Res: new(types.FindByUuidResponse)}
	if found := e.machines(req.Uuid, enabled(req.InstanceUuid)); len(found) > 0 {
		body.Res.Returnval = &found[0]
	}
	return body
}

func (e *searchExtra) machines(uuid string, instance bool) []types.ManagedObjectReference {
	var found []types.ManagedObjectReference
	for _, entity := range e.world.registry().All("VirtualMachine") {
		vm := entity.(*simulator.VirtualMachine)
		e.world.locked(vm, func(*simulator.Context) {
			if vm.Config == nil {
				return
			}
			own := vm.Config.Uuid
			if instance {
				own = vm.Config.InstanceUuid
			}
			if strings.EqualFold(own, uuid) {
				found = append(found, vm.Self)
			}
		})
	}
	return found
}
