package main

import (
	"bytes"
	"fmt"
	"net/http"
	"reflect"
	"regexp"

	"github.com/vmware/govmomi/vim25/types"
	"github.com/vmware/govmomi/vim25/xml"
)

const envelope = `<?xml version="1.0" encoding="UTF-8"?>
<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"` +
	` xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">` +
	`<soapenv:Body>%s</soapenv:Body></soapenv:Envelope>`

// writeEnvelope answers a call in SOAP.
func writeEnvelope(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	w.WriteHeader(status)
	fmt.Fprintf(w, envelope, body)
}

// writeFault answers a call with an error of the product.
func writeFault(w http.ResponseWriter, call soapCall, met fault) {
	made, err := methodFault(met.code, types.ManagedObjectReference{Type: call.kind, Value: call.this})
	if err != nil { // what a fault says is checked when it is added
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	writeEnvelope(w, http.StatusInternalServerError, fmt.Sprintf(
		`<soapenv:Fault><faultcode>ServerFaultCode</faultcode><faultstring>%s</faultstring><detail>%s</detail></soapenv:Fault>`,
		escaped(met.message), faultXML(made)))
}

func faultXML(made types.BaseMethodFault) []byte {
	name := reflect.TypeOf(made).Elem().Name()
	var out bytes.Buffer
	start := xml.StartElement{
		Name: xml.Name{Local: name + "Fault"},
		Attr: []xml.Attr{
			{Name: xml.Name{Local: "xmlns"}, Value: "urn:vim25"},
			{Name: xml.Name{Local: "xsi:type"}, Value: name},
		},
	}
	if err := xml.NewEncoder(&out).EncodeElement(made, start); err != nil {
		return []byte(fmt.Sprintf(`<%sFault xmlns="urn:vim25" xsi:type="%s"/>`, name, name))
	}
	return out.Bytes()
}

func escaped(text string) string {
	var out bytes.Buffer
	_ = xml.EscapeText(&out, []byte(text))
	return out.String()
}

// writeTask answers a call with the task that does what was asked.
func writeTask(w http.ResponseWriter, method string, task types.ManagedObjectReference) {
	writeEnvelope(w, http.StatusOK, fmt.Sprintf(
		`<%[1]sResponse xmlns="urn:vim25"><returnval type="Task">%[2]s</returnval></%[1]sResponse>`,
		escaped(method), escaped(task.Value)))
}

var taskInAnswer = regexp.MustCompile(`<returnval[^>]* type="Task"[^>]*>([^<]+)</returnval>`)

// taskOf finds the task that a call was answered with.
func taskOf(answer []byte) (types.ManagedObjectReference, bool) {
	found := taskInAnswer.FindSubmatch(answer)
	if found == nil {
		return types.ManagedObjectReference{}, false
	}
	return types.ManagedObjectReference{Type: "Task", Value: string(found[1])}, true
}
