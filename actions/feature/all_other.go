//go:build !linux

package feature

// elsewhere is why there is no feature.
const elsewhere = "needs Linux"

// All has the one row that says so.
var All = []Feature{
	{"ptrace", "a subject can be started and driven", "", func(*machine) string { return elsewhere }},
}

type machine struct{ kernel string }

func newMachine() *machine { return new(machine) }
