package main

import (
	"slices"
	"strings"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

const autostartSeconds = 120 // between two starts, and two ends, as hosts are delivered

// autostartManager says which virtual machines of a host go up and down with it.
type autostartManager struct {
	mo.HostAutoStartManager

	world *world
	host  *simulator.HostSystem
}

// addAutostart gives each host a manager, and lets machines that leave a host leave its sequence.
func (w *world) addAutostart() {
	for _, entity := range w.registry().All("HostSystem") {
		host := entity.(*simulator.HostSystem)
		made := &autostartManager{world: w, host: host}
		made.Self = types.ManagedObjectReference{Type: "HostAutoStartManager", Value: "ha-autostart-mgr"}
		if !w.options.esx {
			made.Self.Value = "autoStartManager-" + strings.TrimPrefix(host.Self.Value, "host-")
		}
		made.Config.Defaults = &types.AutoStartDefaults{
			Enabled: types.NewBool(false), StartDelay: autostartSeconds, StopDelay: autostartSeconds,
			WaitForHeartbeat: types.NewBool(false), StopAction: string(types.AutoStartActionPowerOff),
		}
		w.registry().Put(made)
		w.locked(host, func(ctx *simulator.Context) {
			host.ConfigManager.AutoStartManager = &made.Self
			made.tell(ctx, made.Config)
		})
	}
	w.registry().AddHandler(&autostartWatch{w})
}

// tell changes what the manager and its host say; whoever asks holds the host's lock.
func (m *autostartManager) tell(ctx *simulator.Context, now types.HostAutoStartManagerConfig) {
	ctx.Update(m, []types.PropertyChange{{Name: "config", Val: now}})
	ctx.Update(m.host, []types.PropertyChange{{Name: "config.autoStart", Val: &now}})
}

// ReconfigureAutostart changes what is asked for and leaves all else as it is.
func (m *autostartManager) ReconfigureAutostart(ctx *simulator.Context, req *types.ReconfigureAutostart) soap.HasFault {
	body := new(methods.ReconfigureAutostartBody)
	ctx.WithLock(m.host, func() {
		now := types.HostAutoStartManagerConfig{Defaults: m.defaults(req.Spec.Defaults)}
		now.PowerInfo = slices.Clone(m.Config.PowerInfo)
		for _, entry := range req.Spec.PowerInfo {
			if failure := m.refuses(entry); failure != nil {
				body.Fault_ = simulator.Fault("", failure)
				return
			}
			now.PowerInfo = slices.DeleteFunc(now.PowerInfo, func(one types.AutoStartPowerInfo) bool { return one.Key == entry.Key })
			now.PowerInfo = append(now.PowerInfo, entry)
		}
		m.tell(ctx, now)
		body.Res = new(types.ReconfigureAutostartResponse)
	})
	return body
}

func (m *autostartManager) defaults(asked *types.AutoStartDefaults) *types.AutoStartDefaults {
	now := *m.Config.Defaults
	if asked == nil {
		return &now
	}
	if asked.Enabled != nil {
		now.Enabled = asked.Enabled
	}
	if asked.WaitForHeartbeat != nil {
		now.WaitForHeartbeat = asked.WaitForHeartbeat
	}
	if asked.StartDelay != 0 {
		now.StartDelay = asked.StartDelay
	}
	if asked.StopDelay != 0 {
		now.StopDelay = asked.StopDelay
	}
	if asked.StopAction != "" {
		now.StopAction = asked.StopAction
	}
	return &now
}

// refuses tells what is wrong with an entry: a host knows the machines that are on it alone.
func (m *autostartManager) refuses(entry types.AutoStartPowerInfo) types.BaseMethodFault {
	known := func(action string, but ...types.AutoStartAction) bool {
		return slices.ContainsFunc(types.AutoStartAction("").Values(), func(one types.AutoStartAction) bool {
			return strings.EqualFold(string(one), action) && !slices.Contains(but, one)
		})
	}
	ends := []types.AutoStartAction{
		types.AutoStartActionPowerOff, types.AutoStartActionGuestShutdown, types.AutoStartActionSuspend,
	}
	switch {
	case !slices.Contains(m.host.Vm, entry.Key):
		return &types.InvalidArgument{InvalidProperty: "spec.powerInfo.key"}
	case entry.StartOrder == 0 || entry.StartOrder < -1:
		return &types.InvalidArgument{InvalidProperty: "spec.powerInfo.startOrder"}
	case entry.StartDelay < -1:
		return &types.InvalidArgument{InvalidProperty: "spec.powerInfo.startDelay"}
	case entry.StopDelay < -1:
		return &types.InvalidArgument{InvalidProperty: "spec.powerInfo.stopDelay"}
	case !known(entry.StartAction, ends...):
		return &types.InvalidArgument{InvalidProperty: "spec.powerInfo.startAction"}
	case !known(entry.StopAction, types.AutoStartActionPowerOn):
		return &types.InvalidArgument{InvalidProperty: "spec.powerInfo.stopAction"}
	}
	return nil
}

// forget takes a virtual machine out of the sequence, unless it is on this host.
func (m *autostartManager) forget(ctx *simulator.Context, vm types.ManagedObjectReference, now *types.ManagedObjectReference) {
	if now != nil && *now == m.host.Self {
		return
	}
	ctx.WithLock(m.host, func() {
		rest := m.Config
		rest.PowerInfo = slices.DeleteFunc(slices.Clone(rest.PowerInfo), func(one types.AutoStartPowerInfo) bool {
			return one.Key == vm
		})
		if len(rest.PowerInfo) != len(m.Config.PowerInfo) {
			m.tell(ctx, rest)
		}
	})
}

// autostartWatch follows virtual machines that leave their host.
type autostartWatch struct{ world *world }

func (a *autostartWatch) Reference() types.ManagedObjectReference {
	return types.ManagedObjectReference{Type: "AutostartWatch", Value: "autostart-watch"}
}

// PutObject is for those who wait for new objects.
func (a *autostartWatch) PutObject(*simulator.Context, mo.Reference) {}

// UpdateObject follows moves.
func (a *autostartWatch) UpdateObject(ctx *simulator.Context, object mo.Reference, changes []types.PropertyChange) {
	vm, found := a.world.registry().Get(object.Reference()).(*simulator.VirtualMachine)
	for _, change := range changes {
		if found && change.Name == "runtime.host" {
			a.forget(ctx, vm.Self, vm.Runtime.Host)
		}
	}
}

// RemoveObject follows those that are gone.
func (a *autostartWatch) RemoveObject(ctx *simulator.Context, ref types.ManagedObjectReference) {
	if ref.Type == "VirtualMachine" {
		a.forget(ctx, ref, nil)
	}
}

func (a *autostartWatch) forget(ctx *simulator.Context, vm types.ManagedObjectReference, now *types.ManagedObjectReference) {
	for _, one := range a.world.registry().AllReference("HostAutoStartManager") {
		if manager, ok := one.(*autostartManager); ok {
			manager.forget(ctx, vm, now)
		}
	}
}
