package main

import (
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// options are what the command line asks for.
type options struct {
	domains     int
	hosts       int
	seed        uint64
	latency     time.Duration
	api         release
	esx         bool
	tls         bool
	password    string
	faults      []string
	controlPort int
	detached    bool
}

// release is what a server says about itself.
type release struct {
	api     string
	version string
	build   string
}

var releases = map[string]release{
	"6.5": {"6.5", "6.5.0", "5973321"},
	"6.7": {"6.7.3", "6.7.0", "14367737"},
	"7.0": {"7.0.3.0", "7.0.3", "18778458"},
	"8.0": {"8.0.2.0", "8.0.2", "22385739"},
}

func parseOptions(arguments []string) (options, error) {
	found := options{}
	set := flag.NewFlagSet("vcsim", flag.ContinueOnError)
	var seconds float64
	var api string
	var plain bool
	set.IntVar(&found.domains, "domains", 50, "`N` virtual machines beside templates")
	set.IntVar(&found.hosts, "hosts", 1, "`N` hosts of the cluster")
	set.Uint64Var(&found.seed, "seed", 1, "`N` that all that is invented follows from")
	set.Float64Var(&seconds, "latency", 0, "`SECONDS` by which each answer is late")
	set.StringVar(&api, "api", "8.0", "`VERSION` of the API: 6.5, 6.7, 7.0 or 8.0")
	set.BoolVar(&found.esx, "esx", false, "an ESXi host instead of a vCenter server")
	set.BoolVar(&plain, "no-tls", false, "listen without TLS")
	set.StringVar(&found.password, "password", "correct horse battery staple", "`TEXT` of the administrator's password")
	set.IntVar(&found.controlPort, "control-port", 0, "`N`, port of the control door, 0 for any")
	set.BoolVar(&found.detached, "detached", false, "stay when the standard input closes")
	set.Func("fault", "`METHOD:ACTION[:TIMES]`, repeatable", func(text string) error {
		found.faults = append(found.faults, text)
		return nil
	})
	if err := set.Parse(arguments); err != nil {
		return found, err
	}
	if set.NArg() > 0 {
		return found, fmt.Errorf("no such argument: %s", set.Arg(0))
	}
	var known bool
	if found.api, known = releases[api]; !known {
		all := strings.Join(slices.Sorted(maps.Keys(releases)), ", ")
		return found, fmt.Errorf("no API version that is known here: %q; there are %s", api, all)
	}
	found.tls = !plain
	found.latency = time.Duration(seconds * float64(time.Second))
	return found, found.check(seconds)
}

func (o options) check(latency float64) error {
	switch {
	case o.domains < 0:
		return fmt.Errorf("out of range: --domains %d; it is at least 0", o.domains)
	case o.hosts < 1:
		return fmt.Errorf("out of range: --hosts %d; it is at least 1", o.hosts)
	case o.esx && o.hosts != 1:
		return fmt.Errorf("an ESXi host is one host: --hosts %d", o.hosts)
	case !(latency >= 0 && latency < 3600):
		return fmt.Errorf("not a number from zero on: --latency %v", latency)
	case o.controlPort < 0 || o.controlPort > 65535:
		return fmt.Errorf("out of range: --control-port %d; it is from 0 to 65535", o.controlPort)
	case o.password == "":
		return fmt.Errorf("the password is empty")
	}
	return nil
}

// username is the administrator's.
func (o options) username() string {
	if o.esx {
		return "root"
	}
	return "administrator@vsphere.local"
}
