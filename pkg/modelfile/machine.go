package modelfile

import (
	"sync"

	"github.com/expr-lang/expr/vm"

	"tidemark/scoring"
)

// machine is a virtual machine and its environment, kept for reuse.
type machine struct {
	vm  vm.VM
	run run
}

var machines = sync.Pool{New: func() any {
	return &machine{vm: vm.VM{MemoryBudget: rangeBudget}}
}}

func newMachine(program *vm.Program) evaluator {
	return func(s subject) scoring.Truth {
		m := machines.Get().(*machine)
		m.run = run{subject: s, left: purse}
		out, err := m.vm.Run(program, &m.run)
		m.run = run{} // a pooled machine must not keep an event alive
		clear(m.vm.Variables)
		machines.Put(m)
		holds, ok := out.(bool)
		if err != nil || !ok {
			return scoring.Unknown
		}
		return truth(holds)
	}
}
