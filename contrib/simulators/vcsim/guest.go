package main

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// guest is how the system in a virtual machine behaves.
type guest struct {
	Tools           bool     `json:"tools"`
	ObeysShutdown   bool     `json:"obeys_shutdown"`
	MissedRequests  int      `json:"missed_requests"` // how many requests it misses before it does what it is asked for
	ShutdownSeconds float64  `json:"shutdown_seconds"`
	Hostname        string   `json:"hostname"`
	Addresses       []string `json:"addresses"`
	Requests        int      `json:"requests"` // how often it has been asked to go down or to sleep
	Boots           int      `json:"boots"`

	saved int // the boot that saved memory is of; 0 where none is saved
}

// goOn lets a guest whose memory was saved be in the boot that it was saved in.
func (g *guest) goOn() {
	if g.saved > 0 {
		g.Boots, g.saved = g.saved, 0
	}
}

// guestBook knows the guests. A virtual machine that somebody else has made has none with Tools.
type guestBook struct {
	mutex  sync.Mutex
	guests map[types.ManagedObjectReference]*guest
}

func newGuestBook() *guestBook {
	return &guestBook{guests: map[types.ManagedObjectReference]*guest{}}
}

// invent makes a guest of a virtual machine that is there from the beginning: one in six has no Tools.
func (b *guestBook) invent(vm types.ManagedObjectReference, number int, dice *rand.Rand) {
	b.change(vm, func(one *guest) {
		one.Tools = dice.IntN(6) != 0
		one.Hostname = fmt.Sprintf("guest-%05d", number)
		one.Addresses = []string{fmt.Sprintf("10.%d.%d.%d", number>>16&255, number>>8&255, number&255)}
	})
}

// change does something to a guest and returns how it is then.
func (b *guestBook) change(vm types.ManagedObjectReference, do func(*guest)) guest {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	one, known := b.guests[vm]
	if !known {
		one = &guest{ObeysShutdown: true, ShutdownSeconds: 0.05, Addresses: []string{}}
		b.guests[vm] = one
	}
	do(one)
	return *one
}

// running returns what is told of a guest that runs since so many seconds.
func (b *guestBook) running(vm *simulator.VirtualMachine, uptime int) []types.PropertyChange {
	one := b.change(vm.Self, func(one *guest) { one.Boots++ })
	changes := []types.PropertyChange{
		{Name: "runtime.bootTime", Val: time.Now().Add(-time.Duration(uptime) * time.Second)},
		{Name: "summary.quickStats.uptimeSeconds", Val: int32(uptime)},
		{Name: "summary.quickStats.overallCpuUsage", Val: int32(50 + uptime%900)},
		{Name: "summary.quickStats.guestMemoryUsage", Val: vm.Config.Hardware.MemoryMB / 4},
		{Name: "summary.quickStats.hostMemoryUsage", Val: vm.Config.Hardware.MemoryMB / 2},
	}
	if !one.Tools {
		return append(changes, silent(false)...)
	}
	address := ""
	if len(one.Addresses) > 0 {
		address = one.Addresses[0]
	}
	info := types.GuestInfo{
		ToolsStatus:         types.VirtualMachineToolsStatusToolsOk,
		ToolsVersion:        "12352",
		ToolsVersionStatus2: string(types.VirtualMachineToolsVersionStatusGuestToolsCurrent),
		ToolsRunningStatus:  string(types.VirtualMachineToolsRunningStatusGuestToolsRunning),
		GuestId:             vm.Config.GuestId,
		GuestFamily:         string(types.VirtualMachineGuestOsFamilyLinuxGuest),
		GuestFullName:       "Debian GNU/Linux 11 (64-bit)",
		HostName:            one.Hostname,
		IpAddress:           address,
		Net:                 cards(vm, one.Addresses),
		GuestState:          string(types.VirtualMachineGuestStateRunning),
	}
	return append(changes,
		types.PropertyChange{Name: "guest", Val: &info},
		types.PropertyChange{Name: "guestHeartbeatStatus", Val: types.ManagedEntityStatusGreen},
		types.PropertyChange{Name: "summary.guest", Val: &types.VirtualMachineGuestSummary{
			GuestId: info.GuestId, GuestFullName: info.GuestFullName, ToolsStatus: info.ToolsStatus,
			ToolsVersionStatus2: info.ToolsVersionStatus2, ToolsRunningStatus: info.ToolsRunningStatus,
			HostName: info.HostName, IpAddress: info.IpAddress,
		}})
}

