package main

import (
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// address is where clients reach the server.
func (w *world) address() (string, int32) {
	host, port, _ := net.SplitHostPort(w.server.URL.Host)
	number, _ := strconv.ParseInt(port, 10, 32)
	return host, int32(number)
}

// AcquireTicket lets somebody look at the console: a ticket is good for one connection. Nothing answers at its URL.
func (e *vmExtra) AcquireTicket(ctx *simulator.Context, req *types.AcquireTicket) soap.HasFault {
	e.begin(ctx)
	body := new(methods.AcquireTicketBody)
	kind := types.VirtualMachineTicketType(req.TicketType)
	switch kind {
	case types.VirtualMachineTicketTypeMks, types.VirtualMachineTicketTypeWebmks:
	case types.VirtualMachineTicketTypeDevice, types.VirtualMachineTicketTypeGuestControl, types.VirtualMachineTicketTypeGuestIntegrity:
		body.Fault_ = simulator.Fault("", new(types.NotSupported))
		return body
	default:
		body.Fault_ = simulator.Fault("", &types.InvalidArgument{InvalidProperty: "ticketType"})
		return body
	}
	if failure := e.poweredOn(); failure != nil {
		body.Fault_ = simulator.Fault("", failure)
		return body
	}
	short, long := e.world.identity.thumbprints()
	ticket := types.VirtualMachineTicket{
		Ticket:        strings.ReplaceAll(uuid.NewString(), "-", "")[:16],
		CfgFile:       e.vm.Config.Files.VmPathName,
		SslThumbprint: short,
	}
	ticket.Host, ticket.Port = e.world.address()
	if short != "" && e.world.options.api.api >= "8" {
		ticket.CertThumbprintList = []types.VirtualMachineCertThumbprint{
			{Thumbprint: short, HashAlgorithm: "sha1"}, {Thumbprint: long, HashAlgorithm: "sha256"},
		}
	}
	if kind == types.VirtualMachineTicketTypeWebmks {
		ticket.Url = fmt.Sprintf("wss://%s:%d/ticket/%s", ticket.Host, ticket.Port, ticket.Ticket)
	}
	body.Res = &types.AcquireTicketResponse{Returnval: ticket}
	return body
}

// AcquireMksTicket is the older way to the console.
func (e *vmExtra) AcquireMksTicket(ctx *simulator.Context, _ *types.AcquireMksTicket) soap.HasFault {
	e.begin(ctx)
	body := new(methods.AcquireMksTicketBody)
	if failure := e.poweredOn(); failure != nil {
		body.Fault_ = simulator.Fault("", failure)
		return body
	}
	short, _ := e.world.identity.thumbprints()
	ticket := types.VirtualMachineMksTicket{
		Ticket:        uuid.NewString(),
		CfgFile:       e.vm.Config.Files.VmPathName,
		SslThumbprint: short,
	}
	ticket.Host, ticket.Port = e.world.address()
	body.Res = &types.AcquireMksTicketResponse{Returnval: ticket}
	return body
}

func (e *vmExtra) poweredOn() types.BaseMethodFault {
	if e.vm.Runtime.PowerState == types.VirtualMachinePowerStatePoweredOn && e.vm.Config != nil {
		return nil
	}
	return &types.InvalidPowerState{
		RequestedState: types.VirtualMachinePowerStatePoweredOn, ExistingState: e.vm.Runtime.PowerState,
	}
}
