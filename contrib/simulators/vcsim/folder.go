package main

import (
	"fmt"
	"strings"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

type folderExtra struct {
	extra
	folder *simulator.Folder
}

// CreateVMTask refuses what the library would fall over, and a name that is taken.
func (e *folderExtra) CreateVMTask(ctx *simulator.Context, req *types.CreateVM_Task) soap.HasFault {
	e.begin(ctx)
	if failure := e.creatable(req); failure != nil {
		return &methods.CreateVM_TaskBody{Fault_: simulator.Fault("", failure)}
	}
	if escaped := escapedName(req.Config.Name); escaped != req.Config.Name {
		return e.createEscaped(ctx, req, escaped)
	}
	return e.folder.CreateVMTask(ctx, req)
}

// createEscaped makes a virtual machine whose name has escapes by another name first: the library makes all its devices
// twice else.
func (e *folderExtra) createEscaped(
	ctx *simulator.Context, req *types.CreateVM_Task, escaped string,
) soap.HasFault {
	task := simulator.CreateTask(e.folder, "createVm", func(*simulator.Task) (types.AnyType, types.BaseMethodFault) {
		req.Config.Name = fmt.Sprintf("new-%p", req)
		body := e.folder.CreateVMTask(ctx, req).(*methods.CreateVM_TaskBody)
		inner := e.world.registry().Get(body.Res.Returnval).(*simulator.Task)
		inner.Wait()
		if inner.Info.Error != nil {
			return nil, inner.Info.Error.Fault
		}
		made := inner.Info.Result.(types.ManagedObjectReference)
		ctx.Update(e.world.registry().Get(made), []types.PropertyChange{
			{Name: "name", Val: escaped},
			{Name: "config.name", Val: escaped},
			{Name: "summary.config.name", Val: escaped},
		})
		return made, nil
	})
	return &methods.CreateVM_TaskBody{Res: &types.CreateVM_TaskResponse{Returnval: task.Run(ctx)}}
}

func (e *folderExtra) creatable(req *types.CreateVM_Task) types.BaseMethodFault {
	config := &req.Config
	registry := e.world.registry()
	if config.Files == nil || config.Files.VmPathName == "" {
		return &types.InvalidArgument{InvalidProperty: "configSpec.files.vmPathName"}
	}
	if failure := impossible(config); failure != nil {
		return failure
	}
	if _, ok := registry.Get(req.Pool).(*simulator.ResourcePool); !ok {
		return &types.ManagedObjectNotFound{Obj: req.Pool}
	}
	if req.Host != nil {
		if _, ok := registry.Get(*req.Host).(*simulator.HostSystem); !ok {
			return &types.ManagedObjectNotFound{Obj: *req.Host}
		}
	}
	var where object.DatastorePath
	if !where.FromString(config.Files.VmPathName) {
		return &types.InvalidDatastorePath{DatastorePath: config.Files.VmPathName}
	}
	if _, err := e.world.localPath(config.Files.VmPathName); err != nil {
		return &types.InvalidDatastorePath{DatastorePath: config.Files.VmPathName}
	}
	config.Name = plainName(config.Name) // the library escapes it
	if taken := e.taken(escapedName(config.Name), types.ManagedObjectReference{}); taken != nil {
		return taken
	}
	e.world.placeFiles(config)
	e.world.carryThin(nil, config.DeviceChange)
	return nil
}

// taken tells whether another virtual machine or folder in this folder has a name, as it is kept.
func (e *folderExtra) taken(name string, but types.ManagedObjectReference) types.BaseMethodFault {
	if found := e.world.registry().FindByName(name, e.folder.ChildEntity); found != nil {
		if found.Reference() != but {
			return &types.DuplicateName{Name: name, Object: found.Reference()}
		}
	}
	return nil
}

// escapedName is how the product keeps a name: three characters are written as in a URL.
func escapedName(name string) string {
	return strings.NewReplacer("%", "%25", "/", "%2f", "\\", "%5c").Replace(name)
}

// RenameTask refuses a name that is taken, and writes escapes that the client has left out, as the product does.
func (e *vmExtra) RenameTask(ctx *simulator.Context, req *types.Rename_Task) soap.HasFault {
	e.begin(ctx)
	req.NewName = escapedName(plainName(req.NewName))
	if e.vm.Parent != nil {
		if folder, ok := e.world.registry().Get(*e.vm.Parent).(*simulator.Folder); ok {
			in := &folderExtra{e.extra, folder}
			if failure := in.taken(req.NewName, e.Self); failure != nil {
				return &methods.Rename_TaskBody{Fault_: simulator.Fault("", failure)}
			}
		}
	}
	return e.vm.RenameTask(ctx, req)
}