// silent returns what is told of a guest whose Tools do not run.
func silent(installed bool) []types.PropertyChange {
	status, version := types.VirtualMachineToolsStatusToolsNotInstalled, types.VirtualMachineToolsVersionStatusGuestToolsNotInstalled
	if installed {
		status, version = types.VirtualMachineToolsStatusToolsNotRunning, types.VirtualMachineToolsVersionStatusGuestToolsCurrent
	}
	running := string(types.VirtualMachineToolsRunningStatusGuestToolsNotRunning)
	return []types.PropertyChange{
		{Name: "guest", Val: &types.GuestInfo{
			ToolsStatus: status, ToolsVersionStatus2: string(version), ToolsRunningStatus: running,
			GuestState: string(types.VirtualMachineGuestStateNotRunning),
		}},
		{Name: "guestHeartbeatStatus", Val: types.ManagedEntityStatusGray},
		{Name: "summary.guest", Val: &types.VirtualMachineGuestSummary{
			ToolsStatus: status, ToolsVersionStatus2: string(version), ToolsRunningStatus: running,
		}},
	}
}

// cards tells the addresses of the guest by network card.
func cards(vm *simulator.VirtualMachine, addresses []string) []types.GuestNicInfo {
	var told []types.GuestNicInfo
	for _, device := range vm.Config.Hardware.Device {
		card, ok := device.(types.BaseVirtualEthernetCard)
		if !ok || len(told) == len(addresses) {
			continue
		}
		one := card.GetVirtualEthernetCard()
		address := addresses[len(told)]
		told = append(told, types.GuestNicInfo{
			MacAddress: one.MacAddress, Connected: true, DeviceConfigId: one.Key, IpAddress: []string{address},
			IpConfig: &types.NetIpConfigInfo{IpAddress: []types.NetIpConfigInfoIpAddress{{
				IpAddress: address, PrefixLength: 8, State: string(types.NetIpConfigInfoIpAddressStatusPreferred),
			}}},
		})
	}
	return told
}

// guestWatch tells of guests when the power state of their virtual machine changes.
type guestWatch struct {
	Self  types.ManagedObjectReference
	world *world
}

func (b *guestBook) watch(site *world) *guestWatch {
	return &guestWatch{types.ManagedObjectReference{Type: "GuestWatch", Value: "guest-watch"}, site}
}

func (g *guestWatch) Reference() types.ManagedObjectReference { return g.Self }

// PutObject is for those who wait for new objects.
func (g *guestWatch) PutObject(*simulator.Context, mo.Reference) {}

// RemoveObject is for those who wait until objects are gone.
func (g *guestWatch) RemoveObject(*simulator.Context, types.ManagedObjectReference) {}

// UpdateObject is called while the object is locked.
func (g *guestWatch) UpdateObject(ctx *simulator.Context, object mo.Reference, changes []types.PropertyChange) {
	vm, ok := g.world.registry().Get(object.Reference()).(*simulator.VirtualMachine)
	if !ok {
		return
	}
	for _, change := range changes {
		if change.Name != "runtime.powerState" || vm.Config == nil {
			continue
		}
		if vm.Runtime.PowerState == types.VirtualMachinePowerStatePoweredOn {
			ctx.Update(vm, leaves(g.world.guests.running(vm, 0)))
			g.world.guests.change(vm.Self, (*guest).goOn)
		} else {
			one := g.world.guests.change(vm.Self, func(one *guest) {
				one.saved = 0
				if vm.Runtime.PowerState == types.VirtualMachinePowerStateSuspended {
					one.saved = one.Boots
				}
			})
			ctx.Update(vm, append(leaves(silent(one.Tools)),
				types.PropertyChange{Name: "runtime.bootTime"},
				types.PropertyChange{Name: "summary.quickStats.uptimeSeconds", Val: int32(0)}))
		}
	}
}

// asked tells whether a guest can be asked something now: it runs, and so do its Tools.
func (e *vmExtra) asked() types.BaseMethodFault {
	if e.vm.Runtime.PowerState != types.VirtualMachinePowerStatePoweredOn {
		return &types.InvalidPowerState{
			RequestedState: types.VirtualMachinePowerStatePoweredOn, ExistingState: e.vm.Runtime.PowerState,
		}
	}
	if e.vm.Guest == nil || e.vm.Guest.ToolsRunningStatus != string(types.VirtualMachineToolsRunningStatusGuestToolsRunning) {
		return new(types.ToolsUnavailable)
	}
	return nil
}

