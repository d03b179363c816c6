package main

import (
	"fmt"
	"os"
	"path"
	"regexp"
	"strings"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/types"
)

var notInFiles = regexp.MustCompile(`[/\\:*?"<>|%\[\]\x00-\x1f\x7f]`)

// plainName is a name as people know it: escapes in it are read, as the product reads them.
func plainName(name string) string {
	return strings.NewReplacer("%25", "%", "%2f", "/", "%2F", "/", "%5c", "\\", "%5C", "\\").Replace(name)
}

// placeFiles chooses a directory of its own for a new virtual machine, and files for its new disks, where the client
// names only datastores: after its name, with a number behind it where there is one already.
func (w *world) placeFiles(config *types.VirtualMachineConfigSpec) {
	var home object.DatastorePath
	if !home.FromString(config.Files.VmPathName) || home.Path != "" {
		return
	}
	name := notInFiles.ReplaceAllString(plainName(config.Name), "_")
	directory := w.freeDirectory(home.Datastore, name)
	config.Files.VmPathName = fmt.Sprintf("[%s] %s/%s.vmx", home.Datastore, directory, name)
	elsewhere := map[string]string{home.Datastore: directory}
	number := 0
	for _, change := range config.DeviceChange {
		spec := change.GetVirtualDeviceConfigSpec()
		disk, ok := spec.Device.(*types.VirtualDisk)
		if !ok || spec.FileOperation != types.VirtualDeviceConfigSpecFileOperationCreate {
			continue
		}
		backing, ok := disk.Backing.(types.BaseVirtualDeviceFileBackingInfo)
		if !ok {
			continue
		}
		info, where := backing.GetVirtualDeviceFileBackingInfo(), object.DatastorePath{}
		where.FromString(info.FileName)
		if where.Path != "" {
			continue
		}
		if where.Datastore == "" {
			where.Datastore = home.Datastore
		}
		if _, known := elsewhere[where.Datastore]; !known {
			elsewhere[where.Datastore] = w.freeDirectory(where.Datastore, name)
		}
		file := name
		if number > 0 {
			file = fmt.Sprintf("%s_%d", name, number)
		}
		number++
		info.FileName = fmt.Sprintf("[%s] %s/%s.vmdk", where.Datastore, elsewhere[where.Datastore], file)
		if local, err := w.localPath(info.FileName); err == nil {
			_ = os.MkdirAll(path.Dir(local), 0o700)
		}
	}
}

// freeDirectory returns a name that no directory of a datastore has.
func (w *world) freeDirectory(datastore, name string) string {
	for number := 0; ; number++ {
		directory := name
		if number > 0 {
			directory = fmt.Sprintf("%s_%d", name, number)
		}
		local, err := w.localPath(fmt.Sprintf("[%s] %s", datastore, directory))
		if err != nil {
			return directory
		}
		if _, err := os.Stat(local); err != nil {
			return directory
		}
	}
}
