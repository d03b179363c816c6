package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// importLease lets somebody write the disks of a virtual machine that is being made. What the machine is goes with it
// unless it is completed.
type importLease struct {
	*simulator.HttpNfcLease

	deadline time.Time
	failed   bool
}

// importExtra ends import leases as the product does.
type importExtra struct {
	extra
	lease *importLease
}

// addImport remembers a lease of the library's, and lets it run out.
func (w *world) addImport(lease *simulator.HttpNfcLease) {
	made := &importLease{HttpNfcLease: lease}
	w.leases.mutex.Lock()
	made.deadline = time.Now().Add(w.leases.duration)
	w.leases.imports[lease.Self.Value] = made
	w.leases.mutex.Unlock()
	go w.expire(lease.Self.Value, func() time.Time { return made.deadline }, func() {
		w.failImport(made, new(types.Timedout), "the lease has run out")
	})
}

// expire does something when a lease has run out, unless it is gone by then. Who owns the deadline asks for it under
// the lock of the book.
func (w *world) expire(id string, deadline func() time.Time, do func()) {
	for {
		w.leases.mutex.Lock()
		_, exported := w.leases.exports[id]
		_, imported := w.leases.imports[id]
		left := time.Until(deadline())
		w.leases.mutex.Unlock()
		if !exported && !imported {
			return
		}
		if left <= 0 {
			do()
			return
		}
		select {
		case <-time.After(left):
		case <-w.over:
			return
		}
	}
}

// failImport ends a lease with an error, and takes back what has been made.
func (w *world) failImport(lease *importLease, failure types.BaseMethodFault, message string) {
	w.leases.mutex.Lock()
	again := lease.failed
	lease.failed = true
	w.leases.mutex.Unlock()
	if again {
		return
	}
	w.locked(lease, func(ctx *simulator.Context) {
		ctx.Update(lease.HttpNfcLease, []types.PropertyChange{
			{Name: "state", Val: types.HttpNfcLeaseStateError},
			{Name: "error", Val: &types.LocalizedMethodFault{Fault: failure, LocalizedMessage: message}},
		})
	})
	w.discard(lease)
}

// discard removes the virtual machine of a lease with its files.
func (w *world) discard(lease *importLease) {
	if lease.Info == nil {
		return
	}
	vm, found := w.registry().Get(lease.Info.Entity).(*simulator.VirtualMachine)
	if !found {
		return
	}
	ctx := w.context()
	gone := &vmExtra{extra{vm.Self, w, ctx.Session.Registry}, vm}
	ctx.WithLock(vm, func() {
		disks := gone.ownDisks()
		vm.UnregisterVM(ctx, &types.UnregisterVM{This: vm.Self})
		gone.removeFiles(disks)
	})
}

func (b *leaseBook) forget(id string) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	delete(b.imports, id)
}

// HttpNfcLeaseAbort ends the import: nothing of it stays.
func (e *importExtra) HttpNfcLeaseAbort(ctx *simulator.Context, req *types.HttpNfcLeaseAbort) soap.HasFault {
	e.begin(ctx)
	e.world.leases.forget(e.Self.Value)
	e.world.discard(e.lease)
	return e.lease.HttpNfcLeaseAbort(ctx, req)
}

// HttpNfcLeaseComplete ends the import: the virtual machine is there.
func (e *importExtra) HttpNfcLeaseComplete(ctx *simulator.Context, req *types.HttpNfcLeaseComplete) soap.HasFault {
	e.begin(ctx)
	if e.lease.State != types.HttpNfcLeaseStateReady {
		return &methods.HttpNfcLeaseCompleteBody{Fault_: simulator.Fault("", new(types.InvalidState))}
	}
	e.world.leases.forget(e.Self.Value)
	return e.lease.HttpNfcLeaseComplete(ctx, req)
}

// HttpNfcLeaseProgress keeps the lease for another while.
func (e *importExtra) HttpNfcLeaseProgress(ctx *simulator.Context, req *types.HttpNfcLeaseProgress) soap.HasFault {
	e.begin(ctx)
	e.world.leases.mutex.Lock()
	over := e.lease.failed
	e.lease.deadline = time.Now().Add(e.world.leases.duration)
	e.world.leases.mutex.Unlock()
	if over {
		return &methods.HttpNfcLeaseProgressBody{Fault_: simulator.Fault("", new(types.Timedout))}
	}
	return e.lease.HttpNfcLeaseProgress(ctx, req)
}

// leaseWatch completes what the library says about new leases.
type leaseWatch struct{ world *world }

func (l *leaseWatch) Reference() types.ManagedObjectReference {
	return types.ManagedObjectReference{Type: "LeaseWatch", Value: "lease-watch"}
}

// PutObject is for those who wait for new objects.
func (l *leaseWatch) PutObject(*simulator.Context, mo.Reference) {}

// RemoveObject is for those who wait until objects are gone.
func (l *leaseWatch) RemoveObject(*simulator.Context, types.ManagedObjectReference) {}

// UpdateObject adds the port, without which nobody finds an ESXi host, and the certificate.
func (l *leaseWatch) UpdateObject(_ *simulator.Context, object mo.Reference, changes []types.PropertyChange) {
	if object.Reference().Type != "HttpNfcLease" {
		return
	}
	for _, change := range changes {
		info, ok := change.Val.(*types.HttpNfcLeaseInfo)
		if !ok {
			continue
		}
		_, port := l.world.address()
		info.LeaseTimeout = int32(l.world.leases.lasting() / time.Second)
		if lease, ok := object.(*mo.HttpNfcLease); ok { // it has a copy
			lease.Info.LeaseTimeout = info.LeaseTimeout
		}
		for number := range info.DeviceUrl {
			one := &info.DeviceUrl[number]
			one.Url = strings.Replace(one.Url, "//*/", fmt.Sprintf("//*:%d/", port), 1)
			thumbprint, _ := l.world.identity.thumbprints()
			_, one.SslThumbprint = l.world.leases.announced("", thumbprint)
		}
	}
}

// shortenLeases says how long leases last that are made from now on, without a word of who has them.
func shortenLeases(site *world, arguments func(any) error) (any, error) {
	var asked struct {
		Seconds float64 `json:"seconds"`
	}
	if err := arguments(&asked); err != nil {
		return nil, err
	}
	if !(asked.Seconds > 0 && asked.Seconds < 1e6) {
		return nil, fmt.Errorf("not a duration: %v seconds", asked.Seconds)
	}
	site.leases.mutex.Lock()
	defer site.leases.mutex.Unlock()
	site.leases.duration = time.Duration(asked.Seconds * float64(time.Second))
	return asked.Seconds, nil
}
