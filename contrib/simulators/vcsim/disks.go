package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path"
	"strings"
	"sync"
	"syscall"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

const (
	grainBytes     = 64 * 1024
	inventedGrains = 16
	seekData       = 3
	seekHole       = 4
)

// diskStore keeps what is on disks: each has a sparse file beside its descriptor, as on a datastore. Disks that are
// there from the beginning get their content when somebody first asks for it.
type diskStore struct {
	seed  uint64
	mutex sync.Mutex
	keys  map[string]string // by file, what the content follows from
}

func newDiskStore(seed uint64) *diskStore {
	return &diskStore{seed: seed, keys: map[string]string{}}
}

// invent says what the content of a disk follows from.
func (s *diskStore) invent(file, key string) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.keys[file] = key
}

// forget says that the content of a file does not follow from anything any more.
func (s *diskStore) forget(file string) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	delete(s.keys, file)
}

// fill gives a disk its size, and the content that it has from the beginning.
func (s *diskStore) fill(file string, capacity int64) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	if info.Size() < capacity {
		if err := os.Truncate(file, capacity); err != nil {
			return err
		}
	}
	key, waits := s.keys[file]
	if !waits {
		return nil
	}
	delete(s.keys, file)
	out, err := os.OpenFile(file, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer out.Close()
	dice := rand.NewChaCha8(sha256.Sum256(fmt.Appendf(nil, "%d/%s", s.seed, key)))
	grains := uint64(capacity / grainBytes)
	content := make([]byte, grainBytes)
	for number := range inventedGrains {
		place := dice.Uint64() % grains
		switch number {
		case 0:
			place = 0
		case 1:
			place = grains - 1
		}
		_, _ = dice.Read(content)
		if _, err := out.WriteAt(content, int64(place)*grainBytes); err != nil {
			return err
		}
	}
	return nil
}

// localPath finds the file of "[datastore] path".
func (w *world) localPath(name string) (string, error) {
	var where object.DatastorePath
	if !where.FromString(name) {
		return "", fmt.Errorf("not a path on a datastore: %q", name)
	}
	for _, entity := range w.registry().All("Datastore") {
		if one := entity.(*simulator.Datastore); one.Name == where.Datastore {
			return path.Join(one.Summary.Url, path.Join("/", where.Path)), nil
		}
	}
	return "", fmt.Errorf("there is no datastore %q", where.Datastore)
}

// diskFile is a disk of a virtual machine with the file that has its content.
type diskFile struct {
	key      int32
	file     string
	capacity int64
}

// disksOf returns the disks of a virtual machine, filled; whoever asks holds its lock.
func (w *world) disksOf(vm *simulator.VirtualMachine) ([]diskFile, error) {
	var found []diskFile
	if vm.Config == nil {
		return nil, errors.New("its files cannot be reached")
	}
	for _, device := range vm.Config.Hardware.Device {
		disk, ok := device.(*types.VirtualDisk)
		if !ok {
			continue
		}
		backing, ok := disk.Backing.(types.BaseVirtualDeviceFileBackingInfo)
		if !ok {
			continue
		}
		file, err := w.localPath(backing.GetVirtualDeviceFileBackingInfo().FileName)
		if err != nil {
			return nil, err
		}
		one := diskFile{disk.Key, simulator.VirtualDiskBackingFileName(file), disk.CapacityInBytes}
		if err := w.disks.fill(one.file, one.capacity); err != nil {
			return nil, err
		}
		found = append(found, one)
	}
	return found, nil
}

// fillDiskAt gives the disk its content that a request for a file of a datastore is about.
func (w *world) fillDiskAt(r *http.Request) {
	if !strings.HasSuffix(r.URL.Path, "-flat.vmdk") {
		return
	}
	where := object.DatastorePath{
		Datastore: r.URL.Query().Get("dsName"), Path: strings.TrimPrefix(r.URL.Path, "/folder/"),
	}
	wanted, err := w.localPath(where.String())
	if err != nil {
		return
	}
	for _, entity := range w.registry().All("VirtualMachine") {
		vm := entity.(*simulator.VirtualMachine)
		w.locked(vm, func(*simulator.Context) {
			if vm.Config == nil {
				return
			}
			for _, one := range vm.Config.Hardware.Device {
				if file, _ := w.backingOf(one); file == wanted {
					_, _ = w.disksOf(vm)
				}
			}
		})
	}
}

