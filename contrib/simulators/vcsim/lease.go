package main

import (
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

const leaseSeconds = 300 // unless somebody wants them to be shorter

// exportLease lets somebody read the disks of a virtual machine for a while.
type exportLease struct {
	mo.HttpNfcLease

	world    *world
	disks    map[string]diskFile // by the name at the end of the URL
	mutex    sync.Mutex
	deadline time.Time
	ended    bool
	manifest []types.HttpNfcLeaseManifestEntry

	vm      types.ManagedObjectReference // whose lease it is, if it is one on all of it
	session string
	task    *longTask
}

// leaseBook knows the leases that are there: who reads and writes needs no session, the URL is the secret.
type leaseBook struct {
	mutex    sync.Mutex
	exports  map[string]*exportLease
	imports  map[string]*importLease
	duration time.Duration
	address  leaseAddress
}

// leaseAddress is where exports send their clients, and which certificate they announce; nil for the truth.
type leaseAddress struct {
	Server     *string `json:"server"`
	Thumbprint *string `json:"thumbprint"`
}

func newLeaseBook() *leaseBook {
	return &leaseBook{
		exports: map[string]*exportLease{}, imports: map[string]*importLease{}, duration: leaseSeconds * time.Second,
	}
}

// lasting is how long leases last now.
func (b *leaseBook) lasting() time.Duration {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.duration
}

// announced returns where exports send their clients now, and to which certificate.
func (b *leaseBook) announced(server, thumbprint string) (string, string) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if b.address.Server != nil {
		server = *b.address.Server
	}
	if b.address.Thumbprint != nil {
		thumbprint = *b.address.Thumbprint
	}
	return server, thumbprint
}

// misleadExports is the action lease-address: a host that cannot be reached, or one with another certificate.
func misleadExports(site *world, arguments func(any) error) (any, error) {
	var asked leaseAddress
	if err := arguments(&asked); err != nil {
		return nil, err
	}
	site.leases.mutex.Lock()
	defer site.leases.mutex.Unlock()
	site.leases.address = asked
	return nil, nil
}

func (b *leaseBook) find(id string) (*exportLease, *importLease) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.exports[id], b.imports[id]
}

// ExportVm begins the export of a virtual machine that is off. The name of the call ends as the product writes it.
func (e *vmExtra) ExportVm(ctx *simulator.Context, _ *types.ExportVm) soap.HasFault { //nolint:revive
	e.begin(ctx)
	body := new(methods.ExportVmBody)
	if e.vm.Runtime.PowerState != types.VirtualMachinePowerStatePoweredOff {
		body.Fault_ = simulator.Fault("", &types.InvalidPowerState{
			RequestedState: types.VirtualMachinePowerStatePoweredOff, ExistingState: e.vm.Runtime.PowerState,
		})
		return body
	}
	disks, err := e.world.disksOf(e.vm)
	if err != nil {
		body.Fault_ = simulator.Fault(err.Error(), new(types.InvalidState))
		return body
	}
	made := e.world.lease(ctx, e.vm, disks)
	made.holds(ctx, e.Self)
	body.Res = &types.ExportVmResponse{Returnval: made.Self}
	return body
}

