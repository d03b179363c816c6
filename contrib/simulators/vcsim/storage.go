package main

import (
	"os"
	"path"
	"slices"

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
		if failure := e.moveDisk(ctx, disk, target); failure != nil {
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

// moveDisk moves a disk with all that it lies on.
func (e *vmExtra) moveDisk(
	ctx *simulator.Context, disk *types.VirtualDisk, target types.ManagedObjectReference,
) types.BaseMethodFault {
	backing, ok := disk.Backing.(*flatBacking)
	if !ok {
		return new(types.NotSupported)
	}
	if e.on(target, backing.FileName) == backing.FileName {
		return nil
	}
	if _, err := e.world.disksOf(e.vm); err != nil { // what has no content yet gets it where it is
		return &types.FileNotFound{FileFault: types.FileFault{File: backing.FileName}}
	}
	names := map[string]string{}
	for _, name := range e.chainOf(disk) {
		names[name] = e.on(target, name)
	}
	for from, to := range names {
		if failure := e.moveFile(from, to); failure != nil {
			return failure
		}
	}
	e.world.rename(ctx, e.vm, names, &target)
	return nil
}

// chainOf returns the names of a disk and all that belongs to it in snapshots, but for what it shares with others.
func (e *vmExtra) chainOf(disk *types.VirtualDisk) []string {
	devices := slices.Clone(e.vm.Config.Hardware.Device)
	for _, one := range e.world.snapshotsOf(e.vm) {
		devices = append(devices, one.Config.Hardware.Device...)
	}
	var names []string
	for _, device := range devices {
		one, ok := device.(*types.VirtualDisk)
		if !ok || one.Key != disk.Key {
			continue
		}
		top, ok := one.Backing.(*flatBacking)
		for at := top; ok && at != nil && path.Dir(at.FileName) == path.Dir(top.FileName); at = at.Parent {
			if !slices.Contains(names, at.FileName) {
				names = append(names, at.FileName)
			}
		}
	}
	return names
}

func (e *vmExtra) moveFile(from, to string) types.BaseMethodFault {
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
	if err := os.MkdirAll(path.Dir(goal), 0o700); err != nil {
		return &types.CannotCreateFile{FileFault: types.FileFault{File: to}}
	}
	flat := simulator.VirtualDiskBackingFileName
	for _, pair := range [][2]string{{source, goal}, {flat(source), flat(goal)}} {
		if err := os.Rename(pair[0], pair[1]); err != nil {
			return &types.CannotAccessFile{FileFault: types.FileFault{File: from}}
		}
	}
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
