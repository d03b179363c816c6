package main

import (
	"bytes"
	"encoding/xml"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/vmware/govmomi/vim25/soap"
)

const betweenBytes = 10 * time.Millisecond // of an answer that trickles

// front sees each request first: it counts, makes it late, and lets go wrong what shall go wrong.
type front struct {
	world *world
	next  http.Handler
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := handlerPath(r.URL.Path)
	name, query := r.URL.Path, r.URL.RawQuery
	switch path {
	case "/nfc", "/folder": // what follows is invented anew each time, or belongs to one virtual machine
		name = path
	}
	call := soapCall{}
	if r.Method == http.MethodPost && isSDK(r.URL.Path) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		f.world.counters.moved(path, 0, int64(len(body)))
		call = readSOAPCall(body)
		name = call.method
		if name == "ReconfigVM_Task" {
			body = markNoNotes(body)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
	} else {
		r.Body = &countedBody{ReadCloser: r.Body, counters: f.world.counters, name: path}
	}
	f.world.counters.call(name)
	met := f.world.faults.take(name, name+"?"+query, r.Method+" "+name)
	answer := &answer{ResponseWriter: w, action: met.action}
	f.pause(r, f.world.options.latency)
	if f.before(answer, r, call, met) {
		f.world.fallen.serve(answer, r, call, f.route)
	}
	f.world.counters.moved(path, answer.size, 0)
	answer.finish(r)
	if met.action == taskVanish {
		f.world.vanishTaskOf(answer.body.Bytes())
	}
}

// route answers what the library has no handler for, or not a good one.
func (f *front) route(w http.ResponseWriter, r *http.Request) {
	switch {
	case isNewerDialect(r):
		serveNewerDialect(w, r, f.next)
	case r.URL.Path == "/screen":
		f.world.serveScreen(w, r)
	case strings.HasPrefix(r.URL.Path, "/nfc/") && f.world.serveLease(w, r, f.next):
	case strings.HasPrefix(r.URL.Path, "/folder/") && f.world.refusesFolder(w, r):
	default:
		f.next.ServeHTTP(w, r)
	}
}

// before does what a fault does before the call, and tells whether there is still something to answer.
func (f *front) before(w *answer, r *http.Request, call soapCall, met fault) bool {
	switch met.action {
	case dropBefore:
		cut(w.ResponseWriter)
	case http401, http403, http404, http500:
		status := httpErrors[met.action]
		http.Error(w, http.StatusText(status), status)
		return false
	case freeze:
		f.pause(r, 24*time.Hour)
		cut(w.ResponseWriter)
	case slow:
		f.pause(r, met.delay)
	case sessionExpired:
		if cookie, err := r.Cookie(soap.SessionCookieName); err == nil {
			f.world.endSession(strings.Trim(cookie.Value, `"`))
		}
	case productError:
		writeFault(w, call, met)
		return false
	case taskError, taskSlow:
		return !f.world.answerByTask(w, r, f.next, call, met)
	}
	return true
}

// pause waits, but not for a client that has gone, nor longer than the server lives.
func (f *front) pause(r *http.Request, duration time.Duration) {
	if duration <= 0 {
		return
	}
	timer := time.NewTimer(duration)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.Context().Done():
	case <-f.world.over:
	}
}

// answer holds an answer of the SDK back until it is whole, and cuts or delays it as a fault asks.
type answer struct {
	http.ResponseWriter
	action string
	body   bytes.Buffer
	size   int64
	status int
}

func (a *answer) held() bool {
	switch a.action {
	case dropAfter, halfAnswer, trickle, taskVanish:
		return true
	}
	return false
}

func (a *answer) WriteHeader(status int) {
	a.status = status
	if !a.held() {
		a.ResponseWriter.WriteHeader(status)
	}
}

func (a *answer) Write(data []byte) (int, error) {
	a.size += int64(len(data))
	if a.held() {
		return a.body.Write(data)
	}
	return a.ResponseWriter.Write(data)
}

// finish sends what was held back, or a part of it.
func (a *answer) finish(r *http.Request) {
	if !a.held() {
		return
	}
	if a.action == dropAfter {
		cut(a.ResponseWriter)
	}
	if a.status != 0 {
		a.ResponseWriter.WriteHeader(a.status)
	}
	switch data := a.body.Bytes(); a.action {
	case halfAnswer:
		_, _ = a.ResponseWriter.Write(data[:len(data)/2])
		_ = http.NewResponseController(a.ResponseWriter).Flush()
		cut(a.ResponseWriter)
	case trickle:
		for place := range data {
			if r.Context().Err() != nil {
				return
			}
			_, _ = a.ResponseWriter.Write(data[place : place+1])
			_ = http.NewResponseController(a.ResponseWriter).Flush()
			time.Sleep(betweenBytes)
		}
	default:
		_, _ = a.ResponseWriter.Write(data)
	}
}

// cut ends the connection without a goodbye, and the handler with it.
func cut(w http.ResponseWriter) {
	if connection, _, err := http.NewResponseController(w).Hijack(); err == nil {
		if secure, ok := connection.(interface{ NetConn() net.Conn }); ok {
			connection = secure.NetConn()
		}
		_ = connection.Close()
	}
	panic(http.ErrAbortHandler)
}

// countedBody counts what comes from a client.
type countedBody struct {
	io.ReadCloser
	counters *counters
	name     string
}

func (b *countedBody) Read(into []byte) (int, error) {
	count, err := b.ReadCloser.Read(into)
	b.counters.moved(b.name, 0, int64(count))
	return count, err
}

// handlerPath is the first part of a path: what serves it.
func handlerPath(path string) string {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return "/" + first
}

// isSDK tells whether a path takes calls in SOAP.
func isSDK(path string) bool {
	switch handlerPath(path) {
	case "/sdk", "/pbm", "/sms", "/vsanHealth", "/lookupservice", "/sso-adminserver":
		return true
	}
	return false
}

// soapCall is what is called of whom.
type soapCall struct {
	method string
	this   string
	kind   string
}

// readSOAPCall reads as much of an envelope as it takes to know what is called.
func readSOAPCall(envelope []byte) soapCall {
	call := soapCall{method: "(not SOAP)"}
	decoder := xml.NewDecoder(bytes.NewReader(envelope))
	inBody := false
	for {
		token, err := decoder.Token()
		if err != nil {
			return call
		}
		start, ok := token.(xml.StartElement)
		switch {
		case !ok:
		case !inBody:
			inBody = start.Name.Local == "Body"
		case start.Name.Local == "_this":
			for _, attribute := range start.Attr {
				if attribute.Name.Local == "type" {
					call.kind = attribute.Value
				}
			}
			if decoder.DecodeElement(&call.this, &start) != nil {
				call.this = ""
			}
			return call
		default:
			call.method = start.Name.Local
		}
	}
}
