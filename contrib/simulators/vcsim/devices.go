package main

import (
	"reflect"
	"slices"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// deviceWatch gives each new virtual machine standard devices of its own before anything is added to them. The library
// shares them between all virtual machines: their controllers list what is on those of all, so that reading them
// costs the square of their number, and two machines that are made at the same time write to the same list.
type deviceWatch struct{ world *world }

func (d *deviceWatch) Reference() types.ManagedObjectReference {
	return types.ManagedObjectReference{Type: "DeviceWatch", Value: "device-watch"}
}

// PutObject is called while nobody else knows the virtual machine.
func (d *deviceWatch) PutObject(_ *simulator.Context, object mo.Reference) {
	if vm, ok := object.(*simulator.VirtualMachine); ok && vm.Config != nil {
		vm.Config.Hardware.Device = ownDevices(vm.Config.Hardware.Device)
	}
}

// UpdateObject is for those who follow changes.
func (d *deviceWatch) UpdateObject(*simulator.Context, mo.Reference, []types.PropertyChange) {}

// RemoveObject is for those who wait until objects are gone.
func (d *deviceWatch) RemoveObject(*simulator.Context, types.ManagedObjectReference) {}

func ownDevices(shared []types.BaseVirtualDevice) []types.BaseVirtualDevice {
	made := make([]types.BaseVirtualDevice, 0, len(shared))
	for _, one := range shared {
		own := reflect.New(reflect.TypeOf(one).Elem())
		own.Elem().Set(reflect.ValueOf(one).Elem())
		device := own.Interface().(types.BaseVirtualDevice)
		if controller, ok := device.(types.BaseVirtualController); ok {
			inner := controller.GetVirtualController()
			inner.Device = slices.Clone(inner.Device)
		}
		made = append(made, device)
	}
	return made
}
