package main

import (
	"strings"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

const uplinkTag = "SYSTEM/DVS.UPLINKPG"

// markUplinks marks the groups of ports that lead out of distributed switches: no virtual machine belongs there.
func (w *world) markUplinks() {
	for _, entity := range w.registry().All("DistributedVirtualPortgroup") {
		group := entity.(*simulator.DistributedVirtualPortgroup)
		group.Config.Uplink = types.NewBool(strings.Contains(group.Name, "-DVUplinks"))
		if !*group.Config.Uplink {
			continue
		}
		group.Tag = []types.Tag{{Key: uplinkTag}}
		vswitch := w.registry().Get(*group.Config.DistributedVirtualSwitch).(*simulator.DistributedVirtualSwitch)
		vswitch.Config.GetDVSConfigInfo().UplinkPortgroup = []types.ManagedObjectReference{group.Self}
	}
}

// anyPortgroup returns a group of ports that virtual machines may be at.
func (w *world) anyPortgroup() *simulator.DistributedVirtualPortgroup {
	var found *simulator.DistributedVirtualPortgroup
	for _, entity := range w.registry().All("DistributedVirtualPortgroup") {
		group := entity.(*simulator.DistributedVirtualPortgroup)
		if !*group.Config.Uplink && (found == nil || group.Name < found.Name) {
			found = group
		}
	}
	return found
}
