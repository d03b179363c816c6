package main

import (
	"os"
	"path"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
	"github.com/vmware/govmomi/vmdk"
)

// storedDisk is a disk on a datastore, whether a virtual machine has it or not.
type storedDisk struct {
	descriptor *vmdk.Descriptor
	file       string // with the descriptor
	content    diskFile
}

// stored finds a disk, filled.
func (w *world) stored(
	ctx *simulator.Context, center *types.ManagedObjectReference, name string,
) (*storedDisk, types.BaseMethodFault) {
	descriptor, file, failure := w.registry().FileManager().DiskDescriptor(ctx, center, name)
	if failure != nil {
		return nil, failure
	}
	flat := simulator.VirtualDiskBackingFileName(file)
	info, err := os.Stat(flat)
	if err != nil || len(descriptor.Extent) == 0 {
		return nil, &types.FileFault{File: name}
	}
	if w.thinDisks()[file] {
		descriptor.DDB[thinKey] = "1"
	}
	content := diskFile{file: flat, capacity: max(descriptor.Capacity(), info.Size())}
	if err := w.disks.fill(flat, content.capacity); err != nil {
		return nil, &types.FileFault{File: name}
	}
	return &storedDisk{descriptor, file, content}, nil
}

// placeFor returns the file of a disk that is to be made.
func (w *world) placeFor(name string, force *bool) (string, types.BaseMethodFault) {
	file, err := w.localPath(name)
	if err != nil {
		return "", &types.InvalidDatastorePath{DatastorePath: name}
	}
	if _, err := os.Stat(path.Dir(file)); err != nil {
		return "", &types.FileNotFound{FileFault: types.FileFault{File: name}}
	}
	if _, err := os.Stat(file); err == nil && !enabled(force) {
		return "", &types.FileAlreadyExists{FileFault: types.FileFault{File: name}}
	}
	return file, nil
}

// describe writes the descriptor of a disk to a place.
func (d *storedDisk) describe(file string) error {
	made := *d.descriptor
	made.Extent = []vmdk.Extent{d.descriptor.Extent[0]}
	made.Extent[0].Size = d.content.capacity / vmdk.SectorSize
	made.Extent[0].Info = path.Base(simulator.VirtualDiskBackingFileName(file))
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	defer out.Close()
	return made.Write(out)
}

// CopyVirtualDiskTask copies a disk with what it has in it; the library copies the empty parts, too, which takes long.
func (e *diskManagerExtra) CopyVirtualDiskTask(ctx *simulator.Context, req *types.CopyVirtualDisk_Task) soap.HasFault {
	e.begin(ctx)
	ref := e.untied(ctx, "copyVirtualDisk", func() (types.AnyType, types.BaseMethodFault) {
		source, failure := e.world.stored(ctx, req.SourceDatacenter, req.SourceName)
		if failure != nil {
			return nil, failure
		}
		goal, failure := e.world.placeFor(req.DestName, req.Force)
		if failure != nil {
			return nil, failure
		}
		if req.DestSpec != nil || e.world.options.esx { // a host by itself makes what nobody describes thick
			delete(source.descriptor.DDB, thinKey)
			if req.DestSpec != nil && req.DestSpec.GetVirtualDiskSpec().DiskType == string(types.VirtualDiskTypeThin) {
				source.descriptor.DDB[thinKey] = "1"
			}
		}
		flat := simulator.VirtualDiskBackingFileName(goal)
		e.world.disks.forget(flat)
		err := source.describe(goal)
		if err == nil {
			err = copyDisk(source.content, flat)
		}
		if err != nil {
			_, _ = os.Remove(goal), os.Remove(flat)
			return nil, &types.CannotCreateFile{FileFault: types.FileFault{File: req.DestName}}
		}
		return nil, nil
	})
	return &methods.CopyVirtualDisk_TaskBody{Res: &types.CopyVirtualDisk_TaskResponse{Returnval: ref}}
}

// MoveVirtualDiskTask moves a disk with what it has in it, and its descriptor tells of its new place.
func (e *diskManagerExtra) MoveVirtualDiskTask(ctx *simulator.Context, req *types.MoveVirtualDisk_Task) soap.HasFault {
	e.begin(ctx)
	ref := e.untied(ctx, "moveVirtualDisk", func() (types.AnyType, types.BaseMethodFault) {
		source, failure := e.world.stored(ctx, req.SourceDatacenter, req.SourceName)
		if failure != nil {
			return nil, failure
		}
		goal, failure := e.world.placeFor(req.DestName, req.Force)
		if failure != nil {
			return nil, failure
		}
		if goal == source.file {
			return nil, nil
		}
		flat := simulator.VirtualDiskBackingFileName(goal)
		e.world.disks.forget(flat)
		err := os.Rename(source.content.file, flat)
		if err == nil {
			err = source.describe(goal)
		}
		if err == nil {
			err = os.Remove(source.file)
		}
		if err != nil {
			return nil, &types.CannotAccessFile{FileFault: types.FileFault{File: req.SourceName}}
		}
		return nil, nil
	})
	return &methods.MoveVirtualDisk_TaskBody{Res: &types.MoveVirtualDisk_TaskResponse{Returnval: ref}}
}

// ExtendVirtualDiskTask makes a disk longer: what it has in it stays where it is.
func (e *diskManagerExtra) ExtendVirtualDiskTask(
	ctx *simulator.Context, req *types.ExtendVirtualDisk_Task,
) soap.HasFault {
	e.begin(ctx)
	ref := e.untied(ctx, "extendVirtualDisk", func() (types.AnyType, types.BaseMethodFault) {
		disk, failure := e.world.stored(ctx, req.Datacenter, req.Name)
		if failure != nil {
			return nil, failure
		}
		wanted := req.NewCapacityKb * 1024
		if wanted < disk.content.capacity {
			return nil, &types.InvalidArgument{InvalidProperty: "newCapacityKb"}
		}
		disk.content.capacity = wanted
		if os.Truncate(disk.content.file, wanted) != nil || disk.describe(disk.file) != nil {
			return nil, &types.FileFault{File: req.Name}
		}
		return nil, nil
	})
	return &methods.ExtendVirtualDisk_TaskBody{Res: &types.ExtendVirtualDisk_TaskResponse{Returnval: ref}}
}

// DeleteVirtualDiskTask removes a disk; another one in its place begins empty.
func (e *diskManagerExtra) DeleteVirtualDiskTask(
	ctx *simulator.Context, req *types.DeleteVirtualDisk_Task,
) soap.HasFault {
	e.begin(ctx)
	if file, err := e.world.localPath(req.Name); err == nil {
		e.world.disks.forget(simulator.VirtualDiskBackingFileName(file))
	}
	begin := func() types.ManagedObjectReference {
		return e.manager.DeleteVirtualDiskTask(ctx, req).(*methods.DeleteVirtualDisk_TaskBody).Res.Returnval
	}
	ref := e.after(ctx, "deleteVirtualDisk", begin, func(any) (types.AnyType, types.BaseMethodFault) { return nil, nil })
	return &methods.DeleteVirtualDisk_TaskBody{Res: &types.DeleteVirtualDisk_TaskResponse{Returnval: ref}}
}
