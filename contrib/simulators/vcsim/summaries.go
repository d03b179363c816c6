package main

import (
	"reflect"
	"sync"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// summaryBook tells collectors what is new in the summaries of virtual machines, as the product does; the library
// changes those without a word.
type summaryBook struct {
	Self  types.ManagedObjectReference
	world *world
	mutex sync.Mutex
	told  map[types.ManagedObjectReference]types.VirtualMachineConfigSummary
}

func newSummaryBook() *summaryBook {
	return &summaryBook{
		Self: types.ManagedObjectReference{Type: "SummaryBook", Value: "summary-book"},
		told: map[types.ManagedObjectReference]types.VirtualMachineConfigSummary{},
	}
}

// watch follows the virtual machines of a world.
func (b *summaryBook) watch(site *world) *summaryBook {
	b.world = site
	return b
}

func (b *summaryBook) Reference() types.ManagedObjectReference { return b.Self }

func (b *summaryBook) PutObject(*simulator.Context, mo.Reference) {}

// UpdateObject follows changes of the configuration.
func (b *summaryBook) UpdateObject(ctx *simulator.Context, object mo.Reference, changes []types.PropertyChange) {
	if object.Reference().Type != "VirtualMachine" {
		return
	}
	for _, change := range changes {
		if change.Name == "config.changeVersion" {
			if vm, found := b.world.registry().Get(object.Reference()).(*simulator.VirtualMachine); found {
				forgetFiles(vm)
				b.tell(ctx, vm)
			}
			return
		}
	}
}

func (b *summaryBook) RemoveObject(_ *simulator.Context, ref types.ManagedObjectReference) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	delete(b.told, ref)
}

// tell tells what has changed in a summary since the last time: all of it, the first time.
func (b *summaryBook) tell(ctx *simulator.Context, vm *simulator.VirtualMachine) {
	b.mutex.Lock()
	before := b.told[vm.Self]
	now := vm.Summary.Config
	b.told[vm.Self] = now
	b.mutex.Unlock()
	old := leaves([]types.PropertyChange{{Name: "summary.config", Val: &before}})
	var changes []types.PropertyChange
	for number, change := range leaves([]types.PropertyChange{{Name: "summary.config", Val: &now}}) {
		if !reflect.DeepEqual(change.Val, old[number].Val) {
			changes = append(changes, change)
		}
	}
	if len(changes) > 0 {
		ctx.Update(vm, changes)
	}
}

// MarkAsTemplate takes the machine out of its pool, which the library forgets, and tells collectors of it.
func (e *vmExtra) MarkAsTemplate(ctx *simulator.Context, req *types.MarkAsTemplate) soap.HasFault {
	e.begin(ctx)
	answer := e.vm.MarkAsTemplate(req)
	if body, ok := answer.(*methods.MarkAsTemplateBody); ok && body.Res != nil {
		e.world.leavePools(ctx, e.Self)
		e.marked(ctx)
	}
	return answer
}

// MarkAsVirtualMachine tells its host and its pool, which the library forgets, and collectors of it.
func (e *vmExtra) MarkAsVirtualMachine(ctx *simulator.Context, req *types.MarkAsVirtualMachine) soap.HasFault {
	e.begin(ctx)
	if failure := e.world.placeable(req.Host, &req.Pool); failure != nil {
		return &methods.MarkAsVirtualMachineBody{Fault_: simulator.Fault("", failure)}
	}
	host := req.Host
	req.Host = nil // the library forgets what the hosts tell
	answer := e.vm.MarkAsVirtualMachine(req)
	if body, ok := answer.(*methods.MarkAsVirtualMachineBody); ok && body.Res != nil {
		if host != nil {
			e.moveToHost(ctx, *host)
		}
		e.moveToPool(ctx, req.Pool)
		e.marked(ctx)
	}
	return answer
}

func (e *vmExtra) marked(ctx *simulator.Context) {
	template := e.vm.Config.Template
	change := types.PropertyChange{Name: "config.template", Val: template}
	pool := types.PropertyChange{Name: "resourcePool"}
	if e.vm.ResourcePool != nil {
		pool.Val = *e.vm.ResourcePool
	}
	ctx.Update(e.vm, []types.PropertyChange{change, pool, {Name: "runtime.host", Val: *e.vm.Runtime.Host}})
	e.world.summaries.tell(ctx, e.vm)
}
