package main

import (
	"os"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// thinDisks returns the files of disks that virtual machines have thin. Descriptors tell only of those that were made
// without one, or have been detached.
func (w *world) thinDisks() map[string]bool {
	found := map[string]bool{}
	for _, entity := range w.registry().All("VirtualMachine") {
		vm := entity.(*simulator.VirtualMachine)
		w.locked(vm, func(*simulator.Context) {
			if vm.Config == nil {
				return
			}
			for _, device := range vm.Config.Hardware.Device {
				if backing := flatOf(device); backing != nil && enabled(backing.ThinProvisioned) {
					if file, err := w.localPath(backing.FileName); err == nil {
						found[file] = true
					}
				}
			}
		})
	}
	return found
}

// carryThin lets disks that are attached be thin if their descriptors say so, whatever the client does, and lets the
// descriptors of those that go tell of it.
func (w *world) carryThin(vm *simulator.VirtualMachine, changes []types.BaseVirtualDeviceConfigSpec) {
	for _, change := range changes {
		spec := change.GetVirtualDeviceConfigSpec()
		switch {
		case spec.FileOperation != "" || spec.Device == nil:
		case spec.Operation == types.VirtualDeviceConfigSpecOperationAdd:
			w.readThin(flatOf(spec.Device))
		case spec.Operation == types.VirtualDeviceConfigSpecOperationRemove && vm != nil && vm.Config != nil:
			for _, device := range vm.Config.Hardware.Device {
				if device.GetVirtualDevice().Key == spec.Device.GetVirtualDevice().Key {
					w.writeThin(flatOf(device))
				}
			}
		}
	}
}

func (w *world) readThin(backing *types.VirtualDiskFlatVer2BackingInfo) {
	if backing == nil {
		return
	}
	file, err := w.localPath(backing.FileName)
	if err != nil {
		return
	}
	if descriptor, err := readDescriptor(file); err == nil {
		backing.ThinProvisioned = types.NewBool(descriptor.DDB[thinKey] == "1")
	}
}

func (w *world) writeThin(backing *types.VirtualDiskFlatVer2BackingInfo) {
	if backing == nil || !enabled(backing.ThinProvisioned) {
		return
	}
	file, err := w.localPath(backing.FileName)
	if err != nil {
		return
	}
	descriptor, err := readDescriptor(file)
	if err != nil || descriptor.DDB[thinKey] == "1" {
		return
	}
	descriptor.DDB[thinKey] = "1"
	if out, err := os.Create(file); err == nil {
		_ = descriptor.Write(out)
		_ = out.Close()
	}
}

func flatOf(device types.BaseVirtualDevice) *types.VirtualDiskFlatVer2BackingInfo {
	disk, ok := device.(*types.VirtualDisk)
	if !ok {
		return nil
	}
	backing, _ := disk.Backing.(*types.VirtualDiskFlatVer2BackingInfo)
	return backing
}
