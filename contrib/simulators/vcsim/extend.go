package main

import (
	"reflect"
	"strings"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// extra answers the calls of one object that the library lacks, or that it answers unlike the product. Its exported
// methods are found by the name of the call, as the library finds its own.
type extra struct {
	Self  types.ManagedObjectReference
	world *world
	rest  *simulator.Registry // what belongs to the session of the call
}

func (e *extra) Reference() types.ManagedObjectReference { return e.Self }

// begin gives the session back what belongs to it; each method calls it first.
func (e *extra) begin(ctx *simulator.Context) {
	ctx.Session.Registry = e.rest
}

// vmExtra, snapshotExtra, collectorExtra and poolExtra have the methods; each subject has a file of its own.
type (
	vmExtra struct {
		extra
		vm *simulator.VirtualMachine
	}
	snapshotExtra struct {
		extra
		snapshot *simulator.VirtualMachineSnapshot
	}
	collectorExtra   struct{ extra }
	performanceExtra struct {
		extra
		manager *simulator.PerformanceManager
	}
	poolExtra struct {
		extra
		pool *simulator.ResourcePool
	}
)

// extend is called before each call. The library prefers objects of the session to all others, so the call is given a
// session of one object: what answers it.
func (w *world) extend(ctx *simulator.Context, method *simulator.Method) (mo.Reference, types.BaseMethodFault) {
	if ctx.Session == nil || ctx.Map != w.registry() {
		return nil, nil
	}
	if method.This.Type == "VirtualMachine" {
		if failure := w.pending.refuses(method); failure != nil {
			return nil, failure
		}
		if failure := w.leases.blocks(w, method); failure != nil {
			return nil, failure
		}
		if method.Name != "UnregisterVM" && !w.reaches(method.This) {
			return nil, new(types.InvalidState)
		}
	}
	found := w.extraFor(ctx, method.This)
	name := method.Name
	if bare, isTask := strings.CutSuffix(name, "_Task"); isTask {
		name = bare + "Task"
	}
	if found == nil || !reflect.ValueOf(found).MethodByName(name).IsValid() {
		return nil, nil
	}
	overlay := simulator.NewRegistry()
	overlay.Put(found)
	ctx.Session.Registry = overlay
	return nil, nil
}

// reaches tells whether the files of a virtual machine can be reached; what the library does with others ends it.
func (w *world) reaches(ref types.ManagedObjectReference) bool {
	vm, found := w.registry().Get(ref).(*simulator.VirtualMachine)
	if !found {
		return true // the library says that there is none
	}
	reached := false
	w.locked(vm, func(*simulator.Context) { reached = vm.Config != nil })
	return reached
}

func (w *world) extraFor(ctx *simulator.Context, this types.ManagedObjectReference) mo.Reference {
	base := extra{Self: this, world: w, rest: ctx.Session.Registry}
	switch one := w.registry().Get(this).(type) {
	case *simulator.VirtualMachine:
		return &vmExtra{base, one}
	case *simulator.VirtualMachineSnapshot:
		return &snapshotExtra{base, one}
	case *simulator.ResourcePool:
		return &poolExtra{base, one}
	case *simulator.Folder:
		return &folderExtra{base, one}
	case *simulator.Task:
		return &taskExtra{base, one}
	case *simulator.VirtualDiskManager:
		return &diskManagerExtra{base, one}
	case *simulator.VmProvisioningChecker:
		return &checkerExtra{base}
	case *simulator.HostDatastoreBrowser:
		return &browserExtra{base, one}
	case *simulator.SearchIndex:
		return &searchExtra{base, one}
	case *simulator.PerformanceManager:
		return &performanceExtra{base, one}
	}
	if this.Type == "HttpNfcLease" {
		if _, imported := w.leases.find(this.Value); imported != nil {
			return &importExtra{base, imported}
		}
	}
	if this.Type == "PropertyCollector" {
		return &collectorExtra{base}
	}
	return nil
}
