package main

import (
	"regexp"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// noNotes stands for notes that are set to nothing: the library cannot tell them from notes that are not set.
const noNotes = "\ue000"

var emptyAnnotation = regexp.MustCompile(`<((?:\w+:)?annotation)(?:\s[^<>]*)?(?:/>|></(?:\w+:)?annotation\s*>)`)

// markNoNotes marks notes in the envelope of a reconfiguration that are set to nothing.
func markNoNotes(envelope []byte) []byte {
	return emptyAnnotation.ReplaceAll(envelope, []byte("<$1>"+noNotes+"</$1>"))
}

// reconfigureWithoutNotes makes a change that empties the notes, too.
func (e *vmExtra) reconfigureWithoutNotes(ctx *simulator.Context, req *types.ReconfigVM_Task) soap.HasFault {
	req.Spec.Annotation = ""
	task := simulator.CreateTask(e.vm, "reconfigVm", func(*simulator.Task) (types.AnyType, types.BaseMethodFault) {
		body := e.vm.ReconfigVMTask(ctx, req).(*methods.ReconfigVM_TaskBody)
		inner := e.world.registry().Get(body.Res.Returnval).(*simulator.Task)
		inner.Wait()
		defer e.world.registry().Remove(ctx, inner.Self)
		if inner.Info.Error != nil {
			return nil, inner.Info.Error.Fault
		}
		ctx.Update(e.vm, []types.PropertyChange{
			{Name: "config.annotation", Val: ""}, {Name: "summary.config.annotation", Val: ""},
		})
		return nil, nil
	})
	return &methods.ReconfigVM_TaskBody{Res: &types.ReconfigVM_TaskResponse{Returnval: task.Run(ctx)}}
}
