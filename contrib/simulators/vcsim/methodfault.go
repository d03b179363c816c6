package main

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/vmware/govmomi/vim25/types"
)

var (
	methodFaultType = reflect.TypeFor[types.BaseMethodFault]()
	referenceType   = reflect.TypeFor[types.ManagedObjectReference]()
)

// methodFault makes an error of the product by the name of its type. What it must tell of objects, it tells of one.
func methodFault(name string, of types.ManagedObjectReference) (types.BaseMethodFault, error) {
	kind, known := types.TypeFunc()(name)
	if !known || kind.Kind() != reflect.Struct || !reflect.PointerTo(kind).Implements(methodFaultType) {
		return nil, fmt.Errorf("the API has no fault %q", name)
	}
	// Go has a second type for some faults; the API does not know it.
	if bare, isSecond := strings.CutSuffix(name, "Fault"); isSecond {
		if _, known := types.TypeFunc()(bare); known {
			return nil, fmt.Errorf("the API has no fault %q, it is called %q", name, bare)
		}
	}
	made := reflect.New(kind)
	fillRequired(made.Elem(), of)
	return made.Interface().(types.BaseMethodFault), nil
}

// fillRequired gives fields a value that clients refuse to read without one: references, and words out of a list.
func fillRequired(value reflect.Value, of types.ManagedObjectReference) {
	for number := range value.NumField() {
		field := value.Field(number)
		switch {
		case field.Type() == referenceType:
			field.Set(reflect.ValueOf(of))
		case field.Kind() == reflect.Struct:
			fillRequired(field, of)
		case field.Kind() == reflect.String && field.Type().NumMethod() > 0 && field.String() == "":
			if list := field.MethodByName("Values"); list.IsValid() {
				field.Set(list.Call(nil)[0].Index(0))
			}
		}
	}
}
