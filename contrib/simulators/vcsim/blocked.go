package main

import (
	"slices"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// blockedByExport are the calls that would alter what is being exported.
var blockedByExport = []string{
	"ExportVm", "PowerOnVM_Task", "Destroy_Task", "UnregisterVM", "MigrateVM_Task", "RelocateVM_Task", "ReconfigVM_Task",
	"CreateSnapshot_Task", "CreateSnapshotEx_Task", "RevertToCurrentSnapshot_Task", "RemoveAllSnapshots_Task",
	"MarkAsTemplate",
}

// blocks refuses what would alter a virtual machine as long as somebody has a lease on all of it.
func (b *leaseBook) blocks(w *world, method *simulator.Method) types.BaseMethodFault {
	if !slices.Contains(blockedByExport, method.Name) {
		return nil
	}
	for _, held := range b.holding(method.This) {
		if w.hasSession(held.session) { // what nobody can end any more holds nobody
			return &types.TaskInProgress{Task: held.task.task.Self}
		}
	}
	return nil
}

// holding returns the leases on all of a virtual machine.
func (b *leaseBook) holding(vm types.ManagedObjectReference) []*exportLease {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	var found []*exportLease
	for _, one := range b.exports {
		if one.task != nil && one.vm == vm && one.over() == nil {
			found = append(found, one)
		}
	}
	return found
}

// holds makes a lease one on all of a virtual machine: a task that lasts as long as the lease.
func (l *exportLease) holds(ctx *simulator.Context, vm types.ManagedObjectReference) {
	task := l.world.newTask(vm, "exportVmLRO")
	l.world.leases.mutex.Lock()
	defer l.world.leases.mutex.Unlock()
	l.vm, l.session, l.task = vm, ctx.Session.Key, task
}

// release ends the task of a lease.
func (l *exportLease) release(failure types.BaseMethodFault) {
	l.world.leases.mutex.Lock()
	task := l.task
	l.world.leases.mutex.Unlock()
	if task != nil {
		task.end(nil, failure, "")
	}
}
