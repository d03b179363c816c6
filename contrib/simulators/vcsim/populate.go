package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path"
	"sync"

	"github.com/google/uuid"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

const (
	makers       = 32  // virtual machines that are made at the same time
	folderHolds  = 250 // virtual machines of one folder: the library looks through all of them for each new one
	gibibyte     = 1 << 30
	standardCard = "vmxnet3"
)

var roles = []string{"web", "db", "app", "cache", "build", "mail", "queue", "proxy"}

// create makes the site's inventory.
func (w *world) create() error {
	if w.options.esx {
		w.model = simulator.ESX()
	} else {
		w.model = simulator.VPX()
		w.model.Host = 0
		w.model.ClusterHost = w.options.hosts
	}
	w.model.Machine = 0
	w.model.Datastore = 2
	about := &w.model.ServiceContent.About
	about.ApiVersion = w.options.api.api
	about.Version = w.options.api.version
	about.Build = w.options.api.build
	about.FullName = fmt.Sprintf("%s %s build-%s", about.Name, about.Version, about.Build)
	if !w.options.esx {
		about.InstanceUuid = w.invented(0, "server").String()
	}
	if err := w.model.Create(); err != nil {
		return err
	}
	w.markUplinks()
	w.registry().AddHandler(&deviceWatch{w})
	if err := w.populate(); err != nil {
		return err
	}
	w.addAutostart()
	return nil
}

// invented makes a UUID that follows from the seed.
func (w *world) invented(number int, what string) uuid.UUID {
	return uuid.NewSHA1(uuid.NameSpaceURL, fmt.Appendf(nil, "%d/%d/%s", w.options.seed, number, what))
}

// place is where virtual machines are made.
type place struct {
	folders []*simulator.Folder
	pool    types.ManagedObjectReference
	hosts   []types.ManagedObjectReference
	network types.BaseVirtualDeviceBackingInfo
}

func (w *world) populate() error {
	where, err := w.findPlace()
	if err != nil {
		return err
	}
	numbers := make(chan int)
	failures := make([]error, makers)
	var group sync.WaitGroup
	for maker := range makers {
		group.Add(1)
		go func() {
			defer group.Done()
			for number := range numbers {
				if failures[maker] == nil {
					failures[maker] = w.makeVM(where, number)
				}
			}
		}()
	}
	count := w.options.domains
	if !w.options.esx {
		count++ // the template
	}
	for number := range count {
		numbers <- number
	}
	close(numbers)
	group.Wait()
	return errors.Join(failures...)
}

// findPlace looks up where virtual machines go, and makes their folders.
func (w *world) findPlace() (*place, error) {
	registry := w.registry()
	datacenter := registry.Any("Datacenter").(*simulator.Datacenter)
	top := registry.Get(datacenter.VmFolder).(*simulator.Folder)
	where := &place{folders: []*simulator.Folder{top}}
	for _, one := range registry.All("HostSystem") {
		where.hosts = append(where.hosts, one.Reference())
	}
	where.pool = registry.Any("ResourcePool").Reference()
	if w.options.esx {
		where.network = &types.VirtualEthernetCardNetworkBackingInfo{
			VirtualDeviceDeviceBackingInfo: types.VirtualDeviceDeviceBackingInfo{DeviceName: "VM Network"},
		}
		return where, nil
	}
	group := w.anyPortgroup()
	where.network = &types.VirtualEthernetCardDistributedVirtualPortBackingInfo{
		Port: types.DistributedVirtualSwitchPortConnection{
			PortgroupKey: group.Key,
			SwitchUuid:   registry.Get(*group.Config.DistributedVirtualSwitch).(*simulator.DistributedVirtualSwitch).Uuid,
		},
	}
	where.folders = nil
	for number := range max(2, (w.options.domains+folderHolds-1)/folderHolds) {
		var answer soap.HasFault
		w.locked(top, func(ctx *simulator.Context) {
			answer = top.CreateFolder(ctx, &types.CreateFolder{This: top.Self, Name: fmt.Sprintf("team-%02d", number+1)})
		})
		if answer.Fault() != nil {
			return nil, fmt.Errorf("a folder: %s", answer.Fault().String)
		}
		ref := answer.(*methods.CreateFolderBody).Res.Returnval
		where.folders = append(where.folders, registry.Get(ref).(*simulator.Folder))
	}
	return where, nil
}

