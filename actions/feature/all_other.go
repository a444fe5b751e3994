//go:build !linux

package feature

// elsewhere is the reason why there are no features.
const elsewhere = "needs Linux"

// All has a single row that says so.
var All = []Feature{
	{"ptrace", "a subject can be started and driven", "", func(*machine) string { return elsewhere }},
}

type machine struct{ kernel string }

func newMachine() *machine { return new(machine) }