// follow lets the guest do what it was asked for, in its own time, or not at all.
func (e *vmExtra) follow(do func(ctx *simulator.Context)) {
	obeys := false
	one := e.world.guests.change(e.Self, func(one *guest) {
		one.Requests++
		obeys = one.ObeysShutdown && one.MissedRequests == 0
		one.MissedRequests = max(0, one.MissedRequests-1)
	})
	if !obeys {
		return
	}
	go func() {
		select {
		case <-time.After(time.Duration(one.ShutdownSeconds * float64(time.Second))):
			do(e.world.context())
		case <-e.world.over:
		}
	}()
}

// ShutdownGuest asks the guest to go down.
func (e *vmExtra) ShutdownGuest(ctx *simulator.Context, _ *types.ShutdownGuest) soap.HasFault {
	e.begin(ctx)
	body := new(methods.ShutdownGuestBody)
	if failure := e.asked(); failure != nil {
		body.Fault_ = simulator.Fault("", failure)
		return body
	}
	e.follow(func(ctx *simulator.Context) { e.vm.PowerOffVMTask(ctx, &types.PowerOffVM_Task{This: e.Self}) })
	body.Res = new(types.ShutdownGuestResponse)
	return body
}

// RebootGuest asks the guest to start anew.
func (e *vmExtra) RebootGuest(ctx *simulator.Context, _ *types.RebootGuest) soap.HasFault {
	e.begin(ctx)
	body := new(methods.RebootGuestBody)
	if failure := e.asked(); failure != nil {
		body.Fault_ = simulator.Fault("", failure)
		return body
	}
	e.follow(func(ctx *simulator.Context) {
		ctx.WithLock(e.vm, func() { ctx.Update(e.vm, leaves(e.world.guests.running(e.vm, 0))) })
	})
	body.Res = new(types.RebootGuestResponse)
	return body
}

// StandbyGuest asks the guest to sleep.
func (e *vmExtra) StandbyGuest(ctx *simulator.Context, _ *types.StandbyGuest) soap.HasFault {
	e.begin(ctx)
	body := new(methods.StandbyGuestBody)
	if failure := e.asked(); failure != nil {
		body.Fault_ = simulator.Fault("", failure)
		return body
	}
	e.follow(func(ctx *simulator.Context) { e.vm.SuspendVMTask(ctx, &types.SuspendVM_Task{This: e.Self}) })
	body.Res = new(types.StandbyGuestResponse)
	return body
}

// actOnGuest changes how a guest behaves, and tells it.
func actOnGuest(site *world, arguments func(any) error) (any, error) {
	var asked struct {
		VM              string    `json:"vm"`
		Tools           *bool     `json:"tools"`
		ObeysShutdown   *bool     `json:"obeys_shutdown"`
		MissedRequests  *int      `json:"missed_requests"`
		ShutdownSeconds *float64  `json:"shutdown_seconds"`
		Hostname        *string   `json:"hostname"`
		Addresses       *[]string `json:"addresses"`
	}
	if err := arguments(&asked); err != nil {
		return nil, err
	}
	vm, err := site.findVM(asked.VM)
	if err != nil {
		return nil, err
	}
	now := site.guests.change(vm.Self, func(one *guest) {
		set(&one.Tools, asked.Tools)
		set(&one.ObeysShutdown, asked.ObeysShutdown)
		set(&one.MissedRequests, asked.MissedRequests)
		set(&one.ShutdownSeconds, asked.ShutdownSeconds)
		set(&one.Hostname, asked.Hostname)
		set(&one.Addresses, asked.Addresses)
	})
	site.locked(vm, func(ctx *simulator.Context) {
		if vm.Runtime.PowerState == types.VirtualMachinePowerStatePoweredOn {
			ctx.Update(vm, leaves(site.guests.running(vm, 60)))
			now = site.guests.change(vm.Self, func(one *guest) { one.Boots-- })
		} else if asked.Tools != nil {
			ctx.Update(vm, leaves(silent(now.Tools)))
		}
	})
	return now, nil
}

func set[T any](into *T, value *T) {
	if value != nil {
		*into = *value
	}
}
