package main

import (
	"fmt"
	"net/http"
	"os"
	"runtime/debug"
	"sync"
)

// fallenBook keeps the objects at which a call has fallen over: their locks are held for ever, so that further calls of
// theirs are refused instead of waiting.
type fallenBook struct{ objects sync.Map }

// serve answers a call, also one that falls over.
func (b *fallenBook) serve(w *answer, r *http.Request, call soapCall, route http.HandlerFunc) {
	if call.this == "" {
		route(w, r)
		return
	}
	if name, fallen := b.objects.Load(call.this); fallen {
		writeFallen(w, call, name.(string))
		return
	}
	defer func() {
		failure := recover()
		if failure == nil {
			return
		}
		if failure == http.ErrAbortHandler {
			panic(failure)
		}
		fmt.Fprintf(os.Stderr, "%s of %s: %v\n%s", call.method, call.this, failure, debug.Stack())
		b.objects.Store(call.this, call.method)
		if w.size > 0 {
			panic(http.ErrAbortHandler)
		}
		writeFallen(w, call, call.method)
	}()
	route(w, r)
}

func writeFallen(w http.ResponseWriter, call soapCall, method string) {
	message := fmt.Sprintf("the simulator itself failed at %s of %s: see what it has written", method, call.this)
	writeFault(w, call, fault{code: "SystemError", message: message})
}
