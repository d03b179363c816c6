package main

import (
	"fmt"
	"strings"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// action does something to the server beside its API; arguments reads what came with the request.
type action func(site *world, arguments func(any) error) (any, error)

// actions has all actions by name.
var actions = map[string]action{
	"disk":            actOnDisk,
	"expire-sessions": expireSessions,
	"figures":         chooseFigures,
	"guest":           actOnGuest,
	"hang-up":         hangUp,
	"inaccessible":    loseVM,
	"lease":           shortenLeases,
	"lease-address":   misleadExports,
	"license":         license,
	"question":        askQuestion,
	"relocate-check":  chooseObstacle,
	"restart":         restart,
	"unmerged":        leaveUnmerged,
	"vanish-task":     vanishTask,
}

// findVM finds a virtual machine by its instance UUID or its reference.
func (w *world) findVM(name string) (*simulator.VirtualMachine, error) {
	if one, found := w.registry().Get(types.ManagedObjectReference{Type: "VirtualMachine", Value: name}).(*simulator.VirtualMachine); found {
		return one, nil
	}
	for _, entity := range w.registry().All("VirtualMachine") {
		one := entity.(*simulator.VirtualMachine)
		var fits bool
		w.locked(one, func(*simulator.Context) {
			fits = one.Config != nil && strings.EqualFold(one.Config.InstanceUuid, name)
		})
		if fits {
			return one, nil
		}
	}
	return nil, fmt.Errorf("there is no virtual machine %s", name)
}

// expireSessions ends all sessions, or one, and tells how many.
func expireSessions(site *world, arguments func(any) error) (any, error) {
	var asked struct {
		Session string `json:"session"`
	}
	if err := arguments(&asked); err != nil {
		return nil, err
	}
	count := 0
	for _, one := range site.sessions() {
		if asked.Session == "" || asked.Session == one.Key {
			site.endSession(one.Key)
			count++
		}
	}
	return count, nil
}

// hangUp cuts all connections of clients.
func hangUp(site *world, arguments func(any) error) (any, error) {
	if err := arguments(&struct{}{}); err != nil {
		return nil, err
	}
	site.server.CloseClientConnections()
	return nil, nil
}

// restart does what a restart of the server's own processes does: no session and no task outlives it, connections are
// cut, virtual machines run on.
func restart(site *world, arguments func(any) error) (any, error) {
	if _, err := expireSessions(site, arguments); err != nil {
		return nil, err
	}
	for _, one := range site.registry().AllReference("Task") {
		site.registry().Remove(site.context(), one.Reference())
	}
	return hangUp(site, func(any) error { return nil })
}

// vanishTask takes a task's record away, or those of all; their work goes on.
func vanishTask(site *world, arguments func(any) error) (any, error) {
	var asked struct {
		Task string `json:"task"`
	}
	if err := arguments(&asked); err != nil {
		return nil, err
	}
	gone := []string{}
	for _, one := range site.registry().AllReference("Task") {
		ref := one.Reference()
		if asked.Task == "" || asked.Task == ref.Value {
			site.registry().Remove(site.context(), ref)
			gone = append(gone, ref.Value)
		}
	}
	return gone, nil
}

// loseVM makes a virtual machine unreachable: inaccessible, orphaned, disconnected or invalid. What its host or its
// files would tell is unset, as the product does it. "connected" does not bring it back.
func loseVM(site *world, arguments func(any) error) (any, error) {
	asked := struct {
		VM    string `json:"vm"`
		State string `json:"state"`
	}{State: string(types.VirtualMachineConnectionStateInaccessible)}
	if err := arguments(&asked); err != nil {
		return nil, err
	}
	state := types.VirtualMachineConnectionState(asked.State)
	switch state {
	case types.VirtualMachineConnectionStateInaccessible, types.VirtualMachineConnectionStateOrphaned,
		types.VirtualMachineConnectionStateDisconnected, types.VirtualMachineConnectionStateInvalid:
	default:
		return nil, fmt.Errorf("not a state: %q", asked.State)
	}
	vm, err := site.findVM(asked.VM)
	if err != nil {
		return nil, err
	}
	site.locked(vm, func(ctx *simulator.Context) {
		site.summaries.tell(ctx, vm)
		changes := []types.PropertyChange{
			{Name: "runtime.connectionState", Val: state},
			{Name: "summary.runtime.connectionState", Val: state},
		}
		if state != types.VirtualMachineConnectionStateDisconnected {
			changes = append(changes,
				types.PropertyChange{Name: "config"}, types.PropertyChange{Name: "guest"},
				types.PropertyChange{Name: "layoutEx"}, types.PropertyChange{Name: "storage"})
			vm.Summary.Config = types.VirtualMachineConfigSummary{Name: vm.Name, VmPathName: vm.Summary.Config.VmPathName}
		}
		ctx.Update(vm, changes)
		site.summaries.tell(ctx, vm)
	})
	return asked.State, nil
}

// license gives the server a licence of an edition, and no other: "esxBasic" is the free one.
func license(site *world, arguments func(any) error) (any, error) {
	asked := struct {
		Edition string `json:"edition"`
	}{Edition: "eval"}
	if err := arguments(&asked); err != nil {
		return nil, err
	}
	manager, found := site.registry().Get(*site.model.ServiceContent.LicenseManager).(*simulator.LicenseManager)
	if !found {
		return nil, fmt.Errorf("there is no licence manager")
	}
	site.locked(manager, func(ctx *simulator.Context) {
		one := simulator.EvalLicense
		one.EditionKey = asked.Edition
		ctx.Update(manager, []types.PropertyChange{{Name: "licenses", Val: []types.LicenseManagerLicenseInfo{one}}})
	})
	return asked.Edition, nil
}