// backingOf returns the file that has the content of a disk.
func (w *world) backingOf(device types.BaseVirtualDevice) (string, bool) {
	disk, ok := device.(*types.VirtualDisk)
	if !ok {
		return "", false
	}
	backing, ok := disk.Backing.(types.BaseVirtualDeviceFileBackingInfo)
	if !ok {
		return "", false
	}
	file, err := w.localPath(backing.GetVirtualDeviceFileBackingInfo().FileName)
	return simulator.VirtualDiskBackingFileName(file), err == nil
}

// eachGrain calls for each grain of a file that has anything but zeros in it.
func eachGrain(in *os.File, capacity int64, do func(place int64, content []byte) error) error {
	content := make([]byte, grainBytes)
	for place := int64(0); place < capacity; {
		begin, err := in.Seek(place, seekData)
		if errors.Is(err, syscall.ENXIO) {
			return nil
		}
		if err != nil {
			return err
		}
		end, err := in.Seek(begin, seekHole)
		if err != nil {
			return err
		}
		for place = begin / grainBytes * grainBytes; place < min(end, capacity); place += grainBytes {
			count, err := in.ReadAt(content[:min(grainBytes, capacity-place)], place)
			if err != nil && !errors.Is(err, io.EOF) {
				return err
			}
			if len(bytes.Trim(content[:count], "\x00")) == 0 {
				continue
			}
			if err := do(place, content[:count]); err != nil {
				return err
			}
		}
	}
	return nil
}

// copyDisk gives one disk the content of another.
func copyDisk(from diskFile, to string) error {
	in, err := os.Open(from.file)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	if err := out.Truncate(from.capacity); err != nil {
		return err
	}
	return eachGrain(in, from.capacity, func(place int64, content []byte) error {
		_, err := out.WriteAt(content, place)
		return err
	})
}

// actOnDisk writes as a guest does, if asked to, and tells what is on the disk.
func actOnDisk(site *world, arguments func(any) error) (any, error) {
	var asked struct {
		VM     string `json:"vm"`
		Disk   int    `json:"disk"`
		Write  string `json:"write"`
		Offset int64  `json:"offset"`
	}
	if err := arguments(&asked); err != nil {
		return nil, err
	}
	data, err := base64.StdEncoding.DecodeString(asked.Write)
	if err != nil {
		return nil, fmt.Errorf("write is not base64: %w", err)
	}
	vm, err := site.findVM(asked.VM)
	if err != nil {
		return nil, err
	}
	var all []diskFile
	site.locked(vm, func(*simulator.Context) { all, err = site.disksOf(vm) })
	if err != nil {
		return nil, err
	}
	if asked.Disk < 0 || asked.Disk >= len(all) {
		return nil, fmt.Errorf("it has %d disks", len(all))
	}
	one := all[asked.Disk]
	file, err := os.OpenFile(one.file, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if asked.Offset < 0 || asked.Offset+int64(len(data)) > one.capacity {
		return nil, fmt.Errorf("the disk has %d bytes", one.capacity)
	}
	if _, err := file.WriteAt(data, asked.Offset); err != nil {
		return nil, err
	}
	grains, written := map[string]string{}, int64(0)
	err = eachGrain(file, one.capacity, func(place int64, content []byte) error {
		sum := sha256.Sum256(content)
		grains[fmt.Sprint(place)] = hex.EncodeToString(sum[:])
		written += int64(len(content))
		return nil
	})
	return map[string]any{"virtual_size": one.capacity, "written_bytes": written, "grains": grains}, err
}
