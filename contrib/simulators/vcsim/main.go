// Command vcsim stands in for a vCenter server or an ESXi host, for tests without a hypervisor.
//
// It prints one line of JSON when it listens, and ends on SIGTERM or when its standard input closes.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
)

// memoryLimit is where garbage is collected more often, in bytes.
const memoryLimit = 1 << 30

func main() {
	os.Exit(run(os.Args[1:]))
}

func run(arguments []string) int {
	// Large answers are made of much that is thrown away at once: collecting it seldom leaves the time to the answers.
	debug.SetGCPercent(400)
	debug.SetMemoryLimit(memoryLimit)
	// The library logs each refusal; a refusal is what many tests are about.
	log.SetOutput(io.Discard)
	wanted, err := parseOptions(arguments)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	// Taken before anything is made, so that an early signal does not leave files behind.
	over := make(chan os.Signal, 2)
	signal.Notify(over, syscall.SIGTERM, syscall.SIGINT)
	place, err := openHome()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	defer place.close()
	site, err := newWorld(wanted)
	if site != nil {
		defer site.close()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	line, err := json.Marshal(site.describe())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	fmt.Println(string(line))
	if !wanted.detached {
		go watchInput(over)
	}
	<-over
	return 0
}

// watchInput waits until whoever started this is gone.
func watchInput(over chan<- os.Signal) {
	_, _ = io.Copy(io.Discard, os.Stdin)
	over <- syscall.SIGTERM
}
