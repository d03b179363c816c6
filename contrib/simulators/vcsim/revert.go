package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// moment is what a virtual machine was when a snapshot was made: the library keeps less.
type moment struct {
	power      types.VirtualMachinePowerState
	hardware   types.VirtualHardware
	annotation string
	name       string
	extra      []types.BaseOptionValue
	disks      []diskFile
	boots      int
	file       string // that the library has made for it
}

// momentBook has what snapshots hold, with copies of disks in a folder of its own.
type momentBook struct {
	mutex   sync.Mutex
	folder  string
	number  int
	moments map[types.ManagedObjectReference]*moment
}

func newMomentBook() *momentBook {
	return &momentBook{moments: map[types.ManagedObjectReference]*moment{}}
}

func (b *momentBook) find(snapshot types.ManagedObjectReference) *moment {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.moments[snapshot]
}

func (b *momentBook) put(snapshot types.ManagedObjectReference, one *moment) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.moments[snapshot] = one
}

// file makes up a place for the copy of a disk.
func (b *momentBook) file() (string, error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if b.folder == "" {
		made, err := os.MkdirTemp("", "govcsim-snapshots-")
		if err != nil {
			return "", err
		}
		b.folder = made
	}
	b.number++
	return filepath.Join(b.folder, fmt.Sprintf("%d.img", b.number)), nil
}

func (b *momentBook) close() {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if b.folder != "" {
		_ = os.RemoveAll(b.folder)
	}
}

// hold takes down what the virtual machine is now; whoever asks holds its lock.
func (e *vmExtra) hold(memory bool) (*moment, error) {
	disks, err := e.world.disksOf(e.vm)
	if err != nil {
		return nil, err
	}
	made := &moment{
		power:      types.VirtualMachinePowerStatePoweredOff,
		hardware:   e.vm.Config.Hardware,
		annotation: e.vm.Config.Annotation,
		extra:      copyOptions(e.vm.Config.ExtraConfig),
		name:       e.vm.Name,
		boots:      e.world.guests.change(e.Self, func(*guest) {}).Boots,
	}
	made.hardware.Device = slices.Clone(made.hardware.Device)
	if memory {
		made.power = e.vm.Runtime.PowerState
	}
	for _, disk := range disks {
		file, err := e.world.moments.file()
		if err != nil {
			return nil, err
		}
		if err := copyDisk(disk, file); err != nil {
			return nil, err
		}
		made.disks = append(made.disks, diskFile{disk.key, file, disk.capacity})
	}
	return made, nil
}

func copyOptions(from []types.BaseOptionValue) []types.BaseOptionValue {
	made := make([]types.BaseOptionValue, 0, len(from))
	for _, one := range from {
		option := *one.GetOptionValue()
		made = append(made, &option)
	}
	return made
}

// CreateSnapshotTask makes a snapshot as the library does it, and keeps what it is of.
func (e *vmExtra) CreateSnapshotTask(ctx *simulator.Context, req *types.CreateSnapshot_Task) soap.HasFault {
	e.begin(ctx)
	body := new(methods.CreateSnapshot_TaskBody)
	task, failure := e.snapshot(req.Memory, func() (types.ManagedObjectReference, *soap.Fault) {
		answer := e.vm.CreateSnapshotTask(ctx, req).(*methods.CreateSnapshot_TaskBody)
		if answer.Res == nil {
			return types.ManagedObjectReference{}, answer.Fault()
		}
		return answer.Res.Returnval, nil
	})
	if body.Fault_ = failure; failure == nil {
		body.Res = &types.CreateSnapshot_TaskResponse{Returnval: task}
	}
	return body
}

// CreateSnapshotExTask is the newer way to the same.
func (e *vmExtra) CreateSnapshotExTask(ctx *simulator.Context, req *types.CreateSnapshotEx_Task) soap.HasFault {
	e.begin(ctx)
	body := new(methods.CreateSnapshotEx_TaskBody)
	task, failure := e.snapshot(req.Memory, func() (types.ManagedObjectReference, *soap.Fault) {
		answer := e.vm.CreateSnapshotExTask(ctx, req).(*methods.CreateSnapshotEx_TaskBody)
		if answer.Res == nil {
			return types.ManagedObjectReference{}, answer.Fault()
		}
		return answer.Res.Returnval, nil
	})
	if body.Fault_ = failure; failure == nil {
		body.Res = &types.CreateSnapshotEx_TaskResponse{Returnval: task}
	}
	return body
}

func (e *vmExtra) snapshot(
	memory bool, begin func() (types.ManagedObjectReference, *soap.Fault),
) (types.ManagedObjectReference, *soap.Fault) {
	held, err := e.hold(memory)
	if err != nil {
		return types.ManagedObjectReference{}, simulator.Fault(err.Error(), new(types.InvalidState))
	}
	inner, failure := begin()
	if failure != nil {
		return inner, failure
	}
	outer := e.world.newTask(e.Self, "createSnapshotTask")
	go outer.endAs(inner, func(result types.AnyType) {
		ref, ok := result.(types.ManagedObjectReference)
		if !ok {
			return
		}
		e.world.moments.put(ref, held)
		e.world.locked(e.vm, func(ctx *simulator.Context) {
			if e.vm.Snapshot == nil {
				return
			}
			tree, found := changed(e.vm.Snapshot.RootSnapshotList, ref, func(node *types.VirtualMachineSnapshotTree) {
				node.State = held.power
			})
			if found {
				ctx.Update(e.vm, []types.PropertyChange{{Name: "snapshot.rootSnapshotList", Val: tree}})
			}
			held.file = fileOfSnapshot(e.vm, ref)
			e.world.track(e.vm, ref)
			disks, _ := e.world.disksOf(e.vm)
			if devices, err := e.world.branchAll(e.vm.Config.Hardware.Device, disks); err == nil {
				ctx.Update(e.vm, []types.PropertyChange{{Name: "config.hardware.device", Val: devices}})
			}
		})
	})
	return outer.task.Self, nil
}