// lease makes a lease, which is ready a little later.
func (w *world) lease(ctx *simulator.Context, vm *simulator.VirtualMachine, disks []diskFile) *exportLease {
	made := &exportLease{world: w, disks: map[string]diskFile{}}
	made.Self = types.ManagedObjectReference{Type: "HttpNfcLease", Value: uuid.NewString()}
	made.State = types.HttpNfcLeaseStateInitializing
	made.Mode = string(types.HttpNfcLeaseModePushOrGet)
	made.Capabilities = types.HttpNfcLeaseCapabilities{PullModeSupported: true, CorsSupported: true}
	lasting := w.leases.lasting()
	made.deadline = time.Now().Add(lasting)
	host, port := w.address()
	if w.options.esx {
		host = "*" // the client knows where it has found the host
	}
	info := &types.HttpNfcLeaseInfo{Lease: made.Self, Entity: vm.Self, LeaseTimeout: int32(lasting / time.Second)}
	thumbprint, _ := w.identity.thumbprints()
	server, thumbprint := w.leases.announced(fmt.Sprintf("%s:%d", host, port), thumbprint)
	scheme := "https"
	if !w.options.tls {
		scheme = "http"
	}
	for number, disk := range disks {
		name := fmt.Sprintf("disk-%d.vmdk", number)
		made.disks[name] = disk
		info.TotalDiskCapacityInKB += disk.capacity / 1024
		info.DeviceUrl = append(info.DeviceUrl, types.HttpNfcLeaseDeviceUrl{
			Key:           fmt.Sprintf("/%s/VirtualSCSIController0:%d", vm.Self.Value, number),
			ImportKey:     fmt.Sprintf("/%s/VirtualSCSIController0:%d", vm.Name, number),
			Url:           fmt.Sprintf("%s://%s/nfc/%s/%s", scheme, server, made.Self.Value, name),
			SslThumbprint: thumbprint,
			Disk:          types.NewBool(true),
			TargetId:      name,
		})
	}
	ctx.Session.Put(made)
	w.leases.mutex.Lock()
	w.leases.exports[made.Self.Value] = made
	w.leases.mutex.Unlock()
	go w.expire(made.Self.Value, made.until, made.runOut)
	go func() {
		time.Sleep(20 * time.Millisecond)
		w.locked(made, func(ctx *simulator.Context) {
			ctx.Update(made, []types.PropertyChange{
				{Name: "info", Val: info}, {Name: "state", Val: types.HttpNfcLeaseStateReady},
				{Name: "initializeProgress", Val: int32(100)},
			})
		})
	}()
	return made
}

// HttpNfcLeaseProgress keeps the lease for another while.
func (l *exportLease) HttpNfcLeaseProgress(ctx *simulator.Context, req *types.HttpNfcLeaseProgress) soap.HasFault {
	body := new(methods.HttpNfcLeaseProgressBody)
	if l.over() != nil {
		body.Fault_ = simulator.Fault("", new(types.Timedout))
		return body
	}
	lasting := l.world.leases.lasting()
	l.mutex.Lock()
	l.deadline = time.Now().Add(lasting)
	l.mutex.Unlock()
	ctx.Update(l, []types.PropertyChange{{Name: "transferProgress", Val: req.Percent}})
	body.Res = new(types.HttpNfcLeaseProgressResponse)
	return body
}

// HttpNfcLeaseComplete ends the lease: it has served its purpose.
func (l *exportLease) HttpNfcLeaseComplete(ctx *simulator.Context, _ *types.HttpNfcLeaseComplete) soap.HasFault {
	l.end(ctx)
	return &methods.HttpNfcLeaseCompleteBody{Res: new(types.HttpNfcLeaseCompleteResponse)}
}

// HttpNfcLeaseAbort ends the lease: what is being read ends, too.
func (l *exportLease) HttpNfcLeaseAbort(ctx *simulator.Context, _ *types.HttpNfcLeaseAbort) soap.HasFault {
	l.end(ctx)
	return &methods.HttpNfcLeaseAbortBody{Res: new(types.HttpNfcLeaseAbortResponse)}
}

// HttpNfcLeaseGetManifest tells the checksums of what has been read.
func (l *exportLease) HttpNfcLeaseGetManifest(*simulator.Context, *types.HttpNfcLeaseGetManifest) soap.HasFault {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return &methods.HttpNfcLeaseGetManifestBody{Res: &types.HttpNfcLeaseGetManifestResponse{Returnval: l.manifest}}
}

func (l *exportLease) end(ctx *simulator.Context) {
	l.mutex.Lock()
	l.ended = true
	l.mutex.Unlock()
	l.release(nil)
	ctx.Update(l, []types.PropertyChange{{Name: "state", Val: types.HttpNfcLeaseStateDone}})
	ctx.Session.Remove(ctx, l.Self)
	l.world.leases.mutex.Lock()
	defer l.world.leases.mutex.Unlock()
	delete(l.world.leases.exports, l.Self.Value)
}

func (l *exportLease) until() time.Time {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.deadline
}

// runOut tells that nobody has kept the lease.
func (l *exportLease) runOut() {
	l.release(new(types.Timedout))
	l.world.locked(l, func(ctx *simulator.Context) {
		ctx.Update(l, []types.PropertyChange{
			{Name: "state", Val: types.HttpNfcLeaseStateError},
			{Name: "error", Val: &types.LocalizedMethodFault{
				Fault: new(types.Timedout), LocalizedMessage: "the lease has run out",
			}},
		})
	})
}

var errLeaseOver = errors.New("the lease is over")

