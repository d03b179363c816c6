package main

import (
	"crypto/tls"
	"fmt"
	"net/url"
	"os"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"

	_ "github.com/vmware/govmomi/pbm/simulator"  // storage policies
	_ "github.com/vmware/govmomi/vapi/simulator" // tags over REST
)

// world is the simulated site with all that stands around it.
type world struct {
	options     options
	model       *simulator.Model
	server      *simulator.Server
	identity    *identity
	control     *controlDoor
	counters    *counters
	faults      *faultList
	guests      *guestBook
	pending     *questionBook
	leases      *leaseBook
	disks       *diskStore
	moments     *momentBook
	tracking    *trackingBook
	relocations *relocationBook
	told        *toldBook
	figures     *figureBook
	summaries   *summaryBook
	fallen      fallenBook
	undoable    sync.Map      // tasks that are taken back when they are canceled, by reference
	over        chan struct{} // closed when the server ends
	closing     sync.Once
}

// newWorld makes the site and listens. The world is to be closed also when there is an error with it.
func newWorld(wanted options) (*world, error) {
	site := &world{
		options:     wanted,
		counters:    newCounters(),
		faults:      new(faultList),
		guests:      newGuestBook(),
		pending:     newQuestionBook(),
		leases:      newLeaseBook(),
		moments:     newMomentBook(),
		tracking:    newTrackingBook(),
		relocations: newRelocationBook(),
		told:        newToldBook(),
		figures:     newFigureBook(),
		summaries:   newSummaryBook(),
		over:        make(chan struct{}),
	}
	site.disks = newDiskStore(wanted.seed)
	for _, spec := range wanted.faults {
		if _, err := site.faults.add(spec); err != nil {
			return nil, err
		}
	}
	if err := site.create(); err != nil {
		return site, err
	}
	if err := site.listen(); err != nil {
		return site, err
	}
	var err error
	site.control, err = openControlDoor(site, wanted.controlPort)
	return site, err
}

func (w *world) listen() error {
	service := w.model.Service
	service.RegisterEndpoints = true
	service.Listen = &url.URL{
		Host: "127.0.0.1:0",
		User: url.UserPassword(w.options.username(), w.options.password),
	}
	if w.options.tls {
		var err error
		if w.identity, err = newIdentity("vcsim.test"); err != nil {
			return err
		}
		service.TLS = &tls.Config{Certificates: []tls.Certificate{w.identity.pair}, MinVersion: tls.VersionTLS12}
	}
	w.registry().Handler = w.extend
	w.registry().AddHandler(w.guests.watch(w))
	w.registry().AddHandler(w.summaries.watch(w))
	w.registry().AddHandler(&leaseWatch{w})
	w.server = service.NewServer()
	w.server.Config.ErrorLog = nil
	w.server.Config.Handler = &front{world: w, next: w.server.Config.Handler}
	return nil
}

// close ends the server and removes what it has stored.
func (w *world) close() {
	w.closing.Do(func() {
		close(w.over)
		if w.control != nil {
			w.control.close()
		}
		if w.server != nil {
			_ = w.server.Listener.Close()
		}
		w.moments.close()
		if w.model != nil && w.model.Service != nil {
			w.model.Remove()
		}
	})
}

// describe returns what a client needs, as the start line tells it.
func (w *world) describe() map[string]any {
	scheme := "vmware"
	if !w.options.tls {
		scheme = "vmware+http"
	}
	host := w.server.URL.Host
	_, port := w.address()
	members := []map[string]any{}
	for _, entity := range w.registry().All("HostSystem") {
		one := entity.(*simulator.HostSystem)
		members = append(members, map[string]any{
			"uuid":        one.Summary.Hardware.Uuid,
			"reference":   one.Self.Value,
			"name":        one.Name,
			"address":     "127.0.0.1",
			"port":        port,
			"fingerprint": w.identity.fingerprint(),
		})
	}
	sort.Slice(members, func(i, j int) bool { return members[i]["name"].(string) < members[j]["name"].(string) })
	return map[string]any{
		"url":         fmt.Sprintf("%s://%s@%s", scheme, url.QueryEscape(w.options.username()), host),
		"username":    w.options.username(),
		"password":    w.options.password,
		"fingerprint": w.identity.fingerprint(),
		"control":     w.control.url(),
		"members":     members,
		"pid":         os.Getpid(),
	}
}

func (w *world) registry() *simulator.Registry {
	return w.model.Map()
}

// context returns a context of its own: locks are held on behalf of one.
func (w *world) context() *simulator.Context {
	made := *w.model.Service.Context
	return &made
}

// locked does something to an object while nobody else does.
func (w *world) locked(object mo.Reference, do func(*simulator.Context)) {
	ctx := w.context()
	ctx.WithLock(object, func() { do(ctx) })
}

// sessions returns those of the SOAP API.
func (w *world) sessions() []types.UserSession {
	ctx := w.context()
	manager := ctx.Session.Get(w.registry().SessionManager().Self)
	return manager.(*simulator.SessionManager).SessionList
}

func (w *world) endSession(key string) {
	ctx := w.context()
	w.registry().SessionManager().TerminateSession(ctx, &types.TerminateSession{SessionId: []string{key}})
}

func (w *world) showSessions() []map[string]any {
	shown := []map[string]any{}
	for _, one := range w.sessions() {
		shown = append(shown, map[string]any{
			"session":    one.Key,
			"username":   one.UserName,
			"user_agent": one.UserAgent,
			"login":      one.LoginTime.Format(time.RFC3339Nano),
			"calls":      one.CallCount,
		})
	}
	return shown
}

func (w *world) showTasks() []map[string]any {
	shown := []map[string]any{}
	for _, one := range w.registry().AllReference("Task") {
		task, ok := one.(*simulator.Task)
		if !ok {
			continue
		}
		w.locked(task, func(*simulator.Context) {
			shown = append(shown, map[string]any{
				"task":  task.Self.Value,
				"name":  strings.TrimSuffix(task.Info.Name, "_Task"),
				"state": task.Info.State,
			})
		})
	}
	return shown
}
