package main

import (
	"fmt"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// Snapshots leave the disks that a virtual machine has as they are, and give it disks that lie on them. Here a disk that
// lies on another one has all of its content, so that each file can be read by itself.

type flatBacking = types.VirtualDiskFlatVer2BackingInfo

var endOfDisk = regexp.MustCompile(`(-\d{6})?\.vmdk$`)

// inSnapshots returns the disk and its backing, if snapshots have a part of it.
func inSnapshots(device types.BaseVirtualDevice) (*types.VirtualDisk, *flatBacking) {
	disk, ok := device.(*types.VirtualDisk)
	if !ok {
		return nil, nil
	}
	backing, ok := disk.Backing.(*flatBacking)
	if !ok || strings.HasPrefix(backing.DiskMode, "independent") {
		return nil, nil
	}
	return disk, backing
}

// branch makes a disk that lies on another one, with content.
func (w *world) branch(disk *types.VirtualDisk, backing *flatBacking, content diskFile) (*types.VirtualDisk, error) {
	below, err := w.localPath(backing.FileName)
	if err != nil {
		return nil, err
	}
	descriptor, err := readDescriptor(below)
	if err != nil {
		return nil, err
	}
	own, ownBacking := *disk, *backing
	own.Backing, ownBacking.Parent, ownBacking.ChangeId = &ownBacking, backing, ""
	for number := 1; ; number++ {
		end := fmt.Sprintf("-%06d.vmdk", number)
		file := endOfDisk.ReplaceAllLiteralString(below, end)
		if _, err := os.Stat(file); err == nil {
			continue
		}
		ownBacking.FileName = endOfDisk.ReplaceAllLiteralString(backing.FileName, end)
		made := &storedDisk{descriptor: descriptor, file: file, content: content}
		if err := made.describe(file); err != nil {
			return nil, err
		}
		return &own, copyDisk(content, simulator.VirtualDiskBackingFileName(file))
	}
}

// branchAll gives devices disks that lie on those that they are, with what is kept of them.
func (w *world) branchAll(devices []types.BaseVirtualDevice, kept []diskFile) ([]types.BaseVirtualDevice, error) {
	devices = slices.Clone(devices)
	for place, device := range devices {
		disk, backing := inSnapshots(device)
		if disk == nil {
			continue
		}
		content := diskWith(kept, disk.Key)
		if content == nil {
			continue
		}
		made, err := w.branch(disk, backing, *content)
		if err != nil {
			return nil, err
		}
		devices[place] = made
	}
	return devices, nil
}

// removeDisk removes the files of a disk.
func (w *world) removeDisk(name string) {
	if file, err := w.localPath(name); err == nil {
		flat := simulator.VirtualDiskBackingFileName(file)
		w.disks.forget(flat)
		_, _ = os.Remove(file), os.Remove(flat)
	}
}

// removeBranches removes the disks on top of what a virtual machine has been reverted from.
func (w *world) removeBranches(vm *simulator.VirtualMachine, former []types.BaseVirtualDevice) {
	used := w.chainsOf(vm)
	for _, device := range former {
		if disk, backing := inSnapshots(device); disk != nil && backing.Parent != nil && used.backings[backing.FileName] == nil {
			w.removeDisk(backing.FileName)
		}
	}
}

// chains are the disks of a virtual machine and its snapshots by name, with what each lies on.
type chains struct {
	backings map[string]*flatBacking
	below    map[string]string
	needed   map[string]bool // because a snapshot or the machine has it, or it is somebody else's
}

func (w *world) chainsOf(vm *simulator.VirtualMachine) *chains {
	made := &chains{map[string]*flatBacking{}, map[string]string{}, map[string]bool{}}
	made.add(vm.Config.Hardware.Device)
	for _, one := range w.snapshotsOf(vm) {
		made.add(one.Config.Hardware.Device)
	}
	return made
}

func (w *world) snapshotsOf(vm *simulator.VirtualMachine) []*simulator.VirtualMachineSnapshot {
	var found []*simulator.VirtualMachineSnapshot
	for _, ref := range w.registry().AllReference("VirtualMachineSnapshot") {
		if one, ok := ref.(*simulator.VirtualMachineSnapshot); ok && one.Vm == vm.Self {
			found = append(found, one)
		}
	}
	return found
}

func (c *chains) add(devices []types.BaseVirtualDevice) {
	for _, device := range devices {
		disk, at := inSnapshots(device)
		if disk == nil {
			continue
		}
		c.needed[at.FileName] = true
		for ; at != nil; at = at.Parent {
			c.backings[at.FileName] = at
			if at.Parent == nil {
				break
			}
			c.below[at.FileName] = at.Parent.FileName
			if path.Dir(at.Parent.FileName) != path.Dir(at.FileName) {
				c.needed[at.Parent.FileName] = true
			}
		}
	}
}

// above returns the disks that lie on one.
func (c *chains) above(name string) []string {
	var found []string
	for one, below := range c.below {
		if below == name {
			found = append(found, one)
		}
	}
	return found
}

// consolidate merges disks that no snapshot needs any more into what they lie on. It is told which disks there were
// before snapshots were removed. Whoever asks holds the lock of the virtual machine.
func (w *world) consolidate(ctx *simulator.Context, vm *simulator.VirtualMachine, before *chains) {
	needed, renamed := w.chainsOf(vm).needed, map[string]string{}
	for goesOn := true; goesOn; {
		goesOn = false
		for name := range before.backings {
			above := before.above(name)
			switch {
			case needed[name]:
				continue
			case len(above) == 0 && before.below[name] != "":
				w.removeDisk(name)
			case len(above) == 1:
				if w.merge(above[0], name) != nil {
					continue
				}
				for _, one := range before.above(above[0]) {
					before.below[one] = name
				}
				for old, now := range renamed {
					if now == above[0] {
						renamed[old] = name
					}
				}
				renamed[above[0]], needed[name] = name, needed[above[0]]
				delete(before.below, above[0])
				delete(before.backings, above[0])
				goesOn = true
				continue
			default:
				continue
			}
			delete(before.below, name)
			delete(before.backings, name)
			goesOn = true
		}
	}
	w.rename(ctx, vm, renamed, nil)
}

// merge gives a disk the content of the one that lies on it.
func (w *world) merge(above, below string) error {
	from, err := w.localPath(above)
	if err != nil {
		return err
	}
	to, err := w.localPath(below)
	if err != nil {
		return err
	}
	if err := os.Rename(simulator.VirtualDiskBackingFileName(from), simulator.VirtualDiskBackingFileName(to)); err != nil {
		return err
	}
	return os.Remove(from)
}

// rename lets a virtual machine and its snapshots tell of disks by their new names.
func (w *world) rename(
	ctx *simulator.Context, vm *simulator.VirtualMachine, names map[string]string, datastore *types.ManagedObjectReference,
) {
	if len(names) == 0 {
		return
	}
	for _, one := range w.snapshotsOf(vm) {
		w.locked(one, func(*simulator.Context) {
			one.Config.Hardware.Device = withNames(one.Config.Hardware.Device, names, datastore)
		})
		if held := w.moments.find(one.Self); held != nil {
			held.hardware.Device = withNames(held.hardware.Device, names, datastore)
		}
	}
	devices := withNames(vm.Config.Hardware.Device, names, datastore)
	ctx.Update(vm, []types.PropertyChange{{Name: "config.hardware.device", Val: devices}})
}

func withNames(
	devices []types.BaseVirtualDevice, names map[string]string, datastore *types.ManagedObjectReference,
) []types.BaseVirtualDevice {
	devices = slices.Clone(devices)
	for place, device := range devices {
		disk, ok := device.(*types.VirtualDisk)
		if !ok {
			continue
		}
		if backing, ok := disk.Backing.(*flatBacking); ok {
			own := *disk
			own.Backing = chainWith(backing, names, datastore)
			devices[place] = &own
		}
	}
	return devices
}

func chainWith(at *flatBacking, names map[string]string, datastore *types.ManagedObjectReference) *flatBacking {
	if at == nil {
		return nil
	}
	made := *at
	if name, renamed := names[at.FileName]; renamed {
		made.FileName = name
		if datastore != nil {
			made.Datastore = datastore
		}
	}
	made.Parent = chainWith(at.Parent, names, datastore)
	for made.Parent != nil && made.Parent.FileName == made.FileName { // it has been merged into it
		made.Parent = made.Parent.Parent
	}
	return &made
}
