package main

import (
	"slices"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// forgetFiles takes files of disks out of the list of a virtual machine's files that neither it nor one of its
// snapshots has any more; the library leaves those of detached disks there.
func forgetFiles(vm *simulator.VirtualMachine) {
	if vm.LayoutEx == nil {
		return
	}
	var kept []int32
	keep := func(disks []types.VirtualMachineFileLayoutExDiskLayout) {
		for _, disk := range disks {
			for _, unit := range disk.Chain {
				kept = append(kept, unit.FileKey...)
			}
		}
	}
	keep(vm.LayoutEx.Disk)
	for _, snapshot := range vm.LayoutEx.Snapshot {
		keep(snapshot.Disk)
	}
	vm.LayoutEx.File = slices.DeleteFunc(vm.LayoutEx.File, func(file types.VirtualMachineFileLayoutExFileInfo) bool {
		ofDisk := file.Type == string(types.VirtualMachineFileLayoutExFileTypeDiskDescriptor) ||
			file.Type == string(types.VirtualMachineFileLayoutExFileTypeDiskExtent)
		return ofDisk && !slices.Contains(kept, file.Key)
	})
}