// RevertToCurrentSnapshotTask makes the virtual machine what it was when the current snapshot was made.
func (e *vmExtra) RevertToCurrentSnapshotTask(
	ctx *simulator.Context, req *types.RevertToCurrentSnapshot_Task,
) soap.HasFault {
	e.begin(ctx)
	body := new(methods.RevertToCurrentSnapshot_TaskBody)
	if e.vm.Config == nil || e.vm.Snapshot == nil || e.vm.Snapshot.CurrentSnapshot == nil {
		body.Fault_ = simulator.Fault("", new(types.NotFound))
		return body
	}
	task := e.world.revert(ctx, e.vm, *e.vm.Snapshot.CurrentSnapshot, req.SuppressPowerOn)
	body.Res = &types.RevertToCurrentSnapshot_TaskResponse{Returnval: task}
	return body
}

// RevertToSnapshotTask makes the virtual machine what it was when this snapshot was made.
func (e *snapshotExtra) RevertToSnapshotTask(
	ctx *simulator.Context, req *types.RevertToSnapshot_Task,
) soap.HasFault {
	e.begin(ctx)
	body := new(methods.RevertToSnapshot_TaskBody)
	vm, ok := e.world.registry().Get(e.snapshot.Vm).(*simulator.VirtualMachine)
	if !ok || vm.Config == nil {
		body.Fault_ = simulator.Fault("", new(types.InvalidState))
		return body
	}
	body.Res = &types.RevertToSnapshot_TaskResponse{Returnval: e.world.revert(ctx, vm, e.Self, req.SuppressPowerOn)}
	return body
}

func (w *world) revert(
	ctx *simulator.Context, vm *simulator.VirtualMachine, to types.ManagedObjectReference, staysOff *bool,
) types.ManagedObjectReference {
	run := func(*simulator.Task) (types.AnyType, types.BaseMethodFault) {
		held := w.moments.find(to)
		if held == nil {
			return nil, &types.ManagedObjectNotFound{Obj: to}
		}
		power := held.power
		if enabled(staysOff) && power == types.VirtualMachinePowerStatePoweredOn {
			power = types.VirtualMachinePowerStatePoweredOff
		}
		hardware, former := held.hardware, vm.Config.Hardware.Device
		devices, err := w.branchAll(hardware.Device, held.disks)
		if err != nil {
			return nil, &types.CannotCreateFile{FileFault: types.FileFault{File: err.Error()}}
		}
		hardware.Device = devices
		ctx.Update(vm, []types.PropertyChange{
			{Name: "config.hardware.numCPU", Val: hardware.NumCPU},
			{Name: "config.hardware.numCoresPerSocket", Val: hardware.NumCoresPerSocket},
			{Name: "config.hardware.memoryMB", Val: hardware.MemoryMB},
			{Name: "config.hardware.device", Val: hardware.Device},
			{Name: "name", Val: held.name},
			{Name: "config.name", Val: held.name},
			{Name: "summary.config.name", Val: held.name},
			{Name: "config.annotation", Val: held.annotation},
			{Name: "config.extraConfig", Val: copyOptions(held.extra)},
			{Name: "summary.config.numCpu", Val: hardware.NumCPU},
			{Name: "summary.config.memorySizeMB", Val: hardware.MemoryMB},
			{Name: "summary.config.annotation", Val: held.annotation},
			{Name: "snapshot.currentSnapshot", Val: to},
		})
		if failure := w.restoreDisks(vm, held); failure != nil {
			return nil, failure
		}
		w.removeBranches(vm, former)
		w.tracking.renew(vm.Self)
		w.guests.change(vm.Self, func(one *guest) {
			one.saved = held.boots
			if vm.Runtime.PowerState == power {
				one.goOn()
			}
		})
		if vm.Runtime.PowerState != power {
			ctx.Update(vm, []types.PropertyChange{
				{Name: "runtime.powerState", Val: power}, {Name: "summary.runtime.powerState", Val: power},
			})
		}
		return nil, nil
	}
	var task types.ManagedObjectReference
	ctx.WithLock(vm, func() { task = simulator.CreateTask(vm.Self, "revertToSnapshotTask", run).Run(ctx) })
	return task
}

func (w *world) restoreDisks(vm *simulator.VirtualMachine, held *moment) types.BaseMethodFault {
	now, err := w.disksOf(vm)
	if err != nil {
		return &types.FileNotFound{FileFault: types.FileFault{File: err.Error()}}
	}
	for _, disk := range now {
		for _, kept := range held.disks {
			if kept.key != disk.key {
				continue
			}
			if err := copyDisk(kept, disk.file); err != nil {
				return &types.CannotAccessFile{FileFault: types.FileFault{File: disk.file}}
			}
		}
	}
	return nil
}

// ExportSnapshot begins the export of what the disks held when the snapshot was made; the machine may run.
func (e *snapshotExtra) ExportSnapshot(ctx *simulator.Context, _ *types.ExportSnapshot) soap.HasFault {
	e.begin(ctx)
	body := new(methods.ExportSnapshotBody)
	held := e.world.moments.find(e.Self)
	vm, ok := e.world.registry().Get(e.snapshot.Vm).(*simulator.VirtualMachine)
	if held == nil || !ok {
		body.Fault_ = simulator.Fault("", &types.ManagedObjectNotFound{Obj: e.Self})
		return body
	}
	body.Res = &types.ExportSnapshotResponse{Returnval: e.world.lease(ctx, vm, held.disks).Self}
	return body
}
