package main

import (
	"os"
	"path"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// moveStorage moves the disks of a virtual machine, and its files if all goes to one datastore: the library says so,
// but leaves them where they were. Whoever asks holds its lock.
func (e *vmExtra) moveStorage(ctx *simulator.Context, spec *types.VirtualMachineRelocateSpec) types.BaseMethodFault {
	targets := map[int32]types.ManagedObjectReference{}
	for _, one := range spec.Disk {
		targets[one.DiskId] = one.Datastore
	}
	datastores := []types.ManagedObjectReference{}
	add := func(one types.ManagedObjectReference) {
		if simulator.FindReference(datastores, one) == nil {
			datastores = append(datastores, one)
		}
	}
	files := e.vm.Config.Files
	if spec.Datastore != nil {
		add(*spec.Datastore)
		for _, one := range []*string{
			&files.VmPathName, &files.SnapshotDirectory, &files.SuspendDirectory, &files.LogDirectory,
		} {
			*one = e.on(*spec.Datastore, *one)
		}
	}
	for _, device := range e.vm.Config.Hardware.Device {
		disk, ok := device.(*types.VirtualDisk)
		if !ok {
			continue
		}
		target, chosen := targets[disk.Key]
		if !chosen && spec.Datastore == nil {
			continue
		}
		if !chosen {
			target = *spec.Datastore
		}
		if failure := e.moveDisk(disk, target); failure != nil {
			return failure
		}
		add(target)
	}
	if spec.Datastore == nil {
		for _, one := range e.vm.Datastore {
			add(one)
		}
	}
	layout := e.moveFiles(spec.Datastore)
	ctx.Update(e.vm, []types.PropertyChange{
		{Name: "config.hardware.device", Val: e.vm.Config.Hardware.Device},
		{Name: "config.files", Val: files},
		{Name: "summary.config.vmPathName", Val: files.VmPathName},
		{Name: "layoutEx.file", Val: layout},
		{Name: "datastore", Val: datastores},
	})
	e.listBy(ctx, datastores)
	return nil
}

// moveFiles moves what is no disk, if it shall, and returns what there is then. Disks have been moved.
func (e *vmExtra) moveFiles(target *types.ManagedObjectReference) []types.VirtualMachineFileLayoutExFileInfo {
	var left []types.VirtualMachineFileLayoutExFileInfo
	for _, one := range e.vm.LayoutEx.File {
		source, err := e.world.localPath(one.Name)
		if err != nil {
			continue
		}
		if target != nil {
			one.Name = e.on(*target, one.Name)
		}
		goal, err := e.world.localPath(one.Name)
		if err != nil || os.MkdirAll(path.Dir(goal), 0o700) != nil || os.Rename(source, goal) != nil {
			continue
		}
		left = append(left, one)
	}
	return left
}

// on is a path as it is on another datastore.
func (e *vmExtra) on(datastore types.ManagedObjectReference, name string) string {
	var where object.DatastorePath
	if !where.FromString(name) {
		return name
	}
	where.Datastore = e.world.registry().Get(datastore).(*simulator.Datastore).Name
	return where.String()
}

func (e *vmExtra) moveDisk(disk *types.VirtualDisk, target types.ManagedObjectReference) types.BaseMethodFault {
	backing, ok := disk.Backing.(*types.VirtualDiskFlatVer2BackingInfo)
	if !ok {
		return new(types.NotSupported)
	}
	from, to := backing.FileName, e.on(target, backing.FileName)
	if from == to {
		return nil
	}
	source, err := e.world.localPath(from)
	if err != nil {
		return &types.FileNotFound{FileFault: types.FileFault{File: from}}
	}
	goal, err := e.world.localPath(to)
	if err != nil {
		return &types.FileNotFound{FileFault: types.FileFault{File: to}}
	}
	if _, err := os.Stat(goal); err == nil {
		return &types.FileAlreadyExists{FileFault: types.FileFault{File: to}}
	}
	if _, err := e.world.disksOf(e.vm); err != nil { // what has no content yet gets it where it is
		return &types.FileNotFound{FileFault: types.FileFault{File: from}}
	}
	if err := os.MkdirAll(path.Dir(goal), 0o700); err != nil {
		return &types.CannotCreateFile{FileFault: types.FileFault{File: to}}
	}
	flat := simulator.VirtualDiskBackingFileName
	for _, pair := range [][2]string{{source, goal}, {flat(source), flat(goal)}} {
		if err := os.Rename(pair[0], pair[1]); err != nil {
			return &types.CannotAccessFile{FileFault: types.FileFault{File: from}}
		}
	}
	backing.FileName, backing.Datastore = to, &target
	return nil
}

// listBy lets datastores list the machine that have files of it, and no others.
func (e *vmExtra) listBy(ctx *simulator.Context, datastores []types.ManagedObjectReference) {
	for _, entity := range e.world.registry().All("Datastore") {
		one := entity.(*simulator.Datastore)
		if simulator.FindReference(datastores, one.Self) != nil {
			ctx.Map.AddReference(ctx, one, &one.Vm, e.Self)
		} else {
			ctx.Map.RemoveReference(ctx, one, &one.Vm, e.Self)
		}
	}
}
