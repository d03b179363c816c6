package main

import (
	"context"
	"crypto/sha1"
	"crypto/tls"
	"net/url"
	"reflect"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/session"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// moveAway moves a virtual machine to another vCenter, in which this one logs in as it is told to. What is on its disks is
// not carried, and one that runs is started there.
func (e *vmExtra) moveAway(spec types.VirtualMachineRelocateSpec) soap.HasFault {
	body := new(methods.RelocateVM_TaskBody)
	for name, there := range map[string]bool{
		"spec.folder": spec.Folder != nil, "spec.pool": spec.Pool != nil, "spec.datastore": spec.Datastore != nil,
	} {
		if !there {
			body.Fault_ = simulator.Fault("", &types.InvalidArgument{InvalidProperty: name})
			return body
		}
	}
	if e.vm.Config == nil {
		body.Fault_ = simulator.Fault("", new(types.InvalidState))
		return body
	}
	task := e.world.newTask(e.Self, "relocateVMTask")
	go func() {
		failure := e.carryAway(task, spec)
		task.end(nil, failure, "")
	}()
	body.Res = &types.RelocateVM_TaskResponse{Returnval: task.task.Self}
	return body
}

func (e *vmExtra) carryAway(task *longTask, spec types.VirtualMachineRelocateSpec) types.BaseMethodFault {
	ctx := context.Background()
	client, failure := logInAt(ctx, spec.Service)
	if failure != nil {
		return failure
	}
	defer func() { _ = session.NewManager(client).Logout(ctx) }()
	made, err := e.makeThere(ctx, client, spec)
	if err != nil {
		return faultOf(err)
	}
	if task.over() { // canceled
		if gone, err := made.Destroy(ctx); err == nil {
			_ = gone.Wait(ctx)
		}
		return nil
	}
	on := false
	e.world.locked(e.vm, func(here *simulator.Context) {
		on = e.vm.Runtime.PowerState == types.VirtualMachinePowerStatePoweredOn
		disks := e.ownDisks()
		here.Update(e.vm, []types.PropertyChange{
			{Name: "runtime.powerState", Val: types.VirtualMachinePowerStatePoweredOff},
			{Name: "summary.runtime.powerState", Val: types.VirtualMachinePowerStatePoweredOff},
		})
		e.vm.UnregisterVM(here, &types.UnregisterVM{This: e.Self})
		e.removeFiles(disks)
	})
	if on {
		started, err := made.PowerOn(ctx)
		if err == nil {
			err = started.Wait(ctx)
		}
		if err != nil {
			return faultOf(err)
		}
	}
	return nil
}

// logInAt logs in at another server, which has to be the one that is meant.
func logInAt(ctx context.Context, service *types.ServiceLocator) (*vim25.Client, types.BaseMethodFault) {
	where, err := soap.ParseURL(service.Url)
	who, known := service.Credential.(*types.ServiceLocatorNamePassword)
	if err != nil || !known {
		return nil, &types.InvalidArgument{InvalidProperty: "spec.service"}
	}
	if where.Scheme == "https" {
		if shown := shownThumbprint(where.Host); shown != service.SslThumbprint {
			return nil, &types.SSLVerifyFault{SelfSigned: true, Thumbprint: shown}
		}
	}
	client, err := vim25.NewClient(ctx, soap.NewClient(where, true))
	if err != nil {
		return nil, new(types.HostConnectFault)
	}
	if client.ServiceContent.About.InstanceUuid != service.InstanceUuid {
		return nil, &types.InvalidArgument{InvalidProperty: "spec.service.instanceUuid"}
	}
	if err := session.NewManager(client).Login(ctx, url.UserPassword(who.Username, who.Password)); err != nil {
		return nil, faultOf(err)
	}
	return client, nil
}

// shownThumbprint is the SHA-1 of the certificate that a server shows, nothing when there is no server.
func shownThumbprint(host string) string {
	connection, err := tls.Dial("tcp", host, &tls.Config{InsecureSkipVerify: true}) // the caller compares
	if err != nil {
		return ""
	}
	defer connection.Close()
	sum := sha1.Sum(connection.ConnectionState().PeerCertificates[0].Raw)
	return colons(sum[:])
}

func (e *vmExtra) makeThere(
	ctx context.Context, client *vim25.Client, spec types.VirtualMachineRelocateSpec,
) (*object.VirtualMachine, error) {
	store := object.NewDatastore(client, *spec.Datastore)
	name, err := store.ObjectName(ctx)
	if err != nil {
		return nil, err
	}
	var config types.VirtualMachineConfigSpec
	e.world.locked(e.vm, func(*simulator.Context) { config = e.described("["+name+"]", spec.DeviceChange) })
	var host *object.HostSystem
	if spec.Host != nil {
		host = object.NewHostSystem(client, *spec.Host)
	}
	pool := object.NewResourcePool(client, *spec.Pool)
	task, err := object.NewFolder(client, *spec.Folder).CreateVM(ctx, config, pool, host)
	if err != nil {
		return nil, err
	}
	done, err := task.WaitForResult(ctx)
	if err != nil {
		return nil, err
	}
	return object.NewVirtualMachine(client, done.Result.(types.ManagedObjectReference)), nil
}

// described is the virtual machine as a specification for another server; whoever asks holds its lock.
func (e *vmExtra) described(store string, changes []types.BaseVirtualDeviceConfigSpec) types.VirtualMachineConfigSpec {
	config := e.vm.Config
	made := types.VirtualMachineConfigSpec{
		Name: e.vm.Name, Uuid: config.Uuid, InstanceUuid: config.InstanceUuid, GuestId: config.GuestId,
		NumCPUs: config.Hardware.NumCPU, MemoryMB: int64(config.Hardware.MemoryMB), Firmware: config.Firmware,
		Annotation: config.Annotation, ExtraConfig: copyOptions(config.ExtraConfig),
		Files: &types.VirtualMachineFileInfo{VmPathName: store},
	}
	for _, device := range config.Hardware.Device {
		add := &types.VirtualDeviceConfigSpec{Operation: types.VirtualDeviceConfigSpecOperationAdd}
		switch one := device.(type) {
		case types.BaseVirtualSCSIController, *types.VirtualAHCIController, *types.VirtualNVMEController, *types.VirtualCdrom:
			add.Device = device
		case *types.VirtualDisk:
			disk := *one
			disk.Backing = &types.VirtualDiskFlatVer2BackingInfo{
				VirtualDeviceFileBackingInfo: types.VirtualDeviceFileBackingInfo{FileName: store},
				DiskMode:                     string(types.VirtualDiskModePersistent),
				ThinProvisioned:              types.NewBool(true),
			}
			add.Device, add.FileOperation = &disk, types.VirtualDeviceConfigSpecFileOperationCreate
		case types.BaseVirtualEthernetCard:
			add.Device = rewired(device, changes)
		default:
			continue
		}
		made.DeviceChange = append(made.DeviceChange, add)
	}
	return made
}

// rewired is a copy of a card on the network that a relocation puts it on.
func rewired(card types.BaseVirtualDevice, changes []types.BaseVirtualDeviceConfigSpec) types.BaseVirtualDevice {
	made := reflect.New(reflect.TypeOf(card).Elem())
	made.Elem().Set(reflect.ValueOf(card).Elem())
	device := made.Interface().(types.BaseVirtualDevice)
	for _, change := range changes {
		wanted := change.GetVirtualDeviceConfigSpec().Device.GetVirtualDevice()
		if wanted.Key == device.GetVirtualDevice().Key {
			device.GetVirtualDevice().Backing = wanted.Backing
		}
	}
	return device
}

// faultOf is what another server has refused.
func faultOf(err error) types.BaseMethodFault {
	if soap.IsSoapFault(err) {
		told := reflect.ValueOf(soap.ToSoapFault(err).VimFault())
		made := reflect.New(told.Type())
		made.Elem().Set(told)
		if failure, ok := made.Interface().(types.BaseMethodFault); ok {
			return failure
		}
	}
	return new(types.SystemError)
}
