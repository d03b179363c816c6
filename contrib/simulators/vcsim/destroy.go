package main

import (
	"os"
	"path"
	"slices"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// ownKinds are the files in a virtual machine's directory that go with it, beside its disks.
var ownKinds = []string{
	".vmx", ".vmxf", ".nvram", ".log", ".vmsd", ".vmsn", ".vmem", ".vmss", ".vswp", ".core", ".hlog",
}

// destroy removes a virtual machine that a task has made.
func (w *world) destroy(made types.AnyType) {
	ref, _ := made.(types.ManagedObjectReference)
	vm, found := w.registry().Get(ref).(*simulator.VirtualMachine)
	if !found {
		return
	}
	w.locked(vm, func(ctx *simulator.Context) {
		gone := &vmExtra{extra{Self: ref, world: w}, vm}
		disks := gone.ownDisks()
		if vm.UnregisterVM(ctx, &types.UnregisterVM{This: ref}).Fault() == nil {
			gone.removeFiles(disks)
		}
	})
}

// DestroyTask removes a virtual machine, its own files and the disks that are attached to it or its snapshots. What else
// is in its directory stays, disks that were detached and images among it; the library removes the directory.
func (e *vmExtra) DestroyTask(ctx *simulator.Context, req *types.Destroy_Task) soap.HasFault {
	e.begin(ctx)
	task := simulator.CreateTask(e.vm, "destroy", func(*simulator.Task) (types.AnyType, types.BaseMethodFault) {
		if _, found := e.world.registry().Get(e.Self).(*simulator.VirtualMachine); !found {
			return nil, &types.ManagedObjectNotFound{Obj: e.Self}
		}
		disks := e.ownDisks()
		gone := e.vm.UnregisterVM(ctx, &types.UnregisterVM{This: req.This})
		if failure := gone.Fault(); failure != nil {
			return nil, failure.VimFault().(types.BaseMethodFault)
		}
		e.removeFiles(disks)
		return nil, nil
	})
	return &methods.Destroy_TaskBody{Res: &types.Destroy_TaskResponse{Returnval: task.Run(ctx)}}
}

// ownDisks returns the files of all disks; what a linked clone lies on belongs to its original.
func (e *vmExtra) ownDisks() []string {
	devices := slices.Clone(e.vm.Config.Hardware.Device)
	if e.vm.Snapshot != nil {
		for _, ref := range e.world.registry().AllReference("VirtualMachineSnapshot") {
			if one, ok := ref.(*simulator.VirtualMachineSnapshot); ok && one.Vm == e.Self {
				devices = append(devices, one.Config.Hardware.Device...)
			}
		}
	}
	var found []string
	for _, device := range devices {
		disk, ok := device.(*types.VirtualDisk)
		if !ok {
			continue
		}
		backing, ok := disk.Backing.(types.BaseVirtualDeviceFileBackingInfo)
		if !ok {
			continue
		}
		found = append(found, backing.GetVirtualDeviceFileBackingInfo().FileName)
		flat, ok := disk.Backing.(*types.VirtualDiskFlatVer2BackingInfo)
		for ok && flat.Parent != nil && path.Dir(flat.Parent.FileName) == path.Dir(flat.FileName) {
			flat = flat.Parent
			found = append(found, flat.FileName)
		}
	}
	return found
}

func (e *vmExtra) removeFiles(disks []string) {
	directories := []string{}
	remove := func(file string) {
		_ = os.Remove(file)
		directories = append(directories, path.Dir(file))
	}
	for _, name := range disks {
		if file, err := e.world.localPath(name); err == nil {
			flat := simulator.VirtualDiskBackingFileName(file)
			e.world.disks.forget(flat)
			remove(file)
			remove(flat)
		}
	}
	if config, err := e.world.localPath(e.vm.Config.Files.VmPathName); err == nil {
		directories = append(directories, path.Dir(config))
		entries, _ := os.ReadDir(path.Dir(config))
		for _, entry := range entries {
			if slices.Contains(ownKinds, path.Ext(entry.Name())) {
				remove(path.Join(path.Dir(config), entry.Name()))
			}
		}
	}
	for _, directory := range directories {
		_ = os.Remove(directory) // only when it is empty
	}
}
