package main

import (
	"os"
	"strings"
	"syscall"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
	"github.com/vmware/govmomi/vmdk"
)

const thinKey = "thinProvisioned" // of a descriptor's disk data base

type diskManagerExtra struct {
	extra
	manager *simulator.VirtualDiskManager
}

type browserExtra struct {
	extra
	browser *simulator.HostDatastoreBrowser
}

// after runs a task of the library's, and something when it has succeeded, as one task.
func (e *extra) after(
	ctx *simulator.Context, name string, begin func() types.ManagedObjectReference,
	do func(any) (types.AnyType, types.BaseMethodFault),
) types.ManagedObjectReference {
	return e.untied(ctx, name, func() (types.AnyType, types.BaseMethodFault) {
		inner, ok := e.world.registry().Get(begin()).(*simulator.Task)
		if !ok {
			return nil, &types.RuntimeFault{}
		}
		inner.Wait()
		defer e.world.registry().Remove(ctx, inner.Self)
		if inner.Info.Error != nil {
			return nil, inner.Info.Error.Fault
		}
		return do(inner.Info.Result)
	})
}

// untied runs a task of nothing in the inventory. It tells of no object, and that before anybody knows of it.
func (e *extra) untied(
	ctx *simulator.Context, name string, do func() (types.AnyType, types.BaseMethodFault),
) types.ManagedObjectReference {
	task := simulator.CreateTask(e, name, func(*simulator.Task) (types.AnyType, types.BaseMethodFault) { return do() })
	ref := task.Run(ctx)
	e.world.locked(task, func(*simulator.Context) { task.Info.Entity, task.Info.EntityName = nil, "" })
	return ref
}

// CreateVirtualDiskTask makes a disk whose file is as long as the disk, and whose descriptor tells whether it is thin.
func (e *diskManagerExtra) CreateVirtualDiskTask(ctx *simulator.Context, req *types.CreateVirtualDisk_Task) soap.HasFault {
	e.begin(ctx)
	begin := func() types.ManagedObjectReference {
		return e.manager.CreateVirtualDiskTask(ctx, req).(*methods.CreateVirtualDisk_TaskBody).Res.Returnval
	}
	ref := e.after(ctx, "createVirtualDisk", begin, func(made any) (types.AnyType, types.BaseMethodFault) {
		if err := e.world.completeDisk(req); err != nil {
			return nil, &types.CannotCreateFile{FileFault: types.FileFault{File: req.Name}}
		}
		return made, nil
	})
	return &methods.CreateVirtualDisk_TaskBody{Res: &types.CreateVirtualDisk_TaskResponse{Returnval: ref}}
}

func (w *world) completeDisk(req *types.CreateVirtualDisk_Task) error {
	file, err := w.localPath(req.Name)
	if err != nil {
		return err
	}
	descriptor, err := readDescriptor(file)
	if err != nil {
		return err
	}
	if req.Spec != nil && req.Spec.GetVirtualDiskSpec().DiskType == string(types.VirtualDiskTypeThin) {
		descriptor.DDB[thinKey] = "1"
	}
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	defer out.Close()
	if err := descriptor.Write(out); err != nil {
		return err
	}
	return os.Truncate(simulator.VirtualDiskBackingFileName(file), descriptor.Capacity())
}

func readDescriptor(file string) (*vmdk.Descriptor, error) {
	in, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	return vmdk.ParseDescriptor(in)
}

// SearchDatastoreTask tells the sizes of disks, too, if it is asked for them.
func (e *browserExtra) SearchDatastoreTask(ctx *simulator.Context, req *types.SearchDatastore_Task) soap.HasFault {
	e.begin(ctx)
	req.SearchSpec = everything(req.SearchSpec)
	begin := func() types.ManagedObjectReference {
		return e.browser.SearchDatastoreTask(ctx, req).(*methods.SearchDatastore_TaskBody).Res.Returnval
	}
	ref := e.after(ctx, "searchDatastore", begin, func(found any) (types.AnyType, types.BaseMethodFault) {
		if one, ok := found.(types.HostDatastoreBrowserSearchResults); ok {
			e.world.tellSizes(&one, e.world.thinDisks())
		}
		return found, nil
	})
	return &methods.SearchDatastore_TaskBody{Res: &types.SearchDatastore_TaskResponse{Returnval: ref}}
}

// SearchDatastoreSubFoldersTask tells the sizes of disks, too, if it is asked for them.
func (e *browserExtra) SearchDatastoreSubFoldersTask(
	ctx *simulator.Context, req *types.SearchDatastoreSubFolders_Task,
) soap.HasFault {
	e.begin(ctx)
	req.SearchSpec = everything(req.SearchSpec)
	begin := func() types.ManagedObjectReference {
		body := e.browser.SearchDatastoreSubFoldersTask(ctx, req).(*methods.SearchDatastoreSubFolders_TaskBody)
		return body.Res.Returnval
	}
	ref := e.after(ctx, "searchDatastoreSubFolders", begin, func(found any) (types.AnyType, types.BaseMethodFault) {
		thin := e.world.thinDisks()
		if all, ok := found.(types.ArrayOfHostDatastoreBrowserSearchResults); ok {
			for number := range all.HostDatastoreBrowserSearchResults {
				e.world.tellSizes(&all.HostDatastoreBrowserSearchResults[number], thin)
			}
		}
		return found, nil
	})
	return &methods.SearchDatastoreSubFolders_TaskBody{
		Res: &types.SearchDatastoreSubFolders_TaskResponse{Returnval: ref},
	}
}

// tellSizes adds what the library leaves out: the capacity of disks, and the room that they take.
func (w *world) tellSizes(found *types.HostDatastoreBrowserSearchResults, thin map[string]bool) {
	for _, one := range found.File {
		disk, ok := one.(*types.VmDiskFileInfo)
		if !ok {
			continue
		}
		var where object.DatastorePath
		if !where.FromString(found.FolderPath) {
			continue
		}
		where.Path = strings.TrimPrefix(where.Path+"/"+disk.Path, "/")
		file, err := w.localPath(where.String())
		if err != nil {
			continue
		}
		flat, err := os.Stat(simulator.VirtualDiskBackingFileName(file))
		if err != nil {
			continue
		}
		capacity := flat.Size()
		descriptor, err := readDescriptor(file)
		if err == nil {
			capacity = max(capacity, descriptor.Capacity())
			disk.Thin = types.NewBool(thin[file] || descriptor.DDB[thinKey] == "1")
		}
		disk.CapacityKb = capacity / 1024
		if disk.FileSize != 0 {
			disk.FileSize = flat.Sys().(*syscall.Stat_t).Blocks * 512
		}
	}
}

// everything is what to search for: all, where nothing is said. The library ends of that, or finds nothing.
func everything(asked *types.HostDatastoreBrowserSearchSpec) *types.HostDatastoreBrowserSearchSpec {
	if asked == nil {
		asked = new(types.HostDatastoreBrowserSearchSpec)
	}
	if len(asked.MatchPattern) == 0 {
		asked.MatchPattern = []string{"*"}
	}
	return asked
}
