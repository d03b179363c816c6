package main

import (
	"slices"
	"sync"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// toldBook knows which objects each collector has told of, with the filter they were told for.
type toldBook struct {
	mutex sync.Mutex
	told  map[types.ManagedObjectReference]map[types.ManagedObjectReference]types.ManagedObjectReference
}

func newToldBook() *toldBook {
	return &toldBook{told: map[types.ManagedObjectReference]map[types.ManagedObjectReference]types.ManagedObjectReference{}}
}

// note takes what a collector tells, and returns by filter which objects are gone that it does not tell of.
func (b *toldBook) note(
	collector types.ManagedObjectReference, set *types.UpdateSet, there func(types.ManagedObjectReference) bool,
) map[types.ManagedObjectReference][]types.ManagedObjectReference {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	told := b.told[collector]
	if told == nil {
		told = map[types.ManagedObjectReference]types.ManagedObjectReference{}
		b.told[collector] = told
	}
	if set != nil {
		for _, part := range set.FilterSet {
			for _, one := range part.ObjectSet {
				if one.Kind == types.ObjectUpdateKindLeave {
					delete(told, one.Obj)
				} else {
					told[one.Obj] = part.Filter
				}
			}
		}
	}
	gone := map[types.ManagedObjectReference][]types.ManagedObjectReference{}
	for object, filter := range told {
		if !there(object) {
			gone[filter] = append(gone[filter], object)
			delete(told, object)
		}
	}
	return gone
}

// WaitForUpdatesEx tells what is gone, too: the library forgets what it has told of whenever a view changes, and that
// one of those is gone with it.
func (e *collectorExtra) WaitForUpdatesEx(ctx *simulator.Context, req *types.WaitForUpdatesEx) soap.HasFault {
	e.begin(ctx)
	collector, ok := ctx.Session.Get(e.Self).(*simulator.PropertyCollector)
	if !ok {
		return &methods.WaitForUpdatesExBody{Fault_: simulator.Fault("", &types.ManagedObjectNotFound{Obj: e.Self})}
	}
	answer := collector.WaitForUpdatesEx(ctx, req)
	body, ok := answer.(*methods.WaitForUpdatesExBody)
	if !ok || body.Res == nil {
		return answer
	}
	gone := e.world.told.note(e.Self, body.Res.Returnval, func(ref types.ManagedObjectReference) bool {
		return ctx.Session.Get(ref) != nil
	})
	for filter, objects := range gone {
		if !slices.Contains(collector.Filter, filter) {
			continue
		}
		if body.Res.Returnval == nil {
			body.Res.Returnval = &types.UpdateSet{Version: req.Version}
		}
		part := types.PropertyFilterUpdate{Filter: filter}
		for _, object := range objects {
			part.ObjectSet = append(part.ObjectSet, types.ObjectUpdate{Kind: types.ObjectUpdateKindLeave, Obj: object})
		}
		body.Res.Returnval.FilterSet = append(body.Res.Returnval.FilterSet, part)
	}
	return body
}
