package main

import (
	"bytes"
	"context"
	"encoding/xml"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// longTask is a task that holds no lock while it waits, unlike the library's own, so that everybody can look at what
// it works on.
type longTask struct {
	world     *world
	task      *simulator.Task
	undo      func(result types.AnyType) // takes back what was made, when the task has been canceled
	cancelled atomic.Bool
}

// taskExtra lets tasks that make something take it back before they end as canceled.
type taskExtra struct {
	extra
	task *simulator.Task
}

// CancelTask asks a task to end; one that takes back what it made ends later.
func (e *taskExtra) CancelTask(ctx *simulator.Context, req *types.CancelTask) soap.HasFault {
	e.begin(ctx)
	found, known := e.world.undoable.Load(e.Self)
	if !known {
		return e.task.CancelTask(ctx, req)
	}
	found.(*longTask).cancelled.Store(true)
	ctx.Update(e.task, []types.PropertyChange{{Name: "info.cancelled", Val: true}})
	return &methods.CancelTaskBody{Res: new(types.CancelTaskResponse)}
}

// undoneBy makes a task one that is taken back when it is canceled.
func (t *longTask) undoneBy(undo func(result types.AnyType)) {
	t.undo = undo
	t.world.undoable.Store(t.task.Self, t)
}

// newTask makes a task that runs from now on.
func (w *world) newTask(entity types.ManagedObjectReference, name string) *longTask {
	task := simulator.CreateTask(entity, name, nil)
	now := time.Now()
	task.Info.State = types.TaskInfoStateRunning
	task.Info.StartTime = &now
	task.Info.Cancelable = true
	task.Info.Key = ""
	made := &longTask{world: w, task: task}
	w.registry().Put(task)
	w.locked(task, func(ctx *simulator.Context) {
		ctx.Update(task, []types.PropertyChange{
			{Name: "info.key", Val: task.Self.Value},
			{Name: "info.task", Val: task.Self},
		})
	})
	return made
}

// over tells whether the task has ended: somebody may have canceled it.
func (t *longTask) over() bool {
	var state types.TaskInfoState
	t.world.locked(t.task, func(*simulator.Context) { state = t.task.Info.State })
	return state == types.TaskInfoStateSuccess || state == types.TaskInfoStateError
}

// end says how it went, unless that has been said.
func (t *longTask) end(result types.AnyType, failure types.BaseMethodFault, message string) {
	changes := []types.PropertyChange{
		{Name: "info.completeTime", Val: time.Now()},
		{Name: "info.state", Val: types.TaskInfoStateSuccess},
		{Name: "info.result", Val: result},
	}
	if failure != nil {
		changes[1].Val = types.TaskInfoStateError
		changes[2] = types.PropertyChange{
			Name: "info.error",
			Val:  types.LocalizedMethodFault{Fault: failure, LocalizedMessage: message},
		}
	}
	if t.over() {
		return
	}
	t.world.locked(t.task, func(ctx *simulator.Context) { ctx.Update(t.task, changes) })
}

// endAs ends as another task has ended, once it has.
func (t *longTask) endAs(inner types.ManagedObjectReference, then func(result types.AnyType)) {
	done, ok := t.world.registry().Get(inner).(*simulator.Task)
	if !ok {
		t.end(nil, &types.ManagedObjectNotFound{Obj: inner}, "")
		return
	}
	defer t.world.undoable.Delete(t.task.Self)
	info, ended := t.world.infoOf(done)
	for ; !ended; info, ended = t.world.infoOf(done) {
		time.Sleep(2 * time.Millisecond)
	}
	if info.Error != nil {
		t.end(nil, info.Error.Fault, info.Error.LocalizedMessage)
		return
	}
	if then != nil {
		then(info.Result)
	}
	if t.undo != nil && t.cancelled.Load() {
		t.undo(info.Result)
		t.end(nil, new(types.RequestCanceled), "The task was canceled by a user")
		return
	}
	t.end(info.Result, nil, "")
}

// infoOf returns what is told of a task, and whether it has ended.
func (w *world) infoOf(task *simulator.Task) (types.TaskInfo, bool) {
	var info types.TaskInfo
	w.locked(task, func(*simulator.Context) { info = task.Info })
	return info, info.State == types.TaskInfoStateSuccess || info.State == types.TaskInfoStateError
}

// vanishTaskOf takes the task of an answer away; its work goes on.
func (w *world) vanishTaskOf(answer []byte) {
	if ref, found := taskOf(answer); found {
		w.registry().Remove(w.context(), ref)
	}
}

// answerByTask answers a call with a task that fails, or one that begins later. Calls that make no task are left to
// others: it tells whether it has answered.
func (w *world) answerByTask(out http.ResponseWriter, r *http.Request, next http.Handler, call soapCall, met fault) bool {
	if !strings.HasSuffix(call.method, "_Task") || call.this == "" {
		return false
	}
	name := strings.TrimSuffix(call.method, "_Task")
	entity := types.ManagedObjectReference{Type: call.kind, Value: call.this}
	made := w.newTask(entity, strings.ToLower(name[:1])+name[1:]+"Task")
	if met.action == taskError {
		failure, err := methodFault(met.code, entity)
		if err != nil {
			return false
		}
		made.end(nil, failure, met.message)
	} else {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return false
		}
		later := r.Clone(context.Background())
		later.Body = io.NopCloser(bytes.NewReader(body))
		go w.doLater(made, later, next, met.delay)
	}
	writeTask(out, call.method, made.task.Self)
	return true
}

// doLater does a call after a while, and ends the task as it went.
func (w *world) doLater(outer *longTask, r *http.Request, next http.Handler, delay time.Duration) {
	select {
	case <-time.After(delay):
	case <-w.over:
		return
	}
	if outer.over() {
		return
	}
	leave := w.enterAgain(r, next)
	defer leave()
	recorder := httptest.NewRecorder()
	next.ServeHTTP(recorder, r)
	if inner, found := taskOf(recorder.Body.Bytes()); found {
		outer.endAs(inner, nil)
		return
	}
	outer.end(nil, new(types.SystemError), "the call was refused: "+recorder.Body.String())
}

// enterAgain gives a request a session of the server's own if its session has ended: work that was begun goes on. It
// returns what ends that one.
func (w *world) enterAgain(r *http.Request, next http.Handler) func() {
	cookie, err := r.Cookie(soap.SessionCookieName)
	if err != nil || w.hasSession(strings.Trim(cookie.Value, `"`)) {
		return func() {}
	}
	send := func(body string) *http.Response {
		call := r.Clone(context.Background())
		call.Body = io.NopCloser(strings.NewReader(
			`<Envelope xmlns="http://schemas.xmlsoap.org/soap/envelope/"><Body>` + body + `</Body></Envelope>`))
		recorder := httptest.NewRecorder()
		next.ServeHTTP(recorder, call)
		return recorder.Result()
	}
	manager := `<_this type="SessionManager">` + w.registry().SessionManager().Self.Value + `</_this>`
	var password strings.Builder
	_ = xml.EscapeText(&password, []byte(w.options.password))
	r.Header.Del("Cookie")
	answer := send(`<Login xmlns="urn:vim25">` + manager + `<userName>` + w.options.username() + `</userName><password>` +
		password.String() + `</password></Login>`)
	for _, one := range answer.Cookies() {
		r.AddCookie(one)
	}
	return func() { send(`<Logout xmlns="urn:vim25">` + manager + `</Logout>`) }
}

func (w *world) hasSession(key string) bool {
	return slices.ContainsFunc(w.sessions(), func(one types.UserSession) bool { return one.Key == key })
}
