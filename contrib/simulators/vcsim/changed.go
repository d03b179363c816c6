package main

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"sync"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// changedPart is how much of a disk one answer is about: the product, too, answers part by part.
const changedPart = 8 << 20

// everyArea is the id to ask by for all that is on a disk.
const everyArea = "*"

// trackingBook knows what change ids stand for. Ids stay when their snapshot goes, as the product's do.
type trackingBook struct {
	mutex   sync.Mutex
	begun   map[types.ManagedObjectReference]int // how often the tracking of a virtual machine has begun anew
	last    map[types.ManagedObjectReference]int
	changes map[string]changePoint
}

// changePoint is a moment in the life of a disk, from which its changes are known.
type changePoint struct {
	vm, snapshot types.ManagedObjectReference
	key          int32
	begun        int
}

func newTrackingBook() *trackingBook {
	return &trackingBook{
		begun:   map[types.ManagedObjectReference]int{},
		last:    map[types.ManagedObjectReference]int{},
		changes: map[string]changePoint{},
	}
}

// renew makes all ids of a virtual machine mean nothing.
func (b *trackingBook) renew(vm types.ManagedObjectReference) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.begun[vm]++
}

// number counts the snapshots of a virtual machine.
func (b *trackingBook) number(vm types.ManagedObjectReference) (int, int) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.last[vm]++
	return b.begun[vm], b.last[vm]
}

func (b *trackingBook) put(id string, point changePoint) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.changes[id] = point
}

// find returns what an id stands for, unless the tracking has begun anew since.
func (b *trackingBook) find(id string) (changePoint, bool) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	point, known := b.changes[id]
	return point, known && point.begun == b.begun[point.vm]
}

// track gives the disks in a snapshot's configuration the ids by which later changes are asked for, if the virtual
// machine tracks changes. Whoever asks holds its lock.
func (w *world) track(vm *simulator.VirtualMachine, ref types.ManagedObjectReference) {
	snapshot, ok := w.registry().Get(ref).(*simulator.VirtualMachineSnapshot)
	if !ok || !enabled(vm.Config.ChangeTrackingEnabled) {
		return
	}
	begun, number := w.tracking.number(vm.Self)
	devices := slices.Clone(snapshot.Config.Hardware.Device)
	for place, device := range devices {
		disk, ok := device.(*types.VirtualDisk)
		if !ok {
			continue
		}
		backing, ok := disk.Backing.(*types.VirtualDiskFlatVer2BackingInfo)
		if !ok {
			continue
		}
		ownDisk, ownBacking := *disk, *backing
		name := w.invented(begun, fmt.Sprint("tracking of ", vm.Self.Value, "/", disk.Key))
		ownBacking.ChangeId = fmt.Sprintf("% x-% x/%d", name[:8], name[8:], number)
		w.tracking.put(ownBacking.ChangeId, changePoint{vm.Self, ref, disk.Key, begun})
		ownDisk.Backing = &ownBacking
		devices[place] = &ownDisk
	}
	snapshot.Config.Hardware.Device = devices
}

// QueryChangedDiskAreas tells what of a disk differs from what it was when a snapshot was made.
func (e *vmExtra) QueryChangedDiskAreas(
	ctx *simulator.Context, req *types.QueryChangedDiskAreas,
) soap.HasFault {
	e.begin(ctx)
	body := new(methods.QueryChangedDiskAreasBody)
	found, failure := e.changedAreas(req)
	if failure != nil {
		body.Fault_ = simulator.Fault("", failure)
		return body
	}
	body.Res = &types.QueryChangedDiskAreasResponse{Returnval: *found}
	return body
}

func (e *vmExtra) changedAreas(req *types.QueryChangedDiskAreas) (*types.DiskChangeInfo, types.BaseMethodFault) {
	if e.vm.Config == nil || !enabled(e.vm.Config.ChangeTrackingEnabled) {
		return nil, &types.InvalidArgument{InvalidProperty: "changeId"}
	}
	var before []diskFile
	if req.ChangeId != everyArea {
		point, known := e.world.tracking.find(req.ChangeId)
		held := e.world.moments.find(point.snapshot)
		if !known || held == nil || point.vm != e.Self || point.key != req.DeviceKey {
			return nil, &types.FileFault{File: req.ChangeId}
		}
		before = held.disks
	}
	now, err := e.world.disksOf(e.vm)
	if err != nil {
		return nil, new(types.InvalidState)
	}
	if req.Snapshot != nil {
		held := e.world.moments.find(*req.Snapshot)
		if held == nil {
			return nil, &types.ManagedObjectNotFound{Obj: *req.Snapshot}
		}
		now = held.disks
	}
	old, new := diskWith(before, req.DeviceKey), diskWith(now, req.DeviceKey)
	if new == nil || req.StartOffset < 0 || req.StartOffset >= new.capacity {
		return nil, &types.InvalidArgument{InvalidProperty: "startOffset"}
	}
	end := min(req.StartOffset+changedPart, new.capacity)
	info := &types.DiskChangeInfo{StartOffset: req.StartOffset, Length: end - req.StartOffset}
	if info.ChangedArea, err = differing(old, new, req.StartOffset, end); err != nil {
		return nil, &types.FileFault{File: new.file}
	}
	return info, nil
}

func diskWith(disks []diskFile, key int32) *diskFile {
	for place := range disks {
		if disks[place].key == key {
			return &disks[place]
		}
	}
	return nil
}

// differing compares two disks grain by grain; where there was none before, all that has content counts.
func differing(old, new *diskFile, begin, end int64) ([]types.DiskChangeExtent, error) {
	now, err := os.Open(new.file)
	if err != nil {
		return nil, err
	}
	defer now.Close()
	var was *os.File
	if old != nil {
		if was, err = os.Open(old.file); err != nil {
			return nil, err
		}
		defer was.Close()
	}
	var areas []types.DiskChangeExtent
	one, other := make([]byte, grainBytes), make([]byte, grainBytes)
	for place := begin; place < end; place += grainBytes {
		size := min(grainBytes, end-place)
		if was != nil {
			readAt(was, other[:size], place)
		}
		readAt(now, one[:size], place)
		if bytes.Equal(one[:size], other[:size]) {
			continue
		}
		last := len(areas) - 1
		if last >= 0 && areas[last].Start+areas[last].Length == place {
			areas[last].Length += size
		} else {
			areas = append(areas, types.DiskChangeExtent{Start: place, Length: size})
		}
	}
	return areas, nil
}

// readAt reads a part of a file; what lies beyond its end is zeros.
func readAt(file *os.File, into []byte, place int64) {
	clear(into)
	_, _ = file.ReadAt(into, place)
}