// makeVM makes one virtual machine, and lets it run if it shall.
func (w *world) makeVM(where *place, number int) error {
	dice := rand.New(rand.NewPCG(w.options.seed, uint64(number)))
	isTemplate := number == w.options.domains
	name := fmt.Sprintf("%s-%05d", roles[dice.IntN(len(roles))], number)
	if isTemplate {
		name = "template-linux"
	}
	host := where.hosts[number%len(where.hosts)]
	folder := where.folders[number%len(where.folders)]
	ctx := w.context()
	answer := folder.CreateVMTask(ctx, &types.CreateVM_Task{
		This: folder.Self, Config: w.configure(where, name, number, dice), Pool: where.pool, Host: &host,
	}).(*methods.CreateVM_TaskBody)
	task := w.registry().Get(answer.Res.Returnval).(*simulator.Task)
	task.Wait()
	if failure := task.Info.Error; failure != nil {
		return fmt.Errorf("%s: %T", name, failure.Fault)
	}
	vm := w.registry().Get(task.Info.Result.(types.ManagedObjectReference)).(*simulator.VirtualMachine)
	w.registry().Remove(ctx, task.Self)
	if isTemplate {
		w.locked(vm, func(*simulator.Context) { vm.MarkAsTemplate(&types.MarkAsTemplate{This: vm.Self}) })
		return nil
	}
	w.guests.invent(vm.Self, number, dice)
	w.inventDisks(vm, number)
	w.settle(vm, dice)
	return nil
}

// configure invents hardware.
func (w *world) configure(where *place, name string, number int, dice *rand.Rand) types.VirtualMachineConfigSpec {
	datastore := fmt.Sprintf("[LocalDS_%d]", dice.IntN(2))
	var devices object.VirtualDeviceList
	scsi, _ := devices.CreateSCSIController("pvscsi")
	ide, _ := devices.CreateIDEController()
	drive, _ := devices.CreateCdrom(ide.(*types.VirtualIDEController))
	file := datastore + " " + path.Join(name, name+".vmdk")
	disk := devices.CreateDisk(scsi.(types.BaseVirtualController), types.ManagedObjectReference{}, file)
	disk.CapacityInBytes = int64(8<<dice.IntN(4)) * gibibyte
	disk.CapacityInKB = disk.CapacityInBytes / 1024
	card, _ := devices.CreateEthernetCard(standardCard, where.network)
	devices = append(devices, scsi, drive, disk, card)
	changes, _ := devices.ConfigSpec(types.VirtualDeviceConfigSpecOperationAdd)
	return types.VirtualMachineConfigSpec{
		Name:         name,
		Uuid:         w.invented(number, "bios").String(),
		InstanceUuid: w.invented(number, "instance").String(),
		GuestId:      string(types.VirtualMachineGuestOsIdentifierDebian11_64Guest),
		NumCPUs:      int32(1 << dice.IntN(4)),
		MemoryMB:     int64(1024 << dice.IntN(4)),
		Annotation:   fmt.Sprintf("%s of team %02d", name, number%max(1, len(where.folders))+1),
		Files:        &types.VirtualMachineFileInfo{VmPathName: datastore},
		DeviceChange: changes,
	}
}

// settle gives it its power state at once: by tasks it would take far longer.
func (w *world) settle(vm *simulator.VirtualMachine, dice *rand.Rand) {
	state := types.VirtualMachinePowerStatePoweredOn
	switch chance := dice.IntN(10); {
	case chance >= 9:
		state = types.VirtualMachinePowerStateSuspended
	case chance >= 6:
		return
	}
	w.locked(vm, func(ctx *simulator.Context) {
		changes := []types.PropertyChange{
			{Name: "runtime.powerState", Val: state},
			{Name: "summary.runtime.powerState", Val: state},
		}
		if state == types.VirtualMachinePowerStatePoweredOn {
			changes = append(changes, w.guests.running(vm, dice.IntN(90*24*3600))...)
			connectDevices(vm)
		}
		ctx.Update(vm, changes)
	})
}

func (w *world) inventDisks(vm *simulator.VirtualMachine, number int) {
	for _, device := range vm.Config.Hardware.Device {
		if file, isDisk := w.backingOf(device); isDisk {
			w.disks.invent(file, fmt.Sprint(number, "/", device.GetVirtualDevice().Key))
		}
	}
}

func connectDevices(vm *simulator.VirtualMachine) {
	for _, device := range vm.Config.Hardware.Device {
		if connectable := device.GetVirtualDevice().Connectable; connectable != nil {
			connectable.Connected = connectable.StartConnected
		}
	}
}
