package main

import (
	"fmt"
	"sync"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

type checkerExtra struct{ extra }

// relocationBook knows what checks of relocations shall find.
type relocationBook struct {
	mutex  sync.Mutex
	errors map[types.ManagedObjectReference]types.LocalizedMethodFault
}

func newRelocationBook() *relocationBook {
	return &relocationBook{errors: map[types.ManagedObjectReference]types.LocalizedMethodFault{}}
}

// CheckRelocateTask tells what stands in the way of a relocation: the task succeeds, and its result has the errors.
func (e *checkerExtra) CheckRelocateTask(ctx *simulator.Context, req *types.CheckRelocate_Task) soap.HasFault {
	e.begin(ctx)
	ref := e.untied(ctx, "checkRelocate", func() (types.AnyType, types.BaseMethodFault) {
		vm, ok := e.world.registry().Get(req.Vm).(*simulator.VirtualMachine)
		if !ok {
			return nil, &types.ManagedObjectNotFound{Obj: req.Vm}
		}
		found := types.CheckResult{Vm: &req.Vm, Host: req.Spec.Host, Error: e.world.obstacles(vm, &req.Spec)}
		return types.ArrayOfCheckResult{CheckResult: []types.CheckResult{found}}, nil
	})
	return &methods.CheckRelocate_TaskBody{Res: &types.CheckRelocate_TaskResponse{Returnval: ref}}
}

func (w *world) obstacles(
	vm *simulator.VirtualMachine, spec *types.VirtualMachineRelocateSpec,
) []types.LocalizedMethodFault {
	var found []types.LocalizedMethodFault
	w.relocations.mutex.Lock()
	if one, known := w.relocations.errors[vm.Self]; known {
		found = append(found, one)
	}
	w.relocations.mutex.Unlock()
	if spec.Service != nil {
		return found
	}
	w.locked(vm, func(ctx *simulator.Context) {
		asked := &vmExtra{extra{Self: vm.Self, world: w}, vm}
		if failure := asked.relocatable(spec); failure != nil {
			found = append(found, types.LocalizedMethodFault{Fault: failure, LocalizedMessage: fmt.Sprintf("%T", failure)})
		}
	})
	return found
}

// chooseObstacle says what checks of relocations find from now on; without an error, nothing of it.
func chooseObstacle(site *world, arguments func(any) error) (any, error) {
	var asked struct {
		VM    string `json:"vm"`
		Error string `json:"error"`
		Text  string `json:"text"`
	}
	if err := arguments(&asked); err != nil {
		return nil, err
	}
	vm, err := site.findVM(asked.VM)
	if err != nil {
		return nil, err
	}
	site.relocations.mutex.Lock()
	defer site.relocations.mutex.Unlock()
	if asked.Error == "" {
		delete(site.relocations.errors, vm.Self)
		return nil, nil
	}
	failure, err := methodFault(asked.Error, vm.Self)
	if err != nil {
		return nil, err
	}
	site.relocations.errors[vm.Self] = types.LocalizedMethodFault{Fault: failure, LocalizedMessage: asked.Text}
	return asked.Error, nil
}
