package main

import (
	"fmt"
	"strings"
	"sync"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

const cancelChoice = "button.abort"

// question is what a virtual machine asks before it goes on.
type question struct {
	info    types.VirtualMachineQuestionInfo
	pending bool
	answers chan string
}

// questionBook knows what is asked, and what will be asked when a virtual machine is started.
type questionBook struct {
	mutex     sync.Mutex
	number    int
	questions map[types.ManagedObjectReference]*question
}

func newQuestionBook() *questionBook {
	return &questionBook{questions: map[types.ManagedObjectReference]*question{}}
}

// refuses tells what a call meets while there is a question: reading, answering and cutting the power go on.
func (b *questionBook) refuses(method *simulator.Method) types.BaseMethodFault {
	if !strings.HasSuffix(method.Name, "_Task") || method.Name == "PowerOffVM_Task" {
		return nil
	}
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if one, known := b.questions[method.This]; known && one.pending {
		return &types.QuestionPending{Text: one.info.Text}
	}
	return nil
}

// take returns the question that waits for a start, and marks it as asked.
func (b *questionBook) take(vm types.ManagedObjectReference) *question {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	one := b.questions[vm]
	if one == nil || one.pending {
		return nil
	}
	one.pending = true
	return one
}

// answered returns the question that an answer is for, and forgets it.
func (b *questionBook) answered(vm types.ManagedObjectReference, id, choice string) (*question, bool) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	one := b.questions[vm]
	if one == nil || !one.pending || one.info.Id != id {
		return nil, false
	}
	for _, known := range one.info.Choice.ChoiceInfo {
		if known.GetElementDescription().Key == choice {
			delete(b.questions, vm)
			return one, true
		}
	}
	return nil, false
}

func (b *questionBook) put(vm types.ManagedObjectReference, text string, choices []string, pending bool) *question {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.number++
	info := types.VirtualMachineQuestionInfo{
		Id:   fmt.Sprintf("_vmx%d", b.number),
		Text: text,
		Message: []types.VirtualMachineMessage{
			{Id: "msg.uuid.altered", Text: text},
		},
	}
	for _, choice := range choices {
		info.Choice.ChoiceInfo = append(info.Choice.ChoiceInfo, &types.ElementDescription{
			Key: choice, Description: types.Description{Label: choice, Summary: choice},
		})
	}
	one := &question{info: info, pending: pending, answers: make(chan string, 1)}
	b.questions[vm] = one
	return one
}

// PowerOnVMTask starts it; if it asks something then, the task waits for the answer.
func (e *vmExtra) PowerOnVMTask(ctx *simulator.Context, req *types.PowerOnVM_Task) soap.HasFault {
	e.begin(ctx)
	if e.vm.Config == nil {
		return &methods.PowerOnVM_TaskBody{Fault_: simulator.Fault("", new(types.InvalidState))}
	}
	if e.vm.Config.Template || e.vm.Runtime.PowerState == types.VirtualMachinePowerStatePoweredOn {
		return e.vm.PowerOnVMTask(ctx, req)
	}
	asked := e.world.pending.take(e.Self)
	if asked == nil {
		return e.vm.PowerOnVMTask(ctx, req)
	}
	outer := e.world.newTask(e.Self, "powerOnVMTask")
	ctx.Update(e.vm, []types.PropertyChange{{Name: "runtime.question", Val: &asked.info}})
	go func() {
		select {
		case choice := <-asked.answers:
			if choice == cancelChoice {
				outer.end(nil, new(types.InvalidState), "The operation was canceled by the answer to a question.")
				return
			}
		case <-e.world.over:
			return
		}
		inner := e.world.context()
		started := e.vm.PowerOnVMTask(inner, req).(*methods.PowerOnVM_TaskBody)
		outer.endAs(started.Res.Returnval, nil)
	}()
	return &methods.PowerOnVM_TaskBody{Res: &types.PowerOnVM_TaskResponse{Returnval: outer.task.Self}}
}

// AnswerVM answers what the virtual machine asks.
func (e *vmExtra) AnswerVM(ctx *simulator.Context, req *types.AnswerVM) soap.HasFault {
	e.begin(ctx)
	body := new(methods.AnswerVMBody)
	one, known := e.world.pending.answered(e.Self, req.QuestionId, req.AnswerChoice)
	if !known {
		body.Fault_ = simulator.Fault("", &types.InvalidArgument{InvalidProperty: "questionId"})
		return body
	}
	ctx.Update(e.vm, []types.PropertyChange{{Name: "runtime.question"}})
	one.answers <- req.AnswerChoice
	body.Res = new(types.AnswerVMResponse)
	return body
}

// askQuestion lets a virtual machine ask something: when it is started next, or now.
func askQuestion(site *world, arguments func(any) error) (any, error) {
	asked := struct {
		VM      string   `json:"vm"`
		Text    string   `json:"text"`
		Choices []string `json:"choices"`
		Now     bool     `json:"now"`
	}{
		Text:    "This virtual machine may have been moved or copied.",
		Choices: []string{"button.uuid.movedTheVM", "button.uuid.copiedTheVM", cancelChoice},
	}
	if err := arguments(&asked); err != nil {
		return nil, err
	}
	vm, err := site.findVM(asked.VM)
	if err != nil {
		return nil, err
	}
	one := site.pending.put(vm.Self, asked.Text, asked.Choices, asked.Now)
	if asked.Now {
		site.locked(vm, func(ctx *simulator.Context) {
			ctx.Update(vm, []types.PropertyChange{{Name: "runtime.question", Val: &one.info}})
		})
	}
	return one.info.Id, nil
}
