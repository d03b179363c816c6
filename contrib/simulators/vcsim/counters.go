package main

import (
	"maps"
	"sync"
)

// counters count calls by method or path, and payload by the path that it went over.
type counters struct {
	mutex    sync.Mutex
	calls    map[string]int64
	sent     map[string]int64
	received map[string]int64
}

func newCounters() *counters {
	made := new(counters)
	made.reset()
	return made
}

// call counts a call. Those that meet a fault count, too.
func (c *counters) call(name string) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.calls[name]++
}

// moved counts bytes to a client and from it.
func (c *counters) moved(name string, sent, received int64) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if sent > 0 {
		c.sent[name] += sent
	}
	if received > 0 {
		c.received[name] += received
	}
}

func (c *counters) reset() {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.calls, c.sent, c.received = map[string]int64{}, map[string]int64{}, map[string]int64{}
}

// show returns a copy of one of the three.
func (c *counters) show(which func(*counters) map[string]int64) map[string]int64 {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return maps.Clone(which(c))
}
