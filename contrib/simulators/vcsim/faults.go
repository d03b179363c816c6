package main

import (
	"fmt"
	"math"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/vmware/govmomi/vim25/types"
)

// The actions of faults, with what each does to a call.
const (
	dropBefore     = "drop-before" // the connection is cut, nothing is done
	dropAfter      = "drop-after"  // it is done, the connection is cut instead of an answer
	halfAnswer     = "half-answer" // it is done, the connection is cut in the middle of the answer
	http401        = "http-401"    // nothing is done, an error of HTTP
	http403        = "http-403"
	http404        = "http-404"
	http500        = "http-500"
	slow           = "slow"            // it is done some seconds later
	trickle        = "trickle"         // it is done, the answer comes byte by byte
	freeze         = "freeze"          // nothing is done, no answer comes
	sessionExpired = "session-expired" // the session of the call ends before it is done
	taskVanish     = "task-vanish"     // the task of the call is gone, its work goes on
	taskError      = "task-error"      // nothing is done, the task of the call fails with an error of the product
	taskSlow       = "task-slow"       // the task of the call begins its work some seconds later
	productError   = "error"           // nothing is done, an error of the product
)

var faultActions = []string{
	dropBefore, dropAfter, halfAnswer, http401, http403, http404, http500, slow, trickle, freeze, sessionExpired,
	taskVanish, taskError, taskSlow, productError,
}

var httpErrors = map[string]int{
	http401: http.StatusUnauthorized,
	http403: http.StatusForbidden,
	http404: http.StatusNotFound,
	http500: http.StatusInternalServerError,
}

var faultSpec = regexp.MustCompile(`(?s)^([^:]+):([a-z0-9-]+)(?:=(.*?))?(?::(\d+))?$`)

// fault is what happens to one call.
type fault struct {
	action  string
	delay   time.Duration
	code    string
	message string
}

// rule is a fault for all calls that a pattern fits.
type rule struct {
	spec    string
	pattern string
	fault   fault
	left    int // how often it still happens; below zero for always
	taken   int
}

func (r *rule) show() map[string]any {
	shown := map[string]any{"spec": r.spec, "left": nil, "taken": r.taken}
	if r.left >= 0 {
		shown["left"] = r.left
	}
	return shown
}

// parseFault reads METHOD:ACTION[:TIMES].
func parseFault(spec string) (*rule, error) {
	parts := faultSpec.FindStringSubmatchIndex(spec)
	if parts == nil {
		return nil, fmt.Errorf(
			"not a fault: %q; it is written METHOD:ACTION[:TIMES], as PowerOnVM_Task:drop-before:1", spec)
	}
	group := func(number int) (string, bool) {
		if parts[2*number] < 0 {
			return "", false
		}
		return spec[parts[2*number]:parts[2*number+1]], true
	}
	made := &rule{spec: spec, left: -1}
	made.pattern, _ = group(1)
	if _, err := path.Match(made.pattern, ""); err != nil {
		return nil, fmt.Errorf("not a pattern: %q in %q", made.pattern, spec)
	}
	if times, given := group(4); given {
		count, err := strconv.Atoi(times)
		if err != nil || count == 0 {
			return nil, fmt.Errorf("a fault that happens no time: %q", spec)
		}
		made.left = count
	}
	action, _ := group(2)
	argument, given := group(3)
	var err error
	made.fault, err = parseAction(spec, action, argument, given)
	return made, err
}

func parseAction(spec, action, argument string, given bool) (fault, error) {
	made := fault{action: action}
	if !slices.Contains(faultActions, action) {
		return made, fmt.Errorf("no such action: %q in %q; there are %s", action, spec, strings.Join(faultActions, ", "))
	}
	switch action {
	case slow, taskSlow:
		seconds, err := strconv.ParseFloat(argument, 64)
		if err != nil || seconds < 0 || math.IsInf(seconds, 0) || math.IsNaN(seconds) {
			return made, fmt.Errorf("%s needs seconds: %q; it is written %s=0.5", action, spec, action)
		}
		made.delay = time.Duration(seconds * float64(time.Second))
	case productError, taskError:
		made.code, made.message, _ = strings.Cut(argument, ",")
		if _, err := methodFault(made.code, types.ManagedObjectReference{}); err != nil {
			return made, fmt.Errorf("%w: %q; it is written %s=NoPermission,message", err, spec, action)
		}
	default:
		if given {
			return made, fmt.Errorf("%s takes nothing after it: %q", action, spec)
		}
	}
	return made, nil
}

// faultList has the faults that the server makes now.
type faultList struct {
	mutex sync.Mutex
	rules []*rule
}

// add takes one more; those that are there already come first.
func (l *faultList) add(spec string) (map[string]any, error) {
	made, err := parseFault(spec)
	if err != nil {
		return nil, err
	}
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.rules = append(l.rules, made)
	return made.show(), nil
}

// take returns what happens to a call that goes by these names, and counts it: ask once for each call.
func (l *faultList) take(names ...string) fault {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	for _, one := range l.rules {
		met := slices.ContainsFunc(names, func(name string) bool { return fits(one.pattern, name) })
		if one.left == 0 || !met {
			continue
		}
		one.taken++
		if one.left > 0 {
			one.left--
		}
		return one.fault
	}
	return fault{}
}

// fits compares as a shell does, but for the slash, which is a character as any other.
func fits(pattern, name string) bool {
	hide := strings.NewReplacer("/", "\x00")
	matched, err := path.Match(hide.Replace(pattern), hide.Replace(name))
	return err == nil && matched
}

func (l *faultList) clear() {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.rules = nil
}

func (l *faultList) show() []map[string]any {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	shown := make([]map[string]any, 0, len(l.rules))
	for _, one := range l.rules {
		shown = append(shown, one.show())
	}
	return shown
}
