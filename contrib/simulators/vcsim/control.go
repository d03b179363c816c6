package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"
)

// controlDoor is plain HTTP and JSON on the loopback interface, for tests that look at the server or disturb it.
// Whoever asks for nonsense gets 400 or 404 and {"error": text}.
type controlDoor struct {
	world    *world
	listener net.Listener
	server   *http.Server
}

func openControlDoor(site *world, port int) (*controlDoor, error) {
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return nil, err
	}
	door := &controlDoor{world: site, listener: listener}
	door.server = &http.Server{Handler: door, ReadHeaderTimeout: time.Minute}
	go func() { _ = door.server.Serve(listener) }()
	return door, nil
}

func (d *controlDoor) url() string {
	return "http://" + d.listener.Addr().String()
}

func (d *controlDoor) close() {
	limit, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = d.server.Shutdown(limit)
}

// errNotThere is an error that is answered with 404.
var errNotThere = errors.New("not there")

func (d *controlDoor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	status := http.StatusOK
	answer, err := d.answer(r)
	if err != nil {
		status = http.StatusBadRequest
		if errors.Is(err, errNotThere) {
			status = http.StatusNotFound
		}
		answer = map[string]string{"error": strings.TrimSuffix(err.Error(), ": "+errNotThere.Error())}
	}
	body, err := json.Marshal(answer)
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(`{"error": "the answer cannot be written as JSON"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

func (d *controlDoor) answer(r *http.Request) (any, error) {
	site := d.world
	name, isAction := strings.CutPrefix(r.URL.Path, "/actions/")
	switch route := r.Method + " " + r.URL.Path; {
	case route == "GET /counts":
		return site.counters.show(func(c *counters) map[string]int64 { return c.calls }), nil
	case route == "POST /counts/reset":
		site.counters.reset()
		return nil, nil
	case route == "GET /bytes":
		return site.counters.show(func(c *counters) map[string]int64 { return c.sent }), nil
	case route == "GET /bytes/received":
		return site.counters.show(func(c *counters) map[string]int64 { return c.received }), nil
	case route == "GET /sessions":
		return site.showSessions(), nil
	case route == "GET /tasks":
		return site.showTasks(), nil
	case route == "GET /faults":
		return site.faults.show(), nil
	case route == "DELETE /faults":
		site.faults.clear()
		return nil, nil
	case route == "POST /faults":
		return d.addFault(r)
	case r.Method == http.MethodPost && isAction:
		return d.act(name, r)
	}
	return nil, fmt.Errorf("nothing at %s %s: %w", r.Method, r.URL.Path, errNotThere)
}

func (d *controlDoor) addFault(r *http.Request) (any, error) {
	var asked struct {
		Spec *string `json:"spec"`
	}
	if err := readJSON(r, &asked); err != nil {
		return nil, err
	}
	if asked.Spec == nil {
		return nil, errors.New(`a fault is given as {"spec": "METHOD:ACTION[:TIMES]"}`)
	}
	return d.world.faults.add(*asked.Spec)
}

func (d *controlDoor) act(name string, r *http.Request) (any, error) {
	action, known := actions[name]
	if !known {
		all := strings.Join(slices.Sorted(maps.Keys(actions)), ", ")
		return nil, fmt.Errorf("no action %s; there are %s: %w", name, all, errNotThere)
	}
	answer, err := action(d.world, func(into any) error { return readJSON(r, into) })
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return answer, nil
}

// readJSON reads a body that is one object, with no names but those that are known.
func readJSON(r *http.Request, into any) error {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	text := strings.TrimSpace(string(body))
	if text == "" {
		text = "{}"
	}
	if !strings.HasPrefix(text, "{") {
		return errors.New("the body is not a JSON object")
	}
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return fmt.Errorf("the body is not what is asked for: %w", err)
	}
	return nil
}
