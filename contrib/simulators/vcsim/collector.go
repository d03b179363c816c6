package main

import (
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// ContinueRetrievePropertiesEx goes on with an answer that comes in pages. The library names the error for a token that
// it does not know in a way that no client of the API understands.
func (e *collectorExtra) ContinueRetrievePropertiesEx(
	ctx *simulator.Context, req *types.ContinueRetrievePropertiesEx,
) soap.HasFault {
	e.begin(ctx)
	collector, ok := ctx.Session.Get(e.Self).(*simulator.PropertyCollector)
	if !ok {
		return unknownToken(&types.ManagedObjectNotFound{Obj: e.Self})
	}
	answer := collector.ContinueRetrievePropertiesEx(ctx, req)
	if answer.Fault() != nil {
		return unknownToken(&types.InvalidProperty{Name: "token"})
	}
	return answer
}

func unknownToken(failure types.BaseMethodFault) *methods.ContinueRetrievePropertiesExBody {
	return &methods.ContinueRetrievePropertiesExBody{Fault_: simulator.Fault("", failure)}
}

// CancelRetrievePropertiesEx gives up the rest of an answer that comes in pages.
func (e *collectorExtra) CancelRetrievePropertiesEx(
	ctx *simulator.Context, req *types.CancelRetrievePropertiesEx,
) soap.HasFault {
	e.begin(ctx)
	body := new(methods.CancelRetrievePropertiesExBody)
	collector, ok := ctx.Session.Get(e.Self).(*simulator.PropertyCollector)
	if !ok {
		body.Fault_ = simulator.Fault("", &types.ManagedObjectNotFound{Obj: e.Self})
		return body
	}
	// The library keeps the pages to itself: the rest is forgotten once it has been read.
	for token := req.Token; token != ""; {
		next := collector.ContinueRetrievePropertiesEx(ctx, &types.ContinueRetrievePropertiesEx{This: e.Self, Token: token})
		if next.Fault() != nil {
			body.Fault_ = simulator.Fault("", &types.InvalidProperty{Name: "token"})
			return body
		}
		token = next.(*methods.ContinueRetrievePropertiesExBody).Res.Returnval.Token
	}
	if req.Token == "" {
		body.Fault_ = simulator.Fault("", &types.InvalidProperty{Name: "token"})
		return body
	}
	body.Res = new(types.CancelRetrievePropertiesExResponse)
	return body
}
