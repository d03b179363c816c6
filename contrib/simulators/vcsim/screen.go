package main

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"net/http"
	"os"
	"path"
	"strings"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

const screenWidth, screenHeight = 160, 100

// drawScreen draws what a running virtual machine shows: a text console in colours of its own.
func drawScreen(vm *simulator.VirtualMachine) []byte {
	picture := image.NewPaletted(image.Rect(0, 0, screenWidth, screenHeight), color.Palette{
		color.Black, color.Gray{Y: 170}, color.RGBA{R: vm.Self.Value[len(vm.Self.Value)-1] * 3, G: 90, B: 160, A: 255},
	})
	for line, text := range []string{vm.Name, vm.Config.InstanceUuid, "login:"} {
		for column, letter := range []byte(text) {
			for bit := range 8 {
				if letter>>bit&1 == 1 {
					picture.SetColorIndex(4+column*4+bit&3, 8+line*12+bit>>2*4, uint8(1+line%2))
				}
			}
		}
	}
	var out bytes.Buffer
	_ = png.Encode(&out, picture) // a buffer takes everything
	return out.Bytes()
}

// CreateScreenshotTask stores a picture of the screen beside the virtual machine, and tells where.
func (e *vmExtra) CreateScreenshotTask(ctx *simulator.Context, _ *types.CreateScreenshot_Task) soap.HasFault {
	e.begin(ctx)
	body := new(methods.CreateScreenshot_TaskBody)
	if failure := e.poweredOn(); failure != nil {
		body.Fault_ = simulator.Fault("", failure)
		return body
	}
	task := simulator.CreateTask(e.Self, "createScreenshotTask", func(*simulator.Task) (types.AnyType, types.BaseMethodFault) {
		for number := 1; ; number++ {
			var where object.DatastorePath
			where.FromString(e.vm.Config.Files.VmPathName)
			where.Path = fmt.Sprintf("%s-%d.png", strings.TrimSuffix(where.Path, path.Ext(where.Path)), number)
			file, err := e.world.localPath(where.String())
			if err != nil {
				return nil, &types.FileNotFound{FileFault: types.FileFault{File: where.String()}}
			}
			if _, err := os.Stat(file); err == nil {
				continue
			}
			if err := os.WriteFile(file, drawScreen(e.vm), 0o600); err != nil {
				return nil, &types.CannotCreateFile{FileFault: types.FileFault{File: where.String()}}
			}
			return where.String(), nil
		}
	})
	body.Res = &types.CreateScreenshot_TaskResponse{Returnval: task.Run(ctx)}
	return body
}

// serveScreen answers GET /screen?id=vm-12 with the screen as it is now.
func (w *world) serveScreen(out http.ResponseWriter, r *http.Request) {
	if !w.knows(r) {
		out.Header().Set("WWW-Authenticate", `Basic realm="VMware HTTP server"`)
		http.Error(out, "Unauthorized", http.StatusUnauthorized)
		return
	}
	ref := types.ManagedObjectReference{Type: "VirtualMachine", Value: r.URL.Query().Get("id")}
	vm, found := w.registry().Get(ref).(*simulator.VirtualMachine)
	if !found || r.Method != http.MethodGet {
		http.NotFound(out, r)
		return
	}
	var picture []byte
	w.locked(vm, func(*simulator.Context) {
		if vm.Config != nil && vm.Runtime.PowerState == types.VirtualMachinePowerStatePoweredOn {
			picture = drawScreen(vm)
		}
	})
	if picture == nil {
		http.Error(out, "The virtual machine is not powered on.", http.StatusInternalServerError)
		return
	}
	out.Header().Set("Content-Type", "image/png")
	_, _ = out.Write(picture)
}

// knows tells whether a request beside the API comes from somebody who may: with a session's cookie, or a password.
func (w *world) knows(r *http.Request) bool {
	if cookie, err := r.Cookie(soap.SessionCookieName); err == nil {
		for _, one := range w.sessions() {
			if one.Key == strings.Trim(cookie.Value, `"`) {
				return true
			}
		}
	}
	name, password, given := r.BasicAuth()
	return given && name == w.options.username() && password == w.options.password
}

// refusesFolder keeps strangers from files of datastores, which the library hands to everybody.
func (w *world) refusesFolder(out http.ResponseWriter, r *http.Request) bool {
	if w.knows(r) {
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			w.fillDiskAt(r)
		}
		return false
	}
	out.Header().Set("WWW-Authenticate", `Basic realm="VMware HTTP server"`)
	http.Error(out, "Unauthorized", http.StatusUnauthorized)
	return true
}
