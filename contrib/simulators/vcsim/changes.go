package main

import (
	"reflect"
	"strings"

	"github.com/vmware/govmomi/vim25/types"
)

// leaves tells changes of whole objects field by field, as the product does: who waits for one field hears of nothing
// else.
func leaves(changes []types.PropertyChange) []types.PropertyChange {
	var told []types.PropertyChange
	for _, change := range changes {
		value := reflect.ValueOf(change.Val)
		if value.Kind() == reflect.Pointer && value.Elem().Kind() == reflect.Struct {
			value = value.Elem()
		}
		if value.Kind() != reflect.Struct || value.Type().PkgPath() != reflect.TypeFor[types.GuestInfo]().PkgPath() {
			told = append(told, change)
			continue
		}
		for number := range value.NumField() {
			field := value.Type().Field(number)
			name, _, _ := strings.Cut(field.Tag.Get("xml"), ",")
			if field.Anonymous || name == "" {
				continue
			}
			one := types.PropertyChange{Name: change.Name + "." + name}
			if !value.Field(number).IsZero() {
				one.Val = value.Field(number).Interface()
			}
			told = append(told, one)
		}
	}
	return told
}
