package main

import (
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

const realTime = 20 // seconds of the interval that hosts measure in

// figureBook has the figures that somebody has chosen for virtual machines, by counters such as "cpu.usage.average".
type figureBook struct {
	mutex  sync.Mutex
	chosen map[types.ManagedObjectReference]map[string]int64
}

func newFigureBook() *figureBook {
	return &figureBook{chosen: map[types.ManagedObjectReference]map[string]int64{}}
}

func (b *figureBook) of(vm types.ManagedObjectReference) (map[string]int64, bool) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	found, known := b.chosen[vm]
	return found, known
}

// chooseFigures chooses what is measured of a virtual machine: {} is nothing, as of one that has just been started, and
// null is as before. A figure that is chosen holds for each device that has it.
func chooseFigures(site *world, arguments func(any) error) (any, error) {
	var asked struct {
		VM     string           `json:"vm"`
		Values map[string]int64 `json:"values"`
	}
	if err := arguments(&asked); err != nil {
		return nil, err
	}
	vm, err := site.findVM(asked.VM)
	if err != nil {
		return nil, err
	}
	site.figures.mutex.Lock()
	defer site.figures.mutex.Unlock()
	if asked.Values == nil {
		delete(site.figures.chosen, vm.Self)
	} else {
		site.figures.chosen[vm.Self] = asked.Values
	}
	return asked.Values, nil
}

// QueryPerf tells figures as the library does: of each device where all are asked for, and none of what does not run.
func (e *performanceExtra) QueryPerf(ctx *simulator.Context, req *types.QueryPerf) soap.HasFault {
	e.begin(ctx)
	counters := map[int32]string{}
	for _, one := range e.manager.PerfCounter {
		counters[one.Key] = one.Name()
	}
	silent := map[types.ManagedObjectReference]bool{}
	for number := range req.QuerySpec {
		spec := &req.QuerySpec[number]
		switch one := e.world.registry().Get(spec.Entity).(type) {
		case nil:
			body := new(methods.QueryPerfBody)
			body.Fault_ = simulator.Fault("", &types.ManagedObjectNotFound{Obj: spec.Entity})
			return body
		case *simulator.VirtualMachine:
			e.world.locked(one, func(*simulator.Context) {
				on := one.Runtime.PowerState == types.VirtualMachinePowerStatePoweredOn
				silent[one.Self] = spec.IntervalId == realTime && !on
				spec.MetricId = instancesOf(one, spec.MetricId, counters)
			})
		}
	}
	answer := e.manager.QueryPerf(ctx, req).(*methods.QueryPerfBody)
	if answer.Res == nil {
		return answer
	}
	for _, one := range answer.Res.Returnval {
		vm := one.GetPerfEntityMetricBase().Entity
		chosen, known := e.world.figures.of(vm)
		if silent[vm] || (known && len(chosen) == 0) {
			silence(one)
		} else if known {
			choose(one, counters, chosen)
		}
	}
	return answer
}

// instancesOf puts devices in the place of "*".
func instancesOf(vm *simulator.VirtualMachine, asked []types.PerfMetricId, counters map[int32]string) []types.PerfMetricId {
	var found []types.PerfMetricId
	for _, one := range asked {
		names := []string{one.Instance}
		if one.Instance == "*" {
			names = deviceNames(vm, counters[one.CounterId])
		}
		for _, name := range names {
			found = append(found, types.PerfMetricId{CounterId: one.CounterId, Instance: name})
		}
	}
	return found
}

// deviceNames are the devices that have a counter; a card's counters have a sum of all beside them.
func deviceNames(vm *simulator.VirtualMachine, counter string) []string {
	names := []string{}
	disks, cards := strings.HasPrefix(counter, "virtualDisk."), strings.HasPrefix(counter, "net.")
	if !disks {
		names = append(names, "")
	}
	if vm.Config == nil {
		return names
	}
	for _, device := range vm.Config.Hardware.Device {
		switch one := device.(type) {
		case *types.VirtualDisk:
			if disks {
				unit := int32(0)
				if one.UnitNumber != nil {
					unit = *one.UnitNumber
				}
				names = append(names, fmt.Sprintf("scsi0:%d", unit))
			}
		case types.BaseVirtualEthernetCard:
			if cards {
				names = append(names, fmt.Sprint(device.GetVirtualDevice().Key))
			}
		}
	}
	return names
}

func silence(told types.BasePerfEntityMetricBase) {
	switch one := told.(type) {
	case *types.PerfEntityMetric:
		one.SampleInfo, one.Value = nil, nil
	case *types.PerfEntityMetricCSV:
		one.SampleInfoCSV, one.Value = "", nil
	}
}

func choose(told types.BasePerfEntityMetricBase, counters map[int32]string, chosen map[string]int64) {
	switch one := told.(type) {
	case *types.PerfEntityMetric:
		for _, series := range one.Value {
			row := series.(*types.PerfMetricIntSeries)
			if value, known := chosen[counters[row.Id.CounterId]]; known {
				for place := range row.Value {
					row.Value[place] = value
				}
			}
		}
	case *types.PerfEntityMetricCSV:
		for place := range one.Value {
			if value, known := chosen[counters[one.Value[place].Id.CounterId]]; known {
				one.Value[place].Value = strconv.FormatInt(value, 10)
			}
		}
	}
}
