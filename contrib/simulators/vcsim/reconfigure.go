package main

import (
	"reflect"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// ReconfigVMTask refuses what the product refuses and the library takes: a change of an older version of the
// configuration, amounts that cannot be, and processors and memory that a running machine cannot get.
func (e *vmExtra) ReconfigVMTask(ctx *simulator.Context, req *types.ReconfigVM_Task) soap.HasFault {
	e.begin(ctx)
	if failure := e.changeable(&req.Spec); failure != nil {
		return &methods.ReconfigVM_TaskBody{Fault_: simulator.Fault("", failure)}
	}
	e.world.carryThin(e.vm, req.Spec.DeviceChange)
	if tracking := req.Spec.ChangeTrackingEnabled; tracking != nil && !*tracking {
		e.world.tracking.renew(e.Self)
	}
	if req.Spec.Annotation == noNotes {
		return e.reconfigureWithoutNotes(ctx, req)
	}
	return e.vm.ReconfigVMTask(ctx, req)
}

func (e *vmExtra) changeable(spec *types.VirtualMachineConfigSpec) types.BaseMethodFault {
	config := e.vm.Config
	if config == nil {
		return new(types.InvalidState)
	}
	if config.Template && !fitsTemplate(*spec) {
		return new(types.NotSupported)
	}
	if spec.ChangeVersion != "" && spec.ChangeVersion != config.ChangeVersion {
		return new(types.ConcurrentAccess)
	}
	if failure := impossible(spec); failure != nil {
		return failure
	}
	if e.vm.Runtime.PowerState == types.VirtualMachinePowerStatePoweredOff {
		return nil
	}
	if more := spec.NumCPUs - config.Hardware.NumCPU; spec.NumCPUs != 0 && more != 0 {
		if more > 0 && !enabled(config.CpuHotAddEnabled) || more < 0 && !enabled(config.CpuHotRemoveEnabled) {
			return new(types.CpuHotPlugNotSupported)
		}
	}
	if more := spec.MemoryMB - int64(config.Hardware.MemoryMB); spec.MemoryMB != 0 && more != 0 {
		if more < 0 || !enabled(config.MemoryHotAddEnabled) {
			return new(types.MemoryHotPlugNotSupported)
		}
	}
	return nil
}

// fitsTemplate tells whether a change is one of a template's name and notes, all of it that can be changed.
func fitsTemplate(spec types.VirtualMachineConfigSpec) bool {
	spec.Name, spec.Annotation, spec.ChangeVersion = "", "", ""
	if len(spec.DeviceChange) > 0 || len(spec.ExtraConfig) > 0 {
		return false
	}
	spec.DeviceChange, spec.ExtraConfig = nil, nil
	return reflect.ValueOf(spec).IsZero()
}

func impossible(spec *types.VirtualMachineConfigSpec) types.BaseMethodFault {
	switch {
	case spec.MemoryMB < 0 || spec.MemoryMB%4 != 0:
		return &types.InvalidArgument{InvalidProperty: "configSpec.memoryMB"}
	case spec.NumCPUs < 0:
		return &types.InvalidArgument{InvalidProperty: "configSpec.numCPUs"}
	case spec.NumCoresPerSocket < 0:
		return &types.InvalidArgument{InvalidProperty: "configSpec.numCoresPerSocket"}
	}
	return nil
}

func enabled(flag *bool) bool {
	return flag != nil && *flag
}
