package main

import (
	"reflect"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// FetchResponse is the answer that a property has no value. Its name is that of the element.
type FetchResponse struct{}

type fetchBody struct {
	Res *FetchResponse
}

func (*fetchBody) Fault() *soap.Fault { return nil }

// Fetch reads one property. The library answers the question for one that is unset with the answer to another; its
// own type of the question is not to be named outside of it.
func (e *collectorExtra) Fetch(ctx *simulator.Context, req any) soap.HasFault {
	e.begin(ctx)
	collector, ok := ctx.Session.Get(e.Self).(*simulator.PropertyCollector)
	if !ok {
		return unknownToken(&types.ManagedObjectNotFound{Obj: e.Self})
	}
	asked := reflect.ValueOf(collector).MethodByName("Fetch").Call([]reflect.Value{
		reflect.ValueOf(ctx), reflect.ValueOf(req),
	})
	answer := asked[0].Interface().(soap.HasFault)
	if _, isOther := answer.(*methods.RetrievePropertiesExBody); isOther && answer.Fault() == nil {
		return &fetchBody{Res: new(FetchResponse)}
	}
	return answer
}