func (l *exportLease) over() error {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if l.ended || time.Now().After(l.deadline) {
		return errLeaseOver
	}
	return nil
}

// serveLease answers reading by an export lease, and keeps what comes by an import lease.
func (w *world) serveLease(out http.ResponseWriter, r *http.Request, next http.Handler) bool {
	parts := strings.Split(strings.TrimPrefix(r.URL.Path, "/nfc/"), "/")
	if len(parts) != 2 {
		return false
	}
	exported, imported := w.leases.find(parts[0])
	switch {
	case exported != nil:
		exported.serve(out, r, parts[1])
		return true
	case imported != nil && (r.Method == http.MethodPut || r.Method == http.MethodPost):
		w.keep(out, r, next, imported, parts[1])
		return true
	}
	return false
}

func (l *exportLease) serve(out http.ResponseWriter, r *http.Request, name string) {
	disk, known := l.disks[name]
	if !known || l.over() != nil {
		http.NotFound(out, r)
		return
	}
	if r.Method != http.MethodGet {
		http.Error(out, "Method Not Allowed", http.StatusMethodNotAllowed)
		return
	}
	sum := sha1.New()
	size := new(countWriter)
	out.Header().Set("Content-Type", "application/octet-stream")
	err := writeStream(io.MultiWriter(out, sum, size), disk.file, disk.capacity, name, l.over)
	if err != nil {
		cut(out)
	}
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.manifest = append(l.manifest, types.HttpNfcLeaseManifestEntry{
		Key: name, Sha1: hex.EncodeToString(sum.Sum(nil)), Size: int64(*size), Disk: true,
		Capacity: disk.capacity,
	})
}

type countWriter int64

func (c *countWriter) Write(data []byte) (int, error) {
	*c += countWriter(len(data))
	return len(data), nil
}

// ImportVApp begins an import as the library does it, and remembers the lease.
func (e *poolExtra) ImportVApp(ctx *simulator.Context, req *types.ImportVApp) soap.HasFault {
	e.begin(ctx)
	answer := e.pool.ImportVApp(ctx, req)
	body, ok := answer.(*methods.ImportVAppBody)
	if !ok || body.Res == nil {
		return answer
	}
	if made, ok := ctx.Session.Get(body.Res.Returnval).(*simulator.HttpNfcLease); ok {
		e.world.addImport(made)
	}
	return answer
}

// keep stores an uploaded disk; the library only sums it up.
func (w *world) keep(
	out http.ResponseWriter, r *http.Request, next http.Handler, lease *importLease, name string,
) {
	var target *diskFile
	if lease.Info != nil {
		if vm, ok := w.registry().Get(lease.Info.Entity).(*simulator.VirtualMachine); ok {
			w.locked(vm, func(*simulator.Context) { target = w.diskNamed(vm, name) })
		}
	}
	if target == nil {
		next.ServeHTTP(out, r)
		return
	}
	reader, writer := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := readStream(reader, target.file, target.capacity)
		_, _ = io.Copy(io.Discard, reader)
		done <- err
	}()
	r.Body = struct {
		io.Reader
		io.Closer
	}{io.TeeReader(r.Body, writer), r.Body}
	recorder := &statusOnly{header: http.Header{}}
	next.ServeHTTP(recorder, r)
	_ = writer.Close()
	if err := <-done; err != nil {
		w.failImport(lease, new(types.SystemError), err.Error())
		http.Error(out, err.Error(), http.StatusInternalServerError)
		return
	}
	out.WriteHeader(max(recorder.status, http.StatusOK))
}

// diskNamed finds the disk whose file has a name.
func (w *world) diskNamed(vm *simulator.VirtualMachine, name string) *diskFile {
	disks, err := w.disksOf(vm)
	if err != nil {
		return nil
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
		var where object.DatastorePath
		where.FromString(backing.GetVirtualDeviceFileBackingInfo().FileName)
		for place := range disks {
			if disks[place].key == disk.Key && path.Base(where.Path) == name {
				return &disks[place]
			}
		}
	}
	return nil
}

// statusOnly takes an answer of which only the status matters.
type statusOnly struct {
	header http.Header
	status int
}

func (s *statusOnly) Header() http.Header            { return s.header }
func (s *statusOnly) Write(data []byte) (int, error) { return len(data), nil }
func (s *statusOnly) WriteHeader(status int)         { s.status = status }
