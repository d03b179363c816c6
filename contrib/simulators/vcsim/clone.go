package main

import (
	"fmt"
	"strings"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

const linkedDisks = string(types.VirtualMachineRelocateDiskMoveOptionsCreateNewChildDiskBacking)

// CloneVMTask clones as the library does it, and gives the disks of the clone the content of the original's.
func (e *vmExtra) CloneVMTask(ctx *simulator.Context, req *types.CloneVM_Task) soap.HasFault {
	e.begin(ctx)
	body := new(methods.CloneVM_TaskBody)
	if failure := e.clonable(req); failure != nil {
		body.Fault_ = simulator.Fault("", failure)
		return body
	}
	from, err := e.world.disksOf(e.vm)
	if err != nil {
		body.Fault_ = simulator.Fault(err.Error(), new(types.InvalidState))
		return body
	}
	if req.Spec.Snapshot != nil {
		from = e.world.moments.find(*req.Spec.Snapshot).disks
	}
	made := &copied{from: from, config: *e.vm.Config, spec: req.Spec}
	if name := escapedName(plainName(req.Name)); strings.Contains(name, "%") {
		folder := &folderExtra{e.extra, e.world.registry().Get(req.Folder).(*simulator.Folder)}
		if taken := folder.taken(name, types.ManagedObjectReference{}); taken != nil {
			body.Fault_ = simulator.Fault("", taken)
			return body
		}
		made.name, req.Name = name, fmt.Sprintf("new-%p", req) // the library makes all devices twice else
	}
	made.config.ExtraConfig = copyOptions(made.config.ExtraConfig)
	answer := e.vm.CloneVMTask(ctx, req).(*methods.CloneVM_TaskBody)
	if answer.Res == nil {
		return answer
	}
	outer := e.world.newTask(e.Self, "cloneVMTask")
	outer.undoneBy(func(result types.AnyType) { e.world.destroy(result) })
	go outer.endAs(answer.Res.Returnval, func(result types.AnyType) { e.world.complete(made, e.Self, result) })
	body.Res = &types.CloneVM_TaskResponse{Returnval: outer.task.Self}
	return body
}

// clonable tells what the library would fall over.
func (e *vmExtra) clonable(req *types.CloneVM_Task) types.BaseMethodFault {
	if e.vm.Config == nil {
		return new(types.InvalidState)
	}
	if _, ok := e.world.registry().Get(req.Folder).(*simulator.Folder); !ok {
		return &types.ManagedObjectNotFound{Obj: req.Folder}
	}
	where := req.Spec.Location
	if req.Spec.Snapshot != nil && e.world.moments.find(*req.Spec.Snapshot) == nil {
		return &types.ManagedObjectNotFound{Obj: *req.Spec.Snapshot}
	}
	if where.DiskMoveType == linkedDisks && req.Spec.Snapshot == nil {
		return &types.InvalidArgument{InvalidProperty: "spec.snapshot"}
	}
	if where.Host != nil {
		if _, ok := e.world.registry().Get(*where.Host).(*simulator.HostSystem); !ok {
			return &types.ManagedObjectNotFound{Obj: *where.Host}
		}
	}
	if where.Datastore != nil {
		if _, ok := e.world.registry().Get(*where.Datastore).(*simulator.Datastore); !ok {
			return &types.ManagedObjectNotFound{Obj: *where.Datastore}
		}
	}
	return nil
}

// copied is what a clone takes over from its original, and what else it shall be.
type copied struct {
	name   string // what it is called in the end, if the library shall not know
	from   []diskFile
	config types.VirtualMachineConfigInfo
	spec   types.VirtualMachineCloneSpec
}

// complete gives a clone what the library leaves out.
func (w *world) complete(made *copied, original types.ManagedObjectReference, result types.AnyType) {
	ref, ok := result.(types.ManagedObjectReference)
	if !ok {
		return
	}
	clone, ok := w.registry().Get(ref).(*simulator.VirtualMachine)
	if !ok {
		return
	}
	source := w.guests.change(original, func(*guest) {})
	w.guests.change(ref, func(one *guest) { *one, one.Boots, one.Requests = source, 0, 0 })
	w.locked(clone, func(ctx *simulator.Context) {
		to, err := w.disksOf(clone)
		if err != nil {
			return
		}
		for _, disk := range to {
			if source := diskWith(made.from, disk.key); source != nil {
				_ = copyDisk(*source, disk.file) // a full volume leaves the disk shorter, as it is told
			}
		}
		if made.name != "" {
			ctx.Update(clone, []types.PropertyChange{
				{Name: "name", Val: made.name},
				{Name: "config.name", Val: made.name},
				{Name: "summary.config.name", Val: made.name},
			})
		}
		w.adapt(ctx, clone, made)
		if clone.Config.Template {
			w.leavePools(ctx, ref)
		}
	})
	if own := made.spec.Config; own != nil {
		rest := *own
		rest.DeviceChange = nil // the library has made these changes
		ctx := w.context()
		var task types.ManagedObjectReference
		ctx.WithLock(clone, func() {
			changed := clone.ReconfigVMTask(ctx, &types.ReconfigVM_Task{This: ref, Spec: rest})
			task = changed.(*methods.ReconfigVM_TaskBody).Res.Returnval
		})
		if running, ok := w.registry().Get(task).(*simulator.Task); ok {
			running.Wait()
		}
	}
	if made.spec.PowerOn && !made.spec.Template {
		ctx := w.context()
		ctx.WithLock(clone, func() { clone.PowerOnVMTask(ctx, &types.PowerOnVM_Task{This: ref}) })
	}
}

// adapt gives a clone notes, extra configuration, network addresses of its own, and disks that tell of their parents.
func (w *world) adapt(ctx *simulator.Context, clone *simulator.VirtualMachine, made *copied) {
	parents := map[int32]*types.VirtualDiskFlatVer2BackingInfo{}
	ground := made.config.Hardware.Device
	if made.spec.Snapshot != nil {
		if snapshot, ok := w.registry().Get(*made.spec.Snapshot).(*simulator.VirtualMachineSnapshot); ok {
			ground = snapshot.Config.Hardware.Device
		}
	}
	for _, device := range ground {
		if disk, ok := device.(*types.VirtualDisk); ok {
			parents[disk.Key], _ = disk.Backing.(*types.VirtualDiskFlatVer2BackingInfo)
		}
	}
	for number, device := range clone.Config.Hardware.Device {
		switch one := device.(type) {
		case types.BaseVirtualEthernetCard:
			card := one.GetVirtualEthernetCard()
			if card.AddressType != string(types.VirtualEthernetCardMacTypeManual) {
				id := w.invented(number, "card of "+clone.Self.Value)
				card.MacAddress = fmt.Sprintf("00:50:56:%02x:%02x:%02x", id[0]&0x3f, id[1], id[2])
			}
		case *types.VirtualDisk:
			backing, ok := one.Backing.(*types.VirtualDiskFlatVer2BackingInfo)
			if ok && made.spec.Location.DiskMoveType == linkedDisks {
				backing.Parent = parents[one.Key]
			}
		}
	}
	ctx.Update(clone, []types.PropertyChange{
		{Name: "config.annotation", Val: made.config.Annotation},
		{Name: "summary.config.annotation", Val: made.config.Annotation},
		{Name: "config.extraConfig", Val: made.config.ExtraConfig},
		{Name: "config.hardware.device", Val: clone.Config.Hardware.Device},
	})
}
